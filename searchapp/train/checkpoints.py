"""Checkpoints on disk: whole or not there, found again, and no more of them than are needed."""

import json
import re
import shutil
from collections.abc import Collection
from pathlib import Path

from searchapp.layout import file_names, replacing_file, sync

COMPLETE, WATCH = "complete.json", "watch.json"
"""Written last: a checkpoint without it was cut off while it was written. And what a watch goes on with."""
_NAME = re.compile(r"checkpoint-(\d+)")


def seal(folder: Path) -> None:
    """Declare a checkpoint whole, once all of its files are on the disk."""
    names = file_names(folder)
    for name in names:
        sync(folder / name)
    sync(folder)
    with replacing_file(folder / COMPLETE) as temporary:
        sizes = {name: (folder / name).stat().st_size for name in names}
        temporary.write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")


def whole_checkpoints(root: Path) -> dict[int, Path]:
    """Return the whole checkpoints in a folder by their steps, ascending."""
    found = {
        int(match[1]): path
        for path in (root.iterdir() if root.is_dir() else ())
        if (match := _NAME.fullmatch(path.name)) and _is_whole(path)
    }
    return dict(sorted(found.items()))


def last_checkpoint(root: Path) -> Path | None:
    """Return the last whole checkpoint in a folder; None if there is none."""
    whole = whole_checkpoints(root)
    return whole[max(whole)] if whole else None


def checkpoint_path(root: Path, step: int) -> Path:
    """Return where the trainer puts the checkpoint of a step."""
    return root / f"checkpoint-{step}"


def keep_checkpoints(root: Path, steps: Collection[int]) -> None:
    """Remove all checkpoints but those of these steps; what is half written goes too.

    A checkpoint half removed is never taken for a whole one: its seal names every file.
    """
    for path in root.iterdir() if root.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match and (int(match[1]) not in steps or not _is_whole(path)):
            shutil.rmtree(path)


def _is_whole(folder: Path) -> bool:
    try:
        sizes = json.loads((folder / COMPLETE).read_text(encoding="utf-8"))
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False
