"""CSV and TSV with a header line."""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence

from searchapp.corpus.lines import MAX_LINE, read_lines
from searchapp.corpus.rows import Row
from searchapp.corpus.sources import Source
from searchapp.errors import InputError, RowError

_NAMES = {",": "CSV", "\t": "TSV"}


class _Feed:
    """Hands lines to the csv module, and remembers where the present record began and what is wrong with it.

    It outlives an error, unlike a generator, so that reading goes on with the next record.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lines = read_lines(source)
        self._size = 0
        self.start = 0
        self.bad: RowError | None = None

    def begin(self) -> None:
        """Forget the record before."""
        self._size = 0
        self.start = 0
        self.bad = None

    def __iter__(self) -> "_Feed":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.start = self.start or line.number
        if line.problem and self.bad is None:
            self.bad = RowError(self._source.at(line.number), line.problem)
        self._size += len(line.text)
        if self._size > MAX_LINE:
            raise _never_closed(self._source, self.start)
        return line.text


def read_csv(source: Source) -> Iterator[Row | RowError]:
    """Yield the rows of comma separated values; see `_rows`."""
    return _rows(source, ",")


def read_tsv(source: Source) -> Iterator[Row | RowError]:
    """Yield the rows of tab separated values; see `_rows`."""
    return _rows(source, "\t")


def _rows(source: Source, delimiter: str) -> Iterator[Row | RowError]:
    r"""Yield a row for every record below the header; a bad one is yielded as its RowError.

    A row's number is the line its record starts on. Quoting is that of RFC 4180. Raises InputError where the
    header can't be used or a quote is never closed: what follows it can't be told apart.
    """
    header: list[str] | None = None
    for number, found in _records(source, delimiter):
        if header is None:
            header = _checked_header(source, number, found)
        elif isinstance(found, RowError):
            yield found
        elif len(found) != len(header):
            yield RowError(source.at(number), _miscounted(found, header, delimiter))
        else:
            yield Row(source, number, dict(zip(header, found, strict=True)))


def _records(source: Source, delimiter: str) -> Iterator[tuple[int, list[str] | RowError]]:
    # The limit belongs to the whole process and is only ever raised; _Feed bounds a record's size.
    csv.field_size_limit(max(csv.field_size_limit(), 2 * MAX_LINE))
    feed = _Feed(source)
    reader = csv.reader(feed, delimiter=delimiter, strict=True)
    while True:
        feed.begin()
        found: list[str] | RowError
        try:
            found = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            if "unexpected end" in str(error):
                raise _never_closed(source, feed.start) from None
            found = RowError(
                source.at(feed.start),
                f'no {_NAMES[delimiter]}: {error}; quote a cell that holds quotes, and double them: "5"" pipe"',
            )
        if feed.bad is not None:
            found = feed.bad
        if found:
            yield feed.start, found


def _checked_header(source: Source, number: int, found: list[str] | RowError) -> list[str]:
    if isinstance(found, RowError):
        raise InputError(f"{found.where}: the header can't be read: {found.reason}")
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise InputError(f"{source.at(number)}: the header names {twice[0]!r} twice; rename one of the columns")
    return found


def _miscounted(found: Sequence[str], header: Sequence[str], delimiter: str) -> str:
    expected = f"expected {len(header)} as in the header ({', '.join(header[:20])})"
    return f"found {len(found)} cells, {expected}; quote a cell that holds a {'tab' if delimiter != ',' else 'comma'}"


def _never_closed(source: Source, start: int) -> InputError:
    return InputError(
        f"{source.at(start)}: a quote opened in the record that starts here is not closed within {MAX_LINE:,}"
        ' characters or by the end of the file; close it, or write a quote inside a quoted cell as ""'
    )
