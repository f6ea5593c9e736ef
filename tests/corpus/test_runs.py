"""Runs in and out."""

import random
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from searchapp.corpus import read_run, write_run
from searchapp.errors import InputError, RowError, UsageError
from searchapp.metrics import Judging, Measure, evaluate
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


# One query without sense in its ranks: all the same, negative, no numbers at all.
UNRANKED = "q Q0 b 1 0.5 t\nq Q0 d -3 2 t\nq Q0 c x 0.5 t\nr Q0 a 1.5 1 t\nq Q0 a 1 0.5 t\n"


@pytest.mark.parametrize(("order", "expected"), [("score", "dabc"), ("trec_eval", "dcba")])
def test_by_score_the_ranks_are_not_looked_at(write, order, expected: str) -> None:
    run = read_run(write("run", UNRANKED), order=order)
    scores = {"a": 0.5, "b": 0.5, "c": 0.5, "d": 2.0}
    assert run == {
        "q": [Hit(rank, doc_id, scores[doc_id]) for rank, doc_id in enumerate(expected, 1)],
        "r": [Hit(1, "a", 1.0)],
    }


def test_scores_that_float32_cannot_tell_apart_tie_in_trec_eval_alone(write) -> None:
    path = write("run", "q Q0 a 1 1.000000001 t\nq Q0 b 2 1 t\nq Q0 c 3 1e300 t\nq Q0 d 4 2e300 t\n")
    assert [hit.doc_id for hit in read_run(path, order="score")["q"]] == ["d", "c", "a", "b"]
    assert [hit.doc_id for hit in read_run(path, order="trec_eval")["q"]] == ["d", "c", "b", "a"]
    assert [hit.doc_id for hit in read_run(path)["q"]] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("order", ["score", "trec_eval"])
@pytest.mark.parametrize(
    ("line", "gist"),
    [("q Q0 b 1 2 t", "query 'q' has document 'b' in {path}:1 already"), ("q Q0 z 1 nan t", "the score is 'nan'")],
)
def test_by_score_the_rest_is_still_checked(write, order, line: str, gist: str) -> None:
    path = write("run", f"{UNRANKED}{line}\n")
    with pytest.raises(RowError) as caught:
        read_run(path, order=order)
    assert gist.replace("{path}", str(path)) in str(caught.value)


def test_an_unknown_order_is_refused(write) -> None:
    with pytest.raises(UsageError, match="the order of a run is 'scores'; type one of: rank, score, trec_eval"):
        read_run(write("run", UNRANKED), order="scores")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(4))
def test_in_the_order_of_trec_eval_the_numbers_are_those_of_trec_eval(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    documents = [f"{letter}{number}" for letter in ("d", "D", "é", "赤") for number in range(30)]
    scores = {
        f"q{number}": {doc: rng.choice([0.5, 1 / 3, 1e-3, rng.random()]) for doc in rng.sample(documents, 60)}
        for number in range(25)
    }
    qrels = {query: {doc: rng.randrange(4) for doc in rng.sample(documents, 25)} | {"d0": 1} for query in scores}
    path = tmp_path / "run"
    lines = [f"{query} Q0 {doc} 0 {score!r} t\n" for query, found in scores.items() for doc, score in found.items()]
    path.write_text("".join(lines), encoding="utf-8")
    measures = {"nDCG@10": "ndcg_cut_10", "AP(denominator=R)": "map", "RR": "recip_rank", "P@10": "P_10"}
    measures["R@100"] = "recall_100"
    theirs = pytrec_eval.RelevanceEvaluator(qrels, set(measures.values())).evaluate(scores)
    ordered = read_run(path, order="trec_eval")
    run = {query: [hit.doc_id for hit in hits] for query, hits in ordered.items()}
    ours = evaluate(run, qrels, list(measures), judging=Judging(no_relevant="zero"))
    for name, key in measures.items():
        expected = [theirs[query][key] for query in ours.query_ids]
        np.testing.assert_allclose(ours.per_query[str(Measure.parse(name))], expected, rtol=0, atol=1e-9, err_msg=name)


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
