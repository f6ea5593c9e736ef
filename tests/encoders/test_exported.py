"""An encoder written down and opened again: the same vectors, the same bytes, one clear line for what is damaged."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchapp.encoders import CANARIES, Encoder, EncoderOptions, load_encoder
from searchapp.encoders.exported import DESCRIPTION, LARGEST_DESCRIPTION, open_exported, write_description
from searchapp.encoders.runtimes import choose_export
from searchapp.errors import ModelError, SearchappError
from tests.fakes import HashEncoder
from tests.models_on_disk import STATIC_DIM, make_model2vec, make_static, static_tokenizer, token_vectors

PROMPTS = {"query": "query: ", "document": "passage: "}


def write_down(encoder: Encoder, folder: Path) -> Path:
    """Write an encoder as a build does."""
    folder.mkdir()
    write_description(folder, choose_export(encoder).write(encoder, folder))
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("written")
    return write_down(load_encoder(str(make_static(place / "model", normalize=True))), place / "encoder")


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_a_static_encoder_comes_back_without_its_model(tmp_path: Path, normalize: bool, dtype: str) -> None:
    model = make_static(tmp_path / "model", normalize=normalize, dtype=dtype, prompts=PROMPTS)
    encoder = load_encoder(str(model))
    expected = encoder.encode_queries(CANARIES), encoder.encode_documents(CANARIES)
    folder = write_down(encoder, tmp_path / "encoder")
    shutil.rmtree(model)
    found = open_exported(shutil.move(folder, tmp_path / "elsewhere"))
    assert found.card == encoder.card
    np.testing.assert_array_equal(found.encode_queries(CANARIES), expected[0])
    np.testing.assert_array_equal(found.encode_documents(CANARIES), expected[1])


def test_what_a_model2vec_folder_shares_and_weighs_comes_back(tmp_path: Path) -> None:
    tokens = static_tokenizer().get_vocab_size()
    tensors = {
        "embeddings": token_vectors(tokens // 2, STATIC_DIM),
        "mapping": np.arange(tokens, dtype=np.int32) % (tokens // 2),
        "weights": np.linspace(0.5, 2, tokens, dtype=np.float32),
    }
    encoder = load_encoder(str(make_model2vec(tmp_path / "model", tensors)))
    found = open_exported(write_down(encoder, tmp_path / "encoder"))
    np.testing.assert_array_equal(found.encode_queries(CANARIES), encoder.encode_queries(CANARIES))


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    model = str(make_static(tmp_path / "model", prompts=PROMPTS))
    one, two = (write_down(load_encoder(model), tmp_path / name) for name in ("one", "two"))
    assert sorted(path.name for path in one.iterdir()) == ["encoder.json", "model.safetensors", "tokenizer.json"]
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes()


def test_what_is_written_of_it_can_be_written_again(written: Path, tmp_path: Path) -> None:
    again = write_down(open_exported(written), tmp_path / "again")
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in written.iterdir()
    }


def test_an_encoder_of_no_runtime_here_is_refused() -> None:
    with pytest.raises(ModelError, match=r"what runs in numpy can't be written down"):
        choose_export(HashEncoder())


def test_only_a_static_encoder_is_written_as_one(written: Path, tmp_path: Path) -> None:
    write = choose_export(open_exported(written)).write
    with pytest.raises(ModelError, match=r"hash-0 is not loaded as a static model"):
        write(HashEncoder(), tmp_path)


def card_with(**changed: object) -> Callable[[dict[str, Any]], None]:
    """Return a change of what encoder.json says in its card."""

    def change(body: dict[str, Any]) -> None:
        body["card"] |= changed

    return change


def top_with(**changed: object) -> Callable[[dict[str, Any]], None]:
    return lambda body: body.update(changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (top_with(format="other"), r"encoder\.json doesn't describe a query encoder; build the index again"),
        (top_with(format_version=7), r"has format version 7, this searchapp reads 1"),
        (top_with(card=[1]), r"encoder\.json is damaged"),
        (card_with(runtime="warp"), r"names the runtime 'warp', this searchapp opens static"),
        (card_with(dim=7), r"holds vectors of 24 dims, and 7 were expected"),
        (card_with(dim=-1), r"encoder\.json is damaged .*the dim is -1"),
        (card_with(dim=True), r"encoder\.json is damaged .*the dim is True"),
        (card_with(prompts="query: "), r"encoder\.json is damaged"),
        (card_with(prompts={"query": 1}), r"encoder\.json is damaged .*1 is no text"),
        (card_with(pooling=None), r"encoder\.json is damaged .*None is no text"),
        (card_with(revision=3), r"encoder\.json is damaged .*the revision is 3"),
        (card_with(max_seq_length=0), r"encoder\.json is damaged .*the max_seq_length is 0"),
        (card_with(code="import os"), r"encoder\.json is damaged"),
    ],
)
def test_a_description_that_lies_is_told_in_one_line(
    written: Path, tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "encoder"))
    body = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    change(body)
    (folder / DESCRIPTION).write_text(json.dumps(body), encoding="utf-8")
    with pytest.raises(ModelError, match=message) as caught:
        open_exported(folder)
    assert "\n" not in str(caught.value)
    assert "or type --model" in str(caught.value)


def test_a_huge_description_is_not_read(written: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "encoder"))
    text = (folder / DESCRIPTION).read_text(encoding="utf-8")
    (folder / DESCRIPTION).write_text(text + " " * LARGEST_DESCRIPTION, encoding="utf-8")
    with pytest.raises(ModelError, match=r"doesn't describe a query encoder"):
        open_exported(folder)


@pytest.mark.parametrize("name", ["encoder.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("damage", ["gone", "empty", "half", "garbage"])
def test_a_damaged_file_is_told_in_one_line(written: Path, tmp_path: Path, name: str, damage: str) -> None:
    folder = Path(shutil.copytree(written, tmp_path / "encoder"))
    path = folder / name
    if damage == "gone":
        path.unlink()
    else:
        raw = path.read_bytes()
        path.write_bytes({"empty": b"", "half": raw[: len(raw) // 2], "garbage": b"\xff\x00" * 50}[damage])
    with pytest.raises(ModelError, match=rf"{name} (can't be read|is damaged)") as caught:
        open_exported(folder)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_flipped_bytes_give_a_traceback(written: Path, tmp_path_factory: pytest.TempPathFactory, data: Any) -> None:
    folder = Path(shutil.copytree(written, tmp_path_factory.mktemp("flipped") / "encoder"))
    path = folder / data.draw(st.sampled_from(["encoder.json", "model.safetensors", "tokenizer.json"]))
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, min(len(raw), 3_000) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    try:
        vectors = open_exported(folder).encode_queries(["red leather bag"])
    except SearchappError as error:
        assert "\n" not in str(error)
    else:
        assert vectors.shape == (1, STATIC_DIM)
    finally:
        shutil.rmtree(folder)


def test_a_written_encoder_runs_on_the_options_it_was_loaded_with(tmp_path: Path) -> None:
    model = str(make_static(tmp_path / "model", prompts=PROMPTS))
    encoder = load_encoder(model, EncoderOptions(query_prompt="ask: ", document_prompt=""))
    found = open_exported(write_down(encoder, tmp_path / "encoder"))
    assert (found.card.prompts.query, found.card.prompts.document) == ("ask: ", "")
    np.testing.assert_array_equal(found.encode_queries(["red bag"]), encoder.encode_queries(["red bag"]))
