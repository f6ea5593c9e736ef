"""FAISS files of a folder that is not trusted, looked through before FAISS reads them.

FAISS believes much of what a file says: lengths to allocate, offsets to follow, another file that holds the lists. So
the file's structure is walked first, every count is held against the others and against the file's size, and what is
not known here is refused. Vectors and codes themselves are stepped over: looking costs what the file's structure costs.
"""

import mmap
import os
from collections.abc import Callable
from dataclasses import dataclass

from searchapp.errors import IndexFolderError
from searchapp.index.faiss_bytes import Cursor, OddFileError, expect, rounded_up, within
from searchapp.index.faiss_parts import (
    Head,
    read_block_lists,
    read_graph,
    read_head,
    read_lists,
    read_product,
    read_rabit,
    read_scalar,
    read_scan,
    read_transform,
)
from searchapp.index.mapped import map_bytes

MOST_TRANSFORMS = 4
MOST_REFINED = 1000
"""Candidates that a refined index looks at for each hit."""


@dataclass(frozen=True, slots=True)
class Outline:
    """What a FAISS file holds."""

    rows: int
    dim: int
    tags: tuple[str, ...]
    """The four-letter names of what it is made of, outermost first."""


def outline_file(path: os.PathLike[str]) -> Outline:
    """Walk through a FAISS file and say what it holds.

    Raises IndexFolderError unless it is, to its last byte, an index that is known here.
    """
    try:
        return outline_bytes(map_bytes(path))
    except (OddFileError, OSError) as error:
        raise IndexFolderError(f"{path} can't be read as a FAISS index ({error}); build it again") from None


def outline_bytes(raw: mmap.mmap | bytes) -> Outline:
    """Do the same for the bytes of a file; raise OddFileError."""
    cursor = Cursor(raw)
    head = _index(cursor)
    expect("what is left after its end", cursor.left, 0)
    return Outline(head.rows, head.dim, tuple(cursor.tags))


def _index(cursor: Cursor) -> Head:
    tag = cursor.tag()
    with cursor.deeper():
        head = read_head(cursor)
        read = _FORMS.get(tag)
        if read is None:
            raise OddFileError(f"it is an index {tag!r}, which is not known here")
        read(cursor, head)
    return head


def _inner(cursor: Cursor, rows: int, dim: int) -> None:
    head = _index(cursor)
    expect("the rows of the index inside", head.rows, rows)
    expect("the dims of the index inside", head.dim, dim)


def _flat(cursor: Cursor, head: Head) -> None:
    expect("the numbers of its vectors", cursor.vector(4), head.rows * head.dim)


def _scalar(cursor: Cursor, head: Head) -> None:
    size = read_scalar(cursor, head)
    expect("the bytes of all codes", cursor.vector(1), head.rows * size)


def _product(cursor: Cursor, head: Head) -> None:
    size = read_product(cursor, head).bytes
    expect("the bytes of all codes", cursor.vector(1), head.rows * size)
    expect("the way it is searched", cursor.int32(), 0)
    cursor.byte()
    cursor.skip(4)


def _product_scan(cursor: Cursor, head: Head) -> None:
    product = read_product(cursor, head)
    expect("its bits a part", product.bits, 4)
    expect("the way it is searched", cursor.int32(), 0)
    rows = rounded_up(head.rows, read_scan(cursor))
    expect("the way it is searched", cursor.int32(), 0)
    _packed(cursor, rows, product.parts)
    expect("the bytes of all codes", cursor.vector(1), rows * rounded_up(product.parts, 2) // 2)


def _packed(cursor: Cursor, rows: int, parts: int) -> None:
    expect("the rows it has room for", cursor.int64(), rows)
    expect("its padded parts", cursor.int64(), rounded_up(parts, 2))


def _lists_head(cursor: Cursor, head: Head) -> int:
    """Read what all indexes with lists begin with; return the number of lists."""
    lists = within("the number of its lists", cursor.int64(), 1, cursor.left)
    within("the lists it visits", cursor.int64(), 1, lists)
    _inner(cursor, lists, head.dim)
    expect("its table of rows", cursor.byte(), 0)
    expect("its table of rows", cursor.int64(), 0)
    return lists


def _lists_flat(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    read_lists(cursor, head.rows, lists, 4 * head.dim)


def _lists_scalar(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    size = read_scalar(cursor, head)
    expect("the bytes of its codes", cursor.int64(), size)
    cursor.byte()
    read_lists(cursor, head.rows, lists, size)


def _lists_product(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    cursor.byte()
    size = cursor.int64()
    expect("the bytes of its codes", size, read_product(cursor, head).bytes)
    read_lists(cursor, head.rows, lists, size)


def _lists_product_scan(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    cursor.byte()
    size, scan, padded = cursor.int64(), read_scan(cursor), cursor.int64()
    expect("the way it is searched", cursor.int32(), 0)
    expect("the way it is searched", cursor.int64(), 0)
    product = read_product(cursor, head)
    expect("its bits a part", product.bits, 4)
    expect("the bytes of its codes", size, product.bytes)
    expect("its padded parts", padded, rounded_up(product.parts, 2))
    read_block_lists(cursor, head.rows, lists, scan * padded // 2)


def _rabit(cursor: Cursor, head: Head) -> None:
    _rabit_codes(cursor, head, read_rabit(cursor, head, several=False))


def _rabit_several(cursor: Cursor, head: Head) -> None:
    _rabit_codes(cursor, head, read_rabit(cursor, head, several=True))


def _rabit_codes(cursor: Cursor, head: Head, size: int) -> None:
    expect("the bytes of all codes", cursor.vector(1), head.rows * size)
    expect("the numbers of its centre", cursor.vector(4), head.dim)
    cursor.byte(8)


def _rabit_scan(cursor: Cursor, head: Head) -> None:
    size = read_rabit(cursor, head, several=True)
    expect("the numbers of its centre", cursor.vector(4), head.dim)
    cursor.byte(8)
    rows = rounded_up(head.rows, read_scan(cursor))
    _packed(cursor, rows, -(-head.dim // 4))
    expect("the bytes of its codes", cursor.int64(), size)
    expect("the bytes of all codes", cursor.vector(1), rows * size)


def _lists_rabit(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    _lists_rabit_codes(cursor, head, lists, read_rabit(cursor, head, several=False))


def _lists_rabit_several(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    _lists_rabit_codes(cursor, head, lists, read_rabit(cursor, head, several=True))


def _lists_rabit_codes(cursor: Cursor, head: Head, lists: int, size: int) -> None:
    expect("the bytes of its codes", cursor.int64(), size)
    cursor.byte()
    cursor.byte(8)
    read_lists(cursor, head.rows, lists, size)


def _lists_rabit_scan(cursor: Cursor, head: Head) -> None:
    lists = _lists_head(cursor, head)
    size = read_rabit(cursor, head, several=True)
    cursor.byte()
    expect("the bytes of its codes", cursor.int64(), size)
    scan = read_scan(cursor)
    expect("the way it is searched", cursor.int64(), 0)
    expect("its padded parts", cursor.int64(), rounded_up(-(-head.dim // 4), 2))
    expect("the way it is searched", cursor.int32(), 0)
    cursor.byte(8)
    cursor.byte()
    read_block_lists(cursor, head.rows, lists, scan * size)


def _graph(cursor: Cursor, head: Head) -> None:
    read_graph(cursor, head)
    _inner(cursor, head.rows, head.dim)


def _refined(cursor: Cursor, head: Head) -> None:
    _inner(cursor, head.rows, head.dim)
    _inner(cursor, head.rows, head.dim)
    factor = cursor.real()
    if not 1 <= factor <= MOST_REFINED:
        raise OddFileError(f"it refines {factor} times the hits, expected 1 to {MOST_REFINED}")


def _transformed(cursor: Cursor, head: Head) -> None:
    dim = head.dim
    for _ in range(within("the number of its transforms", cursor.int32(), 1, MOST_TRANSFORMS)):
        dim = read_transform(cursor, dim)
    _inner(cursor, head.rows, dim)


_FORMS: dict[str, Callable[[Cursor, Head], None]] = {
    "IxFI": _flat,
    "IxSQ": _scalar,
    "IxPq": _product,
    "IPfs": _product_scan,
    "IwFl": _lists_flat,
    "IwSq": _lists_scalar,
    "IwPQ": _lists_product,
    "IwPf": _lists_product_scan,
    "Ixrq": _rabit,
    "Ixrr": _rabit_several,
    "Irfn": _rabit_scan,
    "Iwrq": _lists_rabit,
    "Iwrr": _lists_rabit_several,
    "Iwrn": _lists_rabit_scan,
    "IHNf": _graph,
    "IHNs": _graph,
    "IHNp": _graph,
    "IxRF": _refined,
    "IxPT": _transformed,
}
"""What may stand in a file, by its four letters."""
