"""The work folder of a training: one trainer at a time, one contract, and checkpoints that survive any stop.

models/.shop.partial/       beside models/shop
  lock                      held while somebody trains
  contract.json             what is trained, on what, from what
  checkpoints/              the last one, the last surely good one, and the best so far; each is a model's folder with
                            the trainer's state in it
  log.jsonl                 a row whenever something was logged or judged
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from searchapp.errors import ContractError
from searchapp.layout import LOCK, acquire, is_at, replacing_file, work_path
from searchapp.train.checkpoints import keep_checkpoints, whole_checkpoints
from searchapp.train.processes import is_first

CONTRACT = "contract.json"


@dataclass(frozen=True, slots=True)
class TrainingFolder:
    """The work folder of a training that is held; made by `training_on`."""

    target: Path
    path: Path

    @property
    def checkpoints(self) -> Path:
        """Return where checkpoints lie."""
        return self.path / "checkpoints"

    @property
    def log(self) -> Path:
        """Return the file that holds the log."""
        return self.path / "log.jsonl"

    def begin(self, contract: Mapping[str, str], *, restart: bool) -> int:
        """Take up the training of this contract; return the step of the last checkpoint to go on from, or 0.

        Half a checkpoint is removed, and so is all of another contract's training if `restart` says so or there is no
        checkpoint of it. Raises ContractError naming what differs otherwise.
        """
        stored = _read(self.path / CONTRACT)
        there = whole_checkpoints(self.checkpoints)
        differing = [name for name in {**stored, **contract} if stored.get(name) != contract.get(name)]
        if there and differing and not restart:
            name = differing[0]
            raise ContractError(
                f"{self.path} is a stopped training's, with {name} {stored.get(name)}, and this call has "
                f"{contract.get(name)}; type that call again to go on with it, or this one with --restart to start over"
            )
        if not is_first():
            return max(there, default=0)
        if restart or not there:
            self._clear()
            there = {}
        keep_checkpoints(self.checkpoints, there)
        with replacing_file(self.path / CONTRACT) as temporary:
            temporary.write_text(json.dumps(contract, indent=1) + "\n", encoding="utf-8")
        return max(there, default=0)

    def discard(self) -> None:
        """Remove the folder, its lock last."""
        self._clear()
        (self.path / CONTRACT).unlink(missing_ok=True)
        (self.path / LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

    def _clear(self) -> None:
        shutil.rmtree(self.checkpoints, ignore_errors=True)
        self.log.unlink(missing_ok=True)


@contextlib.contextmanager
def training_on(target: Path) -> Iterator[TrainingFolder]:
    """Hold a target's work folder for one training; at the end it stays if a checkpoint is in it.

    Of several processes the first holds it for all. Raises IndexFolderError where somebody else holds it or it can't
    be made.
    """
    target = target.resolve()
    folder = TrainingFolder(target, work_path(target))
    if not is_first():
        yield folder
        return
    descriptor = acquire(folder.path, target)
    try:
        yield folder
    finally:
        # Once it is discarded, another training may hold it.
        if is_at(descriptor, folder.path / LOCK) and not whole_checkpoints(folder.checkpoints):
            folder.discard()
        os.close(descriptor)


def _read(path: Path) -> dict[str, str]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
