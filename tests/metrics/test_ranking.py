"""The fast arithmetic against the slow oracle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchapp.metrics import DEFAULT_MEASURES, Gains, Judging, Measure, evaluate
from searchapp.metrics.blocks import Qrels, Run
from tests.metrics.cases import random_case
from tests.metrics.oracle import GAINS, oracle_value

MEASURES = (
    *DEFAULT_MEASURES,
    *(Measure.parse(text) for text in ("nDCG", "nDCG@1", "nDCG@3", "RR", "AP", "Judged", "Judged@2")),
    *(Measure.parse(text) for text in ("RR(rel=2)@10", "AP(rel=2)@3", "AP(rel=3,denominator=R)@2", "P(rel=2)@4")),
    *(Measure.parse(text) for text in ("R(rel=2)@5", "success(rel=3)@2", "P@100000", "AP@100000")),
)
DOC_IDS = [f"d{number}" for number in range(12)]

rankings = st.permutations(DOC_IDS).flatmap(lambda ids: st.integers(0, len(ids)).map(lambda size: ids[:size]))
judgments = st.dictionaries(st.sampled_from(DOC_IDS), st.integers(-2, 3))
judgings = st.builds(
    Judging,
    gains=st.sampled_from(sorted(GAINS)).map(Gains.parse),
    threshold=st.integers(1, 3),
    no_relevant=st.sampled_from(["drop", "zero"]),
)


def assert_equals_oracle(run: Run, qrels: Qrels, judging: Judging) -> None:
    result = evaluate(run, qrels, MEASURES, judging=judging)
    for measure in MEASURES:
        expected = [
            oracle_value(measure, run.get(query_id, ()), qrels[query_id], judging=judging)
            for query_id in result.query_ids
        ]
        assert result.per_query[str(measure)].tolist() == pytest.approx(expected, abs=1e-12), str(measure)
        assert result.measures[str(measure)] == pytest.approx(sum(expected) / len(expected), abs=1e-12)


@settings(deadline=None, max_examples=60)
@given(
    run=st.dictionaries(st.sampled_from("abcde"), rankings),
    qrels=st.dictionaries(st.sampled_from("abcdef"), judgments),
    judging=judgings,
)
def test_small_runs_equal_the_oracle(
    run: dict[str, list[str]], qrels: dict[str, dict[str, int]], judging: Judging
) -> None:
    # One query that is sure to be judged and ranked, so that there is something to count.
    run["sure"], qrels["sure"] = DOC_IDS[:4], {"d3": 3, "d9": 3, "d1": 2}
    assert_equals_oracle(run, qrels, judging)


@pytest.mark.parametrize("gains", sorted(GAINS))
def test_more_queries_than_a_block_equal_the_oracle(gains: str) -> None:
    case = random_case(7, grades=(-1, 0, 1, 2, 3), queries=1300, documents=160)
    assert_equals_oracle(case.run(), case.qrels, Judging(gains=Gains.parse(gains), threshold=2))
