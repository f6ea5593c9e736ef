"""Bytes become lines of text, each with its number and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from searchapp.corpus.compression import DECODE_ERRORS, damaged, open_bytes
from searchapp.corpus.sources import Source
from searchapp.errors import InputError

MAX_LINE = 8 << 20
"""The longest line that is read, in bytes; a longer one is no text of a document."""

_CHUNK = 1 << 16
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Line:
    """One line with its ending. Where `problem` is not empty, `text` is a stand-in with the same quotes."""

    number: int
    text: str
    problem: str = ""


def read_lines(source: Source) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file; a byte order mark at its start is dropped.

    A line that is not UTF-8, holds a NUL byte or is longer than MAX_LINE (never held whole) comes with its
    `problem`. Raises InputError with path:line where the compressed data breaks off, and for UTF-16.
    """
    number = 0
    with open_bytes(source) as stream:
        while True:
            number += 1
            try:
                raw = stream.readline(MAX_LINE + 1)
                if number == 1:
                    raw = _without_mark(source, raw)
                if not raw:
                    return
                if len(raw) > MAX_LINE and not raw.endswith(b"\n"):
                    line = _too_long(number, raw, stream)
                else:
                    line = _decoded(number, raw)
            except DECODE_ERRORS as error:
                raise damaged(source.at(number), error) from None
            yield line


def _without_mark(source: Source, raw: bytes) -> bytes:
    if raw.startswith(_UTF16_MARKS):
        raise InputError(
            f"{source.at(1)}: this is UTF-16, expected UTF-8; convert the file: iconv -f UTF-16 -t UTF-8 IN > OUT"
        )
    # A file that holds nothing but the mark is empty; a marked first line never is.
    return raw.removeprefix(_UTF8_MARK)


def _decoded(number: int, raw: bytes) -> Line:
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        problem = (
            f"byte 0x{raw[error.start]:02x} at position {error.start + 1} is not UTF-8;"
            " if the file is Latin-1, convert it: iconv -f LATIN1 -t UTF-8 IN > OUT"
        )
        return Line(number, raw.decode("utf-8", "replace").replace("\0", "\ufffd"), problem)
    if "\0" in text:
        problem = f"a NUL byte at position {raw.index(0) + 1}; expected text, so remove it: tr -d '\\000'"
        return Line(number, text.replace("\0", "\ufffd"), problem)
    return Line(number, text)


def _too_long(number: int, raw: bytes, stream: BinaryIO) -> Line:
    """Read to the end of the line and keep only its length and whether it leaves a quote open."""
    length = len(raw)
    quotes = raw.count(b'"')
    while not raw.endswith(b"\n") and (raw := stream.readline(_CHUNK)):
        length += len(raw)
        quotes += raw.count(b'"')
    problem = f"a line of {length:,} bytes, expected at most {MAX_LINE:,}; cut the text, or split it into documents"
    return Line(number, '"' * (quotes % 2) + "\n", problem)
