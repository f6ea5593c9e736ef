"""Documents on disk: ids and stored fields in numbered Arrow files, memory-mapped; row i belongs to vector i."""

import json
import os
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from searchapp.errors import IndexFolderError
from searchapp.index.arrow_file import check_strings, read_table
from searchapp.index.columns import Read, open_column
from searchapp.index.sieve import Sieve
from searchapp.index.vectors import Rows
from searchapp.records import Document, Value

ID = "doc_id"
FIELD, FACT = "field:", "row:"
"""What the names of columns begin with: stored fields of documents, and what is known of rows."""
FEW = 64
"""Rows that are looked up one by one, faster than all at once; pyarrow.compute takes longer to import than a search."""
_Field: TypeAlias = tuple[str, bool, Read]
"""A stored field's name, whether its strings are JSON, and what reads them."""
_JSON = {b"searchapp": b"json"}
_TYPES = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


@dataclass(frozen=True, slots=True)
class RowFacts:
    """What is known of every row of a shard beside its document; arrays (rows,)."""

    chunk: npt.NDArray[np.int32]
    """The number of the row's chunk in its document, from 0; all 0 where documents are not cut into chunks."""
    text_hash: npt.NDArray[np.uint64]
    """64 bits of the document's text, to know equal ones by."""
    tokens_lost: npt.NDArray[np.int32]
    """Tokens beyond max_seq_length."""
    prefixed: npt.NDArray[np.bool_]
    """Whether the text began with the prompt."""


FACTS = ("chunk", "text_hash", "tokens_lost", "prefixed")


def write_documents(path: Path, documents: Sequence[Document], facts: RowFacts) -> None:
    """Write ids, stored fields and facts, a row each, as one Arrow file.

    A field is a typed column where all its values in this shard are of one type, else a column of JSON. The rows of
    chunks beyond the first of a document are to have its id and no fields.
    """
    names = list(dict.fromkeys(name for document in documents for name in document.fields))
    columns = [pa.array([document.doc_id for document in documents], pa.string())]
    fields = [pa.field(ID, pa.string(), nullable=False)]
    for name in FACTS:
        columns.append(pa.array(getattr(facts, name)))
        fields.append(pa.field(FACT + name, columns[-1].type, nullable=False))
    for name in names:
        values = [document.fields.get(name) for document in documents]
        typed = _column_type(values)
        if typed is None:
            columns.append(pa.array([None if v is None else json.dumps(v) for v in values], pa.string()))
            fields.append(pa.field(FIELD + name, pa.string(), metadata=_JSON))
        else:
            columns.append(pa.array(values, typed))
            fields.append(pa.field(FIELD + name, typed))
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
    """The documents of an index, memory-mapped; row i is row i of the files laid end to end.

    deleted: int64, ascending: rows that are there and no document's any more. chunked: whether a document may have
    several rows.
    """

    def __init__(
        self, paths: Sequence[os.PathLike[str]], *, deleted: Rows | None = None, chunked: bool = False
    ) -> None:
        self._paths = list(paths)
        self._validated = False
        self._tables = [_open_table(path) for path in paths]
        self._ids = pa.chunked_array([c for t in self._tables for c in t.column(ID).chunks], pa.string())
        self._id = open_column(self._ids)
        self._starts = [0]
        for table in self._tables:
            self._starts.append(self._starts[-1] + table.num_rows)
        self._fields: dict[int, list[_Field]] = {}
        gone = np.empty(0, dtype=np.int64) if deleted is None else deleted
        self._chunks = self.fact("chunk") if chunked else None
        if self._chunks is not None and not _are_chunks(self._chunks):
            raise self._unreadable("its chunks are out of order")
        self.sieve = Sieve(gone, self._chunks)

    def __len__(self) -> int:
        return self._starts[-1]

    @property
    def shard_rows(self) -> list[int]:
        """Return how many rows every shard holds."""
        return [table.num_rows for table in self._tables]

    def ids(self, rows: Rows) -> list[str]:
        """Return the doc_ids of the given rows, in the given order."""
        try:
            if len(rows) <= FEW:
                return [self._id(row) for row in rows.tolist()]
            check_strings(self._ids, rows)
            taken: list[str] = self._ids.take(pa.array(rows)).to_pylist()
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise self._unreadable(error) from None
        return taken

    def fields(self, row: int) -> Mapping[str, Value]:
        """Return the stored fields of the document that a row belongs to, without those that are missing or null."""
        if self._chunks is not None:
            row -= int(self._chunks[row])
        shard = bisect_right(self._starts, row) - 1
        place = row - self._starts[shard]
        stored: dict[str, Value] = {}
        try:
            if shard not in self._fields:
                self._fields[shard] = _fields_of(self._tables[shard])
            for name, as_json, read in self._fields[shard]:
                if (value := read(place)) is not None:
                    stored[name] = json.loads(value) if as_json else value
        except (pa.ArrowException, ValueError, RecursionError) as error:
            raise self._unreadable(error) from None
        return stored

    def all_fields(self, rows: Rows) -> list[dict[str, Value]]:
        """Return the stored fields of these rows, ascending, as they lie: chunks after a first have none."""
        found: list[dict[str, Value]] = []
        for start, table in zip(self._starts, self.tables(), strict=False):
            here = rows[(rows >= start) & (rows < start + table.num_rows)] - start
            stored: list[dict[str, Value]] = [{} for _ in here]
            for name in table.schema.names:
                if name.startswith(FIELD):
                    for fields, value in zip(stored, values_at(table, name, here), strict=True):
                        fields.update({} if value is None else {name.removeprefix(FIELD): value})
            found += stored
        return found

    def tables(self) -> list[pa.Table]:
        """Return the tables of the shards, read and checked to their ends."""
        self.validate()
        return self._tables

    def rows(self, doc_ids: Iterable[str]) -> dict[str, int]:
        """Return the first row of every given document that is in the index."""
        import pyarrow.compute as pc

        wanted = pa.array(dict.fromkeys(doc_ids), pa.string())
        self.validate()
        held, living = self._ids.combine_chunks(), None
        if self.sieve:
            living = self.sieve.documents(len(self))
            held = held.take(pa.array(living))
        places = pc.index_in(wanted, value_set=held).to_pylist()
        found = {doc_id: row for doc_id, row in zip(wanted.to_pylist(), places, strict=True) if row is not None}
        return found if living is None else {doc_id: int(living[place]) for doc_id, place in found.items()}

    def validate(self) -> None:
        """Read all ids and fields once; raise IndexFolderError naming the first file with one that can't be."""
        if not self._validated:
            for path, table in zip(self._paths, self._tables, strict=True):
                try:
                    table.validate(full=True)
                except pa.ArrowException as error:
                    raise _bad_documents(path, error) from None
            self._validated = True

    def _unreadable(self, reason: object) -> IndexFolderError:
        """Return the error that names the file to blame, as far as reading all of them tells."""
        try:
            self.validate()
        except IndexFolderError as error:
            return error
        return _bad_documents(self._paths[0], reason)

    def fact(self, name: str) -> npt.NDArray[Any]:
        """Return one of FACTS of every row, as an array (rows,)."""
        column = pa.chunked_array([c for t in self._tables for c in t.column(FACT + name).chunks])
        values: npt.NDArray[Any] = column.to_numpy()
        return values

    def counts(self) -> dict[str, int]:
        """Count the living documents and what happened to them; `duplicates` have the text of an earlier one."""
        documents = self.sieve.documents(len(self))
        rows = self.sieve.spread(documents)
        hashes, lost = self.fact("text_hash")[documents], self.fact("tokens_lost")[rows]
        starts = int((self.fact("chunk") == 0).sum())
        return {
            "documents": len(documents),
            "vectors": len(rows),
            "deleted": starts - len(documents),
            "duplicates": len(hashes) - len(np.unique(hashes)),
            "truncated": int((lost > 0).sum()),
            "tokens_lost": int(lost.sum()),
            "already_prefixed": int(self.fact("prefixed")[documents].sum()),
        }


def _fields_of(table: pa.Table) -> list[_Field]:
    """Return the columns that hold fields, found out once for all rows."""
    found = []
    for field in table.schema:
        if field.name.startswith(FIELD):
            as_json = field.metadata == _JSON and pa.types.is_string(field.type)
            found.append((field.name.removeprefix(FIELD), as_json, open_column(table.column(field.name))))
    return found


def values_at(table: pa.Table, name: str, rows: Rows) -> list[Value]:
    """Return a column's values, decoded, at these rows of one file."""
    values: list[Value] = table.column(name).take(pa.array(rows)).to_pylist()
    if is_json(table, name):
        return [None if value is None else json.loads(str(value)) for value in values]
    return values


def is_json(table: pa.Table, name: str) -> bool:
    """Tell whether a column holds JSON."""
    return bool((table.schema.field(name).metadata or {}) == _JSON)


def _open_table(path: os.PathLike[str]) -> pa.Table:
    try:
        table = read_table(path)
        if table.schema.names[: 1 + len(FACTS)] != [ID, *(FACT + name for name in FACTS)]:
            raise pa.ArrowInvalid(f"its first columns are not {ID} and {', '.join(FACTS)}")
    except (OSError, pa.ArrowException) as error:
        raise _bad_documents(path, error) from None
    return table


def _bad_documents(path: os.PathLike[str], reason: object) -> IndexFolderError:
    return IndexFolderError(f"{path} can't be read as documents ({reason}); build the index again")


def _are_chunks(chunks: npt.NDArray[np.int32]) -> bool:
    """Tell whether every row is the first chunk of a document or comes after the chunk before it."""
    return len(chunks) == 0 or bool(chunks[0] == 0 and ((chunks[1:] == 0) | (chunks[1:] == chunks[:-1] + 1)).all())
