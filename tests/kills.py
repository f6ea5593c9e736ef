"""Builds that are killed: a process that has everything imported forks a child for each, and the child kills itself.

Run as a program, with a corpus, a folder to work in and a seed; prints one JSON line for each moment.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_corpus
from searchapp.errors import IndexFolderError
from searchapp.index.faiss_backend import faiss_version
from searchapp.prompts import Prompts
from tests.fakes import CuttingEncoder

OPTIONS = BuildOptions(dims=(32, 16), kinds=("flat", "ivf-pq"), overwrite=True, shard_documents=150)
MOMENTS = 50
FINISHED, FAILED = 0, 3
WATCHED = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")
"""What the interpreter announces before it touches the disk; between two commits there is always one of these."""


class Trigger:
    """Counts what happens and kills its own process at a given count; without one, only counts."""

    def __init__(self, at: int | None) -> None:
        self.count = 0
        self.log: list[str] = []
        self._at = at

    def __call__(self, what: str) -> None:
        self.count += 1
        self.log.append(what)
        if self.count == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


class WatchedEncoder(CuttingEncoder):
    """Tells the trigger before, amid and after the work on its texts."""

    def __init__(self, trigger: Callable[[str], None]) -> None:
        super().__init__(40)
        self.card = type(self.card)(
            **{name: getattr(self.card, name) for name in self.card.__slots__} | {"prompts": Prompts("q: ", "d: ")}
        )
        self._trigger = trigger

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        self._trigger("tokenising")
        half = len(texts) // 2
        first = super().encode_documents(texts[:half])
        self._trigger("encoding")
        return np.concatenate([first, super().encode_documents(texts[half:])])


def build(corpus: Path, out: Path, *, trigger: Trigger, timer: float | None = None) -> None:
    """Build once in this process, which may not live to see the end."""
    sys.addaudithook(lambda event, args: trigger(f"{event} {args[:2]}") if event in WATCHED else None)
    if timer is not None:
        threading.Timer(timer, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()
    build_index(
        open_corpus(corpus),
        out,
        encoder=WatchedEncoder(trigger),
        options=OPTIONS,
        progress=lambda stage, done, total: trigger(f"progress {stage} {done}"),
        note=lambda text: trigger(f"note {text}"),
    )


def forked(work: Callable[[], None]) -> int:
    """Run in a forked child; return its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        work()
    except IndexFolderError as error:
        sys.stderr.write(f"{error}\n")
        os._exit(FAILED)
    except BaseException as error:  # noqa: BLE001 - a forked child must not run on into its parent's code
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(FINISHED)


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def main(corpus: Path, place: Path, seed: int) -> None:
    faiss_version()  # imports FAISS, once for all children
    counted = place / "counted"

    def count() -> None:
        trigger = Trigger(None)
        build(corpus, place / "reference", trigger=trigger)
        counted.write_text("\n".join(entry.replace("\n", " ") for entry in trigger.log), encoding="utf-8")

    began = time.perf_counter()
    if forked(count) != FINISHED:
        raise SystemExit("the uninterrupted build failed")
    took = time.perf_counter() - began
    log = counted.read_text(encoding="utf-8").splitlines()
    reference = folder_bytes(place / "reference")
    rng = random.Random(seed)
    for moment in range(MOMENTS):
        out = place / f"m{moment}" / "shop"
        if moment % 3 == 1:
            build_over(out)
        at = 1 + (len(log) - 1) * moment // MOMENTS + rng.randrange(max(1, len(log) // MOMENTS))
        timer = rng.uniform(0, took) if moment % 5 == 4 else None
        trigger = Trigger(None if timer is not None else at)
        codes = [forked(partial(build, corpus, out, trigger=trigger, timer=timer))]
        if moment % 4 == 3:  # and once more while it goes on
            again = Trigger(rng.randrange(1, len(log)))
            codes.append(forked(partial(build, corpus, out, trigger=again)))
        codes.append(forked(partial(build, corpus, out, trigger=Trigger(None))))
        left = sorted(item.name for item in out.parent.iterdir())
        result = {
            "moment": log[at - 1] if timer is None else f"{timer:.3f} s of {took:.3f} s",
            "codes": codes,
            "same": folder_bytes(out) == reference,
            "left": left,
        }
        sys.stdout.write(json.dumps(result) + "\n")


def build_over(out: Path) -> None:
    """Put another, older index at `out`, for the build to replace."""
    small = out.parent / "small.jsonl"
    out.parent.mkdir(parents=True)
    small.write_text('{"_id": "old", "text": "what was here before"}\n', encoding="utf-8")
    code = forked(lambda: build_index(open_corpus(small), out, encoder=CuttingEncoder(40)) and None)
    if code != FINISHED:
        raise SystemExit("the older index could not be built")
    small.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
