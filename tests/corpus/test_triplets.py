"""Triplets from every format."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import BadRows, read_triplets
from searchapp.errors import InputError, RowError
from searchapp.records import Triplet

BAG = Triplet("赤い鞄", "赤い革のハンドバッグ", ("青い靴",))
FOOD = Triplet("한국 음식", "한국의 전통 음식과 요리법", ("mesa de madera", "Watoto wanacheza mpira"))

JSONL = (
    '{"anchor": " 赤い鞄 ", "positive": "赤い革のハンドバッグ", "negative": "青い靴", "grade": 3}\n\n'
    '{"anchor": "한국 음식", "positive": "한국의 전통 음식과 요리법",'
    ' "negatives": ["mesa de madera", "Watoto wanacheza mpira"]}\n'
)
CSV = """anchor,positive,negative_2,negative_1
赤い鞄,赤い革のハンドバッグ,,青い靴
한국 음식,한국의 전통 음식과 요리법,Watoto wanacheza mpira,mesa de madera
"""
SHORT = """{"query": "赤い鞄", "pos": ["赤い革のハンドバッグ"], "neg": ["青い靴"]}
{"query": "한국 음식", "pos": "한국의 전통 음식과 요리법", "neg": "mesa de madera", "neg_1": "Watoto wanacheza mpira"}
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.jsonl", JSONL),
        ("t.csv", CSV),
        ("t.tsv", CSV.replace(",", "\t")),
        ("t.jsonl.gz", gzip.compress(JSONL.encode())),
        ("short.jsonl", SHORT),
    ],
)
def test_columns_by_their_names(write, name: str, content: str | bytes) -> None:
    assert list(read_triplets(write(name, content))) == [BAG, FOOD]


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    rows = {
        "anchor": [BAG.anchor, FOOD.anchor],
        "positive": [BAG.positive, FOOD.positive],
        "negative_1": [BAG.negatives[0], FOOD.negatives[0]],
        "negative_2": [None, FOOD.negatives[1]],
    }
    pq.write_table(pa.table(rows), path)
    assert list(read_triplets(path)) == [BAG, FOOD]


def test_numbered_negatives_come_by_their_numbers(write_rows) -> None:
    row = {f"negative_{number}": f"n{number}" for number in (10, 9, 1, 2)}
    path = write_rows("t.jsonl", {"anchor": "a", "positive": "p", **row, "negative": "n0"})
    assert list(read_triplets(path)) == [Triplet("a", "p", ("n0", "n1", "n2", "n9", "n10"))]


BAD = [
    ({"anchor": "a", "positive": "b"}, "no negative column (negative, negatives, neg) among the columns anchor, pos"),
    ({"anchor": "a", "negative": "b"}, "no positive column (positive, pos) among the columns anchor, negative"),
    ({"text": "a", "positive": "b", "negative": "c"}, "no anchor column (anchor, query) among the columns text"),
    ({"anchor": " ", "positive": "b", "negative": "c"}, "the column 'anchor' is empty, expected text"),
    ({"anchor": "a", "positive": None, "negative": "c"}, "the column 'positive' is empty, expected text"),
    ({"anchor": "a", "positive": ["b", "d"], "negative": "c"}, "the column 'positive' holds 2 texts, expected one"),
    ({"anchor": 5, "positive": "b", "negative": "c"}, "the column 'anchor' holds an integer, expected text"),
    ({"anchor": "a", "positive": "b", "negative": 7}, "the column 'negative' holds an integer, expected text"),
    ({"anchor": "a", "positive": "b", "negative": "", "negative_1": None}, "no negative in 'negative', 'negative_1'"),
    ({"anchor": "a", "positive": "b", "negatives": []}, "no negative in 'negatives', expected one text or more"),
    ({"anchor": "a", "positive": "b", "negatives": ["c", 3]}, "the column 'negatives' holds an integer, expected text"),
    ({"anchor": "a", "positive": "b", "negatives": ["c", ""]}, "the column 'negatives' is empty, expected text"),
    ({"anchor": "a\0", "positive": "b", "negative": "c"}, "the column 'anchor' holds a NUL character"),
    ({"anchor": "a", "positive": "b", "negatives": {"x": 1}}, "the column 'negatives' holds an object, expected text"),
]


@pytest.mark.parametrize(("row", "gist"), BAD)
def test_bad_rows(write_rows, row: object, gist: str) -> None:
    path = write_rows("t.jsonl", {"anchor": "a", "positive": "b", "negative": "c"}, row)
    with pytest.raises(RowError) as caught:
        list(read_triplets(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert gist in str(caught.value)
    skipping = BadRows("skip")
    assert list(read_triplets(path, skipping)) == [Triplet("a", "b", ("c",))]
    assert skipping.skipped.count == 1


def test_half_a_surrogate_is_a_bad_row(write) -> None:
    path = write("t.jsonl", '{"anchor": "a", "positive": "\\ud800", "negative": "c"}\n')
    with pytest.raises(RowError, match="the column 'positive' holds half a surrogate pair"):
        list(read_triplets(path))


def test_lists_in_parquet_are_told_how_to_be_written(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"anchor": ["a"], "positive": ["b"], "negatives": [["c", "d"]]}), path)
    with pytest.raises(RowError) as caught:
        list(read_triplets(path))
    assert f"{path}:1: the column 'negatives' holds a list<" in str(caught.value)
    assert "give every text a column of its own (negative_1, negative_2), or write JSON lines" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "gist"),
    [
        ("t.jsonl", "", "holds no triplets; expected at least one"),
        ("t.txt", "red bag\n", "is no file of triplets: its format is unknown; expected jsonl, csv, tsv, parquet"),
        ("docs", "<DOC>", "is no file of triplets: it looks like trec"),
    ],
)
def test_files_that_are_no_triplets(write, name: str, content: str, gist: str) -> None:
    with pytest.raises(InputError) as caught:
        list(read_triplets(write(name, content)))
    assert gist in str(caught.value)


def test_a_file_of_bad_rows_alone_says_so(write_rows) -> None:
    path = write_rows("t.jsonl", {"anchor": "a"})
    with pytest.raises(InputError, match=r"holds no triplets \(1 bad rows were left out\)"):
        list(read_triplets(path, BadRows("skip")))


def test_home_depot(real_data: Path) -> None:
    found = list(read_triplets(real_data / "home_depot" / "triplets-test.jsonl"))
    assert len(found) == 656
    assert found[0] == Triplet(
        "disposer",
        "InSinkErator SinkTop Switch Single Outlet for InSinkErator Disposers",
        ("InSinkErator Sink Flange in Oil Rubbed Bronze",),
    )
