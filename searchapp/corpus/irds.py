"""Data sets of the ir_datasets library, as `irds:NAME`; the one door to it."""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchapp.corpus.columns import default_template, listed, no_such
from searchapp.corpus.corpus import Corpus
from searchapp.corpus.formats import Reading
from searchapp.corpus.options import ReadOptions
from searchapp.corpus.recipe import Recipe
from searchapp.corpus.rows import BadRows, Row
from searchapp.corpus.sources import Source
from searchapp.corpus.template import Template
from searchapp.errors import InputError, RowError, UsageError
from searchapp.optional import require
from searchapp.records import Qrel, Query

PREFIX = "irds:"
TEXT = "default_text"
"""The column that holds what the library itself takes for the text of a document or query."""

_ID = {"docs": "doc_id", "queries": "query_id"}
_LISTED = 8


def is_irds(path: str | Path | None) -> bool:
    """Tell whether a path names a data set of ir_datasets."""
    return str(path).startswith(PREFIX)


@dataclass(frozen=True, slots=True)
class Collection:
    """A data set of the library; make one with `open_collection`."""

    name: str
    source: Source
    """What messages call it."""
    library_set: Any
    """The library's own object."""

    def corpus(self, options: ReadOptions) -> Corpus:
        """Return the documents as a corpus, read as a stream each time.

        Without a template the text is the document's own `default_text()`, or else its title and text. Raises
        UsageError for options that don't go with it, InputError for a column that is not there.
        """
        _check_options(self.source.name, options)
        columns = _columns(self.library_set.docs_cls())
        for option, names in (("--text", _named(options)), ("--store", options.store or ())):
            for name in names:
                if name not in columns:
                    raise InputError(f"{self.source.name} has {no_such(name, columns, option)}")
        recipe = Recipe(_ID["docs"], self._template("docs", options), options.store, lenient=True)
        # What is stored for display holds the text once.
        is_bare = options.text is None and options.store is None
        leave_out = ("text",) if is_bare and recipe.template.columns == (TEXT,) else ()

        def read(_: Source) -> Iterator[Row | RowError]:
            return self._rows("docs", leave_out=leave_out)

        return Corpus(Reading(self.name, "irds", (self.source,), read), recipe, options)

    def queries(self, bad_rows: BadRows) -> Iterator[Query]:
        """Yield the queries; one without text, or with an id that is there twice, goes to `bad_rows`."""
        recipe = Recipe(_ID["queries"], self._template("queries", ReadOptions()), lenient=True)
        seen: set[str] = set()
        for row in self._rows("queries"):
            try:
                document = recipe.document(row)
                if document.doc_id in seen:
                    raise RowError(row.where, f"the query id {document.doc_id!r} is there already; expected it once")
            except RowError as error:
                bad_rows.refuse(error)
                continue
            seen.add(document.doc_id)
            text = document.text
            fields = {name: value for name, value in document.fields.items() if str(value).strip() != text}
            yield Query(document.doc_id, text, fields)

    def judgments(self, bad_rows: BadRows) -> Iterator[tuple[int, Qrel]]:
        """Yield the judgments with their numbers from 1; a grade that is no whole number goes to `bad_rows`."""
        for number, qrel in enumerate(self._items("qrels"), 1):
            grade = qrel.relevance
            if isinstance(grade, int):
                yield number, Qrel(str(qrel.query_id), str(qrel.doc_id), int(grade))
            else:
                bad_rows.refuse(
                    RowError(self.source.at(number), f"the grade is {grade!r}, expected a whole number such as 0 or 1")
                )

    def _template(self, what: str, options: ReadOptions) -> Template:
        if options.text is not None:
            return Template.parse(options.text)
        kind = self._class(what)
        if hasattr(kind, "default_text"):
            return Template.join("", (TEXT,))
        template = default_template([name for name in kind._fields if name != _ID[what]])
        if template is None:
            raise InputError(
                f"{self.source.name} doesn't say what the text of its {what} is, with {listed(kind._fields)};"
                " name another data set" + (", or type --text '{COLUMN}'" if what == "docs" else "")
            )
        return template

    def _class(self, what: str) -> Any:
        return getattr(self.library_set, f"{what}_cls")()

    def _rows(self, what: str, *, leave_out: tuple[str, ...] = ()) -> Iterator[Row]:
        for number, item in enumerate(self._items(what), 1):
            fields = {name: value for name, value in item._asdict().items() if name not in leave_out}
            if hasattr(item, "default_text"):
                fields[TEXT] = item.default_text()
            yield Row(self.source, number, fields)

    def _items(self, what: str) -> Iterator[Any]:
        """Yield the library's own records. Raises InputError for whatever stops it, mostly a download that fails."""
        try:
            yield from getattr(self.library_set, f"{what}_iter")()
        except Exception as error:
            raise self._failed(what, error) from error

    def _failed(self, what: str, error: Exception) -> InputError:
        return InputError(
            f"{self.source.name}: ir_datasets can't read its {what} ({_one_line(error)}); it downloads them the first"
            " time, so this needs the network, or the files where https://ir-datasets.com says"
        )


def open_collection(path: str) -> Collection:
    """Open `irds:NAME`.

    Raises MissingExtraError where the library is not installed, InputError where it has no such data set, or one
    without documents, queries or judgments.
    """
    library = require("ir_datasets", extra="datasets")
    name = path.removeprefix(PREFIX)
    try:
        found = library.load(name)
    except KeyError:
        near = difflib.get_close_matches(name, list(library.registry), n=3)
        advice = (
            f"perhaps {' or '.join(PREFIX + one for one in near)}" if near else "https://ir-datasets.com lists them"
        )
        raise InputError(f"ir_datasets has no data set {name!r}; {advice}") from None
    missing = [what for what in ("docs", "queries", "qrels") if not found.has(what)]
    if missing:
        below = [
            PREFIX + one for one in library.registry if one.startswith(f"{name}/") and library.load(one).has_qrels()
        ]
        shown = ", ".join(below[:_LISTED]) + (", ..." if len(below) > _LISTED else "")
        advice = f"name one of its parts: {shown}" if below else "name another one of https://ir-datasets.com"
        raise InputError(
            f"{path} has no {' and no '.join(missing)}, and judging takes docs, queries and qrels; {advice}"
        )
    return Collection(name, Source(Path(path), path), found)


def _check_options(name: str, options: ReadOptions) -> None:
    if options.format not in ("auto", "irds"):
        raise UsageError(f"--format {options.format} doesn't go with {name}; leave it out")
    if options.locale or options.version:
        raise UsageError(f"--locale and --version go with ESCI folders, and {name} is none; leave them out")
    if options.id_column:
        raise UsageError(f"--id {options.id_column} doesn't go with {name}, whose ids are doc_id; leave it out")


def _columns(kind: Any) -> list[str]:
    return [*kind._fields, *([TEXT] if hasattr(kind, "default_text") else [])]


def _named(options: ReadOptions) -> tuple[str, ...]:
    return () if options.text is None else Template.parse(options.text).columns


def _one_line(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 300 else f"{text[:300]}..."
