from math import log2
from typing import Any

import numpy as np
import pytest

from searchapp.errors import MeasureError
from searchapp.metrics import ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, Gains, Judging, Measure, evaluate

RUN = {"q1": ["x", "a", "b", "y", "c"], "q2": ["a"], "q9": ["a"]}
QRELS = {"q1": {"a": 3, "b": 0, "c": 1, "d": 2}, "q2": {"a": 1}, "q3": {"b": 1}, "q4": {"b": 0}}

# q1 by hand: relevant a, c, d; found at ranks 2 and 5. q2: its one document at rank 1. q3: nothing was ranked.
BY_HAND = {
    "accuracy@1": [0, 1, 0],
    "accuracy@2": [1, 1, 0],
    "precision@1": [0, 1, 0],
    "precision@5": [2 / 5, 1 / 5, 0],
    "recall@3": [1 / 3, 1, 0],
    "recall@10": [2 / 3, 1, 0],
    "RR@1": [0, 1, 0],
    "RR@10": [1 / 2, 1, 0],
    "RR(rel=2)": [1 / 2, 0, 0],
    "AP@2": [(1 / 2) / 2, 1, 0],
    "AP(denominator=R)@2": [(1 / 2) / 3, 1, 0],
    "AP": [(1 / 2 + 2 / 5) / 3, 1, 0],
    "nDCG@2": [(3 / log2(3)) / (3 + 2 / log2(3)), 1, 0],
    "nDCG": [(3 / log2(3) + 1 / log2(6)) / (3 + 2 / log2(3) + 1 / 2), 1, 0],
    "Judged@4": [2 / 4, 1, 0],
    "Judged@10": [3 / 5, 1, 0],
}


@pytest.mark.parametrize(("measure", "values"), BY_HAND.items())
def test_values_worked_out_by_hand(measure: str, values: list[float]) -> None:
    result = evaluate(RUN, QRELS, [measure])
    assert result.per_query[measure].tolist() == pytest.approx(values, abs=1e-12)
    assert result.measures == {measure: pytest.approx(sum(values) / 3, abs=1e-12)}


@pytest.mark.parametrize(
    ("gains", "expected"),
    [
        (ESCI, (0.01 + 1 / log2(3)) / (1 + 0.1 / log2(3) + 0.01 / 2)),
        (ESCI_OFFICIAL_SCRIPT_SWAPPED, (0.1 + 1 / log2(3)) / (1 + 0.1 / log2(3) + 0.01 / 2)),
        (Gains.parse("0,1,3,7"), (1 + 7 / log2(3)) / (7 + 3 / log2(3) + 1 / 2)),
    ],
    ids=str,
)
def test_graded_gains_by_hand(gains: Gains, expected: float) -> None:
    qrels = {"q": {"exact": 3, "substitute": 2, "complement": 1, "irrelevant": 0}}
    result = evaluate({"q": ["complement", "exact"]}, qrels, ["nDCG@10"], judging=Judging(gains=gains))
    assert result.measures["nDCG@10"] == pytest.approx(expected, abs=1e-12)


def test_what_was_counted_is_told() -> None:
    result = evaluate(RUN, QRELS)
    assert result.query_ids == ("q1", "q2", "q3")
    assert result.dropped == result.no_relevant == ("q4",)
    assert result.unranked == ("q3",)
    assert result.unjudged_queries == ("q9",)
    assert result.notes == (
        "judged queries without a document of grade 1 or more, left out of the means: 1",
        "judged queries that the run lacks, counted as 0 (as under trec_eval -c): 1",
        "queries of the run without judgments, ignored: 1",
    )


def test_queries_without_a_relevant_document_count_as_zero_if_asked() -> None:
    result = evaluate(RUN, QRELS, ["RR"], judging=Judging(no_relevant="zero"))
    assert result.per_query["RR"].tolist() == [1 / 2, 1, 0, 0]
    assert result.measures["RR"] == 3 / 8
    assert (result.dropped, result.no_relevant, result.unranked) == ((), ("q4",), ("q3", "q4"))
    assert result.notes[0] == "judged queries without a document of grade 1 or more, kept in the means: 1"


def test_a_plain_evaluation_has_no_notes() -> None:
    assert evaluate({"q": ["a"]}, {"q": {"a": 1}}).notes == ()


def test_an_empty_ranking_is_ranked_and_scores_zero() -> None:
    result = evaluate({"q1": [], "q2": ["a"]}, {"q1": {"a": 1}, "q2": {"a": 1}})
    assert result.unranked == ()
    assert all(values[0] == 0 for values in result.per_query.values())


def test_measures_are_values_or_texts_and_come_once() -> None:
    result = evaluate(RUN, QRELS, [Measure("RR", cutoff=10), "MRR@10", "recip_rank"])
    assert list(result.measures) == list(result.per_query) == ["RR@10", "RR"]


def test_values_per_query_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        evaluate(RUN, QRELS).per_query["RR@10"][0] = 1


def test_neither_run_nor_qrels_is_changed() -> None:
    run, qrels = {"q": ["b", "q", "a"]}, {"q": {"a": 1, "b": 0}}
    evaluate(run, qrels, judging=Judging(drop_self=True))
    assert (run, qrels) == ({"q": ["b", "q", "a"]}, {"q": {"a": 1, "b": 0}})


def test_grades_of_numpy_are_whole_numbers_too() -> None:
    judged: dict[str, Any] = {"a": np.int32(2), "b": True}
    assert evaluate({"q": ["a"]}, {"q": judged}, ["R@1"]).measures == {"recall@1": 0.5}


@pytest.mark.parametrize(
    ("run", "qrels", "text"),
    [
        (RUN, {}, "there are no judgments .* give query_id -> doc_id -> grade"),
        ({}, QRELS, "the run is empty, but 4 queries are judged"),
        (
            {"1": ["a"]},
            QRELS,
            r"none of the run's 1 queries \(such as '1'\) is among the 4 judged ones \(such as 'q1'\)",
        ),
        ({"q": ["a"]}, {"q": {"a": 0}}, r"none of the 1 judged queries has a relevant .* highest grade found is 0"),
        ({"q": ["a"]}, {"q": {}}, "they hold no document"),
        ({"q": ["a"]}, {"q": {"a": 1, "b": 0.5}}, "grade of document 'b' for query 'q' is 0.5; grades are whole"),
        ({"q": ["a"]}, {"q": {"a": "1"}}, "grade of document 'a' for query 'q' is '1'; grades are whole"),
    ],
)
def test_what_cannot_be_judged_is_refused(
    run: dict[str, list[str]], qrels: dict[str, dict[str, int]], text: str
) -> None:
    with pytest.raises(MeasureError, match=text):
        evaluate(run, qrels)


def test_measures_must_be_asked_for_in_a_list() -> None:
    with pytest.raises(MeasureError, match=r"measures is the text 'nDCG@10'; give a list, for example \['nDCG@10'\]"):
        evaluate(RUN, QRELS, "nDCG@10")
    with pytest.raises(MeasureError, match="no measure was asked for; give at least one"):
        evaluate(RUN, QRELS, [])
    with pytest.raises(MeasureError, match="no measure is called 'nDCC@10'; did you mean nDCG"):
        evaluate(RUN, QRELS, ["nDCC@10"])


def test_a_grade_that_the_gains_lack_is_refused() -> None:
    with pytest.raises(MeasureError, match="grade 4, but gains 'esci' end at grade 3"):
        evaluate({"q": ["a"]}, {"q": {"a": 4}}, ["nDCG@10"], judging=Judging(gains=ESCI))
