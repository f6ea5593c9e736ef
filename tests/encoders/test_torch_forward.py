"""Memory that runs out: a module at a model's end stands for a device that has room for so many rows."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from searchapp.encoders import load_encoder
from searchapp.encoders.torch_encoder import TorchEncoder
from searchapp.errors import ModelError
from tests.encoders.conftest import Build
from tests.encoders.test_torch_runtime import some_texts
from tests.models_on_disk import quiet

ALL = 1 << 20
"""Tokens that every text here fits into together."""


class Room(torch.nn.Module):
    """Passes on what it is given, but for more rows than it has room for; remembers what came."""

    def __init__(self, rows: int, error: Exception | None = None) -> None:
        super().__init__()
        self.rows = rows
        self.error = error or torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        self.came: list[int] = []

    def forward(self, features: dict[str, Any], **_options: Any) -> dict[str, Any]:
        self.came.append(len(features["sentence_embedding"]))
        if self.came[-1] > self.rows:
            raise self.error
        return features


def open_in(room: Room, folder: Path, *, budget: int = ALL, part: int | None = None) -> TorchEncoder:
    with quiet():
        from sentence_transformers import SentenceTransformer

        modules = list(SentenceTransformer(str(folder), device="cpu"))
        model = SentenceTransformer(modules=[*modules, room], device="cpu").eval()
    return TorchEncoder(model, load_encoder(str(folder)).card, budget=budget, part=part)


def test_a_batch_that_does_not_fit_goes_through_in_halves(built: Build) -> None:
    texts, room = some_texts(11), Room(3)
    encoder = open_in(room, built("roberta"))
    expected = load_encoder(str(built("roberta"))).encode_documents(texts)
    np.testing.assert_allclose(encoder.encode_documents(texts), expected, atol=1e-5)
    # 11 fail, 6 fail; 3 and 3 go, and of the other 5 the first 3 are tried and go, since they are as few.
    assert room.came[:4] == [11, 6, 3, 3]
    assert sum(size for size in room.came if size <= 3) == 11
    assert encoder.counts.texts == 11


def test_what_failed_once_is_not_tried_again(built: Build) -> None:
    texts, room = ["red bag"] * 8, Room(2)
    encoder = open_in(room, built("roberta"))
    encoder.encode_documents(texts)
    assert room.came == [8, 4, 2, 2, 2, 2]
    encoder.encode_documents(texts)
    assert room.came[6:] == [2, 2, 2, 2]


def test_one_text_that_does_not_fit_is_told_with_its_length(built: Build) -> None:
    room = Room(0)
    encoder = open_in(room, built("roberta"))
    with pytest.raises(
        ModelError,
        match=r"cpu has no memory for one text of \d+ tokens alone, with .*roberta in float32; end what else",
    ):
        encoder.encode_documents(["red bag", "blue bag", "kettle"])
    assert room.came == [3, 2, 1]


def test_other_errors_are_not_memory(built: Build) -> None:
    room = Room(0, RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        open_in(room, built("roberta")).encode_documents(["red bag", "blue bag"])
    assert room.came == [2]


def test_full_memory_on_the_cpu_is_halved_too(built: Build) -> None:
    room = Room(2, RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"))
    texts = some_texts(5)
    expected = load_encoder(str(built("fifty"))).encode_documents(texts)
    np.testing.assert_allclose(open_in(room, built("fifty")).encode_documents(texts), expected, atol=1e-5)


@pytest.mark.parametrize("rows", [2, ALL])
def test_texts_made_ready_ahead_give_the_same(rows: int, built: Build) -> None:
    texts = some_texts(50)
    alone = load_encoder(str(built("nomic")))
    encoder = open_in(Room(rows), built("nomic"), budget=200, part=7)
    np.testing.assert_allclose(encoder.encode_queries(texts), alone.encode_queries(texts), atol=1e-5)
    assert encoder.counts == alone.counts
    assert encoder.counts.tokens_lost > 0


def test_a_model_with_a_tokenizer_of_its_own_is_made_ready_ahead_too(built: Build, tmp_path: Path) -> None:
    folder = shutil.copytree(built("e5"), tmp_path / "e5")
    config = json.loads((folder / "1_Pooling" / "config.json").read_text())
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({**config, "include_prompt": False}))
    texts = some_texts(50)[:-2]
    alone = load_encoder(str(folder))
    encoder = open_in(Room(2), folder, budget=200, part=7)
    np.testing.assert_allclose(encoder.encode_queries(texts), alone.encode_queries(texts), atol=1e-5)
    assert encoder.counts == alone.counts


def test_a_token_without_a_vector_is_told(built: Build) -> None:
    encoder = open_in(Room(0, IndexError("index out of range in self")), built("fifty"))
    with pytest.raises(ModelError, match="check that its tokenizer and weights belong together"):
        encoder.encode_queries(["red bag"])
