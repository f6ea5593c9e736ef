"""An index folder read to its last byte: every checksum, count and id; all problems are told."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from searchapp.errors import IndexFolderError
from searchapp.index.documents import DocumentStore
from searchapp.index.faiss_index import FaissIndex
from searchapp.index.folder import Index
from searchapp.index.manifest import CANARY_FILE, Derived, FileEntry, Manifest, Part, Shard, pin_index
from searchapp.index.pinned import PinnedFile, PinnedFolder, allow_open
from searchapp.index.sieve import open_deleted
from searchapp.index.vectors import Rows, VectorStore
from searchapp.layout import MANIFEST

_CHUNK = 1 << 20
_IDS = 1 << 16
"""Ids that are looked at together."""
Told = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that is not as it was written."""

    file: str
    """Its name in the folder."""
    text: str
    """What was found, what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong with it."""

    files: int
    bytes: int
    problems: tuple[Problem, ...]


def verify_index(folder: str | Path, progress: Told | None = None) -> Verified:
    """Read an index folder to its last byte and compare it with its manifest, and that with its own checksum.

    Where all bytes of a file are as they were written, its contents are held against the manifest and each other too:
    rows, dims, metric, finite vectors, ids that are there and unique, counts. `progress` is called with the bytes read
    so far and those there are. Memory grows by some 30 bytes a row, not with the size of files. Raises
    IndexFolderError where there is no manifest at all.
    """
    folder = Path(folder)
    try:
        pinned, manifest = pin_index(folder)
    except IndexFolderError as error:
        if not os.path.lexists(folder / MANIFEST):
            raise
        return Verified(1, 0, (Problem(MANIFEST, _short(error, folder, MANIFEST)),))
    allow_open(len(manifest.files))
    check = _Check(pinned, manifest, progress)
    check.strangers()
    check.checksums()
    check.contents()
    total = sum(entry.bytes for entry in manifest.files.values())
    return Verified(1 + len(manifest.files), total, tuple(check.problems))


def require_intact(folder: str | Path) -> None:
    """Raise IndexFolderError naming the first file of an index that is not as it was written."""
    problems = verify_index(folder).problems
    if problems:
        raise IndexFolderError(f"{Path(folder) / problems[0].file} {problems[0].text}")


class _Check:
    """One pass over a folder; what is wrong is collected."""

    def __init__(self, pinned: PinnedFolder, manifest: Manifest, progress: Told | None) -> None:
        self.problems: list[Problem] = []
        self._folder = pinned.folder
        self._manifest = manifest
        self._progress = progress
        self._pinned = pinned
        self._sound: dict[str, PinnedFile] = {}

    def strangers(self) -> None:
        """Name whatever lies in the folder and is none of its files."""
        for place, folders, names in os.walk(self._folder):
            links = [name for name in folders if Path(place, name).is_symlink()]
            for name in sorted(names + links):
                found = Path(place, name).relative_to(self._folder).as_posix()
                if found != MANIFEST and found not in self._manifest.files:
                    self._tell(found, "is none of this index's files; move it away, unless somebody is writing here")

    def checksums(self) -> None:
        """Compare size and checksum of every file."""
        done, total = 0, sum(entry.bytes for entry in self._manifest.files.values())
        made = {name: derived for derived in self._manifest.derived for name in derived.files}
        for name, entry in self._manifest.files.items():
            again = _again(self._folder, made.get(name))
            try:
                pinned = self._pinned.pin(name)
                differs = _difference(pinned, entry, partial(self._advance, total, done))
            except FileNotFoundError:
                differs = "is missing"
            except OSError as error:
                differs = f"can't be read ({error.strerror})"
            except IndexFolderError as error:
                differs = _short(error, self._folder, name).removesuffix("; build the index again")
            if differs is None:
                self._sound[name] = pinned
            else:
                self._tell(name, f"{differs}; {again}")
            done += entry.bytes
            self._advance(total, done, 0)

    def contents(self) -> None:
        """Hold what the files say against the manifest and each other."""
        manifest = self._manifest
        for shard in manifest.shards:
            self._try(shard.vectors, partial(_check_vectors, shard=shard, dim=manifest.dim))
            self._try(shard.documents, partial(_check_documents, shard=shard))
        self._try(CANARY_FILE, lambda _: self._check_canaries())
        for derived in manifest.derived:
            for part in derived.parts:
                self._try(part.file, partial(_check_part, part=part, dim=derived.dim))
        if manifest.deleted is not None:
            self._try(manifest.deleted, partial(_check_deleted, rows=manifest.rows))
        if not self.problems:
            self._check_all_documents()

    def _check_canaries(self) -> None:
        for stored in Index(self._folder, self._manifest, self._sound).canaries:
            if not np.isfinite(stored).all():
                raise IndexFolderError("holds NaN; build the index again")

    def _check_all_documents(self) -> None:
        """Compare ids and counts over all shards."""
        store = Index(self._folder, self._manifest, self._sound).documents
        if (twin := _find_twin(store)) is not None:
            shard = next(s for s in self._manifest.shards if s.documents in self._sound)
            self._tell(shard.documents, f"and those after it hold the document {twin!r} twice; build the index again")
        counts = self._manifest.counts
        for name, found in store.counts().items():
            if counts.get(name) != found:
                self._tell(MANIFEST, f"counts {counts.get(name)} {name}, there are {found}; build the index again")
        if (rest := store.sieve.half_deleted(len(store))) is not None:
            doc_id = store.ids(np.array([rest]))[0]
            self._tell(MANIFEST, f"has a chunk of {doc_id!r} among the deleted ones and others not; build it again")

    def _try(self, name: str, check: Callable[[PinnedFile], None]) -> None:
        """Check the contents of a file whose bytes are as they were written."""
        if name in self._sound:
            try:
                check(self._sound[name])
            except IndexFolderError as error:
                self._tell(name, _short(error, self._folder, name))

    def _tell(self, name: str, text: str) -> None:
        self.problems.append(Problem(name, text))

    def _advance(self, total: int, before: int, read: int) -> None:
        if self._progress is not None:
            self._progress(before + read, total)


def _difference(path: PinnedFile, entry: FileEntry, tell: Callable[[int], None]) -> str | None:
    """Say how a file differs from what the manifest says of it; None where it doesn't."""
    if path.size != entry.bytes:
        return f"has {path.size:,} bytes, the manifest says {entry.bytes:,}"
    digest, read = hashlib.sha256(), 0
    with Path(path).open("rb") as handle:
        while chunk := handle.read(_CHUNK):
            digest.update(chunk)
            read += len(chunk)
            tell(read)
    found = digest.hexdigest()
    if found != entry.sha256:
        return f"is damaged: its sha256 is {found[:12]}..., the manifest says {entry.sha256[:12]}..."
    return None


def _again(folder: Path, derived: Derived | None) -> str:
    """Say how to make a file again."""
    if derived is None:
        return "build the index again"
    return (
        f"delete it and make it again, no model is needed: "
        f"searchapp index --from {folder} --dim {derived.dim} --kind {derived.asked}"
    )


def _check_vectors(path: PinnedFile, *, shard: Shard, dim: int) -> None:
    store, start = VectorStore([path], dim), 0
    _compare("vectors", len(store), shard.rows)
    for block in store.blocks():
        bad = np.flatnonzero(~np.isfinite(block).all(axis=1) | ~block.any(axis=1))
        if len(bad):
            raise IndexFolderError(
                f"holds a vector that is zero or not finite at row {start + bad[0]:,}; build it again"
            )
        start += len(block)


def _check_documents(path: PinnedFile, *, shard: Shard) -> None:
    store = DocumentStore([path])
    _compare("documents", len(store), shard.rows)
    store.validate()
    for start, names in _ids(store, np.arange(len(store))):
        if "" in names:
            raise IndexFolderError(f"holds a document without an id at row {start + names.index(''):,}; build it again")


def _check_part(path: PinnedFile, *, part: Part, dim: int) -> None:
    opened = FaissIndex(path)
    opened.expect(rows=part.rows, dim=dim)
    opened.check_rows()


def _check_deleted(path: PinnedFile, *, rows: int) -> None:
    open_deleted(path, rows=rows)


def _compare(what: str, found: int, expected: int) -> None:
    if found != expected:
        raise IndexFolderError(f"holds {found:,} {what}, the manifest says {expected:,}; build the index again")


def _ids(store: DocumentStore, rows: Rows) -> Iterator[tuple[int, list[str]]]:
    for start in range(0, len(rows), _IDS):
        yield start, store.ids(rows[start : start + _IDS])


def _find_twin(store: DocumentStore) -> str | None:
    """Return an id that two living documents have; None where there is none. Holds eight bytes an id."""
    rows = store.sieve.documents(len(store))
    hashes = np.empty(len(rows), np.uint64)
    for start, names in _ids(store, rows):
        hashes[start : start + len(names)] = [_hash(name) for name in names]
    ordered = np.sort(hashes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    suspects = store.ids(rows[np.isin(hashes, twice)]) if len(twice) else []
    return next((name for name, count in Counter(suspects).items() if count > 1), None)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")


def _short(error: IndexFolderError, folder: Path, name: str) -> str:
    return str(error).removeprefix(f"{folder / name} ").removeprefix(f"{folder / name}: ")
