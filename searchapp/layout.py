"""Where things lie, and how they get there whole or not at all."""

import contextlib
import ctypes
import fcntl
import glob
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from searchapp.errors import IndexFolderError

MANIFEST = "manifest.json"
"""Written last; without it a folder is not an index."""

ENCODER = "encoder"
"""Where in an index its query encoder lies, if it carries one."""

PARTIAL, RETIRED = ".partial", ".old"
"""Endings of a folder that is being made, and of one that is being replaced."""

LOCK = "lock"
"""Held with flock while somebody writes; the system frees it when the holder dies."""

_CHUNK = 1 << 20
_HERE, _RENAME_EXCHANGE = -100, 2
"""AT_FDCWD and the flag of Linux's renameat2."""


def cache_folder() -> Path:
    """Return where things are kept that can be made again: SEARCHAPP_CACHE, else the user's cache folder."""
    if chosen := os.environ.get("SEARCHAPP_CACHE"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "searchapp"


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
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=PARTIAL, dir=path.parent)
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


@dataclass(frozen=True, slots=True)
class FolderFormat:
    """A kind of folder that searchapp makes, known by one JSON file in it, written last."""

    noun: str
    marker: str
    name: str
    """What the marker's `format` says."""
    ours: str = r"(?!)"
    """What the names of files match that a killed call may have left there, though the marker doesn't name them."""


INDEX = FolderFormat(
    "an index",
    MANIFEST,
    "searchapp-index",
    r"vectors/\d+\.npy|documents/\d+\.arrow|deleted\.g\d+\.npy|d\d+-[a-z0-9-]+(\.g\d+)?\.faiss"
    rf"|\.{re.escape(MANIFEST)}\..*{re.escape(PARTIAL)}",
)
BENCH = FolderFormat("a bench's results", "results.json", "searchapp-bench")
CELL = FolderFormat("a measured cell", "cell.json", "searchapp-bench-cell")
MODEL = FolderFormat("a trained model", "training/report.json", "searchapp-model")


def check_free(path: Path, *, overwrite: bool, made: FolderFormat = INDEX) -> None:
    """Raise IndexFolderError if a folder may not be put at `path`, before any work is done for it.

    What is there is replaced only where `overwrite` says so and it is empty, or holds `made` and nothing else.
    """
    path = path.resolve()
    if not path.exists():
        parent = next(parent for parent in path.parents if parent.exists())
        if not parent.is_dir() or not os.access(parent, os.W_OK | os.X_OK):
            raise IndexFolderError(f"{parent} can't be written to, so {path} can't be made; name another place")
        return
    if path.is_dir() and not any(path.iterdir()):
        return
    body = _read_marker(path, made)
    if body is None:
        raise IndexFolderError(f"{path} is not {made.noun} and is not empty, so it is left alone; name another place")
    if not overwrite:
        raise IndexFolderError(f"{path} holds {made.noun} already; type the same call with --overwrite to replace it")
    if foreign := _foreign(path, body, made):
        raise IndexFolderError(
            f"{path} holds {foreign[0]}, which is none of {made.noun}'s files, so it is left alone; move it away"
        )


def _read_marker(path: Path, made: FolderFormat) -> dict[str, object] | None:
    """Return what the folder's marker says, or None where it is no folder of that format."""
    try:
        body = json.loads((path / made.marker).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) and body.get("format") == made.name else None


def _foreign(path: Path, body: dict[str, object], made: FolderFormat) -> list[str]:
    """Return the files in a folder that its marker doesn't name and that no killed call of ours left there."""
    files = body.get("files")
    named = {made.marker, *(files if isinstance(files, (dict, list)) else ())}
    unnamed = [name for name in file_names(path) if name not in named and not name.endswith(PARTIAL)]
    return [name for name in unnamed if not re.fullmatch(made.ours, name)]


def file_names(folder: Path) -> list[str]:
    """Return the names, relative to the folder, of all that lies in it and in its folders but these, sorted."""
    return sorted(item.relative_to(folder).as_posix() for item in folder.rglob("*") if not item.is_dir())


@contextlib.contextmanager
def committing_folder(path: Path, *, overwrite: bool = False, made: FolderFormat = INDEX) -> Iterator[Path]:
    """Give a temporary sibling folder to fill; at the end it becomes `path`.

    If the block raises, `path` is what it was and the sibling is gone; what a killed process left behind is removed.
    Raises IndexFolderError as `check_free` does, or where the place can't be written to.
    """
    path = path.resolve()
    _sweep(path)
    check_free(path, overwrite=overwrite, made=made)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        prefix = f".{path.name}.{os.getpid()}."
        temporary = Path(tempfile.mkdtemp(prefix=prefix, suffix=PARTIAL, dir=path.parent))
    except OSError as error:
        raise IndexFolderError(f"{path.parent} can't be written to ({error.strerror}); name another place") from None
    try:
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        for item in sorted(temporary.rglob("*")):
            sync(item)
        sync(temporary)
        check_free(path, overwrite=overwrite, made=made)
        _swap(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def exchange(one: Path, other: Path) -> bool:
    """Let two folders change places in one step, so that nobody ever meets neither; False where the system can't."""
    swap = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if swap is None:
        return False
    done: int = swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _RENAME_EXCHANGE)
    return done == 0


def _swap(temporary: Path, path: Path) -> None:
    """Put `temporary` at `path`; what was there is removed once the new folder stands, put back if it can't."""
    retired = path.parent / f".{path.name}.{os.getpid()}{RETIRED}"
    replaces = path.is_dir() and any(path.iterdir())
    if replaces:
        path.rename(retired)
    try:
        temporary.replace(path)
    except BaseException:
        if replaces and not path.exists():
            retired.rename(path)
        raise
    sync(path.parent)
    if replaces:
        shutil.rmtree(retired, ignore_errors=True)


def _sweep(path: Path) -> None:
    """Remove what processes that are gone left beside `path`; put back an index that was killed between two renames."""
    for item in path.parent.glob(f".{glob.escape(path.name)}.*"):
        owner = re.fullmatch(rf"\.{re.escape(path.name)}\.(\d+)(?:\..*{PARTIAL}|{RETIRED})", item.name)
        if owner is None or _is_running(int(owner[1])):
            continue
        if item.name.endswith(RETIRED) and not path.exists():
            item.rename(path)
        else:
            shutil.rmtree(item, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def work_path(target: Path) -> Path:
    """Return where the work folder of a target lies, if there is one."""
    target = target.resolve()
    return target.with_name(f".{target.name}{PARTIAL}")


def acquire(place: Path, target: Path) -> int:
    """Make a target's work folder if need be and lock it; return the open file that holds the lock.

    Raises IndexFolderError where somebody else holds it or it can't be made.
    """
    while True:
        try:
            descriptor = _open_lock(place)
        except OSError as error:
            raise IndexFolderError(
                f"{place.parent} can't be written to ({error.strerror}), so {target} can't be made or changed; make it "
                "writable, or name another place"
            ) from None
        if descriptor is None:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise IndexFolderError(
                f"{target} is being written by another process ({holder or 'just begun'}); wait until it is done, or "
                "stop it"
            ) from None
        if is_at(descriptor, place / LOCK):
            with contextlib.suppress(OSError):  # a full disk must not stand in the way of an answer
                os.truncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
            return descriptor
        os.close(descriptor)


def _open_lock(place: Path) -> int | None:
    """Make a work folder and open its lock; return None if its holder has removed the folder in between."""
    place.mkdir(parents=True, exist_ok=True)
    try:
        return os.open(place / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:
        return None


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one at `path`: its last holder may have removed it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
