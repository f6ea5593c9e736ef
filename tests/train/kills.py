"""Trainings that are killed: a process that has everything imported forks a child for each, and the child kills itself.

Run as a program, with a folder to work in that holds `base`, `rows.jsonl` and `held-out.jsonl`; prints one JSON line
for each moment.
"""

import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from searchapp.train.recipe import LossSpec
from searchapp.train.run import Listeners, train_model
from tests.kills import FINISHED, WATCHED, forked
from tests.models_on_disk import quiet
from tests.train.small import small_recipe

MOMENTS = {"stepping": 1, "saving": 3, "placing": 1}
"""How many kills at each stage: between steps, while a checkpoint is written or let go of, and at the end."""

NOTED = "noted.txt"
"""Where the last thing that was noted is written down."""


class Killer:
    """Counts what is announced of each stage, and kills its own process at one of them."""

    def __init__(self, stage: str = "", at: int = 0) -> None:
        self.seen: Counter[str] = Counter()
        self._aim = (stage, at)

    def __call__(self, stage: str) -> None:
        self.seen[stage] += 1
        if (stage, self.seen[stage]) == self._aim:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch_files(self, out: Path) -> None:
        """Let the interpreter announce what it does to checkpoints and to the model's folder."""
        placing, work = f"{out.parent}/.{out.name}.", f"{out.parent}/.{out.name}.partial"

        def announced(event: str, arguments: tuple[object, ...]) -> None:
            if event in WATCHED and arguments:
                place = str(arguments[0])
                if place.startswith(f"{work}/checkpoints/"):
                    self("saving")
                elif place.startswith(placing) and not place.startswith(work):
                    self("placing")

        sys.addaudithook(announced)


def train(place: Path, out: Path, killer: Killer) -> None:
    """Train twelve steps in this process, judged every four and saved every three; it may not live to see the end."""
    recipe = replace(small_recipe(place / "base"), loss=LossSpec(matryoshka_dims=(64, 16)))
    training = replace(recipe.training, epochs=2.0, checkpoint_every=3, log_every=2, keep="best")
    recipe = replace(recipe, training=training, judge=replace(recipe.judge, every=4))
    killer.watch_files(out)

    def progress(stage: str, _done: int, _total: int | None) -> None:
        if stage == "training":
            killer("stepping")

    with quiet():
        train_model(
            recipe,
            place / "rows.jsonl",
            out,
            judged_on=place / "held-out.jsonl",
            listeners=Listeners(progress=progress, note=(place / NOTED).write_text),
        )


def counted(place: Path, out: Path) -> None:
    """Train without being killed, and write down how often each stage is announced."""
    killer = Killer()
    train(place, out, killer)
    (place / "counts.json").write_text(json.dumps(killer.seen), encoding="utf-8")


def told(work: Callable[[], object], place: Path, name: str) -> int:
    """Run in a forked child that says what it has to say into a file; return its exit code."""
    log = os.open(place / name, os.O_WRONLY | os.O_CREAT, 0o600)
    kept = os.dup(1)
    os.dup2(log, 1)
    try:
        return forked(work)
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(log)


def outcome(out: Path) -> dict[str, object]:
    """Return what must be the same whoever was killed: weights to the byte, and the log but for its seconds."""
    rows = [json.loads(line) for line in (out / "training" / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    timeless = [{name: value for name, value in row.items() if name != "seconds"} for row in rows]
    step = json.loads((out / "training" / "report.json").read_text(encoding="utf-8"))["step"]
    return {"weights": (out / "model.safetensors").read_bytes(), "log": timeless, "step": step}


def main(place: Path) -> None:
    with quiet():
        import sentence_transformers
        import transformers  # imported once, for all children

        assert sentence_transformers.SentenceTransformerTrainer
        assert transformers.Trainer
    whole = place / "whole" / "shop"
    if told(partial(counted, place, whole), place, "whole.log") != FINISHED:
        raise SystemExit("the uninterrupted training failed")
    reference, counts = outcome(whole), json.loads((place / "counts.json").read_text(encoding="utf-8"))
    for stage, moments in MOMENTS.items():
        for moment in range(moments):
            at = 1 + (2 * moment + 1) * counts[stage] // (2 * moments)
            out = place / f"{stage}{moment}" / "shop"
            (place / NOTED).unlink(missing_ok=True)
            codes = [
                told(partial(train, place, out, killer), place, "killed.log")
                for killer in (Killer(stage, at), Killer())
            ]
            went_on = (place / NOTED).read_text(encoding="utf-8") if (place / NOTED).exists() else ""
            left = sorted(item.name for item in out.parent.iterdir())
            found = outcome(out) if codes[-1] == FINISHED else {}
            same = [name for name, value in reference.items() if found.get(name) == value]
            result = {"stage": stage, "at": [at, counts[stage]], "codes": codes, "same": same}
            result |= {"left": left, "went_on": went_on}
            sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
