"""Documents on disk: ids and stored fields in numbered Arrow files, memory-mapped; row i belongs to vector i."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from searchapp.errors import IndexFolderError
from searchapp.index.vectors import Rows
from searchapp.records import Document, Value

ID = "doc_id"
_JSON = {b"searchapp": b"json"}
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def write_documents(path: Path, documents: Sequence[Document]) -> None:
    """Write ids and stored fields as one Arrow file.

    A field is a typed column where all its values in this shard are of one type, else a column of JSON.
    """
    names = list(dict.fromkeys(name for document in documents for name in document.fields))
    columns = [pa.array([document.doc_id for document in documents], pa.string())]
    fields = [pa.field(ID, pa.string(), nullable=False)]
    for name in names:
        values = [document.fields.get(name) for document in documents]
        typed = _column_type(values)
        if typed is None:
            columns.append(pa.array([None if v is None else json.dumps(v) for v in values], pa.string()))
            fields.append(pa.field(f"field:{name}", pa.string(), metadata=_JSON))
        else:
            columns.append(pa.array(values, typed))
            fields.append(pa.field(f"field:{name}", typed))
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def _column_type(values: Sequence[Value]) -> pa.DataType | None:
    """Return the Arrow type that holds all values as they are, or None where only JSON does."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int} and any(isinstance(value, int) and not -(2**63) <= value < 2**63 for value in values):
        return None
    return _TYPES.get(kinds.pop()) if len(kinds) == 1 else None


class DocumentStore:
    """The documents of an index, memory-mapped; row i is row i of the files laid end to end."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._tables = [_open_table(path) for path in paths]
        self._ids = pa.chunked_array([c for t in self._tables for c in t.column(ID).chunks], pa.string())
        self._starts = [0]
        for table in self._tables:
            self._starts.append(self._starts[-1] + table.num_rows)

    def __len__(self) -> int:
        return self._starts[-1]

    def ids(self, rows: Rows) -> list[str]:
        """Return the doc_ids of the given rows, in the given order."""
        taken: list[str] = self._ids.take(pa.array(rows)).to_pylist()
        return taken

    def fields(self, row: int) -> Mapping[str, Value]:
        """Return the stored fields of one row, without those that are missing or null."""
        shard = next(i for i, start in enumerate(self._starts[1:]) if row < start)
        table = self._tables[shard].slice(row - self._starts[shard], 1)
        stored: dict[str, Value] = {}
        for name, column in zip(table.schema.names, table.columns, strict=True):
            value = column[0].as_py()
            if name != ID and value is not None:
                as_json = (table.schema.field(name).metadata or {}) == _JSON
                stored[name.removeprefix("field:")] = json.loads(value) if as_json else value
        return stored

    def rows(self, doc_ids: Iterable[str]) -> dict[str, int]:
        """Return the row of every given doc_id that is in the index."""
        wanted = pa.array(dict.fromkeys(doc_ids), pa.string())
        places = pc.index_in(wanted, value_set=self._ids.combine_chunks()).to_pylist()
        return {doc_id: row for doc_id, row in zip(wanted.to_pylist(), places, strict=True) if row is not None}


def _open_table(path: Path) -> pa.Table:
    try:
        table = pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        if table.schema.names[:1] != [ID]:
            raise pa.ArrowInvalid(f"its first column is not {ID}")
    except (OSError, pa.ArrowException) as error:
        raise IndexFolderError(f"{path} can't be read as documents ({error}); build the index again") from None
    return table
