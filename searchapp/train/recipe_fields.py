"""The fields of a recipe by their dotted names, and what each may hold, read off the dataclasses."""

import dataclasses
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin, get_type_hints

from searchapp.prompts import Prompts
from searchapp.train.recipe import Recipe

Tree: TypeAlias = Mapping[str, object]
"""A recipe as TOML gives it: `name`, `about`, and a mapping for each section."""

_LEFT_OUT = ("prompts.source",)
"""What a recipe file doesn't hold: where prompts come from is known, they come from it."""


@cache
def sections() -> Mapping[str, type]:
    """Return the dataclass of every section, in the order of a recipe file."""
    hints = get_type_hints(Recipe)
    names = [one.name for one in dataclasses.fields(Recipe) if dataclasses.is_dataclass(hints[one.name])]
    return {name: hints[name] for name in names}


@cache
def hints() -> Mapping[str, Any]:
    """Return the type of every field by its dotted name, in the order of a recipe file.

    >>> hints()["loss.scale"]
    <class 'float'>
    """
    plain = {name: hint for name, hint in get_type_hints(Recipe).items() if name not in sections()}
    within = {
        f"{section}.{name}": hint for section, made in sections().items() for name, hint in get_type_hints(made).items()
    }
    return {name: hint for name, hint in {**plain, **within}.items() if name not in _LEFT_OUT}


@cache
def needed() -> tuple[str, ...]:
    """Return the dotted names of the fields that have no default."""
    makers = {"": Recipe, **sections()}
    return tuple(
        name
        for section, made in makers.items()
        for one in dataclasses.fields(made)
        if (name := f"{section}.{one.name}".lstrip(".")) in hints()
        and one.default is dataclasses.MISSING
        and one.default_factory is dataclasses.MISSING
    )


def get_field(tree: Tree, key: str) -> object:
    """Return what a tree holds under a dotted name; raises KeyError where it holds nothing."""
    found: object = tree
    for part in key.split("."):
        if not isinstance(found, Mapping):
            raise KeyError(key)
        found = found[part]
    return found


def with_field(tree: Tree, key: str, value: object) -> Tree:
    """Return the tree with another value under a dotted name."""
    first, _, rest = key.partition(".")
    if not rest:
        return {**tree, first: value}
    inner = tree.get(first)
    return {**tree, first: {**(inner if isinstance(inner, Mapping) else {}), rest: value}}


def tree_of(recipe: Recipe) -> Tree:
    """Return a recipe as a tree, every field in it."""
    tree: Tree = {}
    for key in hints():
        section, _, name = key.rpartition(".")
        holder = getattr(recipe, section) if section else recipe
        tree = with_field(tree, key, getattr(holder, name))
    return tree


def recipe_of(tree: Tree) -> Recipe:
    """Return the recipe of a tree in which nothing is wrong; what it leaves out takes its default."""
    values: dict[str, Any] = {}
    for key, hint in hints().items():
        section, _, name = key.rpartition(".")
        try:
            found = get_field(tree, key)
        except KeyError:
            continue
        place = values.setdefault(section, {}) if section else values
        place[name] = _as(hint, found)
    made = {name: build(**values[name]) for name, build in sections().items() if name in values and name != "prompts"}
    return Recipe(**{**values, **made, "prompts": _prompts(**values.get("prompts", {}))})


def _prompts(query: str = "", document: str = "") -> Prompts:
    return Prompts(query, document, "recipe" if query or document else "none")


def _as(hint: Any, value: Any) -> object:
    """Return a value that fits as the very type: a list as a tuple, a whole number as the float it stands for."""
    if get_origin(hint) is tuple:
        return tuple(_as(get_args(hint)[0], item) for item in value)
    return float(value) if hint is float else value


def choices(hint: Any) -> tuple[str, ...]:
    """Return the words a field may hold; empty where it isn't words that are chosen from.

    >>> choices(hints()["model.pooling"])
    ('mean', 'cls', 'lasttoken')
    """
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(word for part in get_args(hint) for word in choices(part))
    return ()


def fits(hint: Any, value: object) -> bool:
    """Tell whether a value is of a field's type; a truth value is no number, and a number too large is none either."""
    if get_origin(hint) is tuple:
        return isinstance(value, (list, tuple)) and all(fits(get_args(hint)[0], item) for item in value)
    if get_origin(hint) in (Union, types.UnionType):
        return any(fits(part, value) for part in get_args(hint))
    if words := choices(hint):
        return isinstance(value, str) and value in words
    if hint in (int, float):
        return isinstance(value, (int, hint)) and not isinstance(value, bool)
    return isinstance(value, hint)


def expected(hint: Any) -> str:
    """Say what a field takes.

    >>> expected(hints()["judge.every"])
    'a whole number or epoch'
    >>> expected(hints()["loss.matryoshka_dims"])
    'a list of whole numbers such as [256, 128]'
    """
    if get_origin(hint) is tuple:
        return (
            "a list of whole numbers such as [256, 128]"
            if get_args(hint)[0] is int
            else "a list of numbers such as [1, 0.5]"
        )
    if get_origin(hint) in (Union, types.UnionType):
        return " or ".join(expected(part) for part in get_args(hint))
    if words := choices(hint):
        return " or ".join(words)
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text in quotes"}[hint]
