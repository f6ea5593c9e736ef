"""From JSON to small frozen records, every value of the type its field says; and names of files that stay put."""

import re
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

Record = TypeVar("Record")

MOST = 1 << 53
"""Whole numbers below it are the same in every JSON reader."""
_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._+-]*/){0,4}[A-Za-z0-9_][A-Za-z0-9._+-]*")


def typed(record: type[Record], body: object) -> Record:
    """Make a record; raise TypeError for a field too many or too few, or a value of another type.

    Numbers are whole and not negative. A field may be str, int, bool, a tuple, or one of these or None.
    """
    if not isinstance(body, dict):
        raise TypeError(f"{body!r:.60} is no {record.__name__}")
    hints = typing.get_type_hints(record)
    for name, value in body.items():
        if name in hints and not _fits(value, hints[name]):
            raise TypeError(f"{name} is {value!r:.60}")
    return record(**body)


def _fits(value: object, hint: Any) -> bool:
    if isinstance(hint, types.UnionType):
        return any(_fits(value, one) for one in typing.get_args(hint))
    if hint is int:
        return is_count(value)
    return type(value) is (typing.get_origin(hint) or hint)


def is_count(value: object) -> bool:
    """Tell whether this is a whole number, not negative, that every JSON reader agrees upon.

    >>> [is_count(value) for value in (3, 0, -1, True, 3.0, 1 << 60)]
    [True, True, False, False, False, False]
    """
    return type(value) is int and 0 <= value < MOST


def check_names(names: Iterable[str]) -> None:
    """Raise ValueError for a name of a file that leaves its folder, or is the same as another where case is not kept.

    >>> check_names(["vectors/00000.npy", "d32-flat.faiss"])
    """
    seen: dict[str, str] = {}
    for name in names:
        if len(name) > 255 or _NAME.fullmatch(name) is None:
            raise ValueError(f"the file name {name!r:.60} leaves the folder, or is none that an index has")
        if (twin := seen.setdefault(name.lower(), name)) != name:
            raise ValueError(f"the file names {twin!r} and {name!r} are one where case is not kept")
