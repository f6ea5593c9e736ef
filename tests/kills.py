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
import traceback
from ast import literal_eval
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_corpus
from searchapp.errors import IndexFolderError
from searchapp.index.faiss_door import faiss_version
from searchapp.prompts import Prompts
from tests.fakes import CuttingEncoder

OPTIONS = BuildOptions(dims=(32, 16), kinds=("flat", "ivf-pq"), overwrite=True, shard_documents=220)
MOMENTS = 50
DOCUMENTS = 640
"""Just enough for `ivf-pq` to train on."""
FINISHED, FAILED = 0, 3
WATCHED = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")
"""What the interpreter announces before it touches the disk; between two commits there is always one of these."""
INSIDE_FAISS = "inside FAISS, training"
AIMED = ("tokenising", "encoding", "writing", "training", "adding", "manifest")
"""Stages that every second moment is aimed at, in turn; the others are spread evenly over everything."""


def stage_of(entry: str) -> str:
    """Return what a process is at after it has announced this."""
    for stage, marks in (
        ("tokenising", ("tokenising",)),
        ("encoding", ("encoding",)),
        ("training", ("progress training", INSIDE_FAISS)),
        ("adding", ("progress building",)),
        ("manifest", ("manifest.json", "placed.json")),
        ("writing", ("vectors/", "documents/", "receipts/", ".faiss")),
    ):
        if any(mark in entry for mark in marks):
            return stage
    return "between"


@dataclass(frozen=True)
class Aim:
    """When to kill: at which entry of a stage, or of all, counted from 1."""

    at: int
    stage: str | None = None
    into_training: float | None = None
    """Seconds into FAISS's training, which announces nothing, so a thread has to kill."""


class Trigger:
    """Writes down what happens, and kills its own process at an aim."""

    def __init__(self, aim: Aim | None, trace: Path) -> None:
        self._count = 0
        self._aim = aim
        self._began = time.perf_counter()
        self._trace = trace
        self._log: int | None = None

    def __call__(self, what: str) -> None:
        if self._log is None:
            self._log = -1  # opening it is announced too
            self._log = os.open(self._trace, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        elif self._log < 0:
            return
        self._write(what)
        aim = self._aim
        if aim is None or aim.stage not in (None, stage_of(what)):
            return
        self._count += 1
        if self._count != aim.at:
            return
        if aim.into_training is None:
            os.kill(os.getpid(), signal.SIGKILL)
        threading.Thread(target=self._kill_in_training, args=(aim.into_training,), daemon=True).start()

    def _write(self, what: str) -> None:
        os.write(self._log or 0, f"{time.perf_counter() - self._began:.6f} {what!r}\n".encode())

    def _kill_in_training(self, after: float) -> None:
        while not is_training():
            time.sleep(0.0005)
        time.sleep(after)
        if is_training():
            self._write(INSIDE_FAISS)
        os.kill(os.getpid(), signal.SIGKILL)


def is_training() -> bool:
    """Tell whether the main thread is within FAISS's C++: its last Python frame is the bare call into it."""
    frame = sys._current_frames()[threading.main_thread().ident or 0]
    code = frame.f_code
    return code.co_name == "train" and Path(code.co_filename).stem.startswith("swigfaiss")


def read_trace(trace: Path) -> list[tuple[float, str]]:
    """Return what a trigger has written down: seconds since it was made, and what was announced."""
    lines = (line.split(" ", 1) for line in trace.read_text(encoding="utf-8").splitlines())
    return [(float(seconds), literal_eval(what)) for seconds, what in lines]


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
        lost, prefixed = self.counts.last_lost, self.counts.last_prefixed
        self._trigger("encoding")
        second = super().encode_documents(texts[half:])
        self.counts.last_lost = [*lost, *self.counts.last_lost]
        self.counts.last_prefixed = [*prefixed, *self.counts.last_prefixed]
        return np.concatenate([first, second])


def build(corpus: Path, out: Path, *, trigger: Trigger) -> None:
    """Build once in this process, which may not live to see the end."""
    sys.addaudithook(lambda event, args: trigger(f"{event} {args[:2]}") if event in WATCHED else None)
    build_index(
        open_corpus(corpus),
        out,
        encoder=WatchedEncoder(trigger),
        options=OPTIONS,
        progress=lambda stage, done, total: trigger(f"progress {stage} {done}"),
        note=lambda text: trigger(f"note {text}"),
    )


def forked(work: Callable[[], object]) -> int:
    """Run in a forked child; return its exit code, or minus the signal that ended it."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        work()
        code = FINISHED
    except IndexFolderError as error:
        sys.stderr.write(f"{error}\n")
        code = FAILED
    finally:  # a forked child must not run on into its parent's code
        if code == 1:
            traceback.print_exc()
        os._exit(code)


def folder_bytes(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def aim_at(log: Sequence[tuple[float, str]], moment: int, rng: random.Random) -> Aim:
    """Choose when to kill: every second moment aims at a stage, the others spread evenly over everything."""
    if moment % 2 == 0:
        return Aim(1 + (len(log) - 1) * moment // MOMENTS + rng.randrange(max(1, len(log) // MOMENTS)))
    wanted = AIMED[moment // 2 % len(AIMED)]
    places = [number for number, (_, entry) in enumerate(log) if stage_of(entry) == wanted]
    at = rng.randrange(len(places))
    return Aim(at + 1, wanted, rng.uniform(0, 0.005) if wanted == "training" else None)


def main(corpus: Path, place: Path, seed: int) -> None:
    faiss_version()  # imports FAISS, once for all children
    traces = place / "traces"
    traces.mkdir()
    if forked(partial(build, corpus, place / "reference", trigger=Trigger(None, traces / "whole"))) != FINISHED:
        raise SystemExit("the uninterrupted build failed")
    log = read_trace(traces / "whole")
    reference = folder_bytes(place / "reference")
    rng = random.Random(seed)
    for moment in range(MOMENTS):
        out, trace = place / f"m{moment}" / "shop", traces / f"{moment}"
        if moment % 3 == 1:
            build_over(out)
        codes = [forked(partial(build, corpus, out, trigger=Trigger(aim_at(log, moment, rng), trace)))]
        last = read_trace(trace)[-1][1]
        if moment % 4 == 3:  # and once more while it goes on
            again = Trigger(Aim(rng.randrange(1, len(log))), traces / "again")
            codes.append(forked(partial(build, corpus, out, trigger=again)))
        codes.append(forked(partial(build, corpus, out, trigger=Trigger(None, traces / "last"))))
        left = sorted(item.name for item in out.parent.iterdir())
        same = folder_bytes(out) == reference
        result = {"stage": stage_of(last), "last": last, "codes": codes, "same": same, "left": left}
        sys.stdout.write(json.dumps(result) + "\n")


def build_over(out: Path) -> None:
    """Put another, older index at `out`, for the build to replace."""
    small = out.parent / "small.jsonl"
    out.parent.mkdir(parents=True)
    small.write_text('{"_id": "old", "text": "what was here before"}\n', encoding="utf-8")
    code = forked(lambda: build_index(open_corpus(small), out, encoder=CuttingEncoder(40)))
    if code != FINISHED:
        raise SystemExit("the older index could not be built")
    small.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
