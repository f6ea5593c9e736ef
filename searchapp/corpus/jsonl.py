"""JSON lines: one object a line."""

import json
from collections.abc import Iterator
from typing import NoReturn

from searchapp.corpus.lines import Line, read_lines
from searchapp.corpus.rows import Row, describe
from searchapp.corpus.sources import Source
from searchapp.errors import RowError


def read_jsonl(source: Source) -> Iterator[Row | RowError]:
    """Yield a row for every line that is not blank; a bad line is yielded as its RowError."""
    for line in read_lines(source):
        if line.problem:
            yield RowError(source.at(line.number), line.problem)
        elif not line.text.isspace():
            yield _row(source, line)


def _row(source: Source, line: Line) -> Row | RowError:
    where = source.at(line.number)
    try:
        value: object = json.loads(line.text, object_pairs_hook=_unique, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return RowError(where, f"no JSON: {error.msg} at position {error.pos + 1}; expected one object a line")
    except ValueError as error:
        return RowError(where, f"no JSON: {error}")
    except RecursionError:
        return RowError(where, "brackets nested too deep; expected one flat object a line")
    if isinstance(value, dict):
        return Row(source, line.number, value)
    advice = "; turn a JSON array into lines: jq -c '.[]' IN > OUT" if isinstance(value, list) else ""
    return RowError(where, f"found {describe(value)}, expected one object a line{advice}")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    columns = dict(pairs)
    if len(columns) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice!r} is there twice; keep one of them")
    return columns


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not allowed in JSON; write null")
