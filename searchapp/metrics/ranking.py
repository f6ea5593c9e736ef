"""The arithmetic: judged documents and the ranks they got become one number per query and measure.

A measure needs no more of a ranking than where its judged documents stand and how long it is, so that is all that is
kept: memory and time follow the judgments, however deep the rankings are. All functions are NumPy over many queries.

A ranking's order is taken as it stands and never changed: no measure has a tie rule of its own, ties are decided once,
in `searchapp.metrics.order`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchapp.metrics.gains import Gains

UNRANKED = np.iinfo(np.int64).max
"""The rank of a judged document that the ranking does not hold."""

Floats: TypeAlias = NDArray[np.float64]
Integers: TypeAlias = NDArray[np.int64]
Mask: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Scope:
    """What a measure looks at: ranks 1 to `cutoff` (None: all), grades of `threshold` or more as relevant."""

    cutoff: int | None
    threshold: int


class JudgedRanks:
    """Every judgment of n queries, with the rank that its document got.

    query, grade, rank: (m,) int64, one entry per judgment: the query as a number from 0 to n - 1 (ascending), the
        grade, and the rank from 1 or UNRANKED. Entries of a query are kept in order of rank.
    lengths: (n,) int64, how many documents were ranked for each query.
    gains: what a grade is worth.
    """

    def __init__(self, query: Integers, grade: Integers, rank: Integers, *, lengths: Integers, gains: Gains) -> None:
        # One key sorts faster than two: what is unranked comes after the last rank.
        after = int(lengths.max(initial=0)) + 1
        order = np.argsort(query * (after + 1) + np.minimum(rank, after), kind="stable")
        self.query, self.grade, self.rank = query[order], grade[order], rank[order]
        self.lengths = lengths
        self.gains = gains

    def top(self, cutoff: int | None) -> Mask:
        """Return (m,): whether the document is among the first `cutoff` of its ranking."""
        return self.rank < UNRANKED if cutoff is None else self.rank <= cutoff

    def relevant_top(self, scope: Scope) -> Mask:
        """Return (m,): whether the document is relevant and within the cutoff."""
        return self.top(scope.cutoff) & (self.grade >= scope.threshold)

    def count(self, entries: Mask) -> Integers:
        """Return (n,): the number of these entries in each query."""
        return np.bincount(self.query[entries], minlength=len(self.lengths))

    def total(self, query: Integers, values: Floats) -> Floats:
        """Return (n,): the sum of `values` in each query."""
        return np.bincount(query, weights=values, minlength=len(self.lengths)).astype(np.float64)


Formula: TypeAlias = Callable[[JudgedRanks, Scope], Floats]
"""One number per query, (n,) float64."""


def accuracy(ranks: JudgedRanks, scope: Scope) -> Floats:
    """1 if a relevant document is in the top k, else 0."""
    return (ranks.count(ranks.relevant_top(scope)) > 0).astype(np.float64)


def precision(ranks: JudgedRanks, scope: Scope) -> Floats:
    """Relevant in the top k / k, also where fewer than k were ranked; without a cutoff k is the ranking's length."""
    found = ranks.count(ranks.relevant_top(scope))
    return _ratio(found, ranks.lengths if scope.cutoff is None else np.full_like(found, scope.cutoff))


def recall(ranks: JudgedRanks, scope: Scope) -> Floats:
    """Relevant in the top k / all relevant R."""
    return _ratio(ranks.count(ranks.relevant_top(scope)), ranks.count(ranks.grade >= scope.threshold))


def reciprocal_rank(ranks: JudgedRanks, scope: Scope) -> Floats:
    """1 / rank of the first relevant document in the top k, 0 if there is none."""
    entries = ranks.relevant_top(scope)
    query, rank = ranks.query[entries], ranks.rank[entries]
    first = _place(query) == 1
    return ranks.total(query[first], 1.0 / rank[first])


def average_precision(ranks: JudgedRanks, scope: Scope) -> Floats:
    """Sum of precision@i over the relevant ranks i <= k, divided by min(k, R)."""
    total = ranks.count(ranks.grade >= scope.threshold)
    return _ratio(_precision_sum(ranks, scope), total if scope.cutoff is None else np.minimum(total, scope.cutoff))


def average_precision_over_all(ranks: JudgedRanks, scope: Scope) -> Floats:
    """Sum of precision@i over the relevant ranks i <= k, divided by R."""
    return _ratio(_precision_sum(ranks, scope), ranks.count(ranks.grade >= scope.threshold))


def ndcg(ranks: JudgedRanks, scope: Scope) -> Floats:
    """DCG@k of the ranking / DCG@k of all judged documents by falling gain; 0 if nothing can be gained."""
    gain = ranks.gains.apply(ranks.grade)
    top = ranks.top(scope.cutoff)
    dcg = ranks.total(ranks.query[top], gain[top] / np.log2(ranks.rank[top] + 1))
    ideal_gain = gain[np.lexsort((-gain, ranks.query))]
    ideal_rank = _place(ranks.query)
    best = slice(None) if scope.cutoff is None else ideal_rank <= scope.cutoff
    ideal = ranks.total(ranks.query[best], ideal_gain[best] / np.log2(ideal_rank[best] + 1))
    return _ratio(dcg, ideal)


def judged(ranks: JudgedRanks, scope: Scope) -> Floats:
    """Judged documents in the top k / documents in the top k, 0 where nothing was ranked."""
    seen = ranks.lengths if scope.cutoff is None else np.minimum(ranks.lengths, scope.cutoff)
    return _ratio(ranks.count(ranks.top(scope.cutoff)), seen)


def _precision_sum(ranks: JudgedRanks, scope: Scope) -> Floats:
    """Return (n,): the sum of precision@i over the relevant ranks i <= k."""
    entries = ranks.relevant_top(scope)
    query = ranks.query[entries]
    return ranks.total(query, _place(query) / ranks.rank[entries])


def _place(query: Integers) -> Integers:
    """Return the place, from 1, of each entry among the entries of its query; `query` ascends."""
    counts = np.bincount(query)
    return np.arange(1, len(query) + 1) - (np.cumsum(counts) - counts)[query]


def _ratio(part: Integers | Floats, whole: Integers | Floats) -> Floats:
    """Divide, with 0 where there is nothing to divide by."""
    out = np.zeros(len(part), dtype=np.float64)
    np.divide(part, whole, out=out, where=whole > 0)
    return out
