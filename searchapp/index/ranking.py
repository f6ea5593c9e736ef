"""From scores to one order: score descending, then document id ascending, and whether the cutoff cut a tie."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchapp.index.vectors import Rows

Scores = npt.NDArray[np.float32]
NO_ROW = -1
"""FAISS's row for "nothing found"; such places are last and never become hits."""


@dataclass(frozen=True, slots=True)
class Ranking:
    """What a search of n queries found, best first."""

    rows: Rows
    """int64 (n, k); a place where nothing was found is -1."""
    scores: Scores
    """float32 (n, k); -inf where nothing was found."""
    tied: npt.NDArray[np.bool_]
    """bool (n,): the document at rank k and the one after it have the same score."""

    def __len__(self) -> int:
        return len(self.rows)

    def put(self, queries: npt.NDArray[np.intp], other: "Ranking") -> None:
        """Replace what was found for some queries by what another search of them found."""
        self.rows[queries], self.scores[queries], self.tied[queries] = other.rows, other.scores, other.tied


def concatenate(rankings: Sequence[Ranking]) -> Ranking:
    """Lay the rankings of several blocks of queries end to end; all are of one k."""
    if len(rankings) == 1:
        return rankings[0]
    return Ranking(
        np.concatenate([r.rows for r in rankings]),
        np.concatenate([r.scores for r in rankings]),
        np.concatenate([r.tied for r in rankings]),
    )


def order(rows: Rows, scores: Scores, k: int, ids: Callable[[Rows], list[str]]) -> Ranking:
    """Order the candidates of every query and keep the best k.

    `rows` int64 and `scores` float32 are (n, c) with c >= min(k, rows there are); `ids` gives the doc_ids of rows and
    is only asked about rows whose scores tie.
    """
    scores = np.where(rows == NO_ROW, -np.inf, scores).astype(np.float32, copy=False)
    best = (-scores).argsort(axis=1, kind="stable")
    # What np.take_along_axis does, in a third of its time where there is one query.
    places = np.arange(len(rows))[:, None], best
    rows, scores = rows[places], scores[places]
    equal = (scores[:, 1:] == scores[:, :-1]) & (rows[:, 1:] != NO_ROW)
    for query in np.flatnonzero(equal[:, :k].any(axis=1)):
        _settle(rows[query], equal[query], k, ids)
    tied = equal[:, k - 1] if equal.shape[1] >= k else np.zeros(len(rows), dtype=bool)
    return Ranking(rows[:, :k], scores[:, :k], tied)


def _settle(rows: Rows, equal: npt.NDArray[np.bool_], k: int, ids: Callable[[Rows], list[str]]) -> None:
    """Sort each run of tied rows that reaches into the first k by doc_id, in place."""
    bounds = np.flatnonzero(np.concatenate([[True], ~equal, [True]]))
    for start, end in itertools.pairwise(bounds):
        if start < k and end - start > 1:
            run = rows[start:end]
            names = ids(run)
            rows[start:end] = run[sorted(range(len(run)), key=names.__getitem__)]
