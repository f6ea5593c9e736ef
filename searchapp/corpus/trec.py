"""TREC files: `<DOC>` collections and `<top>` topics, as a stream of blocks between tags."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from searchapp.corpus.lines import MAX_LINE, Line, read_lines
from searchapp.corpus.rows import Row
from searchapp.corpus.sources import Source
from searchapp.errors import RowError

DOC_ID = "docno"
TEXT = "{text}"

# None of these can be made to run back and forth by a hostile file: they stop at the next "<".
_TAG = re.compile(r"<[!/]?[A-Za-z-][^<>]*>")
_OUTSIDE = re.compile(r"<[^<>]*>")
_DOCNO = re.compile(r"<DOCNO>([^<]*)</DOCNO>", re.IGNORECASE)
_NUM = re.compile(r"<num>\s*(?:Number\s*:)?\s*([^<]*)", re.IGNORECASE)
_TITLE = re.compile(r"<title>\s*(?:Topic\s*:)?(.*?)(?=</?[A-Za-z][^<>]*>|$)", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Block:
    number: int
    text: str


class _Blocks:
    """Cuts lines into what stands between an opening and a closing tag."""

    def __init__(self, source: Source, tag: str) -> None:
        self._source = source
        self._tag = tag
        self._marker = re.compile(rf"<(/?){tag}(?:\s[^<>]*)?>", re.IGNORECASE)
        self._start = 0  # line of the open block, 0 outside
        self._parts: list[str] = []
        self._size = 0
        self._bad: RowError | None = None  # what is wrong with the open block
        self._line_bad: RowError | None = None  # what is wrong with the present line

    def feed(self, line: Line) -> Iterator[_Block | RowError]:
        """Take a line and yield the blocks that end in it, and what is wrong with them."""
        self._line_bad = RowError(self._source.at(line.number), line.problem) if line.problem else None
        self._bad = self._bad or self._line_bad
        position = 0
        for match in self._marker.finditer(line.text):
            yield from self._take(line, line.text[position : match.start()])
            yield from self._close(line.number) if match.group(1) else self._open(line.number)
            position = match.end()
        if self._line_bad and not self._start and not position:
            yield self._line_bad
        yield from self._take(line, line.text[position:])

    def finish(self) -> Iterator[RowError]:
        """Yield the error for a block still open at the end of the file."""
        if self._start:
            yield self._unclosed("before the end of the file")

    def _take(self, line: Line, text: str) -> Iterator[RowError]:
        if self._start:
            self._size += len(text)
            if self._size <= MAX_LINE:
                self._parts.append(text)
        elif not line.problem and (stray := _OUTSIDE.sub("", text).strip()):
            where = self._source.at(line.number)
            yield RowError(where, f"text outside <{self._tag}>: {stray[:40]!r}; expected <{self._tag}> first")

    def _open(self, number: int) -> Iterator[RowError]:
        if self._start:
            yield self._unclosed(f"before the next one in line {number}")
        self._start, self._parts, self._size, self._bad = number, [], 0, self._line_bad

    def _close(self, number: int) -> Iterator[_Block | RowError]:
        if not self._start:
            yield RowError(self._source.at(number), f"</{self._tag}> without <{self._tag}>; remove it, or open it")
        elif self._bad is not None:
            yield self._bad
        elif self._size > MAX_LINE:
            reason = f"<{self._tag}> of {self._size:,} characters, expected at most {MAX_LINE:,}; split it"
            yield RowError(self._source.at(self._start), reason)
        else:
            yield _Block(self._start, "".join(self._parts))
        self._start, self._parts, self._bad = 0, [], None

    def _unclosed(self, until: str) -> RowError:
        reason = f"<{self._tag}> is not closed {until}; write </{self._tag}> where it ends"
        return RowError(self._source.at(self._start), reason)


def read_docs(source: Source) -> Iterator[Row | RowError]:
    """Yield a row (`docno`, `text`) for every <DOC>; its number is the line of the opening tag.

    The text is everything in the document but the DOCNO, without tags; entities are left as they are.
    """
    for block in _read_blocks(source, "DOC"):
        yield block if isinstance(block, RowError) else _document(source, block)


def read_topics(source: Source) -> Iterator[Row | RowError]:
    """Yield a row (`query_id`, `text`) for every <top>: its number and its title.

    Tags may be closed or not, and `Number:` and `Topic:` may stand before the values, as in the old ones.
    """
    for block in _read_blocks(source, "top"):
        yield block if isinstance(block, RowError) else _topic(source, block)


def _read_blocks(source: Source, tag: str) -> Iterator[_Block | RowError]:
    blocks = _Blocks(source, tag)
    for line in read_lines(source):
        yield from blocks.feed(line)
    yield from blocks.finish()


def _document(source: Source, block: _Block) -> Row | RowError:
    ids: list[str] = _DOCNO.findall(block.text)
    if len(ids) != 1:
        reason = f"<DOC> with {len(ids)} of <DOCNO>...</DOCNO>, expected one; write the id there"
        return RowError(source.at(block.number), reason)
    text = _TAG.sub(" ", _DOCNO.sub(" ", block.text)).strip()
    return Row(source, block.number, {DOC_ID: ids[0].strip(), "text": text})


def _topic(source: Source, block: _Block) -> Row | RowError:
    number = _NUM.search(block.text)
    title = _TITLE.search(block.text)
    if number is None or title is None:
        missing = "<num>" if number is None else "<title>"
        return RowError(source.at(block.number), f"<top> without {missing}; write the topic's there")
    text = " ".join(title.group(1).split())
    return Row(source, block.number, {"query_id": number.group(1).strip(), "text": text})
