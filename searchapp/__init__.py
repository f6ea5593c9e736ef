"""searchapp: embed, compress, index and judge your own catalogue.

The names below are the public API; each is imported when first used, so that `import searchapp` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from searchapp.build import build_index as build_index
    from searchapp.corpus import open_corpus as open_corpus
    from searchapp.corpus import open_dataset as open_dataset
    from searchapp.encoders import load_encoder as load_encoder
    from searchapp.index import open_index as open_index
    from searchapp.metrics import evaluate as evaluate
    from searchapp.search import Searcher as Searcher
    from searchapp.train.recipe_file import open_recipe as open_recipe
    from searchapp.train.run import train_model as train_model

__version__ = "0.1.0"

_HOMES = {
    "Searcher": "searchapp.search",
    "build_index": "searchapp.build",
    "evaluate": "searchapp.metrics",
    "load_encoder": "searchapp.encoders",
    "open_corpus": "searchapp.corpus",
    "open_dataset": "searchapp.corpus",
    "open_index": "searchapp.index",
    "open_recipe": "searchapp.train.recipe_file",
    "train_model": "searchapp.train.run",
}

__all__ = [
    "Searcher",
    "build_index",
    "evaluate",
    "load_encoder",
    "open_corpus",
    "open_dataset",
    "open_index",
    "open_recipe",
    "train_model",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'searchapp' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
