"""One version of an index folder, held open: it stays readable whatever becomes of the names in it."""

import contextlib
import errno
import os
import stat
import weakref
from collections.abc import Iterable
from pathlib import Path

from searchapp.errors import IndexFolderError

_SPARE = 256
"""File descriptors left to everything else."""


class PinnedFile(os.PathLike[str]):
    """A file that is held open: opened by its path, it is what was there when it was pinned; its text is its name."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        weakref.finalize(self, os.close, descriptor)

    def __fspath__(self) -> str:
        # Where /dev/fd shares the position (macOS), whoever opens it begins at the start all the same.
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return f"/dev/fd/{self._descriptor}"

    def __str__(self) -> str:
        return str(self.path)

    @property
    def size(self) -> int:
        """Return its bytes."""
        return os.fstat(self._descriptor).st_size


class PinnedFolder:
    """A folder that is held open: files are found in it even after another folder has taken its name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def read(self, name: str, *, most: int) -> bytes:
        """Return a file's bytes as they are now; raise OSError where it can't be read, IndexFolderError if too big."""
        pinned = self.pin(name)
        if pinned.size > most:
            raise IndexFolderError(f"{pinned} has {pinned.size:,} bytes, at most {most:,} were expected")
        with Path(pinned).open("rb") as handle:
            return handle.read()

    def pin(self, name: str) -> PinnedFile:
        """Hold a file open; raise OSError where it can't be, IndexFolderError for what is no ordinary file."""
        # A pipe would be waited for otherwise, until somebody writes to it.
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
        inside = os.path.realpath(self.folder)
        if os.path.commonpath([inside, os.path.realpath(self.folder / name)]) != inside:
            raise IndexFolderError(f"{self.folder / name} is a link that leaves the folder; build the index again")
        descriptor = os.open(name, flags, dir_fd=self._descriptor)
        pinned = PinnedFile(self.folder / name, descriptor)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IndexFolderError(f"{pinned} is no ordinary file, as all of an index are; build the index again")
        return pinned

    def pin_all(self, names: Iterable[str]) -> dict[str, PinnedFile]:
        """Hold all of these files open that are there."""
        wanted = list(names)
        allow_open(len(wanted))
        pinned = {}
        for name in wanted:
            try:
                pinned[name] = self.pin(name)
            except OSError as error:
                if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                    raise IndexFolderError(f"{self.folder / name} can't be opened ({error.strerror})") from error
        return pinned


def allow_open(files: int) -> None:
    """Raise this process's own limit of open files, as far as the system lets it, to what an index of many needs."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # A map of documents holds a second descriptor.
    needed = 2 * files + _SPARE
    if soft != resource.RLIM_INFINITY and soft < needed:
        most = needed if hard == resource.RLIM_INFINITY else min(hard, needed)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
