"""Scored pairs: two sentences and how alike people found them, from files with columns or of the STS benchmark."""

import math
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from searchapp.corpus.examples import at_least_one, collect, read_rows, text_of
from searchapp.corpus.formats import recognise
from searchapp.corpus.lines import Line, read_lines
from searchapp.corpus.recipe import first_present
from searchapp.corpus.rows import BadRows, Row, describe
from searchapp.corpus.sources import Source, list_sources
from searchapp.errors import RowError
from searchapp.records import ScoredPair

SENTENCE1_COLUMNS = ("sentence1", "sentence_1", "sentence_A", "text1")
SENTENCE2_COLUMNS = ("sentence2", "sentence_2", "sentence_B", "text2")
SCORE_COLUMNS = ("score", "similarity_score", "relatedness_score", "similarity", "label")

_STSB = ("genre", "file", "year", "id", "score", "sentence1", "sentence2")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def read_scored_pairs(path: str | Path, bad_rows: BadRows | None = None) -> Iterator[ScoredPair]:
    """Yield the pairs of one file, or of the files of a glob, in order.

    The columns are `sentence1`, `sentence2` and `score` (and a few other spellings); other columns are left alone. A
    file of the STS benchmark, whatever its ending, has no header and no quoting: genre, file, year, id, score and the
    two sentences with tabs between, sometimes sources behind. Texts are stripped. A bad row goes to `bad_rows`, which
    raises by default: a missing column, an empty text, a score that is no finite number. Raises InputError if the file
    holds no such rows.
    """
    refused = bad_rows or BadRows()
    sources = list_sources(path)
    rows = (row for source in sources for row in _rows(source))
    return at_least_one(collect(rows, _pair, refused), sources[0].name, "scored pairs", refused)


def has_pairs(columns: Collection[str]) -> bool:
    """Tell whether these are the columns of scored pairs."""
    wanted = (SENTENCE1_COLUMNS, SENTENCE2_COLUMNS, SCORE_COLUMNS)
    return all(any(name in columns for name in names) for names in wanted)


def is_stsb(source: Source) -> bool:
    """Tell by its first line whether a file is one of the STS benchmark."""
    if recognise(source) not in ("csv", "tsv", None):
        return False
    first = next(read_lines(source), None)
    cells = [] if first is None or first.problem else _cells(first)
    return len(cells) >= len(_STSB) and _NUMBER.fullmatch(cells[_STSB.index("score")]) is not None


def _rows(source: Source) -> Iterator[Row | RowError]:
    return _read_stsb(source) if is_stsb(source) else read_rows(source, "scored pairs")


def _read_stsb(source: Source) -> Iterator[Row | RowError]:
    for line in read_lines(source):
        cells = _cells(line)
        if line.problem:
            yield RowError(source.at(line.number), line.problem)
        elif len(cells) >= len(_STSB):
            yield Row(source, line.number, dict(zip(_STSB, cells, strict=False)))
        elif line.text.strip():
            reason = f"found {len(cells)} columns, expected at least {len(_STSB)} with tabs between: {', '.join(_STSB)}"
            yield RowError(source.at(line.number), reason)


def _cells(line: Line) -> list[str]:
    return line.text.rstrip("\r\n").split("\t")


def _pair(row: Row) -> ScoredPair:
    first = first_present(row, SENTENCE1_COLUMNS, "sentence1")
    second = first_present(row, SENTENCE2_COLUMNS, "sentence2")
    score = first_present(row, SCORE_COLUMNS, "score")
    return ScoredPair(
        text_of(row, first, row.columns[first]), text_of(row, second, row.columns[second]), _score(row, score)
    )


def _score(row: Row, column: str) -> float:
    value = row.columns[column]
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_finite(value):
        return float(value)
    found = repr(value[:40]) if isinstance(value, str) else value if isinstance(value, float) else describe(value)
    raise RowError(row.where, f"the score in {column!r} is {found}, expected a finite number such as 3.5")


def _is_finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False
