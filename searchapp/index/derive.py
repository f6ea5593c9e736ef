"""Derived indexes: from stored vectors to FAISS files, inside a folder that is being built or stands already."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from searchapp.errors import UsageError
from searchapp.index.faiss_backend import build_faiss, check_factory
from searchapp.index.folder import Index
from searchapp.index.kinds import KINDS, Plan, plan_kind
from searchapp.index.manifest import Derived, FileEntry, write_manifest
from searchapp.index.vectors import VectorStore
from searchapp.layout import replacing_file, sha256_file


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


def build_derived(folder: Path, vectors: VectorStore, target: Target, *, layer_norm: bool) -> tuple[Derived, FileEntry]:
    """Build one FAISS file in `folder`, in one step, and describe it."""
    name = f"{target.name}.faiss"
    with replacing_file(folder / name) as temporary:
        trained_on = build_faiss(temporary, vectors, target.plan, dim=target.dim, layer_norm=layer_norm)
    plan = target.plan
    derived = Derived(
        dim=target.dim,
        kind=plan.kind,
        asked=plan.asked,
        factory=plan.factory,
        file=name,
        trained_on=trained_on,
        nlist=plan.nlist,
        nprobe=plan.nprobe,
        rescore=plan.rescore,
    )
    return derived, describe_file(folder / name)


def describe_file(path: Path) -> FileEntry:
    """Return the size and checksum of a file, for the manifest."""
    return FileEntry(path.stat().st_size, sha256_file(path))


def derive(index: Index, dims: Iterable[int], kinds: Iterable[str]) -> Index:
    """Add derived indexes to a folder from its stored vectors; no model is needed. Those it holds already stay.

    Each file is committed before the manifest names it, so a stop in between leaves the index as it was. Raises
    UsageError as `plan_targets` does.
    """
    manifest = index.manifest
    targets = plan_targets(dims, kinds, rows=len(index), width=manifest.dim)
    for target in targets:
        if any(derived.name == target.name for derived in manifest.derived):
            continue
        made, entry = build_derived(index.folder, index.vectors, target, layer_norm=manifest.layer_norm)
        manifest = replace(manifest, derived=(*manifest.derived, made), files={**manifest.files, made.file: entry})
        write_manifest(index.folder, manifest)
    return Index(index.folder, manifest)
