"""Queries, from JSON lines, CSV, TSV, Parquet or TREC topics."""

from collections.abc import Iterator
from pathlib import Path

from searchapp.corpus.formats import FILE_FORMATS, recognise
from searchapp.corpus.recipe import check_text, first_present, read_id, small_fields
from searchapp.corpus.rows import BadRows, Row, describe
from searchapp.corpus.sources import Source, list_sources
from searchapp.errors import InputError, RowError
from searchapp.records import Query

ID_COLUMNS = ("_id", "id", "query_id", "query-id", "qid")
TEXT_COLUMNS = ("text", "query", "title")

_FORMATS = tuple(name for name in FILE_FORMATS if name != "trec")


def read_queries(path: str | Path, bad_rows: BadRows | None = None) -> Iterator[Query]:
    """Yield the queries of one file, or of the files of a glob, in order; other small columns become fields.

    A bad row goes to `bad_rows`, which raises by default. Raises InputError if the file is no queries file or
    holds none; a missing column, an empty text or an id that is there twice is a bad row.
    """
    sources = list_sources(path)
    return _checked(sources, bad_rows or BadRows())


def read_queries_from(source: Source, bad_rows: BadRows) -> Iterator[Query]:
    """Yield the queries of a source; see `read_queries`."""
    return _checked((source,), bad_rows)


def _checked(sources: tuple[Source, ...], bad_rows: BadRows) -> Iterator[Query]:
    places: dict[str, str] = {}
    for source in sources:
        for row in FILE_FORMATS[_format(source)].read(source):
            try:
                if isinstance(row, RowError):
                    raise row
                query = _query(row)
                if query.query_id in places:
                    first = places[query.query_id]
                    reason = f"the query id {query.query_id!r} is in {first} already; expected every id once"
                    raise RowError(row.where, reason)
            except RowError as error:
                bad_rows.refuse(error)
                continue
            places[query.query_id] = row.where
            yield query
    if not places:
        raise InputError(f"{sources[0].name} holds no queries; expected at least one")


def _format(source: Source) -> str:
    kind = recognise(source)
    if kind in _FORMATS:
        return kind
    found = f"it looks like {kind}" if kind else "its format is unknown"
    raise InputError(f"{source.name} is no queries file: {found}; expected {', '.join(_FORMATS)}")


def _query(row: Row) -> Query:
    id_column = first_present(row, ID_COLUMNS, "query id")
    text_column = first_present(row, TEXT_COLUMNS, "query text")
    text = row.columns[text_column]
    if not isinstance(text, str):
        raise RowError(row.where, f"the query in {text_column!r} is {describe(text)}, expected text")
    if not text.strip():
        raise RowError(row.where, f"the query in {text_column!r} is empty, expected text")
    check_text(row, "the query", text)
    fields = small_fields(row, leave_out=(id_column, text_column))
    for name, value in fields.items():
        check_text(row, "the name of a column", name)
        if isinstance(value, str):
            check_text(row, f"the column {name!r}", value)
    return Query(read_id(row, id_column), text.strip(), fields)
