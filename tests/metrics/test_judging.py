from typing import Any

import pytest

from searchapp.errors import MeasureError
from searchapp.metrics import Judging, evaluate

RUN = {"q1": ["q1", "a", "b"], "q2": ["a", "b"]}
QRELS = {"q1": {"a": 1, "b": 3}, "q2": {"b": 2}}


@pytest.mark.parametrize(
    ("judging", "q1", "q2"),
    [
        (Judging(), 1 / 2, 1 / 2),
        (Judging(threshold=2), 1 / 3, 1 / 2),
        (Judging(threshold=3), 1 / 3, None),
        (Judging(threshold=3, no_relevant="zero"), 1 / 3, 0),
        (Judging(drop_self=True), 1, 1 / 2),
        (Judging(drop_self=True, threshold=3), 1 / 2, None),
    ],
)
def test_each_choice_moves_the_first_relevant_rank(judging: Judging, q1: float, q2: float | None) -> None:
    result = evaluate(RUN, QRELS, ["RR"], judging=judging)
    expected = {"q1": q1} if q2 is None else {"q1": q1, "q2": q2}
    assert dict(zip(result.query_ids, result.per_query["RR"].tolist(), strict=True)) == expected
    assert result.judging is judging


def test_a_dropped_self_frees_its_place_under_the_cutoff() -> None:
    result = evaluate(RUN, QRELS, ["precision@2", "Judged@2"], judging=Judging(drop_self=True))
    assert result.per_query["precision@2"].tolist() == [1, 1 / 2]
    assert result.per_query["Judged@2"].tolist() == [1, 1 / 2]


def test_a_measure_with_its_own_level_keeps_to_it() -> None:
    result = evaluate(RUN, QRELS, ["RR", "RR(rel=1)", "RR(rel=3)"], judging=Judging(threshold=2))
    assert {name: values.tolist() for name, values in result.per_query.items()} == {
        "RR": [1 / 3, 1 / 2],
        "RR(rel=1)": [1 / 2, 1 / 2],
        "RR(rel=3)": [1 / 3, 0],
    }


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_below_one_is_refused(threshold: int) -> None:
    with pytest.raises(MeasureError, match=f"threshold of {threshold} .* give the smallest relevant grade, 1 or more"):
        Judging(threshold=threshold)


def test_an_unknown_rule_for_queries_without_relevant_documents_is_refused() -> None:
    no_relevant: Any = "skip"
    with pytest.raises(MeasureError, match='no_relevant is \'skip\'; it is "drop" or "zero"'):
        Judging(no_relevant=no_relevant)
