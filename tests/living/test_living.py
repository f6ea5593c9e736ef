"""Adding, replacing, deleting and compacting: by value against an index built afresh, on every kind."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from searchapp.build import BuildOptions
from searchapp.errors import ContractError, InputError, UsageError
from searchapp.index import Index, Setting, derive, open_index
from searchapp.index.kinds import KINDS
from searchapp.living import (
    GrowOptions,
    add_documents,
    compact_index,
    delete_documents,
    rows_of,
    rows_where,
    upsert_documents,
)
from searchapp.prompts import Prompts
from tests.fakes import DriftedEncoder, HashEncoder
from tests.living.shops import (
    WORDS,
    build,
    check_whole,
    expected,
    held,
    hits,
    product,
    same_vectors,
    without_versions,
    write_rows,
)

FLAT = BuildOptions(query_encoder=False)
EVERY = BuildOptions(dims=(48, 16), kinds=(*KINDS, "HNSW8,Flat", "IVF8,SQ8"), query_encoder=False)
ASKED = [*WORDS, "steel kettle 11", "p", "red scarf 3 1"]


def ids(*numbers: int) -> list[str]:
    return [f"p{number:04d}" for number in numbers]


def changed(folder: Path, options: BuildOptions, *, rows: int = 700) -> tuple[Index, list[dict[str, object]]]:
    """Build, add, replace and delete; return the index and the products it should hold, in row order."""
    index = build(folder, [product(n) for n in range(rows)], options)
    more = [product(n) for n in range(rows, rows + 150)]
    index = add_documents(write_rows(folder.with_suffix(".2"), more), index, encoder=HashEncoder()).index
    newer = [product(n, edition=1) for n in range(0, rows, 7)] + [product(rows + 500)]
    index = upsert_documents(write_rows(folder.with_suffix(".3"), newer), index, encoder=HashEncoder()).index
    doomed = ids(*range(1, rows + 150, 5))
    index = delete_documents(index, rows_of(doomed), call="doomed").index
    replaced = {str(row["_id"]) for row in newer}
    left = [row for row in [product(n) for n in range(rows)] + more if row["_id"] not in replaced] + newer
    return index, [row for row in left if row["_id"] not in set(doomed)]


def test_documents_counts_and_vectors_are_those_that_should_be_there(tmp_path: Path) -> None:
    index, left = changed(tmp_path / "shop", EVERY)
    assert held(index) == expected(left)
    assert list(held(index)) == [row["_id"] for row in left]
    same_vectors(index)
    check_whole(tmp_path / "shop")
    assert index.manifest.generation == 3
    assert {len(derived.parts) for derived in index.manifest.derived} == {3}
    assert index.manifest.counts["documents"] == len(left)
    assert index.manifest.rows == index.manifest.counts["deleted"] + len(left)


def test_a_living_index_finds_what_one_built_afresh_finds_on_every_exact_search(tmp_path: Path) -> None:
    index, left = changed(tmp_path / "shop", EVERY)
    fresh = build(tmp_path / "fresh", left, EVERY)
    for derived in fresh.manifest.derived:
        for setting in (
            Setting(derived.dim, "flat", rescore=0),
            Setting(derived.dim, derived.asked, nprobe=derived.nlist, rescore=len(left)),
        ):
            if "hnsw" in derived.kind and setting.kind != "flat":
                continue  # a graph finds nearly all
            for k in (1, 10, len(left)):
                assert hits(index, ASKED, k, setting) == hits(fresh, ASKED, k, setting)


@pytest.mark.parametrize("kind", [*KINDS, "HNSW8,Flat", "IVF8,SQ8"])
def test_hits_of_a_kind_do_not_depend_on_the_number_of_parts(tmp_path: Path, kind: str) -> None:
    options = dataclasses.replace(FLAT, kinds=(kind,))
    rows = [product(n) for n in range(900)]
    one, three = build(tmp_path / "one", rows[:700], options), build(tmp_path / "three", rows[:700], options)
    one = add_documents(write_rows(tmp_path / "a", rows[700:]), one, encoder=HashEncoder()).index
    for start in (700, 800):
        part = write_rows(tmp_path / f"b{start}", rows[start : start + 100])
        three = add_documents(part, three, encoder=HashEncoder()).index
    assert [len(index.manifest.derived[0].parts) for index in (one, three)] == [2, 3]
    # A graph of its own is walked in every part.
    settings = [Setting()] if "HNSW" not in kind else []
    for setting in [*settings, Setting(rescore=900, nprobe=8 if "ivf" in kind.lower() else None)]:
        assert hits(three, ASKED, 20, setting) == hits(one, ASKED, 20, setting)


def test_compacting_gives_the_files_of_an_index_built_afresh(tmp_path: Path) -> None:
    index, left = changed(tmp_path / "shop", EVERY)
    said: list[str] = []
    change = compact_index(index, note=said.append)
    compacted = check_whole(tmp_path / "shop")
    fresh = build(tmp_path / "fresh", left, EVERY)
    assert (said, change.deleted) == ([], index.manifest.counts["deleted"])
    assert compacted.manifest.generation == 4
    assert held(compacted) == held(fresh)
    assert without_versions(compacted) == without_versions(fresh)  # every file's checksum among them
    assert (tmp_path / "shop.jsonl").exists()
    for derived in fresh.manifest.derived:
        setting = Setting(derived.dim, derived.asked)
        assert hits(compacted, ASKED, 10, setting) == hits(fresh, ASKED, 10, setting)
    assert compact_index(compacted).index.manifest == compacted.manifest


def test_a_reader_keeps_what_it_opened_through_every_change(tmp_path: Path) -> None:
    rows = [product(n) for n in range(60)]
    index = build(tmp_path / "shop", rows, FLAT)
    readers = [(open_index(tmp_path / "shop"), expected(rows))]
    add_documents(write_rows(tmp_path / "2", [product(70)]), index, encoder=HashEncoder())
    readers.append((open_index(tmp_path / "shop"), expected([*rows, product(70)])))
    delete_documents(index, rows_where("price < 10"), call="")
    cheap = [row for row in [*rows, product(70)] if float(str(row["price"])) >= 10]
    readers.append((open_index(tmp_path / "shop"), expected(cheap)))
    compact_index(index)
    readers.append((open_index(tmp_path / "shop"), expected(cheap)))
    newer = [product(n, edition=2) for n in range(50, 60)]
    upsert_documents(write_rows(tmp_path / "3", newer), index, encoder=HashEncoder())
    for reader, documents in readers:
        assert len(reader) == len(documents)
        assert held(reader) == documents
        assert {doc_id for doc_id, _ in hits(reader, ["kettle"], 100)[0]} == documents.keys()


def test_upsert_leaves_alone_what_is_the_same(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    encoder = HashEncoder()
    other_price = {**product(3), "price": 99}
    same_number = {**product(4), "price": 1}  # 1.0 before
    corpus = write_rows(tmp_path / "2", [product(1), other_price, same_number, product(30), product(5, edition=1)])
    change = upsert_documents(corpus, index, encoder=encoder)
    assert (change.added, change.replaced, change.unchanged, change.deleted) == (1, 3, 1, 0)
    texts = [str(row["text"]) for row in (other_price, same_number, product(30), product(5, edition=1))]
    assert [text for text in encoder.seen if text in texts] == texts
    assert product(1)["text"] not in encoder.seen
    assert held(change.index)["p0003"]["price"] == 99
    assert upsert_documents(corpus, index, encoder=encoder).index.manifest == change.index.manifest
    check_whole(tmp_path / "shop")


def test_ids_that_are_there_are_refused_before_anything_is_embedded(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    encoder = HashEncoder()
    corpus = write_rows(tmp_path / "2", [product(n) for n in (30, 4, 5, 6, 7)])
    message = r"has 4 of these ids already, such as p0004 \(.*2:2\), p0005 \(.*\), p0006 \(.*\); .* searchapp upsert"
    with pytest.raises(InputError, match=message):
        add_documents(corpus, index, encoder=encoder)
    assert encoder.seen == []
    assert open_index(tmp_path / "shop").manifest == index.manifest
    assert not (tmp_path / ".shop.partial").exists()
    change = add_documents(write_rows(tmp_path / "3", [product(4), product(5)]), index, encoder=encoder)
    assert (change.added, change.unchanged, change.index.manifest) == (0, 2, index.manifest)
    with pytest.raises(InputError, match="has 1 of these ids already, such as p0004"):
        add_documents(write_rows(tmp_path / "4", [product(4, edition=1)]), index, encoder=encoder)


def test_a_deleted_id_may_come_again(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    delete_documents(index, rows_of(ids(4)), call="4")
    change = add_documents(write_rows(tmp_path / "2", [product(4, edition=3)]), index, encoder=HashEncoder())
    assert held(change.index)["p0004"]["text"] == product(4, edition=3)["text"]
    assert change.index.manifest.counts["deleted"] == 1
    assert hits(change.index, [str(product(4, edition=3)["text"])], 1)[0][0][0] == "p0004"


@pytest.mark.parametrize(
    ("encoder", "message"),
    [
        (HashEncoder(salt=1), r"made with hash-0 \(weights 0+\.\.\.\), this is hash-1"),
        (HashEncoder(Prompts("q: ", "d: ")), r"query prompt ''\), this is hash-0 \(query prompt q: \)"),
        (DriftedEncoder(), r"another vector \(cosine"),
    ],
)
def test_another_encoder_is_refused(tmp_path: Path, encoder: HashEncoder, message: str) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    for grow in (add_documents, upsert_documents):
        with pytest.raises(ContractError, match=message):
            grow(write_rows(tmp_path / "2", [product(30)]), index, encoder=encoder)
    assert open_index(tmp_path / "shop").manifest == index.manifest


def test_another_template_is_refused(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    corpus = write_rows(tmp_path / "2", [{"_id": "new", "title": "Oak", "text": "table"}])
    with pytest.raises(ContractError, match=r"text template '\{text\}', .* is read with '\{title\}"):
        add_documents(corpus, index, encoder=HashEncoder())


def test_unknown_ids_are_refused_unless_they_may_be_missing(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    with pytest.raises(InputError, match=r"no documents of 2 of these ids, such as x, y; .* --missing-ok"):
        delete_documents(index, rows_of(["x", "p0001", "y", "x"]), call="")
    change = delete_documents(index, rows_of(["x", "p0001", "y"], missing_ok=True), call="")
    assert (change.deleted, len(change.index)) == (1, 19)
    with pytest.raises(InputError, match="of 1 of these ids, such as p0001"):
        delete_documents(change.index, rows_of(["p0001"]), call="")


def test_all_documents_are_deleted_only_if_that_is_meant(tmp_path: Path) -> None:
    rows = [product(n) for n in range(20)]
    index = build(tmp_path / "shop", rows, FLAT)
    with pytest.raises(
        UsageError, match=r"would delete all 20 documents of .*; type the same call with --all-documents"
    ):
        delete_documents(index, rows_where("price >= 0"), call="")
    empty = delete_documents(index, rows_where("price >= 0"), call="", all_of_them=True).index
    assert (len(empty), hits(empty, ["kettle"], 3)) == (0, [[]])
    with pytest.raises(UsageError, match=r"all documents of .* are deleted; add some first"):
        compact_index(empty)
    again = add_documents(write_rows(tmp_path / "2", rows), empty, encoder=HashEncoder()).index
    assert held(compact_index(again).index) == expected(rows)


def test_a_kind_that_too_few_are_left_for_gives_way_to_flat(tmp_path: Path) -> None:
    rows = [product(n) for n in range(700)]
    index = build(tmp_path / "shop", rows, dataclasses.replace(FLAT, kinds=("ivf-pq", "sq8")))
    delete_documents(index, rows_where("price >= 25"), call="")
    said: list[str] = []
    compacted = compact_index(index, note=said.append).index
    assert [derived.asked for derived in compacted.manifest.derived] == ["flat", "sq8"]
    assert [line.split(":")[0] for line in said] == ["d48-ivf16-pq24x4 gives way to d48-flat"]
    assert held(compacted) == expected(rows[:100])


def test_a_living_index_gets_further_kinds_from_its_vectors(tmp_path: Path) -> None:
    index, left = changed(tmp_path / "shop", FLAT)
    index = derive(index, (48, 16), ("sq8", "ivf-flat"))
    fresh = build(tmp_path / "fresh", left, dataclasses.replace(FLAT, dims=(48, 16), kinds=("flat",)))
    for dim in (48, 16):
        setting = Setting(dim, "ivf-flat", nprobe=1_000)
        assert hits(index, ASKED, 30, setting) == hits(fresh, ASKED, 30, Setting(dim, "flat"))
    assert [len(derived.parts) for derived in index.manifest.derived] == [3, 1, 1, 1, 1]
    more = add_documents(write_rows(tmp_path / "4", [product(2_000)]), index, encoder=HashEncoder()).index
    assert [len(derived.parts) for derived in more.manifest.derived] == [4, 2, 2, 2, 2]
    check_whole(tmp_path / "shop")


def test_what_was_skipped_and_lost_is_counted_on(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(20)], FLAT)
    fingerprint = index.manifest.corpus["fingerprint"]
    same = {**product(40), "text": product(3)["text"]}
    change = add_documents(write_rows(tmp_path / "2", [product(41), same]), index, encoder=HashEncoder())
    assert change.index.manifest.counts["duplicates"] == 1
    assert change.index.manifest.corpus["fingerprint"] not in (fingerprint, None)
    assert {**change.index.manifest.corpus, "fingerprint": fingerprint} == index.manifest.corpus
    gone = delete_documents(change.index, rows_of(ids(3)), call="").index
    assert gone.manifest.counts["duplicates"] == 0
    assert gone.manifest.corpus["fingerprint"] != change.index.manifest.corpus["fingerprint"]


def test_many_shards_are_numbered_on(tmp_path: Path) -> None:
    index = build(tmp_path / "shop", [product(n) for n in range(50)], dataclasses.replace(FLAT, shard_documents=20))
    more = write_rows(tmp_path / "2", [product(n) for n in range(50, 95)])
    index = add_documents(more, index, encoder=HashEncoder(), options=GrowOptions(shard_documents=20)).index
    names = [shard.vectors for shard in index.manifest.shards]
    assert names == [f"vectors/0000{n}.npy" for n in range(6)]
    assert [shard.rows for shard in index.manifest.shards] == [20, 20, 10, 20, 20, 5]
    assert np.array_equal(index.documents.ids(np.arange(95)), ids(*range(95)))
