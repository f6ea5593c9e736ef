"""The arguments of one command, read from its own signature: a query is over before the library that reads all is in.

Only what is plain is read here: known options with a value, flags, arguments. Anything else, help and mistakes
included, is left to typer, so that there is one place that says what is wrong.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from typer.models import ArgumentInfo, OptionInfo


def read_plain(command: Callable[..., None], arguments: Sequence[str]) -> dict[str, Any] | None:
    """Return the values that are given, by the names of the command's parameters; None for what is not plain.

    >>> def shout(text: Annotated[str, ArgumentInfo()], times: Annotated[int, OptionInfo(default="-n")] = 1): ...
    >>> read_plain(shout, ["hey", "-n", "3"])
    {'text': 'hey', 'times': 3}
    >>> read_plain(shout, ["hey", "--loud"])
    """
    options, places = _parameters(command)
    values: dict[str, Any] = {}
    left = iter(arguments)
    for argument in left:
        if argument.startswith("-"):
            name, kind, info = options.get(argument, ("", NoneType, None))
            given: object = True if kind is bool else _value(next(left, ""), kind, info)
        elif places:
            name, kind = places.pop(0)
            given = _value(argument, kind, None)
        else:
            return None
        if given is None or name in values:
            return None
        values[name] = given
    required = [name for name, one in inspect.signature(command).parameters.items() if one.default is one.empty]
    return values if set(required) <= set(values) else None


def _parameters(
    command: Callable[..., None],
) -> tuple[dict[str, tuple[str, type, OptionInfo | None]], list[tuple[str, type]]]:
    """Return the options by what is typed for them, and the arguments in their order."""
    options: dict[str, tuple[str, type, OptionInfo | None]] = {}
    places = []
    for name, kind, info in _annotated(command):
        if isinstance(info, OptionInfo):
            # Beside a type, typer keeps the first name as the default.
            typed = [str(one) for one in (info.default, *(info.param_decls or ())) if str(one).startswith("-")]
            for one in typed or [f"--{name.replace('_', '-')}"]:
                options[one] = (name, kind, info)
        else:
            places.append((name, kind))
    return options, places


def _annotated(command: Callable[..., None]) -> Iterator[tuple[str, type, OptionInfo | ArgumentInfo]]:
    """Yield every parameter's name, type without None, and what typer knows of it."""
    for name, hint in get_type_hints(command, include_extras=True).items():
        if get_origin(hint) is Annotated:
            kind, info = get_args(hint)[:2]
            kinds = [one for one in get_args(kind) or (kind,) if one is not NoneType]
            yield name, kinds[0], info


def _value(text: str, kind: type, info: OptionInfo | None) -> object:
    """Return what a text says as a value of a type; None where that is not plain."""
    if not text or text.startswith("-"):
        return None
    if kind is int and re.fullmatch(r"[0-9]{1,9}", text):
        number = int(text)
        low = None if info is None else info.min
        return number if low is None or number >= low else None
    return kind(text) if kind in (str, Path) else None
