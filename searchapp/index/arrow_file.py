"""Tables in Arrow files that are not trusted: mapped, uncompressed, of plain columns; checked where they are looked at.

Arrow's reader keeps to the file, but unpacks what is compressed to whatever size it claims, and believes the offsets of
strings until it is asked to check them, which reads all. So nothing compressed is read, and the strings that are taken
are checked when they are.
"""

import os
import struct

import numpy as np
import pyarrow as pa

from searchapp.index.vectors import Rows

_MAGIC = b"ARROW1\0\0"
_HEADER, _COMPRESSION = 2, 3
"""Places of a message's header, and of a batch's compression, in Arrow's tables."""


def read_table(path: os.PathLike[str]) -> pa.Table:
    """Read a table of strings and numbers without copying it. Raises ArrowInvalid or OSError for anything else."""
    source = pa.memory_map(os.fspath(path))
    if source.size() < len(_MAGIC) or source.read(len(_MAGIC)) != _MAGIC:
        raise pa.ArrowInvalid("it does not begin as an Arrow file does")
    reader = pa.ipc.MessageReader.open_stream(source)
    schema = None
    batches = []
    for message in reader:
        if schema is None and message.type == "schema":
            schema = pa.ipc.read_schema(message)
            _check_schema(schema)
        elif schema is not None and message.type == "record batch":
            batches.append(_read_batch(message, schema))
        else:
            raise pa.ArrowInvalid(f"it holds a {message.type} where a table's rows were expected")
    if schema is None:
        raise pa.ArrowInvalid("it holds nothing")
    return pa.Table.from_batches(batches, schema)


def _check_schema(schema: pa.Schema) -> None:
    if len(set(schema.names)) != len(schema.names):
        raise pa.ArrowInvalid("it has two columns of one name")
    for field in schema:
        kind = field.type
        if not (pa.types.is_string(kind) or pa.types.is_boolean(kind) or _is_number(kind)):
            raise pa.ArrowInvalid(f"its column {field.name!r} is of type {kind}; strings, numbers and bool are read")


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind))


def _read_batch(message: pa.ipc.Message, schema: pa.Schema) -> pa.RecordBatch:
    try:
        compressed = _is_compressed(message.metadata.to_pybytes())
    except struct.error:
        raise pa.ArrowInvalid("a message of it is cut short") from None
    if compressed:
        raise pa.ArrowInvalid("it is compressed; only plain files are mapped")
    batch = pa.ipc.read_record_batch(message, schema)
    batch.validate()
    for field, column in zip(schema, batch.columns, strict=True):
        if not field.nullable and column.null_count:
            raise pa.ArrowInvalid(f"its column {field.name!r} lacks {column.null_count:,} values")
    return batch


def _is_compressed(message: bytes) -> bool:
    """Tell whether a record batch's message, a flatbuffer, names a compression."""
    root = struct.unpack_from("<I", message, 0)[0]
    place = _field(message, root, _HEADER)
    if place is None:
        raise pa.ArrowInvalid("a message of it has no header")
    batch = place + struct.unpack_from("<I", message, place)[0]
    return _field(message, batch, _COMPRESSION) is not None


def _field(message: bytes, table: int, number: int) -> int | None:
    """Return where the value of a table's field lies, or None where it has none."""
    entries = table - struct.unpack_from("<i", message, table)[0]
    size: int = struct.unpack_from("<H", message, entries)[0]
    slot = 4 + 2 * number
    offset: int = struct.unpack_from("<H", message, entries + slot)[0] if slot + 2 <= size else 0
    return table + offset if offset else None


def check_strings(column: pa.ChunkedArray, rows: Rows) -> None:
    """Raise ArrowInvalid unless the strings of these rows lie within their column."""
    starts = np.cumsum([0, *(len(chunk) for chunk in column.chunks)])
    homes = np.searchsorted(starts, rows, side="right") - 1
    for home in np.unique(homes):
        chunk = column.chunk(int(home))
        _, offsets, text = chunk.buffers()
        bounds = np.frombuffer(offsets, np.int32, len(chunk) + 1, 4 * chunk.offset)
        places = rows[homes == home] - starts[home]
        begins, ends = bounds[places], bounds[places + 1]
        if (begins < 0).any() or (ends < begins).any() or (ends > (text.size if text is not None else 0)).any():
            raise pa.ArrowInvalid("it has strings that lie beyond its end")
