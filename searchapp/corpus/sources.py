"""Where the bytes lie: a file, a folder of files, a glob, or standard input."""

import contextlib
import difflib
import glob
import os
import re
import shutil
import stat
import sys
import tempfile
import weakref
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from searchapp.errors import InputError, UsageError

STDIN = "-"


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read. `name` is what messages call it; `keeper` keeps a temporary copy alive."""

    path: Path
    name: str
    keeper: object = field(default=None, compare=False, repr=False)

    def at(self, number: int) -> str:
        """Return the place of line or row `number`."""
        return f"{self.name}:{number}"

    def stem(self) -> str:
        """Return the name of the file without folders and endings ("products" of "a/products.jsonl.gz")."""
        return re.sub(r"(?<=.)\.(gz|zst|zstd)$", "", self.path.name, flags=re.IGNORECASE).rsplit(".", 1)[0]


class _Spooled:
    """A temporary copy of a stream that can be read only once; it goes when nobody refers to it any more."""

    def __init__(self, stream: BinaryIO) -> None:
        descriptor, name = tempfile.mkstemp(prefix="searchapp-", suffix=".spooled")
        self.path = Path(name)
        self._gone = weakref.finalize(self, self.path.unlink, missing_ok=True)
        with os.fdopen(descriptor, "wb") as handle:
            shutil.copyfileobj(stream, handle, 1 << 20)


def spool(stream: BinaryIO, *, name: str) -> Source:
    """Copy a stream to a temporary file, so that it can be read twice."""
    spooled = _Spooled(stream)
    return Source(spooled.path, name, spooled)


def open_stdin() -> Source:
    """Spool standard input."""
    return spool(sys.stdin.buffer, name="<stdin>")


def list_sources(path: str | Path) -> tuple[Source, ...]:
    """List the file, the files of the folder, or the files a glob names, sorted by name.

    In a folder, names that begin with a dot or an underscore are left out. Raises InputError where there is
    nothing, and UsageError for a malformed glob.
    """
    if str(path) == STDIN:
        return (open_stdin(),)
    place = Path(path)
    try:
        if place.is_dir():
            return _folder(place)
        if place.exists():
            return (_file(place),)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be opened ({error}); name a file, a folder or a glob") from None
    if re.search(r"[*?\[]", str(path)):
        return _glob(str(path))
    raise InputError(
        f"{path} does not exist{_neighbour(place)}; name a file, a folder, a glob, or - for standard input"
    )


def find(folder: Path, name: str) -> Source | None:
    """Return the file `name` of the folder, plain or compressed, or None. Raises InputError if there are two."""
    names = [name + ending for ending in ("", ".gz", ".zst", ".zstd")]
    there = [folder / candidate for candidate in names if (folder / candidate).is_file()]
    if len(there) > 1:
        raise InputError(f"{folder} holds {' and '.join(item.name for item in there)}; keep one of them")
    return Source(there[0], str(there[0])) if there else None


def _file(path: Path) -> Source:
    if stat.S_ISREG(path.stat().st_mode):
        return Source(path, str(path))
    with path.open("rb") as stream:
        return spool(stream, name=str(path))


def _folder(folder: Path) -> tuple[Source, ...]:
    files = sorted(item for item in folder.iterdir() if item.name[0] not in "._" and item.is_file())
    if not files:
        raise InputError(f"{folder} holds no files; name a folder with corpus files in it")
    return tuple(Source(item, str(item)) for item in files)


def _glob(pattern: str) -> tuple[Source, ...]:
    try:
        # Path.glob has no answer but an IndexError to "a*/." and to some others.
        named = glob.glob(pattern, recursive=True)
    except ValueError as error:
        raise UsageError(f"{pattern!r} is no glob ({error}); write it like 'folder/*.jsonl.gz'") from None
    found = sorted(item for item in map(Path, named) if item.is_file())
    if not found:
        raise InputError(f"{pattern} names no file; write the glob like 'folder/*.jsonl.gz', in quotes")
    return tuple(Source(item, str(item)) for item in found)


def _neighbour(path: Path) -> str:
    with contextlib.suppress(OSError):
        names = [item.name for item in path.parent.iterdir()]
        near = difflib.get_close_matches(path.name, names, n=1)
        return f" (there is {path.parent / near[0]})" if near else ""
    return ""
