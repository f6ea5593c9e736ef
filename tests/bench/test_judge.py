"""Ties are counted where the measures look: a query's own document is gone by then."""

from dataclasses import replace

import numpy as np

from searchapp.bench.judge import Judge
from searchapp.bench.runs import RankedRun
from searchapp.corpus import Dataset
from searchapp.metrics import Measure
from tests.bench.benching import PLAIN

AT_TWO = (Measure.parse("precision@2"),)


def test_ties_are_counted_after_a_query_s_own_document_is_dropped(dataset: Dataset) -> None:
    scores = np.array([0.9, 0.8, 0.8, 0.7], dtype=np.float32)
    run = RankedRun(["q00"], np.array([4]), ["q00", "p001", "p002", "p003"], scores)
    counted = frozenset(["q00"])
    kept = Judge(dataset, replace(PLAIN, measures=AT_TWO))
    dropping = Judge(dataset, replace(PLAIN, measures=AT_TWO, drop_self=True))
    # Ranks 2 and 3 are .8 and .8; without the first document they are .8 and .7.
    assert kept.ties(run, [False], evaluated=counted) == {2: 1}
    assert dropping.ties(run, [False], evaluated=counted) == {2: 0}
    assert kept.ties(run, [False], evaluated=frozenset()) == {2: 0}


def test_a_tie_beyond_the_last_hit_counts_at_its_rank(dataset: Dataset) -> None:
    run = RankedRun(["q00"], np.array([2]), ["p001", "p002"], np.array([0.9, 0.8], dtype=np.float32))
    judge = Judge(dataset, replace(PLAIN, measures=AT_TWO))
    assert judge.ties(run, [True], evaluated=frozenset(["q00"])) == {2: 1}
    assert judge.ties(run, [False], evaluated=frozenset(["q00"])) == {2: 0}
