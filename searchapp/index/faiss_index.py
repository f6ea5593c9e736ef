"""One FAISS file, opened and searched. Inner product everywhere, asserted; parameters travel with the call."""

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from searchapp.errors import IndexFolderError
from searchapp.index.faiss_door import assert_inner_product, faiss_module, parts_of, reason_of, using_threads
from searchapp.index.faiss_file import outline_file
from searchapp.index.ranking import NO_ROW
from searchapp.index.vectors import Rows, Vectors

if TYPE_CHECKING:
    from faiss import SearchParameters

Scores = npt.NDArray[np.float32]


class FaissIndex:
    """One derived index, memory-mapped."""

    def __init__(self, path: os.PathLike[str]) -> None:
        faiss = faiss_module()
        self.path = path
        # FAISS believes what a file says of itself, so it is looked through first.
        outline_file(path)
        try:
            # IO_FLAG_MMAP maps inverted lists too, but through a class that takes eight times as long to search.
            self._index = faiss.read_index(os.fspath(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise IndexFolderError(f"{path} can't be read by FAISS ({reason_of(error)}); build it again") from None
        assert_inner_product(self._index, str(path))
        inner = faiss.downcast_index(self._index)
        # What is searched, without the transformation before it.
        self._inner = faiss.downcast_index(inner.index) if isinstance(inner, faiss.IndexPreTransform) else inner

    def expect(self, *, rows: int, dim: int) -> None:
        """Raise IndexFolderError unless the index holds that many rows of that many dims."""
        if (self._index.ntotal, self._index.d) != (rows, dim):
            raise IndexFolderError(
                f"{self.path} holds {self._index.ntotal} vectors of {self._index.d} dims where {rows} of {dim} were "
                "expected; build it again"
            )

    def check_rows(self) -> None:
        """Raise IndexFolderError unless its lists, where it has some, hold every row once."""
        faiss = faiss_module()
        for _, part in parts_of(self._index):
            if not isinstance(part, faiss.IndexIVF):
                continue
            seen = np.zeros(part.ntotal, dtype=bool)
            for number in range(part.nlist):
                rows = _rows_of_list(part.invlists, number)
                if len(rows) and (rows.min() < 0 or rows.max() >= len(seen)):
                    raise IndexFolderError(f"{self.path} holds rows in its list {number} that are none; build it again")
                seen[rows] = True
            if not seen.all():
                raise IndexFolderError(f"{self.path} holds some row twice, and row {seen.argmin()} not; build it again")

    def search(
        self, queries: Vectors, k: int, *, nprobe: int | None = None, among: Rows | None = None
    ) -> tuple[Scores, Rows]:
        """Search unit-length float32 (n, dim); return scores and rows, both (n, k), best first.

        Where fewer than k are found, rows end with -1. `nprobe` goes with this call only; `among` restricts the search
        to the given rows, whatever list they are in.
        """
        faiss = faiss_module()
        if among is not None and isinstance(self._inner, (faiss.IndexFastScan, faiss.IndexRefine)):
            return self._search_decoded(queries, k, among)
        parameters, held = self._parameters(nprobe, among)
        searched = self._index
        if among is not None and isinstance(searched, faiss.IndexHNSW):
            # A graph reaches a given row only by luck; its codes are all in its storage.
            searched = searched.storage
        with using_threads(1 if len(queries) == 1 else None):
            scores, rows = searched.search(queries, k, params=parameters)
        del held
        if rows.size and (rows.max() >= self._index.ntotal or rows.min() < NO_ROW):
            raise IndexFolderError(
                f"{self.path} names row {rows.max() if rows.max() > 0 else rows.min()} of {self._index.ntotal}; "
                "build it again"
            )
        return scores, rows

    def _search_decoded(self, queries: Vectors, k: int, among: Rows) -> tuple[Scores, Rows]:
        """Score the given rows by what their codes stand for: not every index takes a selection."""
        scores: Scores = queries @ self._index.reconstruct_batch(among).T
        best = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(scores, best, axis=1), among[best]

    def _parameters(self, nprobe: int | None, among: Rows | None) -> "tuple[SearchParameters | None, list[object]]":
        """Make FAISS's parameter object for one call, and what must outlive the call."""
        faiss = faiss_module()
        if among is None and not nprobe:
            return None, []
        selector = None if among is None else faiss.IDSelectorBatch(among)
        held: list[object] = [selector]

        def make(index: Any) -> "SearchParameters | None":
            index = faiss.downcast_index(index)
            inside: SearchParameters | None = None
            if isinstance(index, faiss.IndexPreTransform):
                inside = make(index.index)
                made = faiss.SearchParametersPreTransform(index_params=inside) if inside is not None else None
            elif isinstance(index, faiss.IndexRefine):
                inside = make(index.base_index)
                factor = index.k_factor
                made = (
                    faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=inside)
                    if inside is not None
                    else None
                )
            elif isinstance(index, faiss.IndexIVF) and (nprobe or selector is not None):
                visited = index.nlist if selector is not None else min(nprobe or index.nprobe, index.nlist)
                made = faiss.SearchParametersIVF(nprobe=visited, sel=selector)
            else:
                made = faiss.SearchParameters(sel=selector) if selector is not None else None
            held.append(inside)
            return made

        return make(self._index), held


def _rows_of_list(lists: Any, number: int) -> Rows:
    """Return the rows in one inverted list, int64."""
    faiss = faiss_module()
    size = lists.list_size(number)
    place = lists.get_ids(number)
    rows: Rows = faiss.rev_swig_ptr(place, size).copy() if size else np.empty(0, np.int64)
    lists.release_ids(number, place)
    return rows
