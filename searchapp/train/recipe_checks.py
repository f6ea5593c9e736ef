"""What no recipe may hold, whoever made it: a file, --set, or Python."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from searchapp.errors import UsageError
from searchapp.train.recipe import Recipe
from searchapp.train.recipe_fields import (
    Tree,
    choices,
    expected,
    fits,
    get_field,
    hints,
    needed,
    recipe_of,
    sections,
    tree_of,
)
from searchapp.train.recipe_rules import LARGEST, LARGEST_SEED, RULES

_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a recipe: the dotted name it is about, and what was found and expected, the name in it."""

    key: str
    reason: str


_ALSO_CALLED: Mapping[str, str] = {
    "per_device_train_batch_size": "training.batch_size",
    "gradient_accumulation_steps": "training.accumulation",
    "lr": "training.learning_rate",
    "lr_scheduler_type": "training.schedule",
    "num_train_epochs": "training.epochs",
    "optim": "training.optimizer",
    "bf16": "training.precision",
    "fp16": "training.precision",
    "batch_sampler": "training.sampler",
    "logging_steps": "training.log_every",
    "save_steps": "training.checkpoint_every",
    "eval_steps": "judge.every",
    "metric_for_best_model": "judge.measure",
    "load_best_model_at_end": "training.keep",
    "similarity_fct": "loss.similarity",
}
"""What the trainer of sentence-transformers calls the same thing."""


def check_recipe(recipe: Recipe) -> None:
    """Refuse a recipe made in Python that no file could hold; raises UsageError."""
    problem = find_problem(tree_of(recipe))
    if problem is not None:
        raise UsageError(f"recipe {recipe.name!r}: {problem.reason}")


def find_problem(tree: Tree) -> Problem | None:
    """Return the first thing that is wrong with a recipe's tree, or None.

    Names that aren't known come first, then values that are of another type or out of range, then those that don't
    go together.
    """
    return next(_problems(tree), None)


def _problems(tree: Tree) -> Iterator[Problem]:
    yield from _unknown(tree)
    for key, hint in hints().items():
        try:
            value = get_field(tree, key)
        except KeyError:
            if key in needed():
                yield Problem(key, f"{key} is missing; it takes {expected(hint)}")
        else:
            yield from _bad_value(key, hint, value)
    # Whoever asks for the first problem alone comes here only where every value is sound by itself.
    yield from _clashes(recipe_of(tree))


def _unknown(tree: Tree) -> Iterator[Problem]:
    for name, held in tree.items():
        if name in sections():
            if not isinstance(held, Mapping):
                yield Problem(name, f"{name} is {_shown(held)}; it is a section, written as [{name}]")
                continue
            for key in held:
                if f"{name}.{key}" not in hints():
                    yield Problem(f"{name}.{key}", no_such_field(f"{name}.{key}"))
        elif name not in hints():
            yield Problem(name, no_such_field(name))


def no_such_field(key: str) -> str:
    """Say that a recipe has no field or section of that dotted name, with the nearest that it has.

    >>> no_such_field("loss.scal")
    'a recipe has no loss.scal; perhaps loss.scale'
    >>> no_such_field("training.matryoshka_dims")
    'a recipe has no training.matryoshka_dims; perhaps loss.matryoshka_dims'
    """
    section, _, leaf = key.rpartition(".")
    leaf = leaf.casefold()
    within = [one for one in hints() if one.startswith(f"{key if key in sections() else section}.")]
    if key in sections():
        return f"{key} is a section; its fields are {', '.join(within)}"
    exact = [_ALSO_CALLED[leaf]] if leaf in _ALSO_CALLED else [one for one in hints() if _leaf(one) == leaf]
    near = exact or _like(leaf, within) or _like(leaf, [*hints(), *sections()])
    if near:
        return f"a recipe has no {key}; perhaps {near[0]}"
    return f"a recipe has no {key}; it has {', '.join(within or ['name', 'about', *sections()])}"


def _leaf(key: str) -> str:
    return key.rpartition(".")[2]


def _like(leaf: str, keys: Sequence[str]) -> list[str]:
    """Return those of the dotted names whose last part is most like another."""
    near = get_close_matches(leaf, [_leaf(one) for one in keys], n=1, cutoff=0.7)
    return [one for one in keys if _leaf(one) in near]


def _bad_value(key: str, hint: Any, value: object) -> Iterator[Problem]:
    if not fits(hint, value):
        near = get_close_matches(str(value), choices(hint), n=1)
        yield Problem(
            key, f"{key} is {_shown(value)}; it takes {expected(hint)}" + "".join(f"; perhaps {n}" for n in near)
        )
        return
    for one in value if isinstance(value, (list, tuple)) else (value,):
        if isinstance(one, (int, float)) and not _is_number(one, LARGEST_SEED if key == "training.seed" else LARGEST):
            yield Problem(key, f"{key} holds {_shown(one)}; it takes finite numbers up to {LARGEST}")
            return
        if isinstance(one, str) and not _is_text(one):
            yield Problem(key, f"{key} is {_shown(one)}, which is not Unicode; save the text as UTF-8")
            return
    rule = RULES.get(key)
    if rule is not None and not rule.holds(value):
        yield Problem(key, f"{key} is {_shown(value)}; it takes {rule.expected}")


def _clashes(recipe: Recipe) -> Iterator[Problem]:
    loss, training, data = recipe.loss, recipe.training, recipe.data
    if loss.matryoshka_weights and len(loss.matryoshka_weights) != len(loss.matryoshka_dims):
        yield Problem(
            "loss.matryoshka_weights",
            f"loss.matryoshka_weights are {len(loss.matryoshka_weights)} and loss.matryoshka_dims "
            f"{len(loss.matryoshka_dims)}; give one weight for each dim, or [] for 1 each",
        )
    if 0 < data.positive_grade <= data.negative_grade:
        yield Problem(
            "data.positive_grade",
            f"data.positive_grade is {data.positive_grade} and data.negative_grade {data.negative_grade}; "
            "what is relevant needs a higher grade than a hard negative",
        )
    if training.schedule == "constant" and training.warmup_ratio > 0:
        yield Problem(
            "training.schedule",
            f"training.schedule is constant, which never warms up, and training.warmup_ratio "
            f"{training.warmup_ratio:g}; take constant_with_warmup, or a warmup_ratio of 0",
        )
    if recipe.model.start == "rotate" and not loss.matryoshka_dims:
        yield Problem(
            "loss.matryoshka_dims",
            "loss.matryoshka_dims is empty, and a rotation changes nothing at full width; it takes the widths that "
            "vectors are to be cut to",
        )
    if recipe.model.start == "distil":
        yield from _beyond("loss.matryoshka_dims", loss.matryoshka_dims, recipe.distil.dim)
        yield from _beyond("judge.dims", recipe.judge.dims, recipe.distil.dim)


def _beyond(key: str, dims: Sequence[int], width: int) -> Iterator[Problem]:
    if dims and dims[0] > width:
        yield Problem(key, f"{key} begins with {dims[0]} and distil.dim is {width}; no vector is wider than that")


def _is_number(value: int | float, largest: int) -> bool:
    return abs(value) <= largest if isinstance(value, int) else math.isfinite(value) and abs(value) <= largest


def _is_text(value: str) -> bool:
    return not any("\ud800" <= mark <= "\udfff" for mark in value)


def _shown(value: object) -> str:
    """Write a value as TOML would, not longer than a line."""
    if isinstance(value, bool):
        return str(value).lower()
    text = (
        str(list(value)) if isinstance(value, tuple) else repr(value) if isinstance(value, (str, list)) else str(value)
    )
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
