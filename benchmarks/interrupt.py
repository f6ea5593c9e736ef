"""How long `searchapp index` takes to end after Ctrl-C, at every stage; the worst of several moments in each.

    python benchmarks/interrupt.py [--count N] [--moments N] [--kind KIND] [--save]

A child process runs the command on a terminal of its own, with a static model of 128 dims, until its progress names a
stage and a part of that stage's usual time has passed; then SIGINT is sent and the end awaited. What was finished is
kept, so the next moment of the same stage is reached at once. `index --from` is stopped in the same way.
"""

import argparse
import itertools
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import save
from memory import write_texts
from static import make_model

STAGES = ("starting", "reading", "loading the model", "embedding", "training", "building", "putting in place")
WORDS = re.compile("|".join(STAGES[1:]))
DIM = 128
"""Wide enough for a training that one can stop amid."""
LINE = "type the same call again to go on"


class Child:
    """A command on a terminal of its own, and the last stage it named."""

    def __init__(self, command: Sequence[str]) -> None:
        self._screen, theirs = pty.openpty()
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.stage = "starting"
        self.text = ""

    def watch(self) -> Iterator[str]:
        """Yield the stage again and again until the process has ended."""
        while self._read(0.01):
            yield self.stage

    def interrupt(self) -> float:
        """Send SIGINT and return the seconds until the process has ended."""
        began = time.perf_counter()
        self._process.send_signal(signal.SIGINT)
        while self._read(0.01):
            pass
        self._process.wait()
        return time.perf_counter() - began

    def end(self) -> int:
        """Return the exit code."""
        os.close(self._screen)
        return self._process.wait()

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], seconds)
        if not ready:
            return self._process.poll() is None
        try:
            said = os.read(self._screen, 1 << 16).decode("utf-8", "replace")
        except OSError:  # the other end is closed
            return False
        self.text = (self.text + said)[-10_000:]
        for found in WORDS.findall(said):
            self.stage = found
        return True


def usual_times(command: Sequence[str]) -> dict[str, float]:
    """Run to the end; return how long each stage took."""
    child = Child(command)
    times: dict[str, float] = {}
    before = time.perf_counter()
    for stage in child.watch():
        now = time.perf_counter()
        times[stage] = times.get(stage, 0) + now - before
        before = now
    if code := child.end():
        raise SystemExit(f"{' '.join(command)} ended with {code}: {child.text}")
    return times


def stop_in(command: Sequence[str], stage: str, after: float) -> tuple[float, str] | None:
    """Stop a command `after` seconds into a stage; return the seconds it took to end, and what was wrong with it."""
    child = Child(command)
    reached: float | None = None
    for now in child.watch():
        if reached is None and now == stage:
            reached = time.perf_counter()
        if reached is not None and time.perf_counter() - reached >= after:
            took = child.interrupt()
            said = "" if LINE in child.text else "without its line"
            said = "with a traceback" if "Traceback" in child.text else said
            code = child.end()
            return took, said if code == 130 else f"{said} code {code}"
    child.end()
    return None


def measure(command: Sequence[str], out: Path, *, moments: int) -> dict[str, list[float]]:
    """Return, for each stage of a command, the seconds that each stop in it took."""
    work = out.with_name(f".{out.name}.partial")
    kept = out.with_name("kept")
    if out.exists():
        shutil.copytree(out, kept)
    usual = usual_times(command)
    found: dict[str, list[float]] = {}
    for stage, moment in itertools.product(usual, range(moments)):
        shutil.rmtree(out, ignore_errors=True)
        if moment == 0:
            shutil.rmtree(work, ignore_errors=True)
        if kept.exists():
            shutil.copytree(kept, out)
        stopped = stop_in(command, stage, usual[stage] * (moment + 0.5) / moments)
        if stopped is None:
            continue  # it was over before
        took, wrong = stopped
        found.setdefault(stage, []).append(took)
        print(f"{stage}: ended after {took:.2f} s", file=sys.stderr, flush=True)
        if wrong:
            print(f"{stage}: ended {wrong}", flush=True)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=12_000)
    parser.add_argument("--moments", type=int, default=2)
    parser.add_argument("--kind", default="ivf-pq,flat")
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results/interrupt.json")
    arguments = parser.parse_args()
    run = [sys.executable, "-m", "searchapp", "index"]
    result: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_model(folder / "model", DIM)
        corpus, out = write_texts(folder, arguments.count), folder / "shop"
        build = [*run, str(corpus), "--model", str(model), "--out", str(out)]
        result["index"] = measure([*build, "--kind", arguments.kind], out, moments=arguments.moments)
        shutil.rmtree(out, ignore_errors=True)
        subprocess.run([*build, "--kind", "flat"], check=True, capture_output=True)
        derive = [*run, "--from", str(out), "--kind", "ivf-pq"]
        result["index --from"] = measure(derive, out, moments=arguments.moments)
    for call, stages in result.items():
        for stage, seconds in stages.items():
            print(f"{call:<14} {stage:<18} worst {max(seconds):5.2f} s of {len(seconds)} moments")
    worst = max(max(seconds) for stages in result.values() for seconds in stages.values())
    print(f"{worst:.2f} s at worst from Ctrl-C to the end, {arguments.count:,} short texts")
    if arguments.save:
        save("interrupt", {"texts": arguments.count, "seconds": result, "worst_seconds": worst})


if __name__ == "__main__":
    main()
