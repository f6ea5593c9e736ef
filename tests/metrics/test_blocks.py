from collections.abc import Sequence

import numpy as np
import pytest

from searchapp.errors import MeasureError
from searchapp.metrics import Judging, evaluate
from searchapp.metrics.blocks import cut_blocks
from searchapp.metrics.ranking import UNRANKED


def test_a_block_holds_the_rank_of_every_judged_document() -> None:
    run = {"q1": ["x", "a", "y", "b"], "q3": ["c"]}
    qrels = {"q1": {"b": 2, "a": 0, "z": 1}, "q2": {"a": 1}, "q3": {"c": -1}}
    (block,) = cut_blocks(run, qrels, ["q3", "q1", "q2"], depth=None, judging=Judging())
    assert block.lengths.tolist() == [1, 4, 0]
    entries = list(zip(block.query.tolist(), block.rank.tolist(), block.grade.tolist(), strict=True))
    assert entries == [(0, 1, -1), (1, 2, 0), (1, 4, 2), (1, UNRANKED, 1), (2, UNRANKED, 1)]


def test_no_rank_beyond_the_depth_is_read() -> None:
    (block,) = cut_blocks({"q": ["a", "b", "c"]}, {"q": {"c": 1}}, ["q"], depth=2, judging=Judging())
    assert block.lengths.tolist() == [2]
    assert block.rank.tolist() == [UNRANKED]


def test_many_queries_are_cut_in_order() -> None:
    query_ids = [f"q{number}" for number in range(2500)]
    qrels = {query_id: {"a": number} for number, query_id in enumerate(query_ids)}
    blocks = list(cut_blocks({}, qrels, query_ids, depth=10, judging=Judging()))
    assert [len(block.lengths) for block in blocks] == [1024, 1024, 452]
    assert np.concatenate([block.grade for block in blocks]).tolist() == list(range(2500))


@pytest.mark.parametrize("ranking", [("a", "b"), np.array(["a", "b"])], ids=["tuple", "array"])
def test_a_ranking_of_any_sequence(ranking: Sequence[str]) -> None:
    assert evaluate({"q": ranking}, {"q": {"b": 1}}, ["RR"]).measures == {"RR": 0.5}


@pytest.mark.parametrize("judging", [Judging(), Judging(drop_self=True)], ids=["self kept", "self dropped"])
def test_a_document_ranked_twice_is_refused(judging: Judging) -> None:
    run = {"q1": ["a"], "q2": ["b", "q2", "c", "b"]}
    qrels = {"q1": {"a": 1}, "q2": {"c": 1}}
    with pytest.raises(MeasureError, match=r"query 'q2' holds document 'b' twice, at ranks 1 and 4; .* keep the first"):
        evaluate(run, qrels, judging=judging)
    assert evaluate(run, qrels, ["RR@2"], judging=judging).measures["RR@2"] > 0, "rank 4 can't change it"


def test_a_self_ranked_twice_and_dropped_harms_nobody() -> None:
    run = {"q": ["q", "a", "q"]}
    assert evaluate(run, {"q": {"a": 1}}, ["RR"], judging=Judging(drop_self=True)).measures == {"RR": 1}
