"""Runs in and out."""

from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from searchapp.corpus import read_run, write_run
from searchapp.errors import InputError, RowError
from searchapp.records import Hit

IDS = st.text(st.characters(codec="utf-8", exclude_characters=" \t\r\n\v\f\0"), min_size=1, max_size=5)
SCORES = st.floats(width=32, allow_nan=False, allow_infinity=False)
RUNS = st.dictionaries(
    IDS,
    st.lists(st.tuples(IDS, SCORES), min_size=1, max_size=5, unique_by=lambda pair: pair[0]),
    min_size=1,
    max_size=4,
)


@given(RUNS)
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, run) -> None:
    path = tmp_path_factory.getbasetemp() / "run.trec"
    hits = {
        query_id: [Hit(i, doc, score) for i, (doc, score) in enumerate(found, 1)] for query_id, found in run.items()
    }
    write_run(path, hits, tag="t")
    back = read_run(path)
    assert list(back) == list(hits)
    for query_id, found in hits.items():
        assert [(hit.rank, hit.doc_id) for hit in back[query_id]] == [(hit.rank, hit.doc_id) for hit in found]
        assert [np.float32(hit.score) for hit in back[query_id]] == [np.float32(hit.score) for hit in found]


def test_the_file_is_what_trec_eval_reads(tmp_path: Path) -> None:
    path = tmp_path / "run"
    write_run(
        path, {"q1": [Hit(1, "b", float(np.float32(0.1))), Hit(2, "a", 0.05)], "q2": [Hit(1, "a", -1e-9)]}, tag="x"
    )
    assert path.read_text() == "q1 Q0 b 1 0.100000001 x\nq1 Q0 a 2 0.05 x\nq2 Q0 a 1 -1e-09 x\n"
    with path.open() as handle:
        assert pytrec_eval.parse_run(handle) == {"q1": {"b": 0.100000001, "a": 0.05}, "q2": {"a": -1e-9}}


def test_hits_come_in_the_order_of_ranks_and_scores_are_not_sorted_by(write) -> None:
    path = write("run", "q Q0 c 7 9.5 t\nr\tQ0  z 0 1 t\r\nq Q0 a 3 1 t\nq Q0 b 5 2.5e0 t\n")
    assert read_run(path) == {"q": [Hit(1, "a", 1.0), Hit(2, "b", 2.5), Hit(3, "c", 9.5)], "r": [Hit(1, "z", 1.0)]}


BAD = [
    ("q Q0 a 1 0.5 t\nq Q0 b 2 0.5\n", 2, "found 5 columns, expected 6: query_id Q0 doc_id rank score tag"),
    ("q Q0 a 1 0.5 t\nq Q0 b 2 nan t\n", 2, "the score is 'nan', expected a finite number"),
    ("q Q0 a 1 0.5 t\nq Q0 b 2 1e999 t\n", 2, "the score is '1e999'"),
    ("q Q0 a 1 0.5 t\nq Q0 b 2 -inf t\n", 2, "the score is '-inf'"),
    ("q Q0 a 1 0.5 t\nq Q0 b 2.0 1 t\n", 2, "the rank is '2.0'"),
    ("q Q0 a 1 0.5 t\nq Q0 a 2 0.4 t\n", 2, "query 'q' has document 'a' in {path}:1 already"),
    ("q Q0 a 1 0.5 t\nr Q0 a 1 0.5 t\nq Q0 b 1 0.4 t\n", 3, "query 'q' has rank 1 in {path}:1 already"),
    (b"q Q0 a 1 0.5 t\nq Q0 \xff 2 0.4 t\n", 2, "byte 0xff"),
]


@pytest.mark.parametrize(("content", "line", "gist"), BAD)
def test_bad_lines(write, content: str | bytes, line: int, gist: str) -> None:
    path = write("run", content)
    with pytest.raises(RowError) as caught:
        read_run(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert gist.replace("{path}", str(path)) in str(caught.value)


def test_an_empty_run_is_an_error(write) -> None:
    with pytest.raises(InputError, match="holds no hits"):
        read_run(write("run", "\n"))


@pytest.mark.parametrize(
    ("run", "tag", "gist"),
    [
        ({"q 1": [Hit(1, "a", 1.0)]}, "t", "the query id 'q 1' can't be in a TREC run"),
        ({"q": [Hit(1, "a\tb", 1.0)]}, "t", "the document id 'a\\tb' can't be in a TREC run"),
        ({"q": [Hit(1, "", 1.0)]}, "t", "the document id '' can't be"),
        ({"q": [Hit(1, "\ud800", 1.0)]}, "t", "holds half a surrogate pair"),
        ({"q": [Hit(1, "a", 1.0)]}, "my tag", "the tag 'my tag' can't be"),
        ({"q": [Hit(1, "a", float("nan"))]}, "t", "the score of 'a' for query 'q' is nan"),
        ({"q": [Hit(1, "a", 1.0), Hit(2, "a", 0.5)]}, "t", "document 'a' twice"),
        ({"q": [Hit(1, "a", 1.0), Hit(1, "b", 0.5)]}, "t", "its rank 1 after 1"),
    ],
)
def test_what_trec_can_t_hold_is_refused_and_nothing_is_written(tmp_path: Path, run, tag: str, gist: str) -> None:
    path = tmp_path / "run"
    path.write_text("before")
    with pytest.raises(InputError) as caught:
        write_run(path, run, tag=tag)
    assert gist in str(caught.value)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be written"):
        write_run(tmp_path / "no" / "run", {}, tag="t")
