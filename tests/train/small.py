"""A small training: rows, a recipe, and what comes of it."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from searchapp.prompts import Prompts
from searchapp.train.recipe import DataSpec, JudgeSpec, LossSpec, ModelSpec, Recipe, Start, TrainingSpec

COLORS = ("red", "green", "rojo", "oak", "gold", "leather")
THINGS = ("handbag", "table", "tap", "chairs", "heart", "strap", "kitchen", "zip")
WOODEN = ("bench", "stool", "door", "desk", "shelf", "bowl", "boat", "box")


def rows(count: int = 24) -> list[dict[str, str]]:
    """Return triplets without a text that is in two of them."""
    pairs = [(color, thing) for thing in THINGS for color in COLORS]
    return [
        {
            "anchor": f"{color} {thing}",
            "positive": f"a {thing} that is {color}, number {number}",
            "negative": f"{pairs[number - 7][0]} {pairs[number - 5][1]} without {number}",
        }
        for number, (color, thing) in enumerate(pairs[:count])
    ]


def held_out() -> list[dict[str, str]]:
    """Return triplets to judge on, none of whose texts is in `rows()` or in two of them."""
    return [
        {"anchor": f"wooden {thing}", "positive": f"{thing} of wood", "negative": f"the heart of a {other}"}
        for thing, other in zip(WOODEN, WOODEN[1:] + WOODEN[:1], strict=True)
    ]


def write_rows(path: Path, written: Sequence[dict[str, str]] | None = None) -> Path:
    """Write triplets as JSON lines."""
    lines = [json.dumps(row) for row in (rows() if written is None else written)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def small_recipe(base: Path, *, start: Start = "pretrained") -> Recipe:
    """Return a recipe of six steps an epoch on `rows()`, at a rate at which a small model moves."""
    return Recipe(
        name="small",
        about="a small training",
        model=ModelSpec(str(base), start=start, max_seq_length=32),
        prompts=Prompts("query: ", "passage: ", "recipe"),
        data=DataSpec(),
        loss=LossSpec(),
        training=TrainingSpec(batch_size=4, learning_rate=1e-3, warmup_ratio=0.25, schedule="cosine"),
        judge=JudgeSpec(task="triplets", name="held-out", every=3, measure="cosine_accuracy"),
    )


def weights(folder: Path) -> dict[str, np.ndarray]:
    """Return all weights in a model's folder by their names."""
    from safetensors.numpy import load_file

    return {
        f"{path.parent.relative_to(folder).as_posix()}/{name}": value
        for path in sorted(folder.rglob("*.safetensors"))
        for name, value in load_file(path).items()
    }
