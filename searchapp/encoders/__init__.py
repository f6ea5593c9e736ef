"""Text -> vectors. Knows neither corpora nor indexes; the heavy libraries load when a model does.

The names below are imported when first used: a query that opens the encoder of its index needs few of them.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from searchapp.encoders.base import EncodeCounts as EncodeCounts
    from searchapp.encoders.base import Encoder as Encoder
    from searchapp.encoders.base import EncoderCard as EncoderCard
    from searchapp.encoders.base import Vectors as Vectors
    from searchapp.encoders.checks import CANARIES as CANARIES
    from searchapp.encoders.checks import check_encoder as check_encoder
    from searchapp.encoders.checks import check_vectors as check_vectors
    from searchapp.encoders.load import load_encoder as load_encoder
    from searchapp.encoders.onnx_runtime import PRECISIONS as PRECISIONS
    from searchapp.encoders.options import EncoderOptions as EncoderOptions
    from searchapp.encoders.runtimes import RUNTIME_NAMES as RUNTIME_NAMES

_HOMES = {
    "CANARIES": "checks",
    "PRECISIONS": "onnx_runtime",
    "RUNTIME_NAMES": "runtimes",
    "EncodeCounts": "base",
    "Encoder": "base",
    "EncoderCard": "base",
    "EncoderOptions": "options",
    "Vectors": "base",
    "check_encoder": "checks",
    "check_vectors": "checks",
    "load_encoder": "load",
}

__all__ = [
    "CANARIES",
    "PRECISIONS",
    "RUNTIME_NAMES",
    "EncodeCounts",
    "Encoder",
    "EncoderCard",
    "EncoderOptions",
    "Vectors",
    "check_encoder",
    "check_vectors",
    "load_encoder",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'searchapp.encoders' has no attribute {name!r}")
    return getattr(importlib.import_module(f"searchapp.encoders.{_HOMES[name]}"), name)
