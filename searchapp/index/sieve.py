"""From rows to documents: deleted rows are passed over, and of a document's chunks the best one stands for it."""

import os
from functools import cached_property

import numpy as np
import numpy.typing as npt

from searchapp.errors import IndexFolderError
from searchapp.index.npy import map_array
from searchapp.index.ranking import NO_ROW, Scores
from searchapp.index.vectors import Rows

Chunks = npt.NDArray[np.int32]


class Sieve:
    """What stands between the rows that a search finds and the documents that are given back.

    deleted: int64, ascending, each row once. chunks: int32 (rows,), the number of every row's chunk in its document,
    whose first row lies that many rows before it; None where every row is a document.
    """

    def __init__(self, deleted: Rows, chunks: Chunks | None) -> None:
        self._deleted = deleted
        self._chunks = chunks

    def __bool__(self) -> bool:
        """Tell whether there is anything to hold back."""
        return len(self._deleted) > 0 or self._chunks is not None

    def living(self, rows: Rows) -> Rows:
        """Return rows, of any shape, with NO_ROW in place of the deleted ones."""
        if not len(self._deleted):
            return rows
        at = np.minimum(np.searchsorted(self._deleted, rows), len(self._deleted) - 1)
        return np.where(self._deleted[at] == rows, NO_ROW, rows)

    def first(self, rows: Rows, documents: int) -> tuple[Rows, npt.NDArray[np.int64]]:
        """Keep of every query's rows (n, c), best first, those up to its first `documents` documents.

        Returns rows with NO_ROW in place of the others, and how many documents each query has, int64 (n,).
        """
        new = np.zeros(rows.shape, dtype=bool)
        for query, heads in enumerate(self._heads(rows)):
            found, places = np.unique(heads, return_index=True)
            new[query, places[found != NO_ROW]] = True
        order = np.cumsum(new, axis=1)
        return np.where(order <= documents, rows, NO_ROW), np.minimum(order[:, -1], documents)

    def best(self, rows: Rows, scores: Scores) -> Rows:
        """Return rows (n, c) with NO_ROW in place of every chunk beside which another of its document scores better.

        Of equal scores the first chunk stands.
        """
        if self._chunks is None:
            return rows
        kept = np.full_like(rows, NO_ROW)
        for query, heads in enumerate(self._heads(rows)):
            order = np.lexsort((rows[query], -scores[query]))
            order = order[rows[query][order] != NO_ROW]
            _, first = np.unique(heads[order], return_index=True)
            places = order[first]
            kept[query, places] = rows[query, places]
        return kept

    def spread(self, rows: Rows) -> Rows:
        """Return all rows of the documents that begin at the given ones."""
        if self._chunks is None:
            return rows
        ends = np.searchsorted(self._starts, rows, side="right")
        bounds = np.append(self._starts, len(self._chunks))
        parts = [np.arange(row, bounds[end], dtype=np.int64) for row, end in zip(rows, ends, strict=True)]
        spread: Rows = np.concatenate(parts) if parts else rows
        return spread

    def documents(self, rows: int) -> Rows:
        """Return the first row of every living document of an index of `rows` rows, ascending."""
        starts = np.arange(rows, dtype=np.int64) if self._chunks is None else self._starts
        living: Rows = starts[self.living(starts) != NO_ROW]
        return living

    def half_deleted(self, rows: int) -> int | None:
        """Return the first row of a document of which some rows are deleted and some not; None where there is none."""
        if self._chunks is None:
            return None
        gone = self.living(np.arange(rows, dtype=np.int64)) == NO_ROW
        heads = np.arange(rows, dtype=np.int64) - self._chunks
        torn = np.flatnonzero(gone != gone[heads])
        return int(heads[torn[0]]) if len(torn) else None

    @cached_property
    def _starts(self) -> Rows:
        return np.flatnonzero(self._chunks == 0).astype(np.int64)

    def _heads(self, rows: Rows) -> Rows:
        """Return the first row of every row's document; NO_ROW stays what it is."""
        if self._chunks is None:
            return rows
        heads: Rows = np.where(rows == NO_ROW, NO_ROW, rows - self._chunks[np.maximum(rows, 0)])
        return heads


def open_deleted(path: os.PathLike[str] | None, *, rows: int) -> Rows:
    """Read the rows that are deleted; none where there is no file.

    Raises IndexFolderError unless they are int64, ascending, each once and all of the `rows` there are.
    """
    if path is None:
        return np.empty(0, dtype=np.int64)
    try:
        deleted: Rows = map_array(path)
    except (OSError, ValueError) as error:
        raise IndexFolderError(f"{path} can't be read as rows ({error}); build the index again") from None
    if (
        deleted.dtype != np.int64
        or deleted.ndim != 1
        or (np.diff(deleted) <= 0).any()
        or (len(deleted) and not 0 <= deleted[0] <= deleted[-1] < rows)
    ):
        raise IndexFolderError(f"{path} holds other things than ascending rows below {rows}; build the index again")
    return np.asarray(deleted)
