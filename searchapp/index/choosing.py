"""Choosing rows by what is stored of their documents, however a field lies in each file."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from searchapp.errors import UsageError
from searchapp.index.documents import FIELD, ID, DocumentStore, is_json, values_at
from searchapp.index.vectors import Rows
from searchapp.index.where import Condition

_ARROW = {str: pa.string(), float: pa.float64(), bool: pa.bool_()}
_SAID = {str: "text", float: "a number", bool: "true or false"}


def rows_fulfilling(documents: DocumentStore, condition: Condition) -> Rows:
    """Return the rows whose stored fields fulfil a condition, deleted ones included, int64, ascending.

    Raises UsageError for a field that no document has, or that nowhere holds what it is compared with.
    """
    asked: dict[tuple[str, type | None], bool] = {}
    chosen, start = [np.empty(0, dtype=np.int64)], 0
    for table in documents.tables():

        def column(name: str, kind: type | None, table: pa.Table = table) -> pa.Array:
            values, fits = _typed(table, name, kind)
            asked[name, kind] = asked.get((name, kind), False) or fits
            return values

        answer = pc.fill_null(condition(column), fill_value=False).to_numpy(zero_copy_only=False)
        chosen.append(np.flatnonzero(answer).astype(np.int64) + start)
        start += table.num_rows
    for (name, kind), fits in asked.items():
        if not fits:
            raise UsageError(_no_field(documents, name, kind))
    return np.concatenate(chosen)


def _typed(table: pa.Table, name: str, kind: type | None) -> tuple[pa.Array, bool]:
    """Return a field's values of a kind (str, float for any number, bool) and null elsewhere, and whether it has any.

    Of no kind: whether there is a value at all.
    """
    column = ID if name == ID else FIELD + name
    rows = table.num_rows
    if column not in table.schema.names:
        nothing = pa.array([False] * rows) if kind is None else pa.nulls(rows, _ARROW[kind])
        return nothing, False
    held = table.column(column).combine_chunks()
    if kind is None:
        return held.is_valid(), True
    if is_json(table, column):
        wanted = (int, float) if kind is float else (kind,)
        values = [v if type(v) in wanted else None for v in values_at(table, column, np.arange(rows, dtype=np.int64))]
        typed = pa.array(
            [float(v) if isinstance(v, int | float) and kind is float else v for v in values], _ARROW[kind]
        )
        return typed, typed.null_count < rows
    numeric = pa.types.is_integer(held.type) or pa.types.is_floating(held.type)
    fits = numeric if kind is float else held.type == _ARROW[kind]
    return (held, True) if fits else (pa.nulls(rows, _ARROW[kind]), False)


def _no_field(documents: DocumentStore, name: str, kind: type | None) -> str:
    names = {name for table in documents.tables() for name in table.schema.names if name.startswith(FIELD)}
    held = sorted(one.removeprefix(FIELD) for one in names)
    if name in held and kind is not None:
        return f"--where compares {name} with {_SAID[kind]}, and no document has that there"
    return f"--where names {name}, which no document has; name one of: {', '.join([ID, *held])}"
