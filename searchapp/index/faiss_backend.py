"""The one door to FAISS: build, save, open and search one derived index. Inner product everywhere, asserted."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from searchapp.errors import BadVectorsError, IndexFolderError, UsageError
from searchapp.index.faiss_bytes import OddFileError
from searchapp.index.faiss_file import outline_bytes, outline_file
from searchapp.index.kinds import KINDS, PQ_POINTS, Plan
from searchapp.index.ranking import NO_ROW
from searchapp.index.vectors import Rows, Vectors, VectorStore, unit
from searchapp.optional import require

if TYPE_CHECKING:
    from faiss import Index as RawIndex
    from faiss import SearchParameters

SEED = 1234
"""Seeds the training sample; FAISS's own k-means uses the same number."""

TRIAL_ROWS = 1000
"""Random vectors that a factory string is tried on."""

Scores = npt.NDArray[np.float32]


def check_factory(plan: Plan, dim: int, *, rows: int) -> None:
    """Raise UsageError unless FAISS can make, train, fill and search an index of this plan, before any work is done.

    A kind of the table is known to work; a factory string is tried on a few random vectors, with one list.
    """
    if plan.asked in KINDS:
        _make(plan, dim)
        return
    if re.search(r"IDMap|IVF0", plan.factory):
        raise _refusal(plan, dim, "ids are the folder's own and lists are at least one")
    trial = replace(plan, factory=re.sub(r"IVF\d+", "IVF1", plan.factory))
    count = min(rows, PQ_POINTS if "PQ" in plan.factory else TRIAL_ROWS)
    vectors = np.random.default_rng(SEED).standard_normal((count, dim)).astype(np.float32)
    index = _make(trial, dim)
    try:
        index.train(vectors)
        index.add(vectors)
        index.search(vectors[:1], 1)
        outline_bytes(_faiss().serialize_index(index).tobytes())
    except RuntimeError as error:
        raise _refusal(plan, dim, _reason(error)) from None
    except OddFileError as error:
        raise _refusal(plan, dim, f"its file can't be checked before it is opened: {error}") from None


def needs_training(plan: Plan, dim: int) -> bool:
    """Tell whether an index of this plan learns from a sample before vectors are added."""
    return not _make(plan, dim).is_trained


def train_faiss(path: Path, vectors: VectorStore, plan: Plan, *, dim: int, layer_norm: bool = False) -> int:
    """Train an empty index on a sample and write it to `path`; return the rows it trained on.

    The sample is drawn once, seeded, from the whole store; FAISS's k-means is seeded too, so the same vectors and
    number of threads give the same bytes.
    """
    index = _make(plan, dim)
    rows = _sample(len(vectors), plan.train_rows)
    sample = unit(vectors.sample(rows), dim, layer_norm=layer_norm)
    with _threads(None if plan.nlist else 1):
        index.train(sample)
    _write(index, path)
    return len(rows)


@dataclass(frozen=True, slots=True)
class Cut:
    """How stored vectors become those of an index, and who is told how many were added so far."""

    dim: int
    layer_norm: bool = False
    progress: Callable[[int], None] | None = None


def fill_faiss(path: Path, vectors: VectorStore, plan: Plan, *, cut: Cut, trained: Path | None = None) -> None:
    """Add all stored vectors to an empty index, read from `trained` or made new, and write it to `path`.

    A flat index is streamed to the file, so that no more than a block is held.
    """
    blocks = _told(_unit_blocks(vectors, cut.dim, cut.layer_norm), cut.progress)
    if plan.factory == "Flat":
        _write_flat(path, blocks, rows=len(vectors), dim=cut.dim)
    else:
        index = _make(plan, cut.dim) if trained is None else _faiss().read_index(str(trained))
        for block in blocks:
            index.add(block)
        _write(index, path)
    FaissIndex(path).expect(rows=len(vectors), dim=cut.dim)


def fill_part(path: Path, vectors: VectorStore, *, first: os.PathLike[str], factory: str, cut: Cut) -> None:
    """Write an index over these vectors that knows what the one in `first`, of the same factory string, has learnt.

    The bytes are those of an index that was trained with it and filled with these vectors instead.
    """
    blocks = _told(_unit_blocks(vectors, cut.dim, cut.layer_norm), cut.progress)
    if factory == "Flat":
        _write_flat(path, blocks, rows=len(vectors), dim=cut.dim)
    else:
        FaissIndex(first)  # refuses a file that only looks like an index
        index = _faiss().read_index(os.fspath(first))
        index.reset()
        for block in blocks:
            index.add(block)
        _write(index, path)
    FaissIndex(path).expect(rows=len(vectors), dim=cut.dim)


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Let FAISS work on so many threads when called from this one; None leaves it as it is.

    Threads that wait for each other cost more than they bring where the work between is small, most of all where other
    work shares the cores: training without lists is a thousand small k-means, and took 68 s instead of 2; one query of
    100,000 codes took 28 ms instead of .4.
    """
    faiss = _faiss()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def _told(blocks: Iterator[Vectors], progress: Callable[[int], None] | None) -> Iterator[Vectors]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if progress is not None:
            progress(done)


def _write(index: "RawIndex", path: Path) -> None:
    """Write an index through Python's own file, which says why it can't; FAISS's may lose the end of one silently."""
    faiss = _faiss()
    with path.open("wb") as handle:
        faiss.write_index(index, faiss.PyCallbackIOWriter(handle.write))


class FaissIndex:
    """One derived index, memory-mapped."""

    def __init__(self, path: os.PathLike[str]) -> None:
        faiss = _faiss()
        self.path = path
        # FAISS believes what a file says of itself, so it is looked through first.
        outline_file(path)
        try:
            # IO_FLAG_MMAP maps inverted lists too, but through a class that takes eight times as long to search.
            self._index = faiss.read_index(os.fspath(path), faiss.IO_FLAG_MMAP_IFC)
        except RuntimeError as error:
            raise IndexFolderError(f"{path} can't be read by FAISS ({_reason(error)}); build it again") from None
        _assert_inner_product(self._index, str(path))
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
        faiss = _faiss()
        for _, part in _parts(self._index):
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
        faiss = _faiss()
        if among is not None and isinstance(self._inner, (faiss.IndexFastScan, faiss.IndexRefine)):
            return self._search_decoded(queries, k, among)
        parameters, held = self._parameters(nprobe, among)
        searched = self._index
        if among is not None and isinstance(searched, faiss.IndexHNSW):
            # A graph reaches a given row only by luck; its codes are all in its storage.
            searched = searched.storage
        with _threads(1 if len(queries) == 1 else None):
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
        faiss = _faiss()
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
    faiss = _faiss()
    size = lists.list_size(number)
    place = lists.get_ids(number)
    rows: Rows = faiss.rev_swig_ptr(place, size).copy() if size else np.empty(0, np.int64)
    lists.release_ids(number, place)
    return rows


def count_threads() -> int:
    """Return how many threads FAISS searches with."""
    threads: int = _faiss().omp_get_max_threads()
    return threads


def faiss_version() -> str:
    """Return the version of FAISS: another one may train and write otherwise."""
    version: str = _faiss().__version__
    return version


def estimate_bytes(plan: Plan, dim: int, *, rows: int) -> int:
    """Return about how many bytes the file of such an index has: codes, ids in lists, centroids and codebooks."""
    faiss = _faiss()
    fixed, each = 0, 0
    for part, inner in _parts(_make(plan, dim)):
        if isinstance(inner, faiss.IndexIVF):
            each += inner.code_size + 8
        elif part == "quantizer":
            fixed += inner.sa_code_size() * (plan.nlist or 0)
        elif isinstance(inner, (faiss.IndexFlatCodes, faiss.IndexFastScan)):
            each += inner.code_size
        elif isinstance(inner, faiss.IndexPreTransform):
            fixed += 4 * dim * inner.index.d  # a matrix
        if hasattr(inner, "pq"):
            fixed += 4 * inner.pq.ksub * dim
    return fixed + each * rows


@cache
def _faiss() -> ModuleType:
    return require("faiss", extra="cpu")


def _make(plan: Plan, dim: int) -> "RawIndex":
    faiss = _faiss()
    try:
        index: RawIndex = faiss.index_factory(dim, plan.factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise _refusal(plan, dim, _reason(error)) from None
    _assert_inner_product(index, plan.factory)
    for _, part in _parts(index):
        if hasattr(part, "do_polysemous_training"):
            # It numbers the codes so that they may be compared as bits, which nobody does here, and takes nine tenths
            # of the training.
            part.do_polysemous_training = False
    return index


def _assert_inner_product(index: "RawIndex", what: str) -> None:
    """Raise IndexFolderError unless the index and everything inside it rank by inner product.

    FAISS's IVF has two metrics, its own and its quantiser's, and either may default to L2 unnoticed.
    """
    faiss = _faiss()
    for part, inner in _parts(index):
        if inner.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise IndexFolderError(
                f"{what}: the {part} ({type(inner).__name__}) has FAISS metric {inner.metric_type} where inner product "
                f"({faiss.METRIC_INNER_PRODUCT}) was expected; build it again"
            )


def _parts(index: "RawIndex") -> "Iterator[tuple[str, Any]]":
    """Yield the index and all that is inside it, by name and as what it is."""
    faiss = _faiss()
    todo: list[tuple[str, Any]] = [("index", index)]
    while todo:
        part, inner = todo.pop()
        if inner is None:
            continue
        inner = faiss.downcast_index(inner)
        yield part, inner
        todo += [(name, getattr(inner, name, None)) for name in ("index", "quantizer", "base_index", "refine_index")]
        if isinstance(inner, faiss.IndexHNSW):
            todo.append(("storage", inner.storage))


def _reason(error: RuntimeError) -> str:
    """Return what FAISS says, without where in its sources it says so."""
    text = str(error).strip().splitlines()[0]
    return re.sub(r"^.*?\.(?:cpp|h):\d+: ", "", text).removeprefix("Error: ")


def _refusal(plan: Plan, dim: int, reason: str) -> UsageError:
    return UsageError(
        f"FAISS can't make {plan.factory!r} at {dim} dims for inner product ({reason}); "
        f"type a kind ({', '.join(KINDS)}) or another factory string"
    )


def _unit_blocks(vectors: VectorStore, dim: int, layer_norm: bool) -> Iterator[Vectors]:
    """Yield the stored vectors cut and made unit length; raise BadVectorsError where nothing is left of one."""
    start = 0
    for block in vectors.blocks():
        cut = unit(block, dim, layer_norm=layer_norm)
        empty = np.flatnonzero(~cut.any(axis=1))
        if len(empty):
            raise BadVectorsError(
                f"the vector of row {start + empty[0]} is zero in its first {dim} dims, so it has no direction; "
                "choose more dims, or check the model"
            )
        yield cut
        start += len(block)


def _sample(rows: int, wanted: int) -> Rows:
    """Draw `wanted` of `rows` without replacement, seeded, in ascending order."""
    if wanted >= rows:
        return np.arange(rows, dtype=np.int64)
    drawn = np.random.default_rng(SEED).choice(rows, size=wanted, replace=False)
    return np.sort(drawn).astype(np.int64)


def _write_flat(path: Path, blocks: Iterator[Vectors], *, rows: int, dim: int) -> None:
    """Write FAISS's own file of a flat index block by block.

    FAISS can only write what it holds in memory. Its file of an empty flat index is a header with the row count at
    byte 8 and ends with the length of the vector array, in floats; both are filled in and the vectors follow. The file
    is opened by FAISS and its counts compared right after.
    """
    faiss = _faiss()
    header = faiss.serialize_index(faiss.IndexFlatIP(dim)).tobytes()
    counts = [np.int64(n).astype("<i8").tobytes() for n in (rows, rows * dim)]
    with path.open("wb") as handle:
        handle.write(header[:8] + counts[0] + header[16:-8] + counts[1])
        for block in blocks:
            handle.write(block.astype("<f4", copy=False).tobytes())
