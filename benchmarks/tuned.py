"""What the benchmarks of training share: the project's own commands, one after the other, and what they kept."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common import ROOT

RECIPES = ROOT / "benchmarks" / "recipes"
PRIMARY = "nDCG@10"


def command(*words: str) -> str:
    """Run a searchapp command to its end and return what it printed; what it says on the way goes to standard error."""
    print(f"$ searchapp {' '.join(words)}", file=sys.stderr, flush=True)
    found = subprocess.run([sys.executable, "-m", "searchapp", *words], stdout=subprocess.PIPE, text=True, check=True)
    return found.stdout


def read_lines(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")


def train(recipe: str, data: Path, judged_on: Path, out: Path, settings: Sequence[str] = ()) -> Any:
    """Train, or go on with a training that was stopped, and return what its folder tells of it (`Made`)."""
    from searchapp.train.model_folder import read_report

    sets = [word for setting in settings for word in ("--set", setting)]
    places = ["--data", str(data), "--eval", str(judged_on), "--out", str(out)]
    command("train", "--recipe", recipe, *places, "--device", "cpu", *sets)
    return read_report(out)


def bench(dataset: Path, model: str, out: Path, *, dims: Sequence[int], more: Sequence[str] = ()) -> Any:
    """Judge a model at every dim, flat, and return the report; embedded corpora are kept beside `out`."""
    from searchapp.bench.stored import read_results

    cut = ["--dims", ",".join(map(str, dims)), "--kinds", "flat"]
    kept = ["--cache", str(out.parent / "cache"), "--out", str(out)]
    command("bench", str(dataset), "--model", model, "--device", "cpu", *cut, *kept, *more)
    return read_results(out)


def compare(before: Path, after: Path, measures: Sequence[str] = (PRIMARY,)) -> list[Mapping[str, Any]]:
    """Return the rows of `bench compare`: one for each dim and measure, p corrected for all of them."""
    told = command("bench", "compare", str(before), str(after), "--measures", ",".join(measures), "--json")
    rows: list[Mapping[str, Any]] = json.loads(told)["rows"]
    return rows


def log_of(made: Any) -> list[dict[str, Any]]:
    """Return the rows of a training's log, rounded; of the measures only the one the card is read by, at every dim."""
    return [
        {
            "step": row.step,
            "epoch": round(row.epoch, 3),
            "loss": None if row.loss is None else round(row.loss, 4),
            "seconds": round(row.seconds, 1),
            **{name: round(value, 4) for name, value in row.measures.items() if name.endswith("cosine_ndcg@10")},
        }
        for row in made.rows
    ]


def recipe_of(made: Any) -> str:
    """Return the recipe as it was run, every field, as TOML."""
    from searchapp.train.recipe_file import render_recipe

    return str(render_recipe(made.recipe))
