import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from searchapp.encoders import load_encoder
from searchapp.encoders.folder import find_folder, fingerprint, hash_files
from searchapp.errors import ModelError
from tests.encoders.conftest import Build

COMMIT = "0123456789abcdef0123456789abcdef01234567"

OFFLINE = """
import json, sys
from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import SearchappError
for name, revision in json.loads(sys.argv[1]):
    try:
        encoder = load_encoder(name, EncoderOptions(revision=revision))
        card = encoder.card
        found = [card.model, card.revision, card.fingerprint, card.prompts.source]
        print(json.dumps([*found, encoder.encode_documents(["red bag"]).tolist()]))
    except SearchappError as error:
        print(json.dumps([type(error).__name__, str(error)]))
"""


def offline(home: Path, *asked: tuple[str, str | None]) -> list[list[object]]:
    """Load models in a child that may not go to the hub; return what it printed."""
    env = {**os.environ, "HF_HOME": str(home), "HF_HUB_OFFLINE": "1"}
    env.pop("HF_HUB_CACHE", None)
    command = [sys.executable, "-c", OFFLINE, json.dumps(asked)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=env)
    return [json.loads(line) for line in done.stdout.splitlines()]


def cache_model(home: Path, model: Path, name: str) -> Path:
    """Lay a model out as the hub's cache does: files in blobs, a snapshot of links, a ref to its commit."""
    root = home / "hub" / f"models--{name.replace('/', '--')}"
    for number, path in enumerate(item for item in sorted(model.rglob("*")) if item.is_file()):
        blob, link = root / "blobs" / f"{number:040x}", root / "snapshots" / COMMIT / path.relative_to(model)
        blob.parent.mkdir(parents=True, exist_ok=True)
        link.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, blob)
        link.symlink_to(os.path.relpath(blob, link.parent))
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    return root / "snapshots" / COMMIT


def test_the_hub_cache_serves_without_a_hub(built: Build, tmp_path: Path) -> None:
    snapshot = cache_model(tmp_path, built("bge"), "BAAI/bge-base-en-v1.5")
    cache_model(tmp_path, built("fifty"), "sentence-transformers/tiny-fifty")
    named, at_commit, bare, by_path, absent, other = offline(
        tmp_path,
        ("BAAI/bge-base-en-v1.5", None),
        ("BAAI/bge-base-en-v1.5", COMMIT),
        ("tiny-fifty", None),
        (str(snapshot), None),
        ("intfloat/multilingual-e5-large", None),
        ("BAAI/bge-base-en-v1.5", "v9"),
    )
    print_of_files = fingerprint(hash_files(built("bge")))
    family = "family bge (declared BAAI/bge-base-en-v1.5)"
    assert named[:4] == ["BAAI/bge-base-en-v1.5", COMMIT, print_of_files, family]
    assert at_commit == named
    assert bare[:2] == ["tiny-fifty", COMMIT]
    assert by_path == [str(snapshot), None, *named[2:]]
    expected = load_encoder(str(built("bge"))).encode_documents(["red bag"])
    np.testing.assert_allclose(np.array(named[4]), expected, atol=1e-5)
    assert absent == [
        "ModelError",
        "intfloat/multilingual-e5-large is no folder here and not in the hub cache, and HF_HUB_OFFLINE is set; unset "
        "it to download intfloat/multilingual-e5-large, or name the model's folder, or one that comes as a package: "
        "minilm, static",
    ]
    assert other[0] == "ModelError"
    assert "bge-base-en-v1.5 at revision v9 is no folder here and not in the hub cache" in str(other[1])


def test_a_folder_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty is no model: it has neither modules\.json nor config\.json"):
        find_folder(str(tmp_path / "empty"))


@pytest.mark.parametrize("name", ["./nowhere", "/no/such/model", "a/b/c", "~/nowhere-at-all", "", "two words"])
def test_what_can_be_neither_folder_nor_hub_name(name: str) -> None:
    with pytest.raises(ModelError, match=r"can't be a hub name \(OWNER/MODEL\); name the model's folder, or one that"):
        find_folder(name)


def test_fingerprint_follows_what_decides_the_vectors(built: Build, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(built("bge"), folder)
    before = fingerprint(hash_files(folder))
    assert before == fingerprint(hash_files(built("bge")))
    (folder / "README.md").write_text("new words")
    (folder / ".gitattributes").write_text("x")
    (folder / ".cache").mkdir()
    (folder / ".cache" / "state.json").write_text("{}")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "config.json").write_text("{}")
    (folder / "pytorch_model.bin").write_bytes(b"the same in the old format")
    assert fingerprint(hash_files(folder)) == before
    for name in ("model.safetensors", "tokenizer.json", "1_Pooling/config.json", "modules.json"):
        kept = (folder / name).read_bytes()
        (folder / name).write_bytes(kept + b" ")
        assert fingerprint(hash_files(folder)) != before, name
        (folder / name).write_bytes(kept)
    (folder / "vocab.txt").write_text("a")
    assert fingerprint(hash_files(folder)) != before


def test_fingerprint_tells_a_moved_file_from_a_changed_one() -> None:
    assert fingerprint({"a": "1", "b": "2"}) == fingerprint({"b": "2", "a": "1"})
    assert fingerprint({"a": "1", "b": "2"}) != fingerprint({"a": "2", "b": "1"})


def write_model(folder: Path, *, card: str = "", config: object = None, settings: object = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config or {}))
    if card:
        (folder / "README.md").write_text(card, encoding="utf-8")
    if settings is not None:
        (folder / "config_sentence_transformers.json").write_text(json.dumps(settings))
    return folder


TWO = ["BAAI/bge-m3", "thenlper/gte-base"]


@pytest.mark.parametrize(
    ("card", "names"),
    [
        ("---\nbase_model: intfloat/e5-base-v2\ntags: [a]\n---\n# x", ["intfloat/e5-base-v2"]),
        ("---\ntags:\n- a\nbase_model:\n- BAAI/bge-m3\n- thenlper/gte-base\nlicense: mit\n---\n", TWO),
        ("---\nbase_model: ['BAAI/bge-m3', thenlper/gte-base]\n---\n", TWO),
        ('---\r\nbase_model: "intfloat/e5-base-v2"\r\n---\r\n', ["intfloat/e5-base-v2"]),
        ("# no front matter\nbase_model: intfloat/e5-base-v2\n", []),
        ("---\ntags: [x]\n---\nbase_model: intfloat/e5-base-v2\n", []),
    ],
)
def test_base_models_of_a_card(card: str, names: list[str], tmp_path: Path) -> None:
    folder = write_model(tmp_path / "shop-search", card=card)
    declared = find_folder(str(folder)).declared
    assert (declared.names, list(declared.bases)) == (("shop-search",), names)


def test_names_come_the_surest_first(tmp_path: Path) -> None:
    card = "---\nbase_model: BAAI/bge-m3\nmodel-index:\n- name: shop-e5\n  results: []\n---\n"
    folder = write_model(tmp_path / "checkpoint-40", card=card, config={"_name_or_path": "intfloat/e5-base"})
    declared = find_folder(str(folder)).declared
    assert declared.names == ("shop-e5", "checkpoint-40")
    assert declared.bases == ("BAAI/bge-m3", "intfloat/e5-base")


def test_own_prompts_are_read(tmp_path: Path) -> None:
    settings = {"prompts": {"query": "q: ", "other": None}, "default_prompt_name": "query"}
    declared = find_folder(str(write_model(tmp_path / "own", settings=settings))).declared
    assert (declared.prompts, declared.default) == ({"query": "q: "}, "query")


@pytest.mark.parametrize("text", ["{", "[" * 100_000])
def test_settings_that_are_no_json(text: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / "broken")
    (folder / "config_sentence_transformers.json").write_text(text)
    with pytest.raises(ModelError, match=r"config_sentence_transformers.json can't be read as JSON .*fetch the model"):
        find_folder(str(folder))
