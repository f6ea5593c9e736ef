"""Trainings to be looked at: what was asked, what was told on the way, and what was made."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchapp.train.log import LogRow
from searchapp.train.model_folder import Made
from searchapp.train.recipe_file import open_recipe
from searchapp.train.run import Listeners, TrainOptions, train_model
from tests.models_on_disk import quiet

QUICK = (
    "training.log_every=1",
    "training.learning_rate=1e-3",
    "training.warmup_ratio=0",
    "training.checkpoint_every=0",
)
"""Settings of a training of a few steps, in which small random models change visibly."""


@dataclass(frozen=True)
class Ordered:
    """A training as it is asked for."""

    recipe: str
    base: Path
    data: Path
    judged_on: Path | None
    settings: Sequence[str] = ()

    def with_settings(self, *settings: str) -> "Ordered":
        """Return it with more of them."""
        return replace(self, settings=(*self.settings, *settings))


@dataclass
class Told:
    """A listener that remembers; it is interrupted, as by Ctrl-C, once it is told of a step."""

    interrupted_at: int | None = None
    rows: list[LogRow] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def listeners(self) -> Listeners:
        """Return it as what a training tells."""
        return Listeners(self._progress, self.notes.append, self._row)

    def _progress(self, stage: str, _done: int, _total: int | None, /) -> None:
        self.stages += [] if stage in self.stages else [stage]

    def _row(self, row: LogRow) -> None:
        self.rows.append(row)
        if row.step == self.interrupted_at:
            raise KeyboardInterrupt


def train(ordered: Ordered, out: Path, *, told: Told | None = None, options: TrainOptions | None = None) -> Made:
    """Train as it is asked for, on the CPU."""
    recipe = open_recipe(ordered.recipe, [f"model.base={ordered.base}", *QUICK, *ordered.settings])
    with quiet():
        return train_model(
            recipe,
            ordered.data,
            out,
            judged_on=ordered.judged_on,
            options=options or TrainOptions(device="cpu"),
            listeners=(told or Told()).listeners(),
        )


def weights(folder: Path) -> dict[str, npt.NDArray[Any]]:
    """Return the tensors of a model's folder by their names."""
    from safetensors.numpy import load_file

    return dict(load_file(folder / "model.safetensors"))


def same_weights(one: Path, other: Path) -> bool:
    """Tell whether two models' folders have the same tensors, bit by bit."""
    left, right = weights(one), weights(other)
    return left.keys() == right.keys() and all(np.array_equal(left[name], right[name]) for name in left)
