"""Compacting an index: as built afresh from its living documents, from what is stored of them, without the model."""

import dataclasses
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from searchapp.build import Progress, library_versions, silent, unheard
from searchapp.errors import IndexFolderError, UsageError
from searchapp.index import Index, Manifest, open_index
from searchapp.index.changing import holding, sum_up, version_of
from searchapp.index.derive import Origin, Target, build_derived, plan_targets
from searchapp.index.documents import DocumentStore, RowFacts, write_documents
from searchapp.index.manifest import CANARY_FILE, FileEntry, Shard, write_manifest
from searchapp.index.steps import Step, writing_in
from searchapp.index.vectors import Rows, Vectors, VectorStore, write_shard
from searchapp.index.work import WorkFolder
from searchapp.layout import ENCODER
from searchapp.living.change import Change
from searchapp.living.grow import Note
from searchapp.records import Document
from searchapp.shards import SHARD_DOCUMENTS, STEP

BLOCK = 8_192
"""Vectors that are copied at a time."""
_CALL = "compact"


def compact_index(
    index: Index,
    *,
    restart: bool = False,
    shard_documents: int = SHARD_DOCUMENTS,
    progress: Progress = silent,
    note: Note = unheard,
) -> Change:
    """Rebuild an index from its living documents and put it in its own place in one step; no model is needed.

    Its hits are those of an index built afresh from the same documents in the same order. A kind that the documents
    have become too few for gives way to flat, which `note` is told. Killed, the same call goes on and gives the same
    bytes; readers that have the index open keep their version. Raises UsageError where no document is left, and
    ContractError and IndexFolderError as `add_documents` does.
    """
    with holding(index.folder) as work:
        if work.was_placed(_CALL):
            note(f"{index.folder}: this was finished by the call before")
            return Change(open_index(index.folder), already_done=True)
        current = open_index(index.folder)
        if _is_compact(current.manifest):
            return Change(current)
        if not len(current):
            raise UsageError(f"all documents of {index.folder} are deleted; add some first, or remove the folder")
        work.begin({"operation": "compact", "index": version_of(current.manifest)}, restart=restart)
        for steps in (work.steps, work.trained):
            steps.verify(lambda done, total: progress("checking what is there", done, total))
        manifest = _rebuild(work, current, shard_documents, progress, note)
        progress("putting in place", 0, None)
        with writing_in(work.path):
            work.keep_only(set(manifest.files))
            write_manifest(work.folder, manifest)
        work.place(_CALL, overwrite=True)
    return Change(open_index(index.folder), deleted=current.manifest.counts["deleted"])


def _is_compact(manifest: Manifest) -> bool:
    """Tell whether compacting would change nothing but numbers of shards."""
    parts = [len(derived.parts) for derived in manifest.derived] or [len(manifest.shards)]
    return manifest.deleted is None and max(parts) == 1


def _rebuild(work: WorkFolder, index: Index, most: int, progress: Progress, note: Note) -> Manifest:
    base, files = index.manifest, dict[str, FileEntry]()
    starts = index.living_documents()
    shards, done = [], 0
    for number, place in enumerate(range(0, len(starts), most)):
        progress("copying", done, len(starts))
        part = starts[place : place + most]
        shard, entries = _copy_shard(work, index, number, part)
        shards.append(shard)
        files |= entries
        done += len(part)
    for name in (CANARY_FILE, *(name for name in base.files if name.startswith(f"{ENCODER}/"))):
        files[name] = _copy_file(work, name, base.files[name])
    vectors = VectorStore([work.folder / shard.vectors for shard in shards], base.dim)
    origin = Origin(vectors, tuple(files[shard.vectors].sha256 for shard in shards), base.layer_norm)
    derived = []
    for target in _targets(base, len(vectors), note):
        made, entry = build_derived(origin, target, files=work.steps, trained=work.trained, progress=progress)
        files |= dict.fromkeys(made.files, entry)
        derived.append(made)
    paths = [work.folder / shard.documents for shard in shards]
    counts = DocumentStore(paths, chunked=base.chunk_overlap is not None).counts()
    faiss = {name: version for name, version in library_versions().items() if name.startswith("faiss")}
    return dataclasses.replace(
        base,
        counts={**counts, "skipped": base.counts["skipped"]},
        shards=tuple(shards),
        derived=tuple(derived),
        files=files,
        versions={**base.versions, **faiss},
        deleted=None,
        generation=base.generation + 1,
    )


def _targets(base: Manifest, rows: int, note: Note) -> Sequence[Target]:
    """Plan every derived index again, for as many rows as there are now."""
    targets: dict[str, Target] = {}
    for derived in base.derived:
        try:
            (target,) = plan_targets([derived.dim], [derived.asked], rows=rows, width=base.dim)
        except UsageError as error:
            (target,) = plan_targets([derived.dim], ["flat"], rows=rows, width=base.dim)
            note(f"{derived.name} gives way to {target.name}: {error}")
        targets[target.name] = target
    return list(targets.values())


def _copy_shard(work: WorkFolder, index: Index, number: int, starts: Rows) -> tuple[Shard, dict[str, FileEntry]]:
    """Write the documents that begin at these rows, with all their rows, as one shard."""
    rows = index.documents.sieve.spread(starts)
    shard = Shard.numbered(number, len(rows))

    def vectors() -> Iterator[Vectors]:
        for start in range(0, len(rows), BLOCK):
            yield index.vectors.take(rows[start : start + BLOCK])

    def make(paths: Sequence[Path]) -> dict[str, int]:
        write_shard(paths[0], vectors(), rows=len(rows), dim=index.manifest.dim)
        stored = index.documents
        documents = [
            Document(doc_id, "", fields)
            for doc_id, fields in zip(stored.ids(rows), stored.all_fields(rows), strict=True)
        ]
        facts = RowFacts(*(stored.fact(field.name)[rows] for field in dataclasses.fields(RowFacts)))
        write_documents(paths[1], documents, facts)
        return {"texts": len(starts)}

    step = Step(f"{STEP}{number:05d}", sum_up(rows.tolist()), (shard.vectors, shard.documents))
    return shard, dict(work.steps.finish(step, make).files)


def _copy_file(work: WorkFolder, name: str, expected: FileEntry) -> FileEntry:
    def make(paths: Sequence[Path]) -> dict[str, int]:
        with (work.target / name).open("rb") as source, paths[0].open("wb") as copy:
            while block := source.read(io.DEFAULT_BUFFER_SIZE << 7):
                copy.write(block)
        return {}

    entry = work.steps.finish(Step(f"copy-{name.replace('/', '-')}", expected.sha256, (name,)), make).files[name]
    if entry != expected:
        raise IndexFolderError(
            f"{work.target / name} is damaged: its sha256 is {entry.sha256[:12]}..., the manifest says "
            f"{expected.sha256[:12]}...; build the index again"
        )
    return entry
