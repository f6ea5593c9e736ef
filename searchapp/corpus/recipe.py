"""A row becomes a document: its id, its text, what is kept of it, and everything that may be wrong with it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchapp.corpus.columns import listed, no_such
from searchapp.corpus.rows import Row, describe
from searchapp.corpus.template import Template
from searchapp.errors import RowError
from searchapp.records import Document, Value

SMALL = 512
"""The longest text, in characters, that is kept for display without being asked for."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Which columns make a document.

    `store` None keeps all small columns. With `lenient`, columns of the template that a row lacks are empty,
    as long as one is there; `watched` are columns that such a row may not bring unasked.
    """

    id_column: str
    template: Template
    store: tuple[str, ...] | None = None
    lenient: bool = False
    watched: frozenset[str] = frozenset()

    def document(self, row: Row) -> Document:
        """Make the document, or raise a RowError that says what is wrong with the row."""
        doc_id = read_id(row, self.id_column, option="--id")
        text = self.template.render(self._cells(row))
        if not text:
            raise RowError(row.where, f"the text {self.template.source!r} is empty; expected some text")
        check_text(row, "the text", text)
        fields = self._stored(row)
        for name, value in fields.items():
            check_text(row, "the name of a column", name)
            if isinstance(value, str):
                check_text(row, f"the column {name!r}", value)
        return Document(doc_id, text, fields, row.where)

    def _cells(self, row: Row) -> Mapping[str, str]:
        columns = row.columns
        cells = {name: cell_text(row, name) for name in self.template.columns if name in columns}
        if len(cells) < len(self.template.columns):
            if not (self.lenient and cells):
                missing = next(name for name in self.template.columns if name not in columns)
                raise RowError(row.where, no_such(missing, list(columns), "--text"))
            return {name: cells.get(name, "") for name in self.template.columns}
        for name in self.watched:
            if columns.get(name) and name not in cells:
                raise RowError(
                    row.where,
                    f"a column {name!r} that no row had before, while the text is {self.template.source!r};"
                    f" say what the text is made of: --text '{{{name}}} {self.template.source}'",
                )
        return cells

    def _stored(self, row: Row) -> dict[str, Value]:
        if self.store is None:
            return small_fields(row, leave_out=(self.id_column,))
        kept: dict[str, Value] = {}
        for name in self.store:
            if name not in row.columns:
                raise RowError(row.where, no_such(name, list(row.columns), "--store"))
            value = row.columns[name]
            if not isinstance(value, str | int | float | None) or not _finite(value):
                raise RowError(row.where, f"the column {name!r} holds {_shown(value)}, which can't be stored")
            kept[name] = value
        return kept


def read_id(row: Row, column: str, *, option: str = "") -> str:
    """Return the id that a column holds; an integer becomes its digits. Raises RowError for anything else."""
    if column not in row.columns:
        raise RowError(row.where, no_such(column, list(row.columns), option))
    value = row.columns[column]
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise RowError(row.where, f"the id in {column!r} is {describe(value)}, expected text or an integer")
    if not value or value.isspace():
        raise RowError(row.where, f"the id in {column!r} is empty, expected text or an integer")
    check_text(row, "the id", value)
    return value


def small_fields(row: Row, *, leave_out: Sequence[str] = ()) -> dict[str, Value]:
    """Return the plain values of a row that are small enough to be kept unasked."""
    return {
        name: value
        for name, value in row.columns.items()
        if name not in leave_out
        and (
            (isinstance(value, str) and len(value) <= SMALL)
            or (isinstance(value, int | float | None) and _finite(value))
        )
    }


def cell_text(row: Row, column: str) -> str:
    """Return what a cell says as text, empty for none. Raises RowError for what is neither text nor a number."""
    value = row.columns[column]
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float) and _finite(value):
        return str(value)
    raise RowError(row.where, f"the column {column!r} holds {_shown(value)}, expected text or a number")


def check_text(row: Row, what: str, text: str) -> None:
    """Raise RowError if `text` can't be stored as UTF-8 or holds a NUL."""
    if "\0" in text:
        raise RowError(row.where, f"{what} holds a NUL character at position {text.index(chr(0)) + 1}; remove it")
    if text.isascii():
        return
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise RowError(
            row.where,
            f"{what} holds half a surrogate pair (U+{ord(text[error.start]):04X} at position {error.start + 1}),"
            " expected whole characters; it was cut in the middle, so write it again",
        ) from None


def first_present(row: Row, names: Sequence[str], what: str) -> str:
    """Return the first of these columns that the row has, or raise RowError naming what it has."""
    for name in names:
        if name in row.columns:
            return name
    raise RowError(row.where, f"no {what} column ({', '.join(names)}) among {listed(list(row.columns))}; add one")


def _finite(value: str | int | float | None) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def _shown(value: object) -> str:
    return str(value) if isinstance(value, float) else describe(value)
