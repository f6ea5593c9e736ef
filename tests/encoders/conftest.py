"""Small models, built once a session."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.models_on_disk import ARCHITECTURES, make_collapsed, quiet

Build = Callable[[str], Path]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Give the folder of a small model by its name in ARCHITECTURES, or `collapsed`."""
    root = tmp_path_factory.mktemp("models")
    done: dict[str, Path] = {}

    def build(name: str) -> Path:
        if name not in done:
            done[name] = {**ARCHITECTURES, "collapsed": make_collapsed}[name](root / name)
        return done[name]

    return build


def oracle(folder: Path, texts: list[str], *, prompt: str = "", task: str | None = None) -> npt.NDArray[np.float32]:
    """Encode with sentence-transformers itself, one text at a time, so that no batch has padding."""
    with quiet():
        import torch
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
        options: dict[str, Any] = {"prompt": prompt, "batch_size": 1, "show_progress_bar": False}
        if task is not None:
            options["task"] = task
        return np.asarray(model.encode(texts, **options), dtype=np.float32)
