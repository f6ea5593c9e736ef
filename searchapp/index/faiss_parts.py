"""What FAISS indexes are made of, as it lies in their files: quantisers, lists, graphs, transforms; each checked."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from searchapp.index.faiss_bytes import Cursor, OddFileError, expect, rounded_up, within

MOST_DIMS = 1 << 16
MOST_ROWS = 1 << 40
MOST_HELD = 1 << 16
"""Candidates that a search of a graph may hold; FAISS makes room for all of them at once."""
_BLOCK = 32
"""Codes that a fast scan takes at a time."""


@dataclass(frozen=True, slots=True)
class Head:
    """What every index says of itself first."""

    dim: int
    rows: int


def read_head(cursor: Cursor) -> Head:
    """Read the head of a trained inner-product index."""
    dim, rows = cursor.int32(), cursor.int64()
    cursor.skip(16)
    trained, metric = cursor.byte(), cursor.int32()
    if metric:
        raise OddFileError(f"{cursor.tags[-1]} has FAISS metric {metric} where inner product (0) was expected")
    expect("its mark of being trained", trained, 1)
    return Head(within("its number of dims", dim, 1, MOST_DIMS), within("its number of rows", rows, 0, MOST_ROWS))


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A row of the scalar quantisers: bits a dim, and how many trained floats."""

    bits: int
    trained: Callable[[int], int]


def _for_each_dim(dim: int) -> int:
    return 2 * dim


def _once(_dim: int) -> int:
    return 2


def _untrained(_dim: int) -> int:
    return 0


SCALAR_TYPES = {
    0: ScalarType(8, _for_each_dim),
    1: ScalarType(4, _for_each_dim),
    2: ScalarType(8, _once),
    3: ScalarType(4, _once),
    4: ScalarType(16, _untrained),
    5: ScalarType(8, _untrained),
    6: ScalarType(6, _for_each_dim),
    7: ScalarType(16, _untrained),
    8: ScalarType(8, _untrained),
}


def read_scalar(cursor: Cursor, head: Head) -> int:
    """Read a scalar quantiser; return the bytes of a code."""
    number = cursor.int32()
    kind = SCALAR_TYPES.get(number)
    if kind is None:
        raise OddFileError(f"its scalar quantiser is of type {number}, which is not known here")
    cursor.skip(8)
    expect("the dims of its scalar quantiser", cursor.int64(), head.dim)
    size = -(-head.dim * kind.bits // 8)
    expect("the bytes of its codes", cursor.int64(), size)
    expect("the trained numbers of its scalar quantiser", cursor.vector(4), kind.trained(head.dim))
    return size


@dataclass(frozen=True, slots=True)
class Product:
    """A product quantiser: parts of a vector, and bits for each."""

    parts: int
    bits: int

    @property
    def bytes(self) -> int:
        """Return the bytes of a code."""
        return -(-self.parts * self.bits // 8)


def read_product(cursor: Cursor, head: Head) -> Product:
    """Read a product quantiser."""
    expect("the dims of its product quantiser", cursor.int64(), head.dim)
    product = Product(
        within("its number of parts", cursor.int64(), 1, head.dim), within("its bits a part", cursor.int64(), 1, 16)
    )
    expect("what its parts leave over", head.dim % product.parts, 0)
    expect("its centroids' numbers", cursor.vector(4), head.dim << product.bits)
    return product


def read_rabit(cursor: Cursor, head: Head, *, several: bool) -> int:
    """Read a RaBitQ quantiser, and its bits a dim if there may be `several`; return the bytes of a code."""
    expect("the dims of its RaBitQ quantiser", cursor.int64(), head.dim)
    size = cursor.int64()
    expect("the metric of its RaBitQ quantiser", cursor.int32(), 0)
    bits = within("its bits a dim", cursor.int64(), 1, 9) if several else 1
    more = 0 if bits == 1 else 12 + -(-head.dim * (bits - 1) // 8)
    expect("the bytes of its codes", size, -(-head.dim // 8) + 8 + more)
    return size


def read_lists(cursor: Cursor, rows: int, lists: int, code: int) -> None:
    """Read inverted lists that lie in the file one after the other, with codes of so many bytes."""
    tag = cursor.tag()
    if tag != "ilar":
        raise OddFileError(f"its lists are stored as {tag!r}; only lists inside the file are read")
    expect("the number of its lists", cursor.int64(), lists)
    expect("the bytes of the codes in its lists", cursor.int64(), code)
    shape = cursor.tag()
    sizes = cursor.numbers(np.int64)
    if shape == "sprs":
        expect("what its list sizes leave over", len(sizes) % 2, 0)
        numbers, sizes = sizes[::2], sizes[1::2]
        if len(numbers) and (numbers.min() < 0 or numbers.max() >= lists or (np.diff(numbers) <= 0).any()):
            raise OddFileError("the numbers of its lists are out of order")
    elif shape == "full":
        expect("the number of its lists' sizes", len(sizes), lists)
    else:
        raise OddFileError(f"the sizes of its lists are stored as {shape!r}, expected 'full' or 'sprs'")
    if len(sizes) and (sizes.min() < 0 or sizes.max() > rows):
        raise OddFileError(f"a list claims to hold {sizes.max():,} of {rows:,} rows")
    expect("the rows in its lists", sum(sizes.tolist()), rows)
    cursor.skip(rows * (code + 8))


def read_block_lists(cursor: Cursor, rows: int, lists: int, block: int) -> None:
    """Read inverted lists of codes packed in blocks of so many bytes, for a fast scan."""
    tag = cursor.tag()
    if tag != "ilbl":
        raise OddFileError(f"its lists are stored as {tag!r}; blocks inside the file were expected")
    expect("the number of its lists", cursor.int64(), lists)
    expect("the bytes of the codes in its lists", cursor.int64(), -1)
    expect("the codes of a block", cursor.int64(), _BLOCK)
    expect("the bytes of a block", cursor.int64(), block)
    held = 0
    for _ in range(lists):
        size = cursor.vector(8)
        expect("the bytes of a list", cursor.vector(1), rounded_up(size, _BLOCK) // _BLOCK * block)
        held += size
    expect("the rows in its lists", held, rows)


def read_scan(cursor: Cursor) -> int:
    """Read how many codes a fast scan takes at a time."""
    return within("the codes of a block", cursor.int32(), _BLOCK, _BLOCK)


def read_graph(cursor: Cursor, head: Head) -> None:
    """Read an HNSW graph over all rows. That every neighbour is a row is FAISS's own check."""
    levels_possible = cursor.vector(8)
    cumulated = cursor.numbers(np.int32)
    levels, offsets = cursor.numbers(np.int32), cursor.numbers(np.int64)
    neighbours = cursor.numbers(np.int32)
    entry, top = cursor.int32(), cursor.int32()
    cursor.skip(4)
    within("the candidates a search of its graph holds", cursor.int32(), 1, MOST_HELD)
    cursor.skip(4)
    expect("the levels its graph may have", len(cumulated), levels_possible + 1)
    expect("the nodes of its graph", len(levels), head.rows)
    expect("the offsets of its graph", len(offsets), head.rows + 1)
    if not head.rows:
        raise OddFileError("its graph is empty")
    if levels.min() < 1 or levels.max() >= len(cumulated) or (np.diff(cumulated) < 0).any() or cumulated[0] != 0:
        raise OddFileError("its graph has levels that can't be")
    if offsets[0] != 0 or (np.diff(offsets) != cumulated[levels]).any() or offsets[-1] != len(neighbours):
        raise OddFileError("the neighbours of its graph are out of step with its nodes")
    if neighbours.min(initial=0) < -1 or neighbours.max(initial=0) >= head.rows:
        raise OddFileError("its graph has neighbours that are no rows")
    within("the entry of its graph", entry, 0, head.rows - 1)
    expect("the top level of its graph", top, int(levels[entry]) - 1)
    expect("the top level of its graph", top, int(levels.max()) - 1)


def read_transform(cursor: Cursor, dim: int) -> int:
    """Read one transform of vectors of `dim`; return how many dims come out."""
    tag = cursor.tag()
    matrix = bias = dims = 0
    linear = tag in ("LTra", "rrot", "Pcam")
    if tag == "Pcam":
        cursor.skip(8)
        cursor.byte()
        cursor.skip(4)
        expect("the mean of its transform", cursor.vector(4), dim)
        cursor.vector(4)
        cursor.vector(4)
    if linear:
        biased, matrix, bias = cursor.byte(), cursor.vector(4), cursor.vector(4)
    elif tag == "VNrm":
        cursor.skip(4)
    elif tag == "RmDT":
        kept = cursor.numbers(np.int32)
        dims = len(kept)
        if dims and (kept.min() < -1 or kept.max() >= dim):
            raise OddFileError("its transform keeps dims that are not there")
    else:
        raise OddFileError(f"it begins with a transform {tag!r}, which is not known here")
    expect("the dims that go into its transform", cursor.int32(), dim)
    out = within("the dims that come out of its transform", cursor.int32(), 1, MOST_DIMS)
    expect("its transform's mark of being trained", cursor.byte(), 1)
    if linear:
        expect("the numbers of its transform", matrix, dim * out)
        expect("the bias of its transform", bias, out if biased else 0)
    if tag == "VNrm":
        expect("the dims that come out of its transform", out, dim)
    if tag == "RmDT":
        expect("the dims that come out of its transform", out, dims)
    return out
