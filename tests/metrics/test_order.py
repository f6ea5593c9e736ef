from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.errors import MeasureError
from searchapp.metrics import order_hits, ties_at
from searchapp.metrics.order import Ties

# Few different scores and few letters (NUL, case, another script, beyond 16 bits), so that there are ties.
scored = st.dictionaries(st.text("aB9\0é鞄😀", max_size=4), st.sampled_from([0.0, -0.0, 1.0, -2.5, 0.5, float("inf")]))


@given(hits=scored)
def test_order_is_score_descending_then_id_ascending(hits: dict[str, float]) -> None:
    doc_ids = list(hits)
    ordered = [doc_ids[row] for row in order_hits(doc_ids, list(hits.values()))]
    assert ordered == sorted(hits, key=lambda doc_id: (-hits[doc_id], doc_id))


@given(hits=scored)
def test_trec_eval_order_is_score_descending_then_id_descending(hits: dict[str, float]) -> None:
    doc_ids = list(hits)
    ordered = [doc_ids[row] for row in order_hits(doc_ids, list(hits.values()), ties="trec_eval")]
    assert ordered == sorted(sorted(hits, reverse=True), key=lambda doc_id: -hits[doc_id])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int8, np.uint8, np.int64])
def test_scores_of_any_number_type(dtype: type) -> None:
    assert order_hits(["a", "b", "c"], np.array([1, 0, 100], dtype=dtype)) == [2, 0, 1]


@pytest.mark.parametrize(("ties", "expected"), [("searchapp", [1, 0]), ("trec_eval", [0, 1])])
def test_trec_eval_sees_float32(ties: Ties, expected: list[int]) -> None:
    assert order_hits(["b", "a"], [1.0, 1.0 + 1e-9], ties=ties) == expected
    assert order_hits(["b", "a"], [1e300, 1e301], ties=ties) == expected


def test_nan_is_refused() -> None:
    with pytest.raises(MeasureError, match=r"score of document 'b' is NaN \(2 of 3 scores are\).*check the run"):
        order_hits(["a", "b", "c"], [1.0, float("nan"), float("nan")])


@pytest.mark.parametrize(("scores", "shape"), [([1.0], r"\(1,\)"), ([[1.0, 2.0]], r"\(1, 2\)")])
def test_one_score_for_each_document(scores: list[float], shape: str) -> None:
    with pytest.raises(MeasureError, match=f"2 documents came with scores of shape {shape}; give one score for each"):
        order_hits(["a", "b"], scores)


@given(scores=st.lists(st.integers(0, 3)).map(lambda values: sorted(values, reverse=True)), cutoff=st.integers(1, 12))
def test_a_tie_at_the_cutoff(scores: list[int], cutoff: int) -> None:
    expected = cutoff < len(scores) and scores[cutoff - 1] == scores[cutoff]
    assert ties_at(scores, cutoff) is expected
    assert ties_at(np.array(scores, dtype=np.float32), cutoff) is expected


def test_a_cutoff_of_zero_is_refused() -> None:
    with pytest.raises(MeasureError, match="a cutoff of 0 counts no document; give 1 or more"):
        ties_at([1.0, 1.0], 0)


def test_an_unknown_tie_rule_is_refused() -> None:
    ties: Any = "trec"
    with pytest.raises(MeasureError, match='ties is \'trec\'; it is "searchapp" or "trec_eval"'):
        order_hits(["a"], [1.0], ties=ties)
