"""A row: what a reader makes of one record of a file, and what becomes of a bad one."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from searchapp.corpus.sources import Source
from searchapp.errors import RowError

SKIP_ADVICE = "fix the row, or leave such rows out with --on-bad-row skip"

_KEPT = 100


@dataclass(frozen=True, slots=True)
class Row:
    """Columns by name, and the place they were read from: a source and a line (or row) number from 1."""

    source: Source
    number: int
    columns: Mapping[str, object]

    @property
    def where(self) -> str:
        """The place as `path:line`."""
        return self.source.at(self.number)


@dataclass(frozen=True, slots=True)
class Opaque:
    """A value that is no plain text, number or truth value; `kind` says what it is ("a list<string>")."""

    kind: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """Rows left out: how many, and (place, reason) of the first hundred."""

    count: int = 0
    rows: tuple[tuple[str, str], ...] = ()

    def __add__(self, other: "Skipped") -> "Skipped":
        return Skipped(self.count + other.count, (self.rows + other.rows)[:_KEPT])


class BadRows:
    """What becomes of bad rows: raised under "error", counted under "skip".

    `advice` is added to a raised reason; it is empty where a caller has no `--on-bad-row` to set.
    """

    def __init__(self, policy: Literal["error", "skip"] = "error", *, advice: str = "") -> None:
        self._policy = policy
        self._advice = f"; {advice}" if advice else ""
        self._count = 0
        self._first: list[tuple[str, str]] = []

    def refuse(self, error: RowError) -> None:
        """Raise `error`, or count it."""
        if self._policy == "error":
            raise RowError(error.where, error.reason + self._advice)
        self._count += 1
        if len(self._first) < _KEPT:
            self._first.append((error.where, error.reason))

    @property
    def skipped(self) -> Skipped:
        """What has been left out so far."""
        return Skipped(self._count, tuple(self._first))


def describe(value: object) -> str:
    """Say what kind of value this is, for an error message."""
    if isinstance(value, Opaque):
        return value.kind
    names = {bool: "true or false", float: "a float", int: "an integer", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else names.get(type(value), f"a {type(value).__name__}")
