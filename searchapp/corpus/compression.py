"""Compressed or not, a file is a stream of bytes."""

import gzip
import io
import zlib
from typing import BinaryIO, cast

import pyarrow as pa

from searchapp.corpus.sources import Source
from searchapp.errors import InputError

DECODE_ERRORS: tuple[type[Exception], ...] = (OSError, EOFError, zlib.error, pa.ArrowException)
"""What reading from an opened stream may raise: a bad disk, or compressed data that is damaged or cut short."""

_BUFFER = 1 << 18
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def open_bytes(source: Source) -> BinaryIO:
    """Open a plain, gzip or zstd file as a buffered stream of what it holds.

    The first bytes tell which it is, not the name. Raises InputError if the file can't be opened; damage
    further on raises one of DECODE_ERRORS when it is reached.
    """
    try:
        with source.path.open("rb") as handle:
            magic = handle.read(4)
        if magic[:2] == _GZIP:
            return cast(BinaryIO, gzip.open(source.path, "rb"))
        if magic == _ZSTD:
            raw = pa.CompressedInputStream(pa.OSFile(str(source.path)), "zstd")
            return io.BufferedReader(raw, _BUFFER)
        return source.path.open("rb", buffering=_BUFFER)
    except (OSError, ValueError) as error:
        raise InputError(f"{source.name} can't be opened ({error}); check the path and its permissions") from None


def damaged(where: str, error: Exception) -> InputError:
    """Make the error for a stream that broke off at `where` (a path, with the line where known)."""
    return InputError(
        f"{where}: the file breaks off here ({error}); it is cut short or damaged, so fetch or write it again"
    )
