"""What a field of a recipe must be beyond its type, one row each."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from searchapp.corpus.template import Template
from searchapp.errors import UsageError

LARGEST = 2**31 - 1
LARGEST_SEED = 2**32 - 1
"""What NumPy's and torch's generators both take."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What a value must be beyond its type."""

    holds: Callable[[Any], bool]
    expected: str


def _at_least(least: int, why: str = "") -> Rule:
    return Rule(lambda value: bool(value >= least), f"at least {least}{why}")


_ABOVE_ZERO = Rule(lambda value: bool(value > 0), "more than 0")
_SAID = Rule(lambda value: bool(value.strip()), "a name")
_DESCENDING = Rule(
    lambda dims: all(dim > 0 for dim in dims) and all(wide > narrow for wide, narrow in itertools.pairwise(dims)),
    "widths above 0, widest first, none twice",
)
_TEMPLATE = Rule(lambda text: not text or _is_template(text), "a template such as {title}, {brand}")

RULES: Mapping[str, Rule] = {
    "name": _SAID,
    "model.base": _SAID,
    "model.max_seq_length": _at_least(3, ": a token and the special ones"),
    "distil.dim": _at_least(1),
    "distil.random": _at_least(0, ", where 0 adds nothing"),
    "data.anchor": _TEMPLATE,
    "data.positive": _TEMPLATE,
    "data.negative": _TEMPLATE,
    "data.text": _TEMPLATE,
    "data.split": _SAID,
    "data.positive_grade": _at_least(0, ", where 0 is the data set's own threshold"),
    "data.negative_grade": _at_least(0),
    "data.negatives": _at_least(0),
    "loss.scale": _ABOVE_ZERO,
    "loss.mini_batch_size": _at_least(1),
    "loss.matryoshka_dims": _DESCENDING,
    "loss.matryoshka_weights": Rule(lambda weights: all(weight > 0 for weight in weights), "weights above 0"),
    "training.batch_size": _at_least(2, ": the other rows of a batch are a row's negatives"),
    "training.accumulation": _at_least(1),
    "training.learning_rate": _ABOVE_ZERO,
    "training.warmup_ratio": Rule(lambda share: bool(0 <= share < 1), "a share of the steps, from 0 to less than 1"),
    "training.epochs": _ABOVE_ZERO,
    "training.max_steps": _at_least(0, ", where 0 takes whole epochs"),
    "training.weight_decay": _at_least(0),
    "training.max_grad_norm": _at_least(0, ", where 0 leaves gradients as they are"),
    "training.seed": Rule(lambda seed: bool(0 <= seed <= LARGEST_SEED), f"from 0 to {LARGEST_SEED}"),
    "training.log_every": _at_least(1),
    "training.checkpoint_every": _at_least(0, ", where 0 takes none beside those whenever it is judged"),
    "judge.name": Rule(
        lambda name: bool(name) and not any(mark.isspace() or mark == "|" for mark in name),
        "a name without blanks and |",
    ),
    "judge.every": Rule(lambda every: every == "epoch" or every >= 1, "at least 1 step, or epoch"),
    "judge.dims": _DESCENDING,
}


def _is_template(text: str) -> bool:
    try:
        Template.parse(text)
    except UsageError:
        return False
    return True
