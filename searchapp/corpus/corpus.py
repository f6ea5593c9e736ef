"""A corpus: documents as a stream, checked as they go by."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from searchapp.corpus.columns import default_id, default_template, no_id, no_such, no_text
from searchapp.corpus.fingerprint import Fingerprint
from searchapp.corpus.formats import Reading, plan_reading
from searchapp.corpus.options import DEFAULTS, ReadOptions
from searchapp.corpus.recipe import Recipe
from searchapp.corpus.rows import SKIP_ADVICE, BadRows, Row, Skipped
from searchapp.corpus.seen import SeenIds
from searchapp.corpus.template import Template
from searchapp.errors import InputError, RowError
from searchapp.records import Document

PEEK = 1000
"""How many rows are looked at to find out which columns there are."""

_WINDOW = 8192
_WINDOW_CHARACTERS = 16 << 20
_LINE_BITS = 40
_TICK = 1000

_Checked = tuple[int, Document | RowError]


@dataclass(frozen=True, slots=True)
class CorpusSurvey:
    """What one pass over a corpus found. `fingerprint` is a sha256 in hex over ids, texts and stored fields."""

    count: int
    skipped: Skipped
    fingerprint: str
    text_template: str


class Corpus:
    """Documents that are read anew each time, never held together; make one with `open_corpus`.

    `text_template` is the template as applied, for the contract of an index.
    """

    def __init__(self, reading: Reading, recipe: Recipe, options: ReadOptions) -> None:
        self.name = reading.name
        self.format = reading.format
        self.text_template = recipe.template.source
        self._reading = reading
        self._recipe = recipe
        self._options = options
        self._bad_rows = BadRows()

    @property
    def skipped(self) -> Skipped:
        """Rows that the last pass has left out so far."""
        return self._bad_rows.skipped

    def documents(self) -> Iterator[Document]:
        """Yield the documents in the order of the files, in a fresh pass that checks every one.

        Memory: a window of up to 8,192 documents, and 16 bytes an id to notice one that is there twice.
        Raises RowError at the first bad row unless bad rows are skipped, and InputError for a file that can't
        be read on.
        """
        bad_rows = BadRows(self._options.on_bad_row, advice=SKIP_ADVICE)
        self._bad_rows = bad_rows
        seen = SeenIds()
        for window, broken in _windows(self._built()):
            good = [(place, item) for place, item in window if isinstance(item, Document)]
            known = seen.add([item.doc_id for _, item in good], [place for place, _ in good])
            position = 0
            for _, item in window:
                if isinstance(item, RowError):
                    bad_rows.refuse(item)
                    continue
                if position in known:
                    bad_rows.refuse(self._repeated(item, known[position]))
                else:
                    yield item
                position += 1
            if broken is not None:
                raise broken

    def survey(self, progress: Callable[[int], None] | None = None) -> CorpusSurvey:
        """Read and check the whole corpus once, and sum it up.

        `progress` is called with the number of documents read so far, now and then and at the end. Raises
        what `documents` raises, and InputError where there is no document.
        """
        fingerprint = Fingerprint()
        count = 0
        for document in self.documents():
            fingerprint.add(document)
            count += 1
            if progress is not None and count % _TICK == 0:
                progress(count)
        skipped = self.skipped
        if not count:
            raise InputError(_empty(self._reading, skipped))
        if progress is not None:
            progress(count)
        return CorpusSurvey(count, skipped, fingerprint.hexdigest(), self.text_template)

    def _built(self) -> Iterator[_Checked]:
        for index, source in enumerate(self._reading.sources):
            for row in self._reading.read(source):
                if isinstance(row, RowError):
                    yield 0, row
                    continue
                try:
                    yield index << _LINE_BITS | row.number, self._recipe.document(row)
                except RowError as error:
                    yield 0, error

    def _repeated(self, document: Document, place: int) -> RowError:
        first = self._reading.sources[place >> _LINE_BITS].at(place & (1 << _LINE_BITS) - 1)
        return RowError(
            document.where, f"the id {document.doc_id!r} is in {first} already; expected every id once, so rename one"
        )


def open_corpus(path: str | Path, options: ReadOptions = DEFAULTS) -> Corpus:
    """Open a file, a folder, a glob, or `-` for standard input as JSON lines.

    Looks at the first rows for the columns of the id and the text. Raises InputError where there is nothing
    to read or a column is missing, and UsageError for options that don't go with the format.
    """
    template = Template.parse(options.text) if options.text is not None else None
    reading = plan_reading(path, options)
    return Corpus(reading, _recipe(reading, template, options), options)


def _recipe(reading: Reading, template: Template | None, options: ReadOptions) -> Recipe:
    columns, first = _peek(reading, options)
    id_column = options.id_column or reading.id_column or default_id(columns)
    if id_column is None:
        raise RowError(first, no_id(columns))
    if id_column not in columns:
        raise RowError(first, no_such(id_column, columns, "--id"))
    for name in options.store or ():
        if name not in columns:
            raise RowError(first, no_such(name, columns, "--store"))
    if template is not None:
        for name in template.columns:
            if name not in columns:
                raise RowError(first, no_such(name, columns, "--text"))
        return Recipe(id_column, template, options.store)
    if reading.text is not None:
        return Recipe(id_column, Template.parse(reading.text), options.store, lenient=True)
    template = default_template([name for name in columns if name != id_column])
    if template is None:
        raise RowError(first, no_text(columns, id_column))
    watched = frozenset({"title", "text"} - set(template.columns))
    return Recipe(id_column, template, options.store, lenient=True, watched=watched)


def _peek(reading: Reading, options: ReadOptions) -> tuple[list[str], str]:
    """Return the columns of the first good rows, and the place of the first.

    Raises InputError if there is none. What is wrong further on is told by the pass that comes to it.
    """
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    columns: dict[str, None] = {}
    first = ""
    good = 0
    try:
        for row in _rows(reading):
            if isinstance(row, RowError):
                bad_rows.refuse(row)
                continue
            first = first or row.where
            columns.update(dict.fromkeys(row.columns))
            good += 1
            if good == PEEK:
                break
    except InputError:
        if not first:
            raise
    if not first:
        raise InputError(_empty(reading, bad_rows.skipped))
    return list(columns), first


def _rows(reading: Reading) -> Iterator[Row | RowError]:
    for source in reading.sources:
        yield from reading.read(source)


def _empty(reading: Reading, skipped: Skipped) -> str:
    more = len(reading.sources) - 1
    name = reading.sources[0].name + (f" (and {more} more)" if more else "")
    if not skipped.count:
        return f"{name} holds no documents; expected at least one"
    where, reason = skipped.rows[0]
    return f"{name} holds no good row; of {skipped.count:,} bad ones the first is {where}: {reason}"


def _windows(items: Iterator[_Checked]) -> Iterator[tuple[list[_Checked], InputError | None]]:
    """Cut a stream into windows; what breaks it comes with the last one, so that order is kept."""
    window: list[_Checked] = []
    size = 0
    try:
        for item in items:
            window.append(item)
            size += len(item[1].text) if isinstance(item[1], Document) else 0
            if len(window) == _WINDOW or size > _WINDOW_CHARACTERS:
                yield window, None
                window, size = [], 0
    except InputError as error:
        yield window, error
        return
    yield window, None
