"""FAISS files made: tried, trained, filled and written. Inner product everywhere, asserted."""

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from searchapp.errors import BadVectorsError, UsageError
from searchapp.index.faiss_bytes import OddFileError
from searchapp.index.faiss_door import assert_inner_product, faiss_module, parts_of, reason_of, using_threads
from searchapp.index.faiss_file import outline_bytes
from searchapp.index.faiss_index import FaissIndex
from searchapp.index.kinds import KINDS, PQ_POINTS, Plan
from searchapp.index.vectors import Rows, Vectors, VectorStore, unit

if TYPE_CHECKING:
    from faiss import Index as RawIndex

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
        outline_bytes(faiss_module().serialize_index(index).tobytes())
    except RuntimeError as error:
        raise _refusal(plan, dim, reason_of(error)) from None
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
    with using_threads(None if plan.nlist else 1):
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
        index = _make(plan, cut.dim) if trained is None else faiss_module().read_index(str(trained))
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
        index = faiss_module().read_index(os.fspath(first))
        index.reset()
        for block in blocks:
            index.add(block)
        _write(index, path)
    FaissIndex(path).expect(rows=len(vectors), dim=cut.dim)


def _told(blocks: Iterator[Vectors], progress: Callable[[int], None] | None) -> Iterator[Vectors]:
    done = 0
    for block in blocks:
        yield block
        done += len(block)
        if progress is not None:
            progress(done)


def _write(index: "RawIndex", path: Path) -> None:
    """Write an index through Python's own file, which says why it can't; FAISS's may lose the end of one silently."""
    faiss = faiss_module()
    with path.open("wb") as handle:
        faiss.write_index(index, faiss.PyCallbackIOWriter(handle.write))


def estimate_bytes(plan: Plan, dim: int, *, rows: int) -> int:
    """Return about how many bytes the file of such an index has: codes, ids in lists, centroids and codebooks."""
    faiss = faiss_module()
    fixed, each = 0, 0
    for part, inner in parts_of(_make(plan, dim)):
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


def _make(plan: Plan, dim: int) -> "RawIndex":
    faiss = faiss_module()
    try:
        index: RawIndex = faiss.index_factory(dim, plan.factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise _refusal(plan, dim, reason_of(error)) from None
    assert_inner_product(index, plan.factory)
    for _, part in parts_of(index):
        if hasattr(part, "do_polysemous_training"):
            # It numbers the codes so that they may be compared as bits, which nobody does here, and takes nine tenths
            # of the training.
            part.do_polysemous_training = False
    return index


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
    faiss = faiss_module()
    header = faiss.serialize_index(faiss.IndexFlatIP(dim)).tobytes()
    counts = [np.int64(n).astype("<i8").tobytes() for n in (rows, rows * dim)]
    with path.open("wb") as handle:
        handle.write(header[:8] + counts[0] + header[16:-8] + counts[1])
        for block in blocks:
            handle.write(block.astype("<f4", copy=False).tobytes())
