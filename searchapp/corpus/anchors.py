"""Rows to train on: an anchor, what belongs to it, and hard negatives where there are any."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from searchapp.corpus.columns import listed, nearest
from searchapp.corpus.examples import at_least_one, collect, read_rows, text_of
from searchapp.corpus.pairs import SENTENCE1_COLUMNS, SENTENCE2_COLUMNS, has_pairs, is_stsb
from searchapp.corpus.recipe import cell_text, check_text
from searchapp.corpus.rows import BadRows, Row
from searchapp.corpus.sources import Source, list_sources
from searchapp.corpus.template import Template
from searchapp.corpus.triplets import ANCHOR_COLUMNS, POSITIVE_COLUMNS, negative_columns, texts_of
from searchapp.errors import InputError, RowError
from searchapp.records import Triplet

FIRST_COLUMNS = (*ANCHOR_COLUMNS, "question", *SENTENCE1_COLUMNS)
SECOND_COLUMNS = (*POSITIVE_COLUMNS, "answer", "passage", "document", *SENTENCE2_COLUMNS)
"""Names of the columns of an anchor and of what belongs to it; the first that is there is taken."""

_WHAT = "pairs or triplets"
_Texts = Callable[[Row], list[str]]


@dataclass(frozen=True, slots=True)
class AnchorColumns:
    """Templates over columns, as `--text` takes them; None takes the columns by their names."""

    anchor: Template | None = None
    positive: Template | None = None
    negative: Template | None = None

    @property
    def names_pairs(self) -> bool:
        """Tell whether they say what belongs to what."""
        return self.anchor is not None and self.positive is not None


def read_anchors(
    path: str | Path, columns: AnchorColumns = AnchorColumns(), bad_rows: BadRows | None = None
) -> Iterator[Triplet]:
    """Yield the rows of one file, of the files of a folder or of a glob, in order; `negatives` may be empty.

    The columns are those of `read_triplets`, none of the negatives' has to be there, and an anchor may also be called
    `question` or `sentence1`, what belongs to it `answer`, `passage`, `document` or `sentence2`. A list of positives
    makes a row of each. Texts are stripped. A bad row goes to `bad_rows`, which raises by default: a missing column, a
    text that is empty or none. Raises InputError if there are no such rows, or scored pairs, unless templates say what
    belongs to what.
    """
    refused = bad_rows or BadRows()
    sources = list_sources(path)
    rows = (row for source in sources for row in _rows(source, columns))
    found = (row for several in collect(rows, lambda row: _several(row, columns), refused) for row in several)
    return at_least_one(found, sources[0].name, _WHAT, refused)


def _rows(source: Source, columns: AnchorColumns) -> Iterator[Row | RowError]:
    if is_stsb(source):
        raise InputError(f"{source.name} is a file of the STS benchmark: {_scored(source.name)}")
    first = True
    for row in read_rows(source, _WHAT):
        if first and isinstance(row, Row):
            if has_pairs(row.columns) and not columns.names_pairs:
                raise InputError(f"{source.name} holds scored pairs: {_scored(source.name)}")
            first = False
        yield row


def _scored(name: str) -> str:
    return (
        "they are judged on, and trained on are texts that belong together; name pairs or triplets (anchor, positive,"
        f" negative), or judge on it with --eval {name}"
    )


def _several(row: Row, columns: AnchorColumns) -> tuple[Triplet, ...]:
    anchors = _cells(row, columns.anchor, FIRST_COLUMNS, "anchor")
    positives = _cells(row, columns.positive, SECOND_COLUMNS, "positive")
    if columns.negative is not None:
        negatives = _rendered(row, columns.negative, "negative")
    else:
        negatives = [text for name in negative_columns(row.columns) for text in texts_of(row, name)]
    if len(anchors) > 1:
        raise RowError(row.where, f"the anchor is {len(anchors)} texts, expected one; write a row for each")
    return tuple(Triplet(anchors[0], positive, tuple(negatives)) for positive in positives)


def _cells(row: Row, template: Template | None, names: tuple[str, ...], what: str) -> list[str]:
    """Return the texts of a column, or the one text of a template, none of them empty."""
    if template is None:
        column = next((name for name in names if name in row.columns), None)
        if column is None:
            raise RowError(row.where, _lacking(list(row.columns), names, what))
        return texts_of(row, column) or [text_of(row, column, "")]
    found = _rendered(row, template, what)
    if not found:
        raise RowError(row.where, f"the {what} {template.source!r} is empty, expected some text")
    return found


def _lacking(columns: list[str], names: tuple[str, ...], what: str) -> str:
    return (
        f"no {what} column ({', '.join(names)}) among {listed(columns)}; rename one, or say which it is: --set"
        f" data.{what}='{{{columns[0] if columns else 'COLUMN'}}}'"
    )


def _rendered(row: Row, template: Template, what: str) -> list[str]:
    """Return the text of a template, or none where all its cells are blank."""
    for name in template.columns:
        if name not in row.columns:
            near = nearest(name, row.columns)
            advice = f"perhaps {{{near}}}" if near else "name one of them"
            reason = f"the {what} {template.source!r} names {name!r}, and there are {listed(list(row.columns))}"
            raise RowError(row.where, f"{reason}; {advice}")
    text = template.render({name: cell_text(row, name) for name in template.columns})
    check_text(row, f"the {what}", text)
    return [text] if text else []
