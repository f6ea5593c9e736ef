"""Where things lie, and how they get there whole or not at all."""

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from searchapp.errors import IndexFolderError

MANIFEST = "manifest.json"
"""Written last; without it a folder is not an index."""

_CHUNK = 1 << 20


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file's bytes, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Force a file's or folder's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Give a temporary sibling to write to; at the end it takes the place of `path` in one step.

    If the block raises, `path` is what it was and the sibling is gone.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def check_free(path: Path, *, overwrite: bool) -> None:
    """Raise IndexFolderError if a folder may not be put at `path`.

    What is there is replaced only where `overwrite` says so and it is an index or an empty folder.
    """
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    if not (path / MANIFEST).is_file():
        raise IndexFolderError(f"{path} is not an index and is not empty, so it is left alone; name another place")
    if not overwrite:
        raise IndexFolderError(f"{path} holds an index already; type the same call with --overwrite to replace it")


@contextlib.contextmanager
def committing_folder(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """Give a temporary sibling folder to fill; at the end it becomes `path`.

    If the block raises, `path` is what it was and the sibling is gone. Raises IndexFolderError as
    `check_free` does, or where the place can't be written to.
    """
    check_free(path, overwrite=overwrite)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent))
    except OSError as error:
        raise IndexFolderError(f"{path.parent} can't be written to ({error.strerror}); name another place") from None
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        for item in sorted(temporary.rglob("*")):
            sync(item)
        sync(temporary)
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(temporary: Path, path: Path) -> None:
    """Put `temporary` at `path`; whatever was there is removed once the new folder stands."""
    retired: Path | None = None
    if path.exists():
        retired = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".old", dir=path.parent))
        path.rename(retired / path.name)
    try:
        temporary.rename(path)
    except OSError:
        if retired is not None:
            (retired / path.name).rename(path)
        raise
    finally:
        sync(path.parent)
        if retired is not None:
            shutil.rmtree(retired, ignore_errors=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
