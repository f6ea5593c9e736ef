"""A slice file: which slice each query is in."""

import csv
from pathlib import Path

from searchapp.corpus.formats import recognise
from searchapp.corpus.lines import Line, read_lines
from searchapp.corpus.queries import ID_COLUMNS
from searchapp.corpus.sources import Source, list_sources
from searchapp.errors import InputError, RowError


def read_slices(path: str | Path) -> dict[str, str]:
    """Read query id -> slice from a file of two columns, with a tab between, or a comma if its name ends in .csv.

    A first line that begins with the name of an id column (`query_id`, `_id`, ...) is a header. Raises RowError for
    a line without two columns, an empty one and a query that is there twice; InputError where there is nothing.
    """
    sources = list_sources(path)
    if len(sources) != 1:
        raise InputError(f"{path} names {len(sources)} files; name one slice file")
    source = sources[0]
    slices: dict[str, str] = {}
    places: dict[str, int] = {}
    header_may_come = True
    delimiter = "," if recognise(source) == "csv" else "\t"
    for line in read_lines(source):
        if not line.text.strip() and not line.problem:
            continue
        query_id, value = _cells(source, line, delimiter)
        is_header = header_may_come and query_id.casefold() in ID_COLUMNS
        header_may_come = False
        if is_header:
            continue
        if query_id in places:
            reason = f"the query {query_id!r} is in {source.at(places[query_id])} already; expected it once"
            raise RowError(source.at(line.number), reason)
        places[query_id] = line.number
        slices[query_id] = value
    if not slices:
        raise InputError(f"{source.name} holds no slices; expected lines of: query_id, slice with a tab between")
    return slices


def _cells(source: Source, line: Line, delimiter: str) -> tuple[str, str]:
    where = source.at(line.number)
    if line.problem:
        raise RowError(where, line.problem)
    text = line.text.rstrip("\r\n")
    try:
        cells = next(csv.reader([text], strict=True)) if delimiter == "," else text.split(delimiter)
    except csv.Error as error:
        raise RowError(where, f"no CSV: {error}; quote a cell that holds quotes, and double them") from None
    if len(cells) != 2:
        between = "a comma" if delimiter == "," else "a tab"
        raise RowError(where, f"found {len(cells)} columns, expected 2 with {between} between: query_id, slice")
    query_id, value = (cell.strip() for cell in cells)
    if not query_id or not value:
        raise RowError(where, f"the {'slice' if query_id else 'query id'} is empty; expected a query id and a slice")
    return query_id, value
