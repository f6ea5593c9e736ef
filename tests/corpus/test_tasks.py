"""What a path is taken for."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import recognise_task
from searchapp.errors import InputError


def test_folders_and_ir_datasets_are_for_retrieval(tmp_path: Path) -> None:
    assert recognise_task(tmp_path) == "retrieval"
    assert recognise_task("irds:beir/scifact/test") == "retrieval"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.jsonl", '{"anchor": "a", "positive": "b", "negative": "c"}\n', "triplets"),
        ("a.jsonl", '{"query": "a", "pos": ["b"], "neg": ["c"]}\n', "triplets"),
        ("a.csv", "anchor,positive,negative_1,negative_2\n赤,青,白,黒\n", "triplets"),
        ("a.tsv", "sentence1\tsentence2\tscore\n赤い\t青い\t2.5\n", "pairs"),
        ("a.jsonl", '{"sentence1": "a", "sentence2": "b", "label": 1, "genre": "x"}\n', "pairs"),
        ("a.jsonl", 'broken\n{"sentence1": "a", "sentence2": "b", "score": 1}\n', "pairs"),
        ("sts.csv", "main\tx\t2012\t1\t2.500\tA girl.\tA boy.\n", "pairs"),
    ],
)
def test_files_are_known_by_their_columns(write, name: str, content: str, expected: str) -> None:
    assert recognise_task(write(name, content)) == expected


def test_parquet_and_globs(tmp_path: Path) -> None:
    for name in ("a", "b"):
        table = pa.table({"anchor": ["a"], "positive": ["b"], "negative": ["c"]})
        pq.write_table(table, tmp_path / f"part-{name}.parquet")
    assert recognise_task(tmp_path / "part-a.parquet") == "triplets"
    assert recognise_task(f"{tmp_path}/part-*.parquet") == "triplets"


@pytest.mark.parametrize(
    ("name", "content", "gist"),
    [
        ("a.jsonl", '{"_id": "1", "text": "a"}\n', "score): found the columns _id, text; rename its columns, or say"),
        (
            "a.csv",
            "anchor,positive\na,b\n",
            "found the columns anchor, positive; rename its columns, or say what it is",
        ),
        ("qrels.txt", "1 0 a 1\n", "it looks like qrels; say what it is: --task retrieval, triplets or pairs, or name"),
        ("a.txt", "red bag\n", "is no data set by itself: its format is unknown; say what it is: --task"),
        ("a.jsonl", "", "holds no rows; expected triplets or scored pairs"),
        ("a.jsonl", "broken\n", ":1: no JSON"),
    ],
)
def test_what_is_none_of_them_is_an_error_that_says_what_was_found(write, name: str, content: str, gist: str) -> None:
    path = write(name, content)
    with pytest.raises(InputError) as caught:
        recognise_task(path)
    assert str(caught.value).startswith(str(path))
    assert gist in str(caught.value)


def test_what_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        recognise_task(tmp_path / "no.jsonl")
    with pytest.raises(InputError, match="standard input can't be looked at and read again; say what it is: --task"):
        recognise_task("-")


def test_real_data(real_data: Path) -> None:
    assert recognise_task(real_data / "stsb" / "sts-test.csv") == "pairs"
    assert recognise_task(real_data / "home_depot" / "triplets-test.jsonl") == "triplets"
    assert recognise_task(real_data / "scifact") == "retrieval"
