"""A derived index as one: the FAISS files of its parts, searched one after the other and merged."""

import os
from collections.abc import Sequence

import numpy as np

from searchapp.index.faiss_index import FaissIndex
from searchapp.index.ranking import NO_ROW, Scores
from searchapp.index.vectors import Rows, Vectors


class FaissParts:
    """Parts over consecutive rows: `rows[i]` of them in `paths[i]`, each memory-mapped and of `dim` dims.

    The parts of a trained kind share what it learnt, so hits don't depend on how many there are.
    Raises IndexFolderError where a file is not what it should be.
    """

    def __init__(self, paths: Sequence[os.PathLike[str]], rows: Sequence[int], *, dim: int) -> None:
        self._parts = [FaissIndex(path) for path in paths]
        self._rows = list(rows)
        for part, count in zip(self._parts, rows, strict=True):
            part.expect(rows=count, dim=dim)

    def search(
        self, queries: Vectors, k: int, *, nprobe: int | None = None, among: Rows | None = None
    ) -> tuple[Scores, Rows]:
        """Search unit-length float32 (n, dim); return scores and rows, both (n, k), best first.

        `k` is no more than there are rows, or rows among which to search. Where fewer than k are found, rows end with
        NO_ROW. `nprobe` and `among` are as in FaissIndex.
        """
        if len(self._parts) == 1:
            return self._parts[0].search(queries, k, nprobe=nprobe, among=among)
        scores, rows = [], []
        start = 0
        for part, count in zip(self._parts, self._rows, strict=True):
            mine = None if among is None else among[(among >= start) & (among < start + count)] - start
            depth = min(k, count if mine is None else len(mine))
            if depth:
                found, places = part.search(queries, depth, nprobe=nprobe, among=mine)
                scores.append(np.where(places == NO_ROW, np.float32(-np.inf), found))
                rows.append(np.where(places == NO_ROW, NO_ROW, places + start))
            start += count
        return _merge(np.concatenate(scores, axis=1), np.concatenate(rows, axis=1), k)


def _merge(scores: Scores, rows: Rows, k: int) -> tuple[Scores, Rows]:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(scores, best, axis=1), np.take_along_axis(rows, best, axis=1)
