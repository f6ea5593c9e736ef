"""Columns of Arrow files that are not trusted, looked at value by value: little slower than a plain list would be.

Arrow's own way to one value makes several objects of it, and to be safe has to be told to check each of them.
"""

import itertools
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa

Read: TypeAlias = Callable[[int], Any]
"""Gives the value of a row, 0 or more: str, int, float or bool, or None where it is null."""


def open_column(column: pa.ChunkedArray) -> Read:
    """Return what reads a column of strings, numbers or bool, as `read_table` gives it.

    It raises ArrowInvalid where a string does not lie within the column, UnicodeDecodeError where one is no UTF-8.
    """
    return _reader(column.chunk(0)) if column.num_chunks == 1 else _end_to_end(column.chunks)


def _end_to_end(chunks: Sequence[pa.Array]) -> Read:
    starts = list(itertools.accumulate((len(chunk) for chunk in chunks), initial=0))
    readers: dict[int, Read] = {}

    def read(row: int) -> Any:
        home = bisect_right(starts, row) - 1
        if home not in readers:
            readers[home] = _reader(chunks[home])
        return readers[home](row - starts[home])

    return read


def _reader(chunk: pa.Array) -> Read:
    if not len(chunk):
        # Nothing need lie in the file for nothing.
        return [].__getitem__
    valid, values, *text = chunk.buffers()
    if pa.types.is_string(chunk.type):
        read = _strings(_numbers(values, np.int32, len(chunk) + 1, chunk.offset), text[0])
    elif pa.types.is_boolean(chunk.type):
        read = _flags(values, chunk.offset)
    else:
        read = _numbers(values, chunk.type.to_pandas_dtype(), len(chunk), chunk.offset).__getitem__
    return read if valid is None else _unless_null(read, memoryview(valid), chunk.offset)


def _strings(bounds: memoryview, text: pa.Buffer | None) -> Read:
    held = memoryview(b"" if text is None else text)
    size = len(held)

    def read(place: int) -> str:
        begin, end = bounds[place], bounds[place + 1]
        # A slice would quietly be cut to what is there.
        if not 0 <= begin <= end <= size:
            raise pa.ArrowInvalid("it has strings that lie beyond its end")
        return str(held[begin:end], "utf-8")

    return read


def _flags(buffer: pa.Buffer, offset: int) -> Read:
    bits = memoryview(buffer)
    return lambda place: bool(bits[(place + offset) >> 3] >> ((place + offset) & 7) & 1)


def _unless_null(read: Read, valid: memoryview, offset: int) -> Read:
    return lambda place: read(place) if valid[(place + offset) >> 3] >> ((place + offset) & 7) & 1 else None


def _numbers(buffer: pa.Buffer, dtype: Any, count: int, offset: int) -> memoryview:
    """Return numbers as a view that gives Python's own, which NumPy's array is slower to do.

    They may begin at any byte, as nothing makes a file keep to what processors like.
    """
    kind = np.dtype(dtype)
    begin = offset * kind.itemsize
    return memoryview(buffer).cast("B")[begin : begin + count * kind.itemsize].cast(kind.char)
