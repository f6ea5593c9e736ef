"""The files of an index folder: all that are missing, cut short, strange or newer. Opens none of them."""

from collections.abc import Iterator
from pathlib import Path

from searchapp.doctor.finding import Finding
from searchapp.index import Manifest, read_manifest
from searchapp.layout import MANIFEST, work_path

SHOWN = 3
"""Names that a finding lists."""
MOMENT = 1.0
"""Seconds that a file may be newer than the manifest: clocks of file systems are coarse."""


def files(folder: Path) -> Iterator[Finding]:
    """Compare the files of a folder with its manifest: all that are missing, cut short, strange or newer."""
    manifest = read_manifest(folder)
    derived = {name for one in manifest.derived for name in one.files}
    bad: list[str] = []
    gone: list[str] = []
    newer: list[str] = []
    written = (folder / MANIFEST).stat().st_mtime
    for name, entry in manifest.files.items():
        path = folder / name
        if not path.is_file():
            (gone if name in derived else bad).append(f"{name} is missing")
            continue
        found = path.stat()
        if found.st_size != entry.bytes:
            bad.append(f"{name} has {found.st_size:,} bytes, not {entry.bytes:,}")
        elif found.st_mtime > written + MOMENT:
            newer.append(name)
    there = {item.relative_to(folder).as_posix() for item in folder.rglob("*") if item.is_file()}
    strange = sorted(there - manifest.files.keys() - {MANIFEST})
    yield from _judge_files(folder, manifest, bad=bad, gone=gone)
    yield from _judge_others(folder, strange=strange, newer=newer)


def _judge_files(folder: Path, manifest: Manifest, *, bad: list[str], gone: list[str]) -> Iterator[Finding]:
    if bad:
        yield Finding(
            "index",
            "files",
            "problem",
            f"{len(bad)} of {len(manifest.files)} files are not as they were written: {_list(bad)}",
            "the folder was copied in part or damaged, and doesn't open",
            "copy it again, or build it again: searchapp index CORPUS --out NAME --overwrite",
            {"bad": list(bad)},
        )
        return
    if gone:
        yield Finding(
            "index",
            "files",
            "note",
            f"derived files were deleted: {_list(gone)}",
            "the index opens without them; searches that ask for them are refused",
            f"searchapp index --from {folder} --dim DIM --kind KIND makes them again, without the model",
            {"gone": list(gone)},
        )
    yield Finding(
        "index",
        "bytes",
        "ok",
        f"all {len(manifest.files) - len(gone)} files have their sizes; their bytes were not read",
        "a flipped byte would not be seen by this",
        f"searchapp verify {folder} reads and compares them all",
    )


def _judge_others(folder: Path, *, strange: list[str], newer: list[str]) -> Iterator[Finding]:
    if newer:
        yield Finding(
            "index",
            "newer",
            "note",
            f"newer than the manifest: {_list(newer)}",
            "they were copied, or changed since they were vouched for",
            f"searchapp verify {folder}",
            {"newer": list(newer)},
        )
    if strange:
        yield Finding(
            "index",
            "strangers",
            "note",
            f"none of the index's files: {_list(strange)}",
            "nothing reads them, and --overwrite refuses to remove them",
            "move them away",
            {"strange": list(strange)},
        )
    work = work_path(folder)
    if work.exists():
        yield Finding(
            "index",
            "unfinished",
            "note",
            f"{work} holds the work of a call that was stopped, or runs now",
            "its finished steps are kept, and take disk",
            "type that call again to go on with it, or delete the folder once nothing writes to it",
        )


def _list(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
