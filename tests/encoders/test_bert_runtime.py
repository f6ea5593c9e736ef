"""The NumPy BERT of carried query encoders: the vectors of sentence-transformers, and refusals of what is no BERT."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from searchapp.encoders import CANARIES, Encoder, load_encoder
from searchapp.encoders.bert_forward import _gelu
from searchapp.encoders.bert_runtime import BertEncoder, export_bert
from searchapp.encoders.exported import open_exported, write_description
from searchapp.encoders.runtimes import choose_export
from searchapp.errors import ModelError
from tests.models_on_disk import SENTENCES, add_dense

TEXTS = (*CANARIES, *SENTENCES, "", "word " * 300, "<pad> red </s> bag [PAD] x")


@pytest.mark.parametrize("name", ["bge", "roberta", "e5", "fifty"])
def test_vectors_are_those_of_the_model_and_counts_too(built: Callable[[str], Path], tmp_path: Path, name: str) -> None:
    encoder = load_encoder(str(built(name)))
    found = open_exported(write_down(encoder, tmp_path / "encoder"))
    assert isinstance(found, BertEncoder)
    assert found.card == replace(encoder.card, runtime="bert")
    for one, other in (
        (encoder.encode_queries, found.encode_queries),
        (encoder.encode_documents, found.encode_documents),
    ):
        np.testing.assert_allclose(other(TEXTS), one(TEXTS), atol=2e-6, rtol=1e-5)
    assert found.counts == encoder.counts
    assert found.counts.truncated


@pytest.mark.parametrize(("name", "pooling"), [("bge", "cls+normalize+dense"), ("roberta", "mean+dense")])
def test_a_matrix_behind_the_pooling_is_written_down_too(
    built: Callable[[str], Path], tmp_path: Path, name: str, pooling: str
) -> None:
    encoder = load_encoder(str(add_dense(built(name), tmp_path / "model")))
    assert choose_export(encoder).form.runtime == "bert"
    folder = write_down(encoder, tmp_path / "encoder")
    found = open_exported(folder)
    assert found.card.pooling == pooling
    expected = encoder.encode_queries(TEXTS)
    np.testing.assert_allclose(found.encode_queries(TEXTS), expected, atol=5e-5, rtol=1e-4)
    assert np.abs(expected - load_encoder(str(built(name))).encode_queries(TEXTS)).max() > 0.1
    spoil("dense.weight", lambda _: None)(folder)
    with pytest.raises(ModelError, match=r"holds dense\.weight as None, and float32 \(64, 64\) was expected"):
        open_exported(folder)


def write_down(encoder: Encoder, folder: Path) -> Path:
    """Write an encoder in this form, whatever else it could be written in."""
    folder.mkdir()
    write_description(folder, export_bert(encoder, folder))
    return folder


def test_a_text_s_vector_does_not_depend_on_the_others(built: Callable[[str], Path], tmp_path: Path) -> None:
    found = open_exported(write_down(load_encoder(str(built("e5"))), tmp_path / "encoder"))
    together = found.encode_queries(TEXTS)
    alone = np.concatenate([found.encode_queries([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, together, atol=2e-6)
    assert found.encode_queries([]).shape == (0, 64)


def test_writing_twice_gives_the_same_bytes(built: Callable[[str], Path], tmp_path: Path) -> None:
    encoder = load_encoder(str(built("roberta")))
    one, two = (write_down(encoder, tmp_path / name) for name in ("one", "two"))
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()
    assert load_file(one / "model.safetensors")["0.qkv.weight"].shape == (192, 64)


def test_gelu_is_exact_to_float32() -> None:
    x = np.linspace(-12, 12, 20_001).astype(np.float32)
    exact = np.array([v * (1 + math.erf(v / math.sqrt(2))) / 2 for v in x.astype(np.float64)])
    assert np.abs(_gelu(x.copy()) - exact).max() < 2e-6


def test_another_architecture_is_refused(built: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is a nomic_bert, and what can be written down is bert, roberta"):
        write_down(load_encoder(str(built("nomic"))), tmp_path / "encoder")


def with_config(**changed: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        body = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        (folder / "config.json").write_text(json.dumps(body | changed), encoding="utf-8")

    return change


def with_left_side(folder: Path) -> None:
    body = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
    (folder / "tokenizer_config.json").write_text(json.dumps(body | {"truncation_side": "left"}), encoding="utf-8")


def without_epsilon(folder: Path) -> None:
    body = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del body["layer_norm_eps"]
    (folder / "config.json").write_text(json.dumps(body), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without_epsilon, r"config\.json doesn't spell out its shape \(KeyError\('layer_norm_eps'\)\)"),
        (with_config(hidden_act="relu"), r"what can be written down is .* in their plain form"),
        (with_config(position_embedding_type="relative_key"), r"in their plain form"),
        (with_left_side, r"cuts or pads texts on the left"),
    ],
)
def test_what_works_otherwise_is_refused(
    built: Callable[[str], Path], tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = Path(shutil.copytree(built("fifty"), tmp_path / "model"))
    change(folder)
    with pytest.raises(ModelError, match=message):
        write_down(load_encoder(str(folder)), tmp_path / "encoder")


def test_a_folder_that_changed_since_is_refused(built: Callable[[str], Path], tmp_path: Path) -> None:
    folder = Path(shutil.copytree(built("fifty"), tmp_path / "model"))
    encoder = load_encoder(str(folder))
    with_config(hidden_act="relu")(folder)
    with pytest.raises(ModelError, match=r"has changed since the model was loaded"):
        write_down(encoder, tmp_path / "encoder")


@pytest.fixture(scope="module")
def encoder(built: Callable[[str], Path]) -> Encoder:
    return load_encoder(str(built("e5")))


def spoil(name: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Return a change of one tensor in a written folder."""

    def spoiled(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        changed = change(tensors.pop(name))
        save_file(tensors | ({} if changed is None else {name: changed}), folder / "model.safetensors")

    return spoiled


def shape_of(**changed: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        body = json.loads((folder / "shape.json").read_text(encoding="utf-8"))
        (folder / "shape.json").write_text(json.dumps(body | changed), encoding="utf-8")

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoil("0.qkv.weight", lambda _: None), r"holds 0\.qkv\.weight as None, and float32 \(192, 64\) was expected"),
        (spoil("1.narrow.bias", lambda held: held[:5]), r"holds 1\.narrow\.bias as \(5,\), and float32 \(64,\)"),
        (spoil("words", lambda held: held[:0]), r"holds nothing in words"),
        (spoil("words", lambda held: held.astype(np.float16)), r"holds words as None, and float32 \('any', 64\)"),
        (spoil("places", lambda held: held[:9]), r"takes texts of 32 tokens, and has places for 7"),
        (shape_of(heads=5), r"64 dims, which 5 heads can't share"),
        (shape_of(heads=0), r"shape\.json is damaged"),
        (shape_of(epsilon="x"), r"shape\.json is damaged"),
        (shape_of(padding=-1), r"shape\.json is damaged: the padding token is -1"),
        (lambda folder: (folder / "shape.json").unlink(), r"shape\.json is damaged"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), r"tokenizer\.json can't be read"),
    ],
)
def test_a_damaged_folder_is_told_in_one_line(
    encoder: Encoder, tmp_path: Path, change: Callable[[Path], None], message: str
) -> None:
    folder = write_down(encoder, tmp_path / "encoder")
    change(folder)
    with pytest.raises(ModelError, match=message) as caught:
        open_exported(folder)
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith("or type --model with its model")


def test_a_tokenizer_of_more_words_is_told(encoder: Encoder, tmp_path: Path) -> None:
    folder = write_down(encoder, tmp_path / "encoder")
    spoil("words", lambda held: held[:20])(folder)
    with pytest.raises(ModelError, match=r"gives token \d+ and the model has vectors for 20"):
        open_exported(folder).encode_queries(["red leather handbag"])


def test_a_file_that_is_cut_while_it_is_open_is_told(encoder: Encoder, tmp_path: Path) -> None:
    folder = write_down(encoder, tmp_path / "encoder")
    opened = open_exported(folder)
    with (folder / "model.safetensors").open("r+b") as handle:
        handle.truncate(4_096)
    with pytest.raises(ModelError, match=r"model\.safetensors ends before the vector of token \d+"):
        opened.encode_queries(["red leather handbag"])


def test_it_is_not_a_runtime_that_loads_models(encoder: Encoder) -> None:
    assert choose_export(encoder).form.runtime == "bert"
