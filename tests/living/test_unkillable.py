"""A change that is killed leaves the index as it was or as it should be; typed again, it gives the same bytes."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from searchapp.build import BuildOptions, build_index
from searchapp.errors import ContractError, IndexFolderError
from searchapp.index import derive, open_index
from searchapp.index.work import working_on
from searchapp.living import GrowOptions, add_documents, delete_documents, rows_of, upsert_documents
from tests.conftest import ROOT
from tests.fakes import HashEncoder
from tests.living.kills import MOMENTS, OPERATIONS
from tests.living.shops import build, check_whole, expected, held, product, write_rows
from tests.test_build import folder_bytes

FLAT = BuildOptions(query_encoder=False)
SMALL = GrowOptions(shard_documents=10)
BASE, MORE = [product(n) for n in range(20)], [product(n) for n in range(20, 65)]


def test_killed_at_twenty_moments_each_and_typed_again_gives_the_same_bytes(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.living.kills", str(tmp_path), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == MOMENTS * len(OPERATIONS)
    assert [result for result in results if result["codes"] != [-9, 0, 0, 0]] == [], done.stderr
    assert [result for result in results if not result["same"] or result["left"] != ["shop"]] == []


class _Stopped(HashEncoder):
    """Is interrupted, as by Ctrl-C, when it comes to the 21st of MORE."""

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        if MORE[20]["text"] in texts:
            raise KeyboardInterrupt
        return super().encode_documents(texts)


def stopped(folder: Path) -> None:
    """Leave an add that was stopped with two of five shards embedded."""
    index = build(folder, BASE, FLAT)
    with pytest.raises(KeyboardInterrupt):
        more = write_rows(folder.with_suffix(".2"), MORE)
        add_documents(more, index, encoder=_Stopped(), options=SMALL)


def test_a_stopped_add_goes_on_and_says_so(tmp_path: Path) -> None:
    stopped(tmp_path / "shop")
    assert held(open_index(tmp_path / "shop")) == expected(BASE)
    said: list[str] = []
    encoder = HashEncoder()
    corpus = write_rows(tmp_path / "2", MORE)
    index = open_index(tmp_path / "shop")
    add_documents(corpus, index, encoder=encoder, options=SMALL, note=said.append)
    assert said == ["going on: 20 of 45 documents are embedded already"]
    assert MORE[0]["text"] not in encoder.seen
    assert held(check_whole(tmp_path / "shop")) == expected([*BASE, *MORE])


def test_another_change_than_the_stopped_one_is_refused_or_starts_over(tmp_path: Path) -> None:
    stopped(tmp_path / "shop")
    index = open_index(tmp_path / "shop")
    other = write_rows(tmp_path / "2", [product(99)])
    with pytest.raises(ContractError, match=r"with corpus fingerprint '\w+', and this call has '\w+'; .* --restart"):
        add_documents(other, index, encoder=HashEncoder(), options=SMALL)
    with pytest.raises(ContractError, match="with the operation 'add', and this call has 'upsert'"):
        upsert_documents(other, index, encoder=HashEncoder(), options=SMALL)
    with pytest.raises(ContractError, match="with the operation 'add', and this call has 'delete'"):
        delete_documents(index, rows_of(["p0001"]), call="")
    overwrite = BuildOptions(query_encoder=False, overwrite=True)
    with pytest.raises(ContractError, match="with the operation 'add', and this call has 'index'"):
        build_index(other, tmp_path / "shop", encoder=HashEncoder(), options=overwrite)
    delete_documents(index, rows_of(["p0001"]), call="", restart=True)
    assert held(check_whole(tmp_path / "shop")) == expected([BASE[0], *BASE[2:]])


def test_a_kind_made_meanwhile_does_not_stand_in_the_way_of_going_on(tmp_path: Path) -> None:
    stopped(tmp_path / "shop")
    derive(open_index(tmp_path / "shop"), (16,), ("sq8",))
    said: list[str] = []
    corpus, index = write_rows(tmp_path / "2", MORE), open_index(tmp_path / "shop")
    add_documents(corpus, index, encoder=HashEncoder(), options=SMALL, note=said.append)
    assert said == ["going on: 20 of 45 documents are embedded already"]
    made = check_whole(tmp_path / "shop").manifest.derived
    assert [(derived.name, [part.rows for part in derived.parts]) for derived in made] == [
        ("d48-flat", [20, 45]),
        ("d16-sq8", [20, 45]),
    ]


def test_what_a_killed_call_left_in_the_folder_is_no_strangers(tmp_path: Path) -> None:
    build(tmp_path / "shop", BASE, FLAT)
    whole = folder_bytes(tmp_path / "shop")
    strays = ("vectors/00007.npy", "documents/00007.arrow", "d16-sq8.faiss", "d48-flat.g3.faiss", "deleted.g3.npy")
    for name in (*strays, ".manifest.json.abc.partial"):
        (tmp_path / "shop" / name).write_bytes(b"half")
    corpus = write_rows(tmp_path / "shop.jsonl", BASE)
    overwrite = BuildOptions(query_encoder=False, overwrite=True)
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder(), options=overwrite)
    assert folder_bytes(tmp_path / "shop") == whole
    (tmp_path / "shop" / "vectors" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(IndexFolderError, match=r"holds vectors/notes\.txt, which is none of"):
        build_index(corpus, tmp_path / "shop", encoder=HashEncoder(), options=overwrite)


def test_a_change_takes_what_a_killed_call_left_away(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", BASE, FLAT)
    for name in ("vectors/00007.npy", "d48-flat.g3.faiss", "deleted.g3.npy", ".manifest.json.abc.partial"):
        (tmp_path / "shop" / name).write_bytes(b"half")
    (tmp_path / "shop" / "mine.txt").write_text("years of work", encoding="utf-8")
    delete_documents(index, rows_of(["p0001"]), call="")
    assert (tmp_path / "shop" / "mine.txt").read_text(encoding="utf-8") == "years of work"
    (tmp_path / "shop" / "mine.txt").unlink()
    check_whole(tmp_path / "shop")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["shop", "shop.jsonl"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", BASE, FLAT)
    with working_on(tmp_path / "shop"), pytest.raises(IndexFolderError, match=r"is being written by another process"):
        delete_documents(index, rows_of(["p0001"]), call="")
    assert len(open_index(tmp_path / "shop")) == 20
