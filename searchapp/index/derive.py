"""Derived indexes: from stored vectors to FAISS files, inside a folder that is being built or stands already."""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from searchapp.errors import IndexFolderError, UsageError
from searchapp.index.changing import take_back
from searchapp.index.faiss_backend import Cut, check_factory, fill_faiss, needs_training, train_faiss
from searchapp.index.faiss_door import faiss_version
from searchapp.index.folder import Index
from searchapp.index.kinds import KINDS, Plan, plan_kind
from searchapp.index.manifest import Derived, FileEntry, Part, write_manifest
from searchapp.index.opening import open_index
from searchapp.index.steps import Step, Steps, writing_in
from searchapp.index.vectors import VectorStore
from searchapp.index.work import WorkFolder, working_on
from searchapp.layout import sync, work_path


@dataclass(frozen=True, slots=True)
class Target:
    """A derived index somebody wants: a dim and a planned kind."""

    dim: int
    plan: Plan

    @property
    def name(self) -> str:
        """Return what its file is called: dim and kind."""
        return f"d{self.dim}-{self.plan.kind}"

    def describe(self) -> str:
        """Say in one line what will be built and with which numbers."""
        plan = self.plan
        parts = [f"{self.name} ({plan.factory}"]
        parts += [f"trained on a sample of {plan.train_rows:,}"] * bool(plan.train_rows)
        parts += [f"visiting {plan.nprobe} of {plan.nlist} lists"] * bool(plan.nprobe)
        parts += [f"rescoring {plan.rescore} hits"] * bool(plan.rescore)
        return ", ".join(parts) + ")"


def plan_targets(dims: Iterable[int], kinds: Iterable[str], *, rows: int, width: int) -> tuple[Target, ...]:
    """Plan every (dim, kind) over `rows` vectors of `width` values; refuse what can't be, before any work.

    Raises UsageError for a dim the vectors don't have, a corpus too small for a kind, or a factory string FAISS doesn't
    know.
    """
    targets: dict[str, Target] = {}
    kinds = list(kinds)
    if not kinds:
        raise UsageError(f"no kind is named; type --kind auto, or one of {', '.join(KINDS)}")
    for dim in dims:
        if not 1 <= dim <= width:
            raise UsageError(f"{dim} dims: the model gives {width}; type a number from 1 to {width}")
        for kind in kinds:
            target = Target(dim, plan_kind(kind, rows=rows, dim=dim))
            check_factory(target.plan, dim, rows=rows)
            targets[target.name] = target
    return tuple(targets.values())


@dataclass(frozen=True, slots=True)
class Origin:
    """The stored vectors that files are derived from."""

    vectors: VectorStore
    checksums: tuple[str, ...]
    """The sha256 of every shard: files derived from other vectors are not theirs."""
    layer_norm: bool

    def key(self, target: Target) -> str:
        """Return the sha256 of everything that decides the bytes of a derived file."""
        parts = [asdict(target), self.checksums, self.layer_norm, faiss_version()]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def build_derived(
    origin: Origin, target: Target, *, files: Steps, trained: Steps, progress: Callable[[str, int, int | None], None]
) -> tuple[Derived, FileEntry]:
    """Build one FAISS file and describe it; trained and filled in two steps, so that a stop costs one of them."""
    name, key, plan = f"{target.name}.faiss", origin.key(target), target.plan
    rows = len(origin.vectors)
    cut = Cut(target.dim, origin.layer_norm, lambda done: progress(f"building {target.name}", done, rows))
    empty: Path | None = None
    trained_on = 0
    if needs_training(plan, target.dim):
        progress(f"training {target.name}", 0, None)

        def train(paths: Sequence[Path]) -> dict[str, int]:
            done = train_faiss(paths[0], origin.vectors, plan, dim=target.dim, layer_norm=origin.layer_norm)
            return {"trained_on": done}

        trained_on = trained.finish(Step(target.name, key, (name,)), train).notes["trained_on"]
        empty = trained.folder / name

    def fill(paths: Sequence[Path]) -> dict[str, int]:
        progress(f"building {target.name}", 0, rows)
        fill_faiss(paths[0], origin.vectors, plan, cut=cut, trained=empty)
        return {}

    entry = files.finish(Step(target.name, key, (name,)), fill).files[name]
    derived = Derived(
        dim=target.dim,
        kind=plan.kind,
        asked=plan.asked,
        factory=plan.factory,
        parts=(Part(rows, name),),
        trained_on=trained_on,
        nlist=plan.nlist,
        nprobe=plan.nprobe,
        rescore=plan.rescore,
    )
    return derived, entry


def _no_progress(stage: str, done: int, total: int | None, /) -> None:
    del stage, done, total


def derive(
    index: Index,
    dims: Iterable[int],
    kinds: Iterable[str],
    *,
    progress: Callable[[str, int, int | None], None] = _no_progress,
) -> Index:
    """Add derived indexes to a folder from its stored vectors; no model is needed. Those it holds already stay.

    Each file is committed before the manifest names it, so a stop in between leaves the index as it was, and what was
    trained or filled is found again. Raises UsageError as `plan_targets` does, IndexFolderError where somebody else is
    writing to the folder, or it can't be written to.
    """
    targets = plan_targets(dims, kinds, rows=index.manifest.rows, width=index.manifest.dim)
    held = {target.name for target in targets} <= {derived.name for derived in index.manifest.derived}
    if held and not work_path(index.folder).exists():
        return index
    try:
        return _add(index.folder, targets, progress)
    except IndexFolderError:
        if held:  # only a stopped call's leftovers were to be removed
            return index
        raise


def _add(folder: Path, targets: Sequence[Target], progress: Callable[[str, int, int | None], None]) -> Index:
    with working_on(folder) as work:
        # Whoever held the lock before may have added files, and been killed while it wrote the manifest.
        with writing_in(folder):
            take_back(work)
        current = open_index(folder)
        manifest = current.manifest
        checksums = tuple(manifest.files[shard.vectors].sha256 for shard in manifest.shards)
        origin = Origin(current.vectors, checksums, manifest.layer_norm)
        for steps in (work.derived, work.trained):
            steps.verify(lambda done, total: progress("checking what is there", done, total))
        for target in targets:
            if any(derived.name == target.name for derived in manifest.derived):
                _forget(work, target)
                continue
            made, entry = build_derived(origin, target, files=work.derived, trained=work.trained, progress=progress)
            (name,) = made.files
            manifest = replace(manifest, derived=(*manifest.derived, made), files={**manifest.files, name: entry})
            with writing_in(folder):
                (work.derived.folder / name).replace(folder / name)
                sync(folder)
                write_manifest(folder, manifest)
            _forget(work, target)
    return open_index(folder)


def _forget(work: WorkFolder, target: Target) -> None:
    for steps in (work.derived, work.trained):
        steps.forget(target.name)
