"""A process that opens folders for a test, which outlives whatever happens in it."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def open_all(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """Open each folder in a child of its own; return what came of it: see tests/hostile.py."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.hostile"],
        input="".join(f"{folder}\n" for folder in folders),
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=600,
    )
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(told) == len(folders), done.stderr[-2000:]
    for one in told:
        if "ended" in one:
            one["said"] = done.stderr[-2000:]
    return told


def is_refused(told: dict[str, Any]) -> bool:
    """Tell whether it ended in one line that a person can read."""
    text = told.get("refused")
    return isinstance(text, str) and bool(text.strip()) and "\n" not in text and len(text) < 1_000


def copy_of(folder: Path, place: Path) -> Path:
    """Return a copy that shares its files with the original: replace them, never write into them."""
    return Path(shutil.copytree(folder, place, copy_function=os.link))


def replace(path: Path, content: bytes) -> None:
    """Put another file in the place of one."""
    path.unlink()
    path.write_bytes(content)
