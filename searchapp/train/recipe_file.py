"""Recipe files: packaged ones by name, any other by its path; read whole or refused with path:line, and written."""

import json
import re
import tomllib
from collections.abc import Sequence
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

from searchapp.errors import InputError, UsageError
from searchapp.train.recipe import Recipe
from searchapp.train.recipe_checks import check_recipe, find_problem, no_such_field
from searchapp.train.recipe_fields import Tree, choices, expected, get_field, hints, recipe_of, tree_of, with_field

_ENDING = ".toml"
_FOLDER = resources.files("searchapp.train") / "recipes"
_PLACE = re.compile(r" \(at line (\d+), column \d+\)$")


def recipe_names() -> tuple[str, ...]:
    """Return the names of the packaged recipes, sorted."""
    return tuple(sorted(one.name.removesuffix(_ENDING) for one in _FOLDER.iterdir() if one.name.endswith(_ENDING)))


def open_recipe(name_or_path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return a packaged recipe, or that of a FILE.toml, with the `overrides` of `--set` in it.

    Raises UsageError for a name that no recipe has and for a bad override, InputError with path:line for a file that
    can't be read or holds what no recipe may.
    """
    name = str(name_or_path)
    if name in recipe_names():
        text, place = (_FOLDER / f"{name}{_ENDING}").read_text(encoding="utf-8"), f"{name}{_ENDING}"
    elif name.endswith(_ENDING) or Path(name).exists():
        text, place = _read(Path(name)), name
    else:
        near = get_close_matches(name.casefold(), recipe_names(), n=1, cutoff=0.4)
        perhaps = f"; perhaps {near[0]}" if near else ""
        raise UsageError(
            f"no recipe is called {name!r}{perhaps}; there are {', '.join(recipe_names())}, or name a file that ends "
            f"in {_ENDING}"
        )
    return apply_overrides(parse_recipe(text, place), overrides)


def parse_recipe(text: str, place: str) -> Recipe:
    """Return the recipe that a TOML text holds; `place` is its path in messages. Raises InputError with path:line."""
    try:
        tree: Tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        where = _PLACE.search(str(error))
        line = f":{where[1]}" if where else ""
        raise InputError(f"{place}{line}: not TOML: {_PLACE.sub('', str(error))}") from None
    problem = find_problem(tree)
    if problem is not None:
        line = f":{found}" if (found := _line_of(problem.key, text)) else ""
        raise InputError(f"{place}{line}: {problem.reason}")
    return recipe_of(tree)


def apply_overrides(recipe: Recipe, overrides: Sequence[str]) -> Recipe:
    """Return the recipe with fields set as `--set` does: `loss.scale=30`, `loss.matryoshka_dims=384,128`.

    The last of two for one field counts. Raises UsageError for an unknown field, and for a value that it, or the
    recipe with it, can't have.
    """
    tree, typed = tree_of(recipe), dict[str, str]()
    for override in overrides:
        key, equals, value = override.partition("=")
        key = key.strip()
        if not equals:
            raise UsageError(f"--set {override}: no value; type it like --set loss.scale=30")
        if key not in hints():
            raise UsageError(f"--set {override}: {no_such_field(key)}")
        tree, typed[key] = with_field(tree, key, _typed(hints()[key], value)), override
    problem = find_problem(tree)
    if problem is not None:
        shown = [typed[problem.key]] if problem.key in typed else list(typed.values())
        raise UsageError("".join(f"--set {one}: " for one in shown) + problem.reason)
    return recipe_of(tree) if typed else recipe


def render_recipe(recipe: Recipe) -> str:
    """Return the recipe as TOML, every field in it, with what each field of words may hold.

    Reading it gives the same recipe. Raises UsageError for a recipe made in Python that no file could hold.
    """
    check_recipe(recipe)
    lines, section = [], ""
    for key, hint in hints().items():
        within, _, name = key.rpartition(".")
        if within != section:
            lines += ["", f"[{within}]"]
            section = within
        note = f"  # {expected(hint)}" if choices(hint) else ""
        lines.append(f"{name} = {_toml(get_field(tree_of(recipe), key))}{note}")
    return "\n".join(lines) + "\n"


def fields_of(recipe: Recipe) -> dict[str, str]:
    """Return all that a recipe decides, by dotted names: the same for the same training, whatever `about` says."""
    tree = tree_of(recipe_of(tree_of(recipe)))
    return {key: json.dumps(get_field(tree, key), ensure_ascii=False) for key in hints() if key != "about"}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; name a recipe file, or one of the recipes {', '.join(recipe_names())}"
        ) from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start + 1} is not UTF-8; save the recipe as UTF-8") from None


def _line_of(key: str, text: str) -> int:
    """Return the line on which a field, or its section, begins; 0 where it has none.

    It is the one after the last beginning of the text that is TOML and does not hold it: a line of a long string, or
    of a list over several lines, is never taken for a field.
    """
    lines = text.split("\n")
    for name in (key, key.rpartition(".")[0]):
        before = 0
        for count in range(1, len(lines) + 1) if name else ():
            try:
                get_field(tomllib.loads("\n".join(lines[:count])), name)
            except KeyError:
                before = count
            except tomllib.TOMLDecodeError:
                continue
            else:
                return before + 1
    return 0


def _typed(hint: Any, text: str) -> object:
    """Read what was typed after `=` as a field's type; what can't be read so is left as text, which won't fit."""
    if get_origin(hint) is tuple:
        inner = text.strip().removeprefix("[").removesuffix("]").strip().removesuffix(",")
        return [_typed(get_args(hint)[0], item) for item in inner.split(",")] if inner else []
    if hint is str:
        return _unquoted(text)
    plain = _unquoted(text.strip())
    if hint is bool:
        return {"true": True, "false": False}.get(plain, plain)
    for read in (int, float):
        try:
            return read(plain)
        except ValueError:
            continue
    return plain


def _unquoted(text: str) -> str:
    """Return what a TOML string stands for, and any other text as it is."""
    if len(text) > 1 and text[0] == text[-1] == '"':
        try:
            return str(tomllib.loads(f"value = {text}")["value"])
        except tomllib.TOMLDecodeError:
            return text
    return text


def _toml(value: object) -> str:
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(_toml(item) for item in value)}]"
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the one control character that JSON lets stand.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value).lower() if isinstance(value, bool) else repr(value)
