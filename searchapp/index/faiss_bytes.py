"""A cursor over a FAISS file that is not trusted: nothing is read, and no length believed, beyond the file's end."""

import mmap
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

DEEPEST = 6
"""An index within an index within an index ...: a rotation of refined lists with a graph over their centres is 4."""


class OddFileError(Exception):
    """The bytes are not those of an index that may be opened; the text says what is wrong with them."""


class Cursor:
    """Walks over the bytes of one file. Little-endian throughout, as FAISS writes."""

    def __init__(self, raw: mmap.mmap | bytes) -> None:
        self._raw = raw
        self._at = 0
        self._depth = 0
        self.tags: list[str] = []
        """The four-letter names of everything met so far."""

    @property
    def left(self) -> int:
        """Return how many bytes there are ahead."""
        return len(self._raw) - self._at

    def skip(self, size: int) -> int:
        """Step over so many bytes; return where they begin."""
        if not 0 <= size <= self.left:
            raise OddFileError(f"it claims {size:,} bytes more at byte {self._at:,} of {len(self._raw):,}")
        start = self._at
        self._at += size
        return start

    def tag(self) -> str:
        """Return the four letters that say what follows."""
        start = self.skip(4)
        tag = self._raw[start : start + 4].decode("latin-1")
        self.tags.append(tag)
        return tag

    def int32(self) -> int:
        """Return a number of four bytes."""
        value: int = struct.unpack_from("<i", self._raw, self.skip(4))[0]
        return value

    def int64(self) -> int:
        """Return a number of eight bytes."""
        value: int = struct.unpack_from("<q", self._raw, self.skip(8))[0]
        return value

    def real(self) -> float:
        """Return a float of four bytes."""
        value: float = struct.unpack_from("<f", self._raw, self.skip(4))[0]
        return value

    def byte(self, most: int = 1) -> int:
        """Return one byte, at most `most`: a truth value unless more is allowed."""
        value = self._raw[self.skip(1)]
        if value > most:
            raise OddFileError(f"byte {self._at - 1:,} is {value}, at most {most} was expected")
        return value

    def vector(self, item: int) -> int:
        """Step over a counted array of items of so many bytes; return the count."""
        count = self.int64()
        self.skip(count * item)
        return count

    def numbers(self, dtype: type[np.int32] | type[np.int64]) -> npt.NDArray[np.int32 | np.int64]:
        """Return a counted array, as it lies in the file."""
        start = self._at + 8
        count = self.vector(np.dtype(dtype).itemsize)
        return np.frombuffer(self._raw, dtype, count, start)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        """Enter what lies inside; refuse endless nesting."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise OddFileError(f"indexes are nested more than {DEEPEST} deep")
        yield
        self._depth -= 1


def expect(what: str, found: int, expected: int) -> None:
    """Raise OddFileError unless the two are equal."""
    if found != expected:
        raise OddFileError(f"{what} is {found:,} where {expected:,} was expected")


def within(what: str, found: int, least: int, most: int) -> int:
    """Return `found`; raise OddFileError unless it lies between the two."""
    if not least <= found <= most:
        raise OddFileError(f"{what} is {found:,}, expected {least:,} to {most:,}")
    return found


def rounded_up(count: int, step: int) -> int:
    """Return the multiple of `step` that holds `count`.

    >>> rounded_up(33, 32), rounded_up(0, 32)
    (64, 0)
    """
    return -(-count // step) * step
