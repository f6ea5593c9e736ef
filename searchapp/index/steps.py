"""Steps of a build: each makes files that are committed by rename and vouched for by a receipt, written last."""

import contextlib
import errno
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from searchapp.errors import IndexFolderError
from searchapp.index.manifest import FileEntry
from searchapp.layout import PARTIAL, sha256_file, sync

_FULL = (errno.ENOSPC, errno.EDQUOT)
_CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is made once: `files`, relative to the folder, from all that `key` sums up."""

    name: str
    key: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """A finished step: its files as they must be, and what was counted while they were made."""

    name: str
    key: str
    files: Mapping[str, FileEntry]
    notes: Mapping[str, int]

    def answers(self, step: Step) -> bool:
        """Tell whether this is a receipt of that very step."""
        return (self.name, self.key, tuple(self.files)) == (step.name, step.key, step.files)


class Steps:
    """The steps whose files lie in one folder, with a receipt for each finished one in another.

    A step without a receipt never happened: its files are written over. Nothing is believed before it is verified.
    """

    def __init__(self, receipts: Path, folder: Path) -> None:
        self.folder = folder
        self._receipts = receipts
        self._known: dict[str, Receipt] = {}

    def verify(self, progress: Callable[[int, int], None] | None = None) -> list[str]:
        """Read every file that a receipt vouches for; forget the steps whose files differ, and return their names.

        `progress` is called with the receipts checked so far, and how many there are.
        """
        paths = sorted(self._receipts.glob("*.json"))
        damaged = []
        for done, path in enumerate(paths):
            if progress is not None:
                progress(done, len(paths))
            receipt = _read(path)
            if receipt is not None and all(self._holds(name, entry) for name, entry in receipt.files.items()):
                self._known[receipt.name] = receipt
            else:
                damaged.append(path.stem)
                path.unlink()
        return damaged

    @property
    def finished(self) -> Sequence[Receipt]:
        """Return the receipts of verified and of newly finished steps."""
        return list(self._known.values())

    def finish(self, step: Step, make: Callable[[Sequence[Path]], Mapping[str, int]]) -> Receipt:
        """Return the step's receipt; if it has none, let `make` write the files first and commit them.

        `make` gets a path for each file and returns what it counted. Raises IndexFolderError where the disk is full or
        can't be written to; what was finished before stays.
        """
        known = self._known.pop(step.name, None)
        if known is None or not known.answers(step):
            known = self._make(step, make)
        self._known[step.name] = known
        return known

    def forget(self, name: str) -> None:
        """Remove the receipt of a step, and its files if they are still there."""
        receipt = self._known.pop(name, None)
        (self._receipts / f"{name}.json").unlink(missing_ok=True)
        for file in receipt.files if receipt is not None else ():
            (self.folder / file).unlink(missing_ok=True)

    def _make(self, step: Step, make: Callable[[Sequence[Path]], Mapping[str, int]]) -> Receipt:
        parts = [self.folder / f"{name}{PARTIAL}" for name in step.files]
        try:
            for part in parts:
                part.parent.mkdir(parents=True, exist_ok=True)
            notes = make(parts)
            entries = {}
            for name, part in zip(step.files, parts, strict=True):
                sync(part)
                entries[name] = describe_file(part)
            for name, part in zip(step.files, parts, strict=True):
                part.replace(self.folder / name)
            for place in {part.parent for part in parts}:
                sync(place)
            receipt = Receipt(step.name, step.key, entries, notes)
            write_json(self._receipts / f"{step.name}.json", asdict(receipt))
        except OSError as error:
            raise IndexFolderError(explain(error, self.folder)) from error
        finally:
            for part in parts:
                with contextlib.suppress(OSError):
                    part.unlink(missing_ok=True)
        return receipt

    def _holds(self, name: str, entry: FileEntry) -> bool:
        path = self.folder / name
        try:
            return path.stat().st_size == entry.bytes and sha256_file(path) == entry.sha256
        except OSError:
            return False


def describe_file(path: Path) -> FileEntry:
    """Return the size and checksum of a file."""
    return FileEntry(path.stat().st_size, sha256_file(path))


def write_json(path: Path, body: Mapping[str, Any]) -> None:
    """Write a small JSON file in one step. A temporary file of a killed process is simply written over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + PARTIAL)
    temporary.write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a small JSON file that holds an object; None where there is none or it is damaged."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


@contextlib.contextmanager
def writing_in(place: Path) -> Iterator[None]:
    """Turn what the system says against writing at `place` into an IndexFolderError that says how to go on."""
    try:
        yield
    except OSError as error:
        raise IndexFolderError(explain(error, place)) from error


def explain(error: OSError, place: Path) -> str:
    """Say in one sentence why nothing more can be written, and how to go on."""
    if error.errno in _FULL:
        return (
            f"{place}: the disk is full; what was finished is kept, so make room and type the same call again to go on"
        )
    if error.errno in _CLOSED:
        return (
            f"{place} can't be written to ({error.strerror}); what was finished is kept, so make it writable and type "
            "the same call again to go on"
        )
    reason = error.strerror or str(error)
    return f"{place}: writing failed ({reason}); what was finished is kept, so type the same call again to go on"


def _read(path: Path) -> Receipt | None:
    body = read_json(path)
    try:
        if body is None or body["name"] != path.stem:
            return None
        files = {name: FileEntry(**entry) for name, entry in body["files"].items()}
        return Receipt(body["name"], body["key"], files, body["notes"])
    except (KeyError, TypeError, AttributeError):
        return None
