"""The work folder of a target: one writer at a time, one contract, and what was finished survives any stop.

indexes/.wiki.partial/      beside indexes/wiki
  lock                      held with flock while somebody writes; the system frees it when the holder dies
  contract.json             what is done, and what it is made from
  receipts/                 a receipt for every finished step
  index/                    the index so far; becomes indexes/wiki in one step
  trained/                  trained, empty FAISS files
  derived/                  files on their way into an index that stands already
  placed.json               written right before that step, or before a change of indexes/wiki itself: the checksum of
                            the manifest to look for there
  old/                      the index that is being replaced, where two folders can't be exchanged in one step
"""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from searchapp.errors import ContractError, IndexFolderError
from searchapp.index.steps import Steps, explain, read_json, write_json
from searchapp.layout import LOCK, MANIFEST, PARTIAL, acquire, check_free, exchange, sha256_file, sync, work_path

FORMAT = "searchapp-work"
CONTRACT, PLACED = "contract.json", "placed.json"
INDEX, RECEIPTS, TRAINED, DERIVED, OLD = "index", "receipts", "trained", "derived", "old"
_OURS = {LOCK, CONTRACT, PLACED, INDEX, RECEIPTS, TRAINED, DERIVED, OLD, CONTRACT + PARTIAL, PLACED + PARTIAL}

_WORDS = {
    "operation": "the operation",
    "encoder.model": "model",
    "encoder.revision": "the model's revision",
    "encoder.fingerprint": "the model's fingerprint",
    "encoder.prompts.query": "query prompt",
    "encoder.prompts.document": "document prompt",
    "corpus.text_template": "text template",
    "corpus.fingerprint": "corpus fingerprint",
    "chunk_overlap": "chunk overlap",
}
"""Parts of a contract that are named first, and how a person calls them."""


def check_target(target: Path, *, overwrite: bool) -> None:
    """Raise IndexFolderError as `check_free` does, unless a killed call of ours put the index there just now."""
    if not _was_placed(target.resolve()):
        check_free(target, overwrite=overwrite)


@contextlib.contextmanager
def working_on(target: Path) -> Iterator["WorkFolder"]:
    """Hold a target's work folder for one writer; at the end it stays if a finished step is in it.

    Raises IndexFolderError where somebody else holds it, it can't be made, or it holds something that is not ours.
    """
    target = target.resolve()
    place = work_path(target)
    descriptor = acquire(place, target)
    try:
        if foreign := sorted(item.name for item in place.iterdir() if item.name not in _OURS):
            raise IndexFolderError(f"{place / foreign[0]} is none of searchapp's files; move it away")
        if not target.exists() and (place / OLD).exists():
            (place / OLD).rename(target)
        work = WorkFolder(target, place)
        try:
            yield work
        finally:
            work.close()
    finally:
        os.close(descriptor)


class WorkFolder:
    """A work folder that is held; made by `working_on`."""

    def __init__(self, target: Path, place: Path) -> None:
        self.target = target
        self.path = place
        self.folder = place / INDEX
        """What becomes the target."""
        self.steps = Steps(place / RECEIPTS / INDEX, self.folder)
        self.trained = Steps(place / RECEIPTS / TRAINED, place / TRAINED)
        self.derived = Steps(place / RECEIPTS / DERIVED, place / DERIVED)
        self._gone = False

    def begin(self, contract: Mapping[str, Any], *, restart: bool) -> bool:
        """Take up the work of this contract; tell whether there is something to go on with.

        Work of another contract is thrown away if `restart` says so or no step of it was finished. Raises ContractError
        naming both otherwise.
        """
        contract = json.loads(json.dumps(contract))
        stored = read_json(self.path / CONTRACT)
        if restart or stored is None or stored.get("format") != FORMAT:
            self._clear()
        elif difference := _differ(stored.get("contract"), contract):
            if self._has_receipts():
                words, theirs, ours = difference
                raise ContractError(
                    f"{self.path} is a stopped call's, with {words} {theirs}, and this call has {ours}; type that call "
                    "again to go on with it, or this one with --restart to start over"
                )
            self._clear()
        if not (self.path / CONTRACT).exists():
            self._guard(lambda: write_json(self.path / CONTRACT, {"format": FORMAT, "contract": contract}))
        return self._has_receipts()

    def was_placed(self, call: str) -> bool:
        """Tell whether a killed call, the same as this one, had put its index in place; forget it in any case."""
        if not _was_placed(self.target):
            return False
        placed = read_json(self.path / PLACED) or {}
        if placed.get("call") == call:
            self.discard()
            return True
        self._clear()
        (self.path / PLACED).unlink()
        return False

    def place(self, call: str, *, overwrite: bool) -> None:
        """Put the finished index at the target, in one step where the system can, and remove the work folder.

        call: sums up all that was asked for. Raises IndexFolderError as `check_free` does.
        """
        check_free(self.target, overwrite=overwrite)
        self._guard(lambda: self._place(call))
        self.discard()

    def _place(self, call: str) -> None:
        for item in (*self.folder.rglob("*"), self.folder):
            if item.is_dir():
                sync(item)
        write_json(self.path / PLACED, {"call": call, "manifest": sha256_file(self.folder / MANIFEST)})
        held = self.target.is_dir() and any(self.target.iterdir())
        if not held:
            self.folder.replace(self.target)
        elif not exchange(self.folder, self.target):
            self.target.rename(self.path / OLD)
            try:
                self.folder.replace(self.target)
            except BaseException:
                (self.path / OLD).rename(self.target)
                raise
        sync(self.target.parent)

    def promise(self, call: str, manifest: bytes) -> None:
        """Write down that this call is done as soon as the target's manifest is this one; then it may be replaced."""
        self._guard(
            lambda: write_json(self.path / PLACED, {"call": call, "manifest": hashlib.sha256(manifest).hexdigest()})
        )

    def keep_only(self, names: set[str]) -> None:
        """Remove what lies in the index to be and is none of these files: leftovers of other calls and of kills."""
        for item in sorted(self.folder.rglob("*"), reverse=True):  # what is in a folder before the folder
            if item.is_dir():
                if not any(item.iterdir()):
                    item.rmdir()
            elif item.relative_to(self.folder).as_posix() not in names:
                item.unlink()

    def close(self) -> None:
        """Remove the work folder if there is nothing in it to go on with."""
        if not self._gone and not self._has_receipts() and not _was_placed(self.target):
            with contextlib.suppress(OSError):
                self.discard()

    def discard(self) -> None:
        """Remove the work folder, its proof of a placed index and its lock last."""
        self._clear()
        # From here on another writer may come, and the folder is its own.
        self._gone = True
        for name in (PLACED, LOCK):
            (self.path / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def _clear(self) -> None:
        """Remove all but the lock and the proof; receipts go before what they vouch for."""
        for name in (RECEIPTS, CONTRACT, INDEX, TRAINED, DERIVED, OLD):
            path = self.path / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        for name in (CONTRACT, PLACED):
            (self.path / (name + PARTIAL)).unlink(missing_ok=True)

    def _has_receipts(self) -> bool:
        return any((self.path / RECEIPTS).rglob("*.json"))

    def _guard(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            raise IndexFolderError(explain(error, self.path)) from error


def _was_placed(target: Path) -> bool:
    placed = read_json(work_path(target) / PLACED)
    manifest = target / MANIFEST
    return placed is not None and manifest.is_file() and sha256_file(manifest) == placed.get("manifest")


def _differ(stored: object, asked: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the first part in which two contracts differ, in words, with both values; None if they agree."""
    theirs, ours = dict(_leaves(stored)), dict(_leaves(asked))
    for name in (*_WORDS, *sorted(theirs.keys() | ours.keys())):
        if theirs.get(name) != ours.get(name):
            return _WORDS.get(name, name), repr(theirs.get(name)), repr(ours.get(name))
    return None


def _leaves(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value
