"""Changing an index that stands: new files beside the old ones, then one new manifest, then the old files go."""

import contextlib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from searchapp.index.faiss_backend import Cut, fill_part
from searchapp.index.faiss_door import faiss_version
from searchapp.index.folder import Index
from searchapp.index.manifest import (
    Derived,
    FileEntry,
    Manifest,
    Part,
    manifest_bytes,
    read_manifest,
    write_manifest,
)
from searchapp.index.opening import open_index
from searchapp.index.steps import Step, Steps, writing_in
from searchapp.index.vectors import Rows, VectorStore
from searchapp.index.work import WorkFolder, working_on
from searchapp.layout import INDEX, MANIFEST, PARTIAL, file_names, sync

Told = Callable[[str, int, int | None], None]


@dataclass(frozen=True, slots=True)
class Held:
    """An index that is held for a change."""

    index: Index
    work: WorkFolder

    @property
    def steps(self) -> Steps:
        """Return the steps whose files are on their way into the index."""
        return self.work.derived

    @property
    def generation(self) -> int:
        """Return the number of the change."""
        return self.index.manifest.generation + 1

    def begin(self, contract: Mapping[str, Any], *, restart: bool) -> bool:
        """Take up this change of this version of the index; tell whether there is something to go on with.

        Raises ContractError as WorkFolder.begin does.
        """
        going_on = self.work.begin({**contract, "index": version_of(self.index.manifest)}, restart=restart)
        self.steps.verify()
        return going_on

    def commit(self, manifest: Manifest, call: str) -> Index:
        """Move the new files into the folder, replace the manifest in one step, remove what it no longer names."""
        folder = self.work.target
        with writing_in(folder):
            for name in manifest.files.keys() - self.index.manifest.files.keys():
                (self.steps.folder / name).replace(folder / name)
            for place in {(folder / name).parent for name in manifest.files}:
                sync(place)
        self.work.promise(call, manifest_bytes(manifest))
        with writing_in(folder):
            write_manifest(folder, manifest)
            take_back(self.work)
        self.work.discard()
        return open_index(self.index.folder)


@contextlib.contextmanager
def holding(folder: Path) -> Iterator[WorkFolder]:
    """Hold an index for a change, after what killed calls left in it was taken out.

    Raises IndexFolderError where it is no index, somebody else is writing to it, or it can't be written to.
    """
    read_manifest(folder)
    with working_on(folder) as work:
        with writing_in(work.target):
            take_back(work)
        yield work


def take_back(work: WorkFolder) -> None:
    """Move every file of ours that the target's manifest doesn't name into the work folder, where it came from."""
    named = read_manifest(work.target).files
    for name in file_names(work.target):
        stray = work.target / name
        if name in named or not re.fullmatch(INDEX.ours, name):
            continue
        home = work.derived.folder / name
        if name.endswith(PARTIAL) or name == MANIFEST or home.exists():
            stray.unlink()
        else:
            home.parent.mkdir(parents=True, exist_ok=True)
            stray.replace(home)


def version_of(manifest: Manifest) -> str:
    """Return a checksum of all that a change starts from: rows, and which of them are deleted."""
    names = [name for shard in manifest.shards for name in (shard.vectors, shard.documents)]
    names += [manifest.deleted] if manifest.deleted is not None else []
    return sum_up([manifest.generation, *(manifest.files[name].sha256 for name in names)])


def sum_up(parts: object) -> str:
    """Return the sha256 of a JSON value."""
    text = json.dumps(parts, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def write_deleted(held: Held, rows: Rows) -> tuple[str, FileEntry]:
    """Write the rows that are deleted after the change, int64, ascending; return the file's name and entry."""
    name = f"deleted.g{held.generation}.npy"

    def make(paths: Iterable[Path]) -> dict[str, int]:
        for path in paths:
            with path.open("wb") as handle:
                np.save(handle, rows, allow_pickle=False)
        return {}

    step = Step("deleted", hashlib.sha256(rows.tobytes()).hexdigest(), (name,))
    return name, held.steps.finish(step, make).files[name]


def add_part(
    held: Held, derived: Derived, vectors: VectorStore, checksums: Iterable[str], progress: Told
) -> tuple[Derived, FileEntry]:
    """Make one more part of a derived index, over new vectors, filled from what its first part has learnt."""
    manifest, rows = held.index.manifest, len(vectors)
    first, name = derived.parts[0].file, f"{derived.name}.g{held.generation}.faiss"
    cut = Cut(derived.dim, manifest.layer_norm, lambda done: progress(f"building {derived.name}", done, rows))

    def fill(paths: Iterable[Path]) -> dict[str, int]:
        progress(f"building {derived.name}", 0, rows)
        for path in paths:
            fill_part(path, vectors, first=held.work.target / first, factory=derived.factory, cut=cut)
        return {}

    key = sum_up([asdict(derived), manifest.files[first].sha256, list(checksums), manifest.layer_norm, faiss_version()])
    entry = held.steps.finish(Step(derived.name, key, (name,)), fill).files[name]
    return replace(derived, parts=(*derived.parts, Part(rows, name))), entry
