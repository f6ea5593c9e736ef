"""What is told of a training on the way and at its end."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from searchapp.train.log import LogRow
    from searchapp.train.model_folder import Made

SHOWN = 6
"""Dims in a line, at most."""
_USUAL = ("_ndcg@10", "_spearman_cosine", "_cosine_accuracy")
"""What a line shows of the judges' measures where the recipe names none."""


def describe_row(row: "LogRow", measure: str) -> str:
    """Say in one line what was logged: of the measures the one that counts, at every dim."""
    words = [f"step {row.step:,}", f"epoch {row.epoch:.2f}"] if row.step else ["the base"]
    words += [] if row.loss is None else [f"loss {row.loss:.4f}"]
    words += [] if row.eval_loss is None else [f"held-out loss {row.eval_loss:.4f}"]
    return "  ".join(words + [f"{name} {value:.4f}" for name, value in chosen(row.measures, measure).items()])


def chosen(measures: Mapping[str, float], measure: str) -> dict[str, float]:
    """Return the values of one measure at every dim, widest first."""
    wanted = f"_{measure}" if measure else _USUAL
    found = {name: value for name, value in measures.items() if name.endswith(wanted)}
    return dict(list(found.items())[:SHOWN])


def row_as_json(row: "LogRow") -> dict[str, object]:
    """Return a row of the log for --json: null where a number is not finite, which JSON has no word for."""
    plain = {name: _finite(value) for name, value in row.as_json().items()}
    return {**plain, "measures": {name: _finite(value) for name, value in row.measures.items()}}


def end_as_json(made: "Made") -> dict[str, object]:
    """Return what came of a training, for --json."""
    return {
        "model": str(made.folder),
        "recipe": made.recipe.name,
        "base": made.base,
        "step": made.step,
        "measure": made.measure,
        "before": dict(made.measures_at(0)),
        "after": dict(made.measures_at(made.step)),
        "data": dict(made.about),
        "seconds": made.seconds,
    }


def describe_end(made: "Made") -> list[str]:
    """Say in lines what came of a training: where the model is, and what it measures beside its base."""
    kept = f"step {made.step:,}" + (f", the best by {made.measure}" if made.recipe.training.keep == "best" else "")
    lines = [f"model {made.folder}: {made.recipe.name} of {made.base}, {kept}"]
    before, after = made.measures_at(0), made.measures_at(made.step)
    for name, value in chosen(after, made.recipe.judge.measure).items():
        was = f" (the base {before[name]:.4f}, {value - before[name]:+.4f})" if name in before else ""
        lines.append(f"  {name} {value:.4f}{was}")
    if (
        made.measure is not None
        and made.measure in before
        and after.get(made.measure, math.inf) <= before[made.measure]
    ):
        lines.append("no step is better than the base by that measure: keep the base, or train otherwise")
    return [*lines, f"try it: searchapp bench DATASET --model {made.folder}"]


def _finite(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value
