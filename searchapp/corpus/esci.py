"""The ESCI shopping queries data set in its official files and columns."""

from collections.abc import Iterator
from pathlib import Path

from searchapp.corpus.delimited import read_csv
from searchapp.corpus.options import ReadOptions
from searchapp.corpus.parquet import Where, column_names, read_parquet
from searchapp.corpus.recipe import read_id
from searchapp.corpus.rows import BadRows, Row, describe
from searchapp.corpus.sources import Source, find
from searchapp.errors import InputError, RowError
from searchapp.records import Qrel, Query, Value

PRODUCTS = "shopping_queries_dataset_products.parquet"
EXAMPLES = "shopping_queries_dataset_examples.parquet"
SOURCES = "shopping_queries_dataset_sources.csv"
TEXT = "{product_title}, {product_brand}, {product_color}"
DOC_ID = "_id"
LABELS = ("I", "C", "S", "E")
"""The labels; a label's grade is its position."""

THRESHOLD = 3
"""The grade from which a product counts as relevant for binary measures: exact matches only."""

_SPELLINGS = {
    **{label.casefold(): grade for grade, label in enumerate(LABELS)},
    **{label: grade for grade, label in enumerate(("irrelevant", "complement", "substitute", "exact"))},
}
_PRODUCT = ("product_id", "product_locale")
_EXAMPLE = ("query", "query_id", "product_id", "product_locale", "esci_label", "split")


def is_esci(folder: Path) -> bool:
    """Tell whether the folder has the official products file."""
    return folder.is_dir() and find(folder, PRODUCTS) is not None


def products_file(folder: Path) -> Source:
    """Return the products of the folder. Raises InputError if they are not there."""
    return _required(folder, PRODUCTS)


def read_products(source: Source, locale: str | None) -> Iterator[Row | RowError]:
    """Yield a row for every product (of the locale), its id `locale:product_id` in the column `_id`.

    Raises InputError where a column is missing, or where the locale has no product.
    """
    _require_columns(source, _PRODUCT)
    where = None if locale is None else Where("product_locale", locale)
    empty = True
    for row in read_parquet(source, where=where):
        empty = False
        try:
            yield Row(source, row.number, {DOC_ID: _product(row), **row.columns})
        except RowError as error:
            yield error
    if empty and locale is not None:
        there = {str(row.columns["product_locale"]) for row in read_parquet(source, columns=["product_locale"])}
        raise InputError(
            f"{source.name} has no product of locale {locale!r}; type --locale with one of: {', '.join(sorted(there))}"
        )


class Examples:
    """The judgments of a split, read in one pass: queries by id, and their qrels."""

    def __init__(self, folder: Path, split: str, options: ReadOptions, bad_rows: BadRows) -> None:
        self.source = _required(folder, EXAMPLES)
        self.queries: dict[str, Query] = {}
        self._split = split
        self._options = options
        self._bad_rows = bad_rows
        self._sources = _read_sources(folder, bad_rows)

    def judgments(self) -> Iterator[tuple[int, Qrel]]:
        """Yield row number and judgment, and fill `queries` along the way.

        Raises InputError where the columns are not the official ones, or where nothing is left of the split.
        """
        version = f"{self._options.version}_version" if self._options.version else None
        needed = _EXAMPLE + ((version,) if version else ())
        _require_columns(self.source, needed)
        splits: set[str] = set()
        found = False
        for row in read_parquet(self.source, columns=needed):
            columns = row.columns
            if self._options.locale not in (None, columns["product_locale"]):
                continue
            if version and columns[version] != 1:
                continue
            splits.add(str(columns["split"]))
            if columns["split"] != self._split:
                continue
            found = True
            try:
                yield row.number, self._judgment(row)
            except RowError as error:
                self._bad_rows.refuse(error)
        if not found:
            raise InputError(self._nothing(splits))

    def _judgment(self, row: Row) -> Qrel:
        query_id = read_id(row, "query_id")
        text = row.columns["query"]
        if not isinstance(text, str) or not text.strip():
            raise RowError(row.where, f"the query is {describe(text) if text != '' else 'empty'}, expected text")
        qrel = Qrel(query_id, _product(row), _grade(row))
        fields: dict[str, Value] = {"locale": str(row.columns["product_locale"])}
        if query_id in self._sources:
            fields["source"] = self._sources[query_id]
        query = self.queries.setdefault(query_id, Query(query_id, text, fields))
        if (query.text, query.fields["locale"]) != (text, fields["locale"]):
            raise RowError(
                row.where,
                f"the query {query_id} is {text!r} in {fields['locale']} here and {query.text!r} in"
                f" {query.fields['locale']} before; expected one text and locale an id",
            )
        return qrel

    def _nothing(self, splits: set[str]) -> str:
        if splits:
            there = ", ".join(sorted(splits))
            return (
                f"{self.source.name} has no split {self._split!r}; type --split (to train: --set data.split=) with one"
                f" of: {there}"
            )
        chosen = f"--locale {self._options.locale} --version {self._options.version}"
        return f"{self.source.name} has no judgment under {chosen} (None is all); name others, or leave them out"


def _product(row: Row) -> str:
    return f"{read_id(row, 'product_locale')}:{read_id(row, 'product_id')}"


def _grade(row: Row) -> int:
    label = row.columns["esci_label"]
    grade = _SPELLINGS.get(label.strip().casefold()) if isinstance(label, str) else None
    if grade is None:
        found = repr(label) if isinstance(label, str) else describe(label)
        raise RowError(row.where, f"the label is {found}, expected E, S, C or I, or Exact, Substitute, ...")
    return grade


def _read_sources(folder: Path, bad_rows: BadRows) -> dict[str, str]:
    """Read where each query comes from (negations, parse_pattern, ...), if the folder says so."""
    source = find(folder, SOURCES)
    if source is None:
        return {}
    kept: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in read_csv(source):
        try:
            if isinstance(row, RowError):
                raise row
            query_id, value = read_id(row, "query_id"), read_id(row, "source")
            if query_id in kept:
                first = source.at(lines[query_id])
                raise RowError(row.where, f"the source of query {query_id} is in {first} already; keep one of them")
            kept[query_id], lines[query_id] = value, row.number
        except RowError as error:
            bad_rows.refuse(error)
    return kept


def _require_columns(source: Source, needed: tuple[str, ...]) -> None:
    there = column_names(source)
    missing = [name for name in needed if name not in there]
    if missing:
        raise InputError(
            f"{source.name} has no column {', '.join(missing)}, expected the official ones; it has {', '.join(there)}"
        )


def _required(folder: Path, name: str) -> Source:
    source = find(folder, name)
    if source is None:
        raise InputError(f"{folder} has no {name}, which an ESCI folder holds; put the official file there")
    return source
