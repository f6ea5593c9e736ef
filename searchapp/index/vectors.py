"""Full-width vectors on disk: numbered .npy shards, written once, memory-mapped, gathered by row."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from searchapp.errors import IndexFolderError
from searchapp.index.npy import map_array

Vectors: TypeAlias = npt.NDArray[np.float32]
Rows: TypeAlias = npt.NDArray[np.int64]
FEW = 256
"""Rows whose order makes no difference to how fast they are read."""


def unit(vectors: Vectors, dim: int, *, layer_norm: bool = False) -> Vectors:
    """Cut vectors to their first `dim` values and make them unit length: the one place where that happens.

    Takes float32 (n, width >= dim), returns float32 (n, dim). `layer_norm` first shifts and scales every
    full-width vector to mean 0 and variance 1, as nomic-embed-text-v1.5 asks for. A vector whose first `dim`
    values are all zero stays zero.

    >>> unit(np.array([[3, 4, 9]], dtype=np.float32), 2).tolist()
    [[0.6000000238418579, 0.800000011920929]]
    """
    if layer_norm:
        centred = vectors - vectors.mean(axis=1, keepdims=True)
        vectors = centred / np.sqrt(np.square(centred).mean(axis=1, keepdims=True) + np.float32(1e-5))
    wide = vectors[:, :dim].astype(np.float64)
    norms = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    norms[norms == 0] = 1
    wide /= norms[:, None]
    return wide.astype(np.float32)


def cosine_scores(
    queries: Vectors, candidates: npt.NDArray[np.float32], dim: int, *, layer_norm: bool = False
) -> npt.NDArray[np.float32]:
    """Score every query against its own candidates: cosine over the first `dim` values.

    `queries` is float32 (n, width), `candidates` float32 (n, c, width); returns float32 (n, c). The sum runs in
    float64 and in one order, so equal vectors score equally whatever is searched beside them: ties are ties.
    """
    flat = unit(candidates.reshape(-1, candidates.shape[-1]), dim, layer_norm=layer_norm)
    documents = flat.reshape(candidates.shape[0], candidates.shape[1], dim)
    return unit_scores(unit(queries, dim, layer_norm=layer_norm), documents)


def unit_scores(queries: Vectors, candidates: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Score unit vectors as `cosine_scores` does: float32 (n, dim) and (n, c, dim), returns float32 (n, c)."""
    asked, documents = queries.astype(np.float64), candidates.astype(np.float64)
    scores: Vectors = np.einsum("ncd,nd->nc", documents, asked).astype(np.float32)
    return scores


def write_shard(path: Path, blocks: Iterator[Vectors], *, rows: int, dim: int) -> None:
    """Write blocks of float32 (n, dim) one after the other into one .npy file of `rows` rows.

    Raises IndexFolderError if the blocks don't add up to `rows`.
    """
    header = np.lib.format.header_data_from_array_1_0(np.empty((0, dim), dtype=np.float32))
    header["shape"] = (rows, dim)
    written = 0
    with path.open("wb") as handle:
        np.lib.format.write_array_header_1_0(handle, header)
        for block in blocks:
            handle.write(np.ascontiguousarray(block, dtype="<f4").tobytes())
            written += len(block)
    if written != rows:
        raise IndexFolderError(f"{path}: {written} vectors were written where {rows} were expected")


class VectorStore:
    """The vectors of an index, memory-mapped; row i is row i of the shards laid end to end."""

    def __init__(self, paths: Sequence[os.PathLike[str]], dim: int) -> None:
        self.dim = dim
        self._paths = list(paths)
        self._shards = [_open_shard(path, dim) for path in paths]
        self._starts = np.cumsum([0, *(len(shard) for shard in self._shards)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @property
    def shard_rows(self) -> list[int]:
        """Return how many vectors every shard holds."""
        return [len(shard) for shard in self._shards]

    def take(self, rows: Rows) -> Vectors:
        """Return float32 (n, dim): the vectors of the given rows, in the given order."""
        if len(self._shards) == 1 and len(rows) <= FEW:
            few: Vectors = self._shards[0].take(rows, axis=0)
            return few
        taken = np.empty((len(rows), self.dim), dtype=np.float32)
        order = np.argsort(rows)
        ascending = rows[order]
        bounds = np.searchsorted(ascending, self._starts)
        for home in np.flatnonzero(bounds[1:] > bounds[:-1]):
            here = slice(bounds[home], bounds[home + 1])
            taken[order[here]] = self._shards[home][ascending[here] - self._starts[home]]
        return taken

    def sample(self, rows: Rows) -> Vectors:
        """Return what `take` does for ascending rows, read block by block: mapped pages would stay in memory."""
        taken = np.empty((len(rows), self.dim), dtype=np.float32)
        start = 0
        for block in self.blocks():
            first, last = np.searchsorted(rows, (start, start + len(block)))
            taken[first:last] = block[rows[first:last] - start]
            start += len(block)
        return taken

    def blocks(self, size: int = 8192) -> Iterator[Vectors]:
        """Yield all vectors in row order, at most `size` at a time.

        They are read, not mapped: mapped pages of a whole corpus would count as this process's memory.
        """
        for path, shard in zip(self._paths, self._shards, strict=True):
            with Path(path).open("rb") as handle:
                handle.seek(-shard.nbytes, os.SEEK_END)
                for start in range(0, len(shard), size):
                    rows = min(size, len(shard) - start)
                    yield np.fromfile(handle, dtype=np.float32, count=rows * self.dim).reshape(rows, self.dim)


def _open_shard(path: os.PathLike[str], dim: int) -> Vectors:
    try:
        shard = map_array(path)
    except (OSError, ValueError) as error:
        raise IndexFolderError(f"{path} can't be read as vectors ({error}); build the index again") from None
    if shard.ndim != 2 or shard.shape[1] != dim or shard.dtype != np.float32:
        raise IndexFolderError(
            f"{path} holds {shard.dtype} {shard.shape} where float32 (rows, {dim}) was expected; build the index again"
        )
    # A memmap's class costs more than a small gather; its bytes stay mapped under a plain view.
    vectors: Vectors = np.asarray(shard)
    return vectors
