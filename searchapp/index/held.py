"""Exact search over vectors that are held in memory: what a flat index finds, without a folder and without FAISS."""

from collections.abc import Sequence

import numpy as np

from searchapp.errors import BadVectorsError
from searchapp.index.folder import HELD_NUMBERS, ROUNDING, SLACK
from searchapp.index.ranking import Ranking, Scores, concatenate, order
from searchapp.index.vectors import Rows, Vectors, unit, unit_scores

_SCORES = 1 << 23
"""Products of queries and documents that are held at a time."""
_CUT_ROWS = 8192
"""Vectors that are made unit length at a time: that runs in float64."""


class HeldVectors:
    """The vectors of some documents, cut to one dim and made unit length.

    `vectors` is float32 (rows, width) as an encoder gave them, row i of `doc_ids[i]`, each id there once; they are
    copied. Memory: rows x dim float32, and some 200 MB while searching. Raises BadVectorsError for a vector that is
    zero in its first `dim` values.
    """

    def __init__(self, vectors: Vectors, doc_ids: Sequence[str], *, dim: int) -> None:
        self.dim = dim
        self._doc_ids = doc_ids
        self._unit = np.empty((len(vectors), dim), dtype=np.float32)
        for start in range(0, len(vectors), _CUT_ROWS):
            self._unit[start : start + _CUT_ROWS] = unit(vectors[start : start + _CUT_ROWS], dim)
        empty = np.flatnonzero(~self._unit.any(axis=1))
        if len(empty):
            raise BadVectorsError(
                f"the vector of {doc_ids[empty[0]]} is zero in its first {dim} dims, so it has no direction; "
                "choose more dims, or check the model"
            )

    def __len__(self) -> int:
        return len(self._doc_ids)

    def search(self, queries: Vectors, k: int) -> Ranking:
        """Rank the documents for float32 queries (n, width), n and k at least 1, as the encoder gave them.

        Returns a Ranking of n rows and min(k, documents) columns: exact cosines, score descending, then doc_id
        ascending; the scores and the order are those of a flat index of the same vectors.
        """
        asked, k = unit(queries, self.dim), min(k, len(self))
        step = max(1, _SCORES // len(self))
        blocks = [asked[start : start + step] for start in range(0, len(asked), step)]
        return concatenate([self._search(block, k, k + SLACK) for block in blocks])

    def _search(self, asked: Vectors, k: int, depth: int) -> Ranking:
        """Search one block of unit queries with `depth` candidates each; deeper where a tie may go on beyond them."""
        depth = min(depth, len(self))
        products = asked @ self._unit.T
        rows = np.argpartition(products, len(self) - depth, axis=1)[:, len(self) - depth :]
        worst = np.take_along_axis(products, rows[:, :1], axis=1)[:, 0]
        ranking = order(rows, self._exact(asked, rows), k, self._ids)
        if depth < len(self):
            # Sums in float32 may differ from the exact ones, so that what was left out may belong to the first k.
            unsettled = np.flatnonzero(ranking.scores[:, -1] <= worst + ROUNDING)
            if len(unsettled):
                ranking.put(unsettled, self._search(asked[unsettled], k, 4 * depth))
        return ranking

    def _exact(self, asked: Vectors, rows: Rows) -> Scores:
        scores = np.empty(rows.shape, dtype=np.float32)
        step = max(1, HELD_NUMBERS // (rows.shape[1] * self.dim))
        for start in range(0, len(rows), step):
            block = slice(start, start + step)
            scores[block] = unit_scores(asked[block], self._unit[rows[block]])
        return scores

    def _ids(self, rows: Rows) -> list[str]:
        return [self._doc_ids[row] for row in rows]
