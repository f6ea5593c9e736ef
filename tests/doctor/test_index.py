"""Indexes: healthy, and damaged in one way each."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchapp.build import build_index
from searchapp.corpus import open_corpus
from searchapp.doctor import contract, files, index
from searchapp.doctor.finding import Finding, examine
from searchapp.encoders import load_encoder
from searchapp.errors import BadVectorsError, ContractError
from searchapp.index import Index, derive, open_index
from searchapp.index.seal import seal
from searchapp.layout import work_path
from searchapp.prompts import Prompts
from tests.fakes import CuttingEncoder, DriftedEncoder, HashEncoder, PoisonedEncoder
from tests.index.test_sieve import delete_rows
from tests.models_on_disk import make_static

ROWS = 40


@pytest.fixture
def made(tmp_path: Path) -> Index:
    """An index of forty short texts, two of them alike, fourteen of them longer than 7 characters."""
    texts = [f"text {number}" + " long" * (number % 3 == 0) for number in range(ROWS - 1)]
    lines = [json.dumps({"_id": f"d{at}", "text": text}) for at, text in enumerate([*texts, "text 1"])]
    (tmp_path / "corpus.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return build_index(open_corpus(tmp_path / "corpus.jsonl"), tmp_path / "made", encoder=CuttingEncoder(7))


def by_check(found: "list[Finding]") -> dict[str, Finding]:
    return {one.check: one for one in found}


def rewrite(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a manifest as it stands on disk."""
    path = folder / "manifest.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    change(body)
    path.write_bytes(seal({name: part for name, part in body.items() if name != "checksum"}))


def test_a_healthy_folder(made: Index) -> None:
    (opened,) = index.opened(made.folder)
    assert (opened.level, opened.figures["documents"], opened.figures["dim"]) == ("ok", ROWS, 48)
    assert opened.figures["bytes"] == sum(
        path.stat().st_size for path in made.folder.rglob("*") if path.is_file() and path.name != "manifest.json"
    )
    (sizes,) = files.files(made.folder)
    assert (sizes.level, sizes.check) == ("ok", "bytes")
    assert sizes.advice == f"searchapp verify {made.folder} reads and compares them all"


def test_every_short_and_missing_file_is_named(made: Index) -> None:
    (made.folder / "vectors/00000.npy").write_bytes(b"x")
    (made.folder / "documents/00000.arrow").unlink()
    (found,) = files.files(made.folder)
    assert (found.level, found.check) == ("problem", "files")
    assert found.found.startswith("2 of 4 files are not as they were written: ")
    assert "vectors/00000.npy has 1 bytes, not 7,808" in found.found
    assert "documents/00000.arrow is missing" in found.found
    (closed,) = examine("index", "opens", lambda: index.opened(made.folder), means="shut")
    assert (closed.level, closed.advice) == ("problem", "build the index again")


def test_deleted_derived_files_are_only_noted(made: Index) -> None:
    (made.folder / "d48-flat.faiss").unlink()
    found = by_check(list(files.files(made.folder)))
    assert (found["files"].level, found["files"].figures["gone"]) == ("note", ["d48-flat.faiss is missing"])
    assert found["bytes"].found.startswith("all 3 files")
    (none,) = index.derived(open_index(made.folder))
    assert (none.level, none.found) == ("problem", "no derived index is left")


def test_strangers_newer_files_and_unfinished_work_are_noted(made: Index) -> None:
    (made.folder / "notes.txt").write_text("mine")
    later = (made.folder / "manifest.json").stat().st_mtime + 10
    os.utime(made.folder / "canaries.npy", (later, later))
    work_path(made.folder).mkdir()
    found = by_check(list(files.files(made.folder)))
    assert (found["strangers"].level, found["strangers"].figures["strange"]) == ("note", ["notes.txt"])
    assert (found["newer"].level, found["newer"].figures["newer"]) == ("note", ["canaries.npy"])
    assert found["newer"].advice == f"searchapp verify {made.folder}"
    assert str(work_path(made.folder)) in found["unfinished"].found


def test_counts_and_losses(made: Index) -> None:
    found = by_check(list(index.counts(made)))
    long = [f"text {number}" + " long" * (number % 3 == 0) for number in range(ROWS - 1)]
    cut = sum(len(text) > 7 for text in long)
    assert (found["counts"].level, found["counts"].figures["vectors"]) == ("ok", ROWS)
    assert (found["cut"].level, found["cut"].figures["share"]) == ("warning", pytest.approx(cut / ROWS))
    assert found["cut"].figures["tokens_lost"] == sum(max(0, len(text) - 7) for text in long)
    assert (found["duplicates"].level, found["duplicates"].figures) == ("note", {"duplicates": 1})
    assert "skipped" not in found


def test_deleted_documents_are_noted_with_what_gives_their_disk_back(made: Index) -> None:
    delete_rows(made, np.array([2, 5], np.int64), documents=ROWS - 2)
    opened = open_index(made.folder)
    rewrite(made.folder, lambda body: body["counts"].update(opened.documents.counts()))
    found = by_check(list(index.counts(open_index(made.folder))))
    assert (found["counts"].level, found["deleted"].level) == ("ok", "note")
    assert found["deleted"].figures == {"deleted": 2, "rows": 2}
    assert found["deleted"].found == f"2 documents are deleted; 2 of {ROWS} rows are still stored for them"
    assert f"searchapp compact {made.folder} gives the disk back" in found["deleted"].advice


def test_a_manifest_that_counts_otherwise_is_a_problem(made: Index) -> None:
    rewrite(made.folder, lambda body: body["counts"].update(duplicates=5))
    (found,) = index.counts(open_index(made.folder))
    assert found.level == "problem"
    assert found.found.endswith(": duplicates 5, counted 1")


def test_fewer_rows_than_the_manifest_says_are_a_problem(made: Index) -> None:
    def shorten(body: dict[str, Any]) -> None:
        body["shards"][0]["rows"] = ROWS - 1
        body["counts"].update(documents=ROWS - 1, vectors=ROWS - 1)
        body["derived"][0]["parts"][0]["rows"] = ROWS - 1

    rewrite(made.folder, shorten)
    (found,) = examine("index", "counts", lambda: index.counts(open_index(made.folder)), means="misleads")
    assert found.level == "problem"
    assert found.found.endswith("holds 40 vectors, the manifest says 39")


def test_stored_vectors_are_measured(made: Index) -> None:
    norms, apart = index.vectors(made)
    rows = made.vectors.take(np.arange(ROWS))
    lengths = np.linalg.norm(rows, axis=1)
    cosines = (rows / lengths[:, None]) @ (rows / lengths[:, None]).T
    assert norms.figures["longest"] == pytest.approx(lengths.max(), rel=1e-5)
    assert apart.figures["mean_cosine"] == pytest.approx(cosines[~np.eye(ROWS, dtype=bool)].mean(), abs=1e-5)


@pytest.mark.parametrize(("value", "what"), [(np.nan, "bad"), (0, "zero")])
def test_stored_nan_and_zeros_are_a_problem(made: Index, value: float, what: str) -> None:
    path = made.folder / "vectors/00000.npy"
    rows = np.load(path)
    rows[3:5] = value
    np.save(path, rows)
    (found,) = index.vectors(open_index(made.folder))
    assert (found.level, found.figures[what]) == ("problem", 2)


def test_every_kind_is_searched_and_a_broken_one_does_not_hide_the_others(made: Index) -> None:
    both = derive(made, [48, 16], ["flat"])
    found = list(index.derived(both))
    assert [one.figures["name"] for one in found] == ["d48-flat", "d16-flat"]
    size = (made.folder / "d16-flat.faiss").stat().st_size
    assert (found[1].figures["bytes"], found[1].figures["bytes_a_vector"]) == (size, round(size / ROWS, 1))
    whole = (made.folder / "d48-flat.faiss").read_bytes()
    (made.folder / "d48-flat.faiss").write_bytes(b"\0" * len(whole))
    broken, fine = index.derived(open_index(made.folder))
    assert (broken.level, fine.level) == ("problem", "ok")
    assert "d48-flat.faiss" in broken.found


def test_versions_then_and_now(made: Index) -> None:
    (same,) = index.versions(made)
    assert same.level == "ok"
    rewrite(made.folder, lambda body: body["versions"].update(numpy="1.0"))
    (other,) = index.versions(open_index(made.folder))
    now = made.manifest.versions["numpy"]
    assert (other.level, other.figures) == ("note", {"numpy": {"then": "1.0", "now": now}})
    assert f"numpy 1.0 (here {now})" in other.found


def test_canaries_are_encoded_again(made: Index) -> None:
    (found,) = contract.contract(made, CuttingEncoder(7))
    assert (found.level, found.figures["query"], found.figures["document"]) == ("ok", 1.0, 1.0)
    half = CuttingEncoder(7)
    half.card = dataclasses.replace(half.card, dtype="bfloat16")
    (noted,) = contract.contract(made, half)
    assert noted.level == "note"
    assert "encoded in float32, queries are in bfloat16 here" in noted.found


@pytest.mark.parametrize("encoder", [HashEncoder(salt=7), HashEncoder(Prompts("q: ", "")), DriftedEncoder()])
def test_another_encoder_breaks_the_contract(made: Index, encoder: HashEncoder) -> None:
    with pytest.raises(ContractError):
        list(contract.contract(made, encoder))


def test_an_encoder_that_gives_nan_is_refused(made: Index) -> None:
    poisoned = PoisonedEncoder("")
    poisoned.card = CuttingEncoder(7).card
    with pytest.raises(BadVectorsError):
        list(contract.contract(made, poisoned))


def test_what_a_query_needs_elsewhere_is_told(made: Index) -> None:
    (bare,) = contract.readiness(made)
    assert (bare.level, bare.figures) == ("note", {"carries_encoder": False, "torch": False})
    assert bare.found.endswith("a query needs the model hash-0")
    rewrite(made.folder, lambda body: body["encoder"].update(runtime="torch"))
    (torch,) = contract.readiness(open_index(made.folder))
    assert torch.found.endswith("a query needs the model hash-0 and torch")


def test_a_carried_encoder_is_opened_and_compared(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("id,text\na,red leather bag\nb,kitchen tap\n", encoding="utf-8")
    model = make_static(tmp_path / "model")
    made = build_index(open_corpus(tmp_path / "c.csv"), tmp_path / "made", encoder=load_encoder(str(model)))
    (found,) = contract.readiness(made)
    assert (found.level, found.figures["carries_encoder"]) == ("ok", True)
    assert (found.figures["query"], found.figures["document"]) == (pytest.approx(1, abs=1e-5),) * 2
    folder = made.folder / "encoder"
    assert found.figures["bytes"] == sum(path.stat().st_size for path in folder.iterdir())
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-40])
    (broken,) = examine("index", "offline", lambda: contract.readiness(made), means="queries fail")
    assert broken.level == "problem"
