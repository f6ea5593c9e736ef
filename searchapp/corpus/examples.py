"""Files whose rows are texts that belong together: what the readers of triplets and of scored pairs share."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from searchapp.corpus.formats import FILE_FORMATS, recognise
from searchapp.corpus.recipe import check_text
from searchapp.corpus.rows import BadRows, Row, describe
from searchapp.corpus.sources import Source
from searchapp.errors import InputError, RowError

FORMATS = ("jsonl", "csv", "tsv", "parquet")
"""Formats of the table whose rows have named columns and nothing else."""

Record = TypeVar("Record")


def read_rows(source: Source, what: str) -> Iterator[Row | RowError]:
    """Yield the rows of a file with named columns. Raises InputError if it is none; `what` is what was expected."""
    kind = recognise(source)
    if kind not in FORMATS:
        found = f"it looks like {kind}" if kind else "its format is unknown"
        raise InputError(f"{source.name} is no file of {what}: {found}; expected {', '.join(FORMATS)}")
    return FILE_FORMATS[kind].read(source)


def collect(rows: Iterable[Row | RowError], make: Callable[[Row], Record], bad_rows: BadRows) -> Iterator[Record]:
    """Yield what `make` makes of every row; a row that it refuses goes to `bad_rows`."""
    for row in rows:
        try:
            if isinstance(row, RowError):
                raise row
            record = make(row)
        except RowError as error:
            bad_rows.refuse(error)
            continue
        yield record


def at_least_one(records: Iterable[Record], name: str, what: str, bad_rows: BadRows) -> Iterator[Record]:
    """Pass the records on. Raises InputError at the end if there was none."""
    there = False
    for record in records:
        there = True
        yield record
    if not there:
        left_out = bad_rows.skipped.count
        because = f" ({left_out:,} bad rows were left out)" if left_out else ""
        raise InputError(f"{name} holds no {what}{because}; expected at least one")


def text_of(row: Row, column: str, value: object) -> str:
    """Return the text that a column holds, stripped. Raises RowError if it is none, or blank."""
    if not isinstance(value, str):
        raise RowError(row.where, f"the column {column!r} holds {describe(value)}, expected text")
    check_text(row, f"the column {column!r}", value)
    text = value.strip()
    if not text:
        raise RowError(row.where, f"the column {column!r} is empty, expected text")
    return text


def is_blank(value: object) -> bool:
    """Tell whether a cell holds nothing."""
    return value is None or (isinstance(value, str) and not value.strip())
