"""Models as onnxruntime runs them: PyTorch's vectors and counts, and no PyTorch once the export is there."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from searchapp.encoders import CANARIES, EncoderOptions, load_encoder
from searchapp.encoders.exported import ONNX, open_exported, write_description
from searchapp.encoders.folder import find_folder, fingerprint, hash_files
from searchapp.encoders.onnx_runtime import export_onnx
from searchapp.encoders.runtimes import choose_export
from searchapp.encoders.torch_load import load_on
from searchapp.errors import ModelError, UsageError
from searchapp.layout import cache_folder
from tests.encoders.conftest import Build
from tests.encoders.test_torch_runtime import some_texts
from tests.models_on_disk import ARCHITECTURES, FIFTY, make_model, make_static

FLOAT, INT8 = EncoderOptions(runtime="onnx"), EncoderOptions(precision="int8")


def units(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_vectors_and_counts_are_those_of_torch(name: str, built: Build) -> None:
    texts = some_texts(40)
    ours, theirs = load_encoder(str(built(name)), FLOAT), load_encoder(str(built(name)))
    for one, other in (
        (ours.encode_queries, theirs.encode_queries),
        (ours.encode_documents, theirs.encode_documents),
    ):
        np.testing.assert_allclose(one(texts), other(texts), atol=1e-4)
    assert ours.counts == theirs.counts
    assert ours.counts.truncated > 0
    assert (ours.card.runtime, ours.card.dtype) == ("onnx", "float32")
    for field in ("model", "fingerprint", "dim", "prompts", "pooling", "max_seq_length"):
        assert getattr(ours.card, field) == getattr(theirs.card, field)


def test_texts_that_begin_with_the_prompt_are_counted(built: Build) -> None:
    encoder = load_encoder(str(built("e5")), FLOAT)
    vectors = encoder.encode_queries(["query: red bag", "red bag"])
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)
    assert (encoder.counts.texts, encoder.counts.already_prefixed) == (2, 1)


def test_int8_is_near_and_does_not_depend_on_company(built: Build) -> None:
    texts = some_texts(40)
    encoder = load_encoder(str(built("bge")), INT8)
    exact = load_encoder(str(built("bge"))).encode_documents(texts)
    found = encoder.encode_documents(texts)
    assert (encoder.card.runtime, encoder.card.dtype) == ("onnx", "int8")
    assert np.einsum("nd,nd->n", units(found), units(exact)).min() > 0.99
    assert np.abs(found - exact).max() > 1e-3
    alone = np.vstack([encoder.encode_documents([text]) for text in texts])
    # A product's last bit may round an activation to the next integer.
    assert np.einsum("nd,nd->n", units(found), units(alone)).min() > 0.9999


@pytest.mark.parametrize("options", [FLOAT, INT8])
def test_what_was_written_down_opens_anywhere(options: EncoderOptions, built: Build, tmp_path: Path) -> None:
    made_by = load_encoder(str(built("e5")), options)
    folder = tmp_path / "encoder"
    folder.mkdir()
    write_description(folder, choose_export(made_by).write(made_by, folder))
    found = open_exported(shutil.move(folder, tmp_path / "elsewhere"))
    np.testing.assert_array_equal(found.encode_queries(CANARIES), made_by.encode_queries(CANARIES))
    assert found.card == made_by.card


def test_torch_writes_down_the_same_bytes_as_onnx(built: Build, tmp_path: Path) -> None:
    folders = []
    for runtime in ("torch", "onnx"):
        encoder = load_encoder(str(built("e5")), EncoderOptions(runtime=runtime))
        folder = tmp_path / runtime
        folder.mkdir()
        write_description(folder, export_onnx(encoder, folder))
        folders.append(folder)
    for name in ("encoder.json", *ONNX.files):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_an_export_that_is_there_needs_no_torch(built: Build) -> None:
    expected = load_encoder(str(built("bge")), FLOAT).encode_queries(["red bag"])
    code = (
        "import sys\n"
        "for name in ('torch', 'transformers', 'sentence_transformers', 'onnx', 'onnxscript'):\n"
        "    sys.modules[name] = None\n"
        "from searchapp.encoders import EncoderOptions, load_encoder\n"
        "encoder = load_encoder(sys.argv[1], EncoderOptions(runtime='onnx'))\n"
        "print(*encoder.encode_queries(['red bag'])[0].tolist())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(built("bge"))], capture_output=True, text=True, check=True, env=os.environ
    )
    np.testing.assert_allclose([float(number) for number in done.stdout.split()], expected[0], atol=1e-6)


def test_a_damaged_export_is_made_again(built: Build) -> None:
    expected = load_encoder(str(built("fifty")), FLOAT).encode_queries(["red bag"])
    weights = max(
        (path for path in (cache_folder() / "onnx").glob("*-float32-*/model.onnx.data")),
        key=lambda p: p.stat().st_mtime,
    )
    body = bytearray(weights.read_bytes())
    body[len(body) // 2] ^= 255
    weights.write_bytes(body)
    np.testing.assert_array_equal(load_encoder(str(built("fifty")), FLOAT).encode_queries(["red bag"]), expected)
    assert weights.read_bytes() != bytes(body)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (EncoderOptions(runtime="onnx", device="cuda"), "--runtime onnx computes on the CPU, and --device is 'cuda'"),
        (
            EncoderOptions(runtime="torch", precision="int8"),
            "--runtime torch computes in float32.* type --runtime onnx",
        ),
        (EncoderOptions(precision="int8", device="cuda"), "type --runtime torch, without --precision int8"),
        (EncoderOptions(precision="int4"), "--precision is 'int4'; type one of auto, float32, int8"),
    ],
)
def test_options_that_make_no_sense(options: EncoderOptions, said: str, built: Build) -> None:
    with pytest.raises(UsageError, match=said):
        load_encoder(str(built("fifty")), options)


def test_a_model_that_is_more_than_a_plain_transformer_is_refused(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "static")
    with pytest.raises(ModelError, match="all that is written down as ONNX; type --runtime torch"):
        load_encoder(str(folder), FLOAT)


def test_files_that_are_no_model_are_told_in_one_line(built: Build, tmp_path: Path) -> None:
    encoder = load_encoder(str(built("bge")), FLOAT)
    write_description(tmp_path, choose_export(encoder).write(encoder, tmp_path))
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match=r"model\.onnx can't be read as a model \(.*\)") as caught:
        open_exported(tmp_path)
    assert "\n" not in str(caught.value)


def test_one_text_none_and_a_bare_string(built: Build) -> None:
    encoder = load_encoder(str(built("bge")), FLOAT)
    assert encoder.encode_documents([]).shape == (0, 64)
    assert encoder.encode_queries(["red bag"]).shape == (1, 64)
    with pytest.raises(UsageError, match="texts is one text"):
        encoder.encode_documents("red bag")


def test_what_a_gpu_has_rounded_is_not_opened_as_the_model(tmp_path: Path) -> None:
    folder = make_model(tmp_path / "model", replace(FIFTY, seed=9))
    source = find_folder(str(folder))
    known = fingerprint(hash_files(folder))
    rounded = load_on("cpu", "bfloat16", source=source, fingerprint=known, options=EncoderOptions())
    (tmp_path / "encoder").mkdir()
    export_onnx(rounded, tmp_path / "encoder")
    expected = load_encoder(str(folder)).encode_queries(CANARIES)
    found = load_encoder(str(folder), FLOAT).encode_queries(CANARIES)
    np.testing.assert_allclose(units(found), units(expected), atol=1e-5)
