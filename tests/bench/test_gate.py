"""The gate: what a condition says, what fails by it, and what is nonsense."""

import math

import pytest

from searchapp.bench.compare import ComparedRow, ComparisonReport
from searchapp.bench.gate import Condition, gate_notes, judge_gate
from searchapp.bench.operands import judge_by
from searchapp.errors import MeasureError, UsageError
from searchapp.metrics.comparison import Comparison
from searchapp.metrics.uncertainty import Interval

BEFORE = 0.5


def row(difference: float, p: float, measure: str = "nDCG@10", detectable: float = 0.001) -> ComparedRow:
    """A row with this p on its own; in the table it came from, the correction left nothing of it."""
    interval = Interval(difference - 0.01, difference + 0.01)
    found = Comparison(200, BEFORE, BEFORE + difference, difference, interval, p, -0.1, 10, 170, 20, detectable)
    return ComparedRow("runs/before:flat", "runs/after:flat", measure, found, 1.0)


def report(*rows: ComparedRow) -> ComparisonReport:
    return ComparisonReport(judge_by("qrels", {"q": {"d": 1}}), "nDCG@10", 200, rows, ())


@pytest.mark.parametrize(
    ("text", "condition", "spelled"),
    [
        ("nDCG@10 < -0.5%", Condition("nDCG@10", -0.005, True), "nDCG@10 < -0.5%"),
        ("cosine_mrr@10<-1%", Condition("RR@10", -0.01, True), "RR@10 < -1%"),
        ("  map@100  <  - .02 ", Condition("AP@100", -0.02, False), "AP@100 < -0.02"),
        ("AP(denominator=R)@100 < −3 %", Condition("AP(denominator=R)@100", -0.03, True), None),
        ("RR(rel=2)@10 < 0", Condition("RR(rel=2)@10", 0.0, False), "RR(rel=2)@10 < 0"),
        ("recall@100 < -0%", Condition("recall@100", 0.0, True), "recall@100 < 0%"),
    ],
)
def test_conditions_are_read_and_spelled(text: str, condition: Condition, spelled: str | None) -> None:
    found = Condition.parse(text)
    assert (found.measure, found.is_relative) == (condition.measure, condition.is_relative)
    assert found.bound == pytest.approx(condition.bound, abs=1e-15)
    if spelled:
        assert str(found) == spelled
    assert Condition.parse(str(found)) == found


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nDCG@10", "is no condition"),
        ("", "is no condition"),
        ("nDCG@10 > -1%", "is no condition"),
        ("nDCG@10 <= -1%", "is no condition"),
        ("nDCG@10 < -1% < 0", "is no condition"),
        ("< -1%", "is no condition"),
        ("nDCG@10 < -1%%", "is no condition"),
        ("nDCG@10 < little", "the bound is 'little', expected a number"),
        ("nDCG@10 < -nan", "expected a number"),
        ("nDCG@10 < -1e-3", "expected a number"),
        ("nDCG@10 < 0.5", "the bound is above 0"),
        ("nDCG@10 < -5", "none can drop below that"),
        ("nDCG@10 < -100%", "none can drop below that"),
    ],
)
def test_nonsense_is_refused_with_an_example(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        Condition.parse(text)
    assert '--fail-if "nDCG@10 < -0.5%"' in str(caught.value)
    assert repr(text) in str(caught.value)


def test_an_unknown_measure_is_refused_by_name() -> None:
    with pytest.raises(MeasureError, match="did you mean nDCG"):
        Condition.parse("ndgc@10 < -1%")


@pytest.mark.parametrize(
    ("text", "difference", "p", "fails", "fails_strictly"),
    [
        ("nDCG@10 < -1%", -0.0051, 0.049, True, True),  # 1 % of .5 is .005
        ("nDCG@10 < -1%", -0.0051, 0.05, False, True),
        ("nDCG@10 < -1%", -0.0050, 0.001, False, False),  # exactly the bound passes
        ("nDCG@10 < -1%", -0.0049, 0.001, False, False),
        ("nDCG@10 < -1%", 0.2, 0.001, False, False),
        ("nDCG@10 < -0.01", -0.011, 0.001, True, True),
        ("nDCG@10 < -0.01", -0.009, 0.001, False, False),
        ("nDCG@10 < 0", -0.0001, 0.01, True, True),
        ("nDCG@10 < 0", -1e-17, 1.0, False, False),  # rounding is no drop
        ("nDCG@10 < 0", 0.0, 1.0, False, False),
    ],
)
def test_a_drop_fails_below_the_bound_and_where_it_is_significant(
    text: str, difference: float, p: float, fails: bool, fails_strictly: bool
) -> None:
    table, conditions = report(row(difference, p)), [Condition.parse(text)]
    assert bool(judge_gate(table, conditions)) == fails
    assert bool(judge_gate(table, conditions, strict=True)) == fails_strictly


def test_each_condition_holds_for_each_pair() -> None:
    table = report(row(-0.1, 0.01), row(-0.1, 0.2, "RR@10"), row(-0.2, 0.01), row(0.1, 0.01, "RR@10"))
    conditions = [Condition.parse("RR@10 < -1%"), Condition.parse("nDCG@10 < -1%")]
    assert [(one.row.measure, one.row.comparison.difference) for one in judge_gate(table, conditions)] == [
        *(("nDCG@10", -0.1), ("nDCG@10", -0.2))
    ]
    strictly = judge_gate(table, conditions, strict=True)
    assert [(one.row.measure, one.is_significant) for one in strictly] == [
        *(("RR@10", False), ("nDCG@10", True), ("nDCG@10", True))
    ]
    assert str(strictly[0]) == (
        "RR@10 < -1%: runs/after:flat has 0.4000, runs/before:flat 0.5000, a difference of -0.1000 (-20.00%), "
        "not significant (p = 0.2000, Holm over the gate's 4 rows)"
    )
    assert strictly[1].to_json() == {
        "condition": "nDCG@10 < -1%",
        "baseline": "runs/before:flat",
        "system": "runs/after:flat",
        "difference": -0.1,
        "limit": -0.005,
        "p_holm": 0.04,
        "tests": 4,
        "significant": True,
    }


def test_p_is_corrected_for_what_is_gated_alone() -> None:
    """Holm by hand: .02 of two rows is .04; of three, where another measure is gated as well, .06."""
    table = report(row(-0.1, 0.02), row(-0.1, 0.04), row(-0.1, 0.03, "RR@10"), row(0.0, 0.9, "AP@100"))
    ndcg, absolute, rr = map(Condition.parse, ("nDCG@10 < -1%", "nDCG@10 < -0.01", "RR@10 < -1%"))
    alone = judge_gate(table, [ndcg])
    assert [(one.p, one.tests) for one in alone] == [(0.04, 2), (0.04, 2)]
    both = judge_gate(table, [ndcg, rr], strict=True)
    assert [one.p for one in both] == pytest.approx([0.06, 0.06, 0.06])
    assert {(one.tests, one.is_significant) for one in both} == {(3, False)}
    twice = judge_gate(table, [ndcg, absolute])
    assert [(one.p, one.tests) for one in twice] == [(0.04, 2)] * 4
    only = judge_gate(report(row(-0.1, 0.02)), [ndcg])
    assert str(only[0]).endswith("significant (p = 0.0200, Holm over the gate's 1 row)")


def test_a_baseline_of_nothing_cannot_be_fallen_below() -> None:
    found = Comparison(9, 0.0, 0.0, 0.0, Interval(0, 0), 1.0, 0.0, 0, 9, 0, 0.0)
    table = report(ComparedRow("a", "b", "nDCG@10", found, 1.0))
    assert judge_gate(table, [Condition.parse("nDCG@10 < -1%")], strict=True) == []


def test_a_measure_that_was_not_compared_is_refused() -> None:
    with pytest.raises(UsageError, match="RR@10 was not compared, only nDCG@10; add it to --measures"):
        judge_gate(report(row(0, 1)), [Condition.parse("RR@10 < -1%")])


def test_a_gate_that_sees_too_little_says_so_once() -> None:
    conditions = [Condition.parse("nDCG@10 < -1%")]
    assert gate_notes(report(row(0, 1, detectable=0.005)), conditions) == []
    rows = [row(0, 1, detectable=size) for size in (0.005, 0.02, 0.03, 0.01)]
    assert gate_notes(report(*rows, row(0, 1, "RR@10", 0.9)), conditions) == [
        "nDCG@10 < -1%: a drop of 0.0050 is less than runs/after:flat and runs/before:flat would show on 200 queries "
        "four times in five, 0.0300; judge more queries, or type --strict"
    ]


def test_one_query_is_no_queries() -> None:
    found = Comparison(1, 0.5, 0.5, 0.0, Interval(0, 0), 1.0, 0.0, 0, 1, 0, math.inf)
    notes = gate_notes(report(ComparedRow("a", "b", "nDCG@10", found, 1.0)), [Condition.parse("nDCG@10 < -1%")])
    assert notes == [
        "nDCG@10 < -1%: a drop of 0.0050 is less than b and a would show on 1 query four times in five; "
        "judge more queries, or type --strict"
    ]
