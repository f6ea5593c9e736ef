"""Columns value by value: Arrow's own values, in whatever pieces; strings that lie elsewhere are refused."""

import itertools

import numpy as np
import pyarrow as pa
import pytest

from searchapp.index.columns import open_column

COLUMNS = [
    pa.array(["b", None, "", "製品 zapato-ñ", None, "가방", "x", "y", None], pa.string()),
    pa.array(["b", "c", "", "d", "e", "f", "x", "y", "z"], pa.string()),
    pa.array([1, None, -(2**63), 2**63 - 1, 0, 5, None, 7, 8], pa.int64()),
    pa.array([1, 0, 2**64 - 1, 3, 4, 5, 6, 7, 8], pa.uint64()),
    pa.array([-1, 0, 127, -128, 4, None, 6, 7, 8], pa.int8()),
    pa.array([1.5, 0.1, float("inf"), None, -0.0, 1e-300, 2, 3, 4], pa.float64()),
    pa.array([1.5, 0.1, float("inf"), None, -0.0, 1e-30, 2, 3, 4], pa.float32()),
    pa.array([True, None, False, False, True, True, None, False, True], pa.bool_()),
    pa.array([True, False, False, False, True, True, True, False, True], pa.bool_()),
    pa.array([None] * 9, pa.string()),
]


@pytest.mark.parametrize("values", COLUMNS, ids=lambda values: f"{values.type}-{values.null_count}")
@pytest.mark.parametrize("cuts", [(0, 9), (0, 1, 9), (0, 0, 3, 3, 7, 9, 9), (2, 9), (3, 5)])
def test_values_are_arrows_own(values: pa.Array, cuts: tuple[int, ...]) -> None:
    pieces = [values.slice(begin, end - begin) for begin, end in itertools.pairwise(cuts)]
    column = pa.chunked_array(pieces, values.type)
    read = open_column(column)
    expected = column.to_pylist()
    found = [read(row) for row in reversed(range(len(column)))][::-1]
    assert list(map(repr, found)) == list(map(repr, expected))


def test_numbers_may_begin_at_any_byte() -> None:
    for kind in (pa.int64(), pa.int32(), pa.uint16(), pa.float64(), pa.float32()):
        plain = pa.array([1, 2, 3], kind)
        shifted = pa.py_buffer(b"x" + plain.buffers()[1].to_pybytes()).slice(1)
        column = pa.chunked_array([pa.Array.from_buffers(kind, 3, [None, shifted])])
        assert [open_column(column)(row) for row in range(3)] == [1, 2, 3]
    offsets = pa.py_buffer(b"x" + np.array([0, 1, 3], np.int32).tobytes()).slice(1)
    column = pa.chunked_array([pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abc")])])
    assert [open_column(column)(row) for row in range(2)] == ["a", "bc"]


def test_a_column_of_nothing_has_no_value() -> None:
    for column in (pa.chunked_array([], pa.string()), pa.chunked_array([pa.array([], pa.int64())])):
        with pytest.raises(IndexError):
            open_column(column)(0)


@pytest.mark.parametrize("bounds", [[0, 9, 3], [0, -1, 3], [0, 3, 2]])
def test_strings_that_lie_elsewhere_are_refused(bounds: list[int]) -> None:
    offsets = pa.py_buffer(np.array(bounds, np.int32))
    column = pa.chunked_array([pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abc")])])
    read, refused = open_column(column), 0
    for row, (begin, end) in enumerate(itertools.pairwise(bounds)):
        if 0 <= begin <= end <= 3:
            assert read(row) == "abc"[begin:end]
        else:
            refused += 1
            with pytest.raises(pa.ArrowInvalid, match="beyond its end"):
                read(row)
    assert refused


def test_a_string_that_is_no_text_is_refused() -> None:
    column = pa.chunked_array(
        [pa.Array.from_buffers(pa.string(), 1, [None, *map(pa.py_buffer, (b"\0\0\0\0\1\0\0\0", b"\xff"))])]
    )
    with pytest.raises(UnicodeDecodeError):
        open_column(column)(0)
