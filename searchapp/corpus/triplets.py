"""Triplets: an anchor, what belongs to it, and what does not; from JSON lines, CSV, TSV or Parquet."""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from searchapp.corpus.examples import at_least_one, collect, is_blank, read_rows, text_of
from searchapp.corpus.recipe import first_present
from searchapp.corpus.rows import BadRows, Row, describe
from searchapp.corpus.sources import list_sources
from searchapp.errors import RowError
from searchapp.layout import replacing_file
from searchapp.records import Triplet

ANCHOR_COLUMNS = ("anchor", "query")
POSITIVE_COLUMNS = ("positive", "pos")
NEGATIVE_COLUMNS = ("negative", "negatives", "neg")
"""A column of negatives holds one text or, in JSON lines, a list of them."""

_NUMBERED = re.compile(r"(?:negative|neg)_([0-9]{1,9})")


def read_triplets(path: str | Path, bad_rows: BadRows | None = None) -> Iterator[Triplet]:
    """Yield the triplets of one file, or of the files of a glob, in order.

    The columns are `anchor` (or `query`), `positive` (`pos`) and `negative` (`neg`), also `negative_1`, `negative_2`
    and so on, or a list in `negatives`; other columns are left alone. Texts are stripped; blank negatives are left
    out where another one is there. A bad row goes to `bad_rows`, which raises by default: a missing column, a text that
    is empty or none. Raises InputError if the file holds no such rows.
    """
    refused = bad_rows or BadRows()
    sources = list_sources(path)
    rows = (row for source in sources for row in read_rows(source, "triplets"))
    return at_least_one(collect(rows, _triplet, refused), sources[0].name, "triplets", refused)


def write_triplets(path: Path, triplets: Iterable[Triplet]) -> int:
    """Write triplets as JSON lines that `read_triplets` reads, whole or not at all; return how many.

    A row's negatives are `negative`, or `negative_1`, `negative_2` and so on where any row has several.
    """
    rows = list(triplets)
    several = any(len(row.negatives) > 1 for row in rows)
    with replacing_file(path) as temporary, temporary.open("w", encoding="utf-8") as out:
        for row in rows:
            names = (f"negative_{number}" if several else "negative" for number in range(1, len(row.negatives) + 1))
            columns = {
                "anchor": row.anchor,
                "positive": row.positive,
                **dict(zip(names, row.negatives, strict=True)),
            }
            out.write(json.dumps(columns, ensure_ascii=False) + "\n")
    return len(rows)


def has_triplets(columns: Collection[str]) -> bool:
    """Tell whether these are the columns of triplets."""
    return bool(
        any(name in columns for name in ANCHOR_COLUMNS)
        and any(name in columns for name in POSITIVE_COLUMNS)
        and negative_columns(columns)
    )


def negative_columns(columns: Collection[str]) -> list[str]:
    """Return the columns of negatives: the plain names, then the numbered ones by their numbers."""
    numbered = [(int(match.group(1)), name) for name in columns if (match := _NUMBERED.fullmatch(name))]
    return [*(name for name in NEGATIVE_COLUMNS if name in columns), *(name for _, name in sorted(numbered))]


def texts_of(row: Row, column: str) -> list[str]:
    """Return the text of a cell, or the texts of its list; none for a blank cell."""
    value = row.columns[column]
    if isinstance(value, list):
        return [text_of(row, column, item) for item in value]
    if is_blank(value):
        return []
    if not isinstance(value, str):
        reason = f"the column {column!r} holds {describe(value)}, expected text; give every text a column of its own"
        raise RowError(row.where, f"{reason} (negative_1, negative_2), or write JSON lines")
    return [text_of(row, column, value)]


def _triplet(row: Row) -> Triplet:
    anchor = first_present(row, ANCHOR_COLUMNS, "anchor")
    positive = first_present(row, POSITIVE_COLUMNS, "positive")
    columns = negative_columns(row.columns) or [first_present(row, NEGATIVE_COLUMNS, "negative")]
    negatives = [text for column in columns for text in texts_of(row, column)]
    if not negatives:
        named = ", ".join(repr(column) for column in columns)
        raise RowError(row.where, f"no negative in {named}, expected one text or more")
    positives = texts_of(row, positive) or [""]
    if len(positives) > 1:
        reason = f"the column {positive!r} holds {len(positives)} texts, expected one; write a row for each"
        raise RowError(row.where, reason)
    return Triplet(text_of(row, anchor, row.columns[anchor]), text_of(row, positive, positives[0]), tuple(negatives))
