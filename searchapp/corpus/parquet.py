"""Parquet, a record batch at a time. Arrow values become plain ones here and go no further."""

import contextlib
import io
import math
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from searchapp.corpus.compression import DECODE_ERRORS, damaged, open_bytes
from searchapp.corpus.rows import Opaque, Row
from searchapp.corpus.sources import Source
from searchapp.errors import InputError

_BATCH = 1024
_ERRORS: tuple[type[Exception], ...] = (OSError, ValueError, KeyError, pa.ArrowException)


@dataclass(frozen=True, slots=True)
class Where:
    """Keep only the rows whose `column` holds `value`."""

    column: str
    value: object


def read_parquet(source: Source, *, columns: Sequence[str] | None = None, where: Where | None = None) -> Iterator[Row]:
    """Yield the rows of a Parquet file, numbered from 1; `columns` None reads them all.

    Times become ISO text, decimals text, NaN becomes None as pandas means it; lists, structs and bytes become
    `Opaque`. Raises InputError with the path if the file is not Parquet, is damaged, or lacks a column.
    """
    with _open(source) as file:
        _check_names(source, list(file.schema_arrow.names), columns or ())
        number = 0
        batches = file.iter_batches(batch_size=_BATCH, columns=columns)
        while (batch := _next(source, number, batches)) is not None:
            numbers: Sequence[int] = range(number + 1, number + 1 + batch.num_rows)
            number += batch.num_rows
            if where is not None:
                mask = pc.fill_null(pc.equal(batch.column(where.column), where.value), fill_value=False)
                numbers = [place for place, wanted in zip(numbers, mask.to_pylist(), strict=True) if wanted]
                batch = batch.filter(mask)
            names = batch.schema.names
            cells = [_plain(batch.column(index)) for index in range(batch.num_columns)]
            for place, *values in zip(numbers, *cells, strict=True):
                yield Row(source, place, dict(zip(names, values, strict=True)))


def column_names(source: Source) -> list[str]:
    """Return the names of a Parquet file's columns."""
    with _open(source) as file:
        return [str(name) for name in file.schema_arrow.names]


@contextlib.contextmanager
def _open(source: Source) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:
        try:
            handle = stack.enter_context(_seekable(source))
            # Without pre-buffering, memory is bounded by a page of each column, not by a row group.
            file = stack.enter_context(pq.ParquetFile(handle, pre_buffer=False, buffer_size=1 << 16))
        except _ERRORS as error:
            raise InputError(
                f"{source.name} can't be read as Parquet ({error}); it is another format, cut short or damaged,"
                " so name its --format or fetch it again"
            ) from None
        yield file


@contextlib.contextmanager
def _seekable(source: Source) -> Iterator[BinaryIO]:
    """Open the file; a compressed one is unpacked to a temporary file first, for Parquet is read from its end."""
    with open_bytes(source) as stream:
        if isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO):
            yield stream
            return
        with tempfile.TemporaryFile() as unpacked:
            try:
                shutil.copyfileobj(stream, unpacked, 1 << 20)
            except DECODE_ERRORS as error:
                raise damaged(source.name, error) from None
            unpacked.seek(0)
            yield unpacked


def _check_names(source: Source, there: Sequence[str], wanted: Sequence[str]) -> None:
    twice = [name for name, count in Counter(there).items() if count > 1]
    if twice:
        raise InputError(f"{source.name} has two columns {twice[0]!r}; rename one of them")
    missing = [name for name in wanted if name not in there]
    if missing:
        raise InputError(f"{source.name} has no column {', '.join(missing)}; its columns are {', '.join(there)}")


def _next(source: Source, number: int, batches: Iterator[Any]) -> Any:
    try:
        return next(batches, None)
    except _ERRORS as error:
        raise damaged(source.at(number + 1), error) from None


def _plain(column: Any) -> list[object]:
    """Turn an Arrow column into text, numbers, truth values, None and `Opaque`."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or kind == pa.string_view():
        return _texts(column)
    if pa.types.is_floating(kind):
        values = column.cast(pa.float64()).to_pylist()
        return [None if value is None or math.isnan(value) else value for value in values]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return list(column.to_pylist())
    if pa.types.is_duration(kind):
        return list(column.cast(pa.int64()).to_pylist())
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        return list(column.cast(pa.string()).to_pylist())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return [_text(value) for value in column.to_pylist()]
    return [Opaque(f"a {kind}") if there else None for there in column.is_valid().to_pylist()]


def _texts(column: Any) -> list[object]:
    try:
        return list(column.to_pylist())
    except UnicodeDecodeError:
        return [_text(value) for value in column.cast(pa.large_binary()).to_pylist()]


def _text(value: bytes | None) -> object:
    """Some writers store text as bytes without saying that it is text."""
    if value is None:
        return None
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        return Opaque(f"bytes that are not UTF-8 (0x{value[error.start]:02x} at position {error.start + 1})")
