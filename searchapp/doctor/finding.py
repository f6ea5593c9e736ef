"""A finding: what was looked at, what was found, what it means and what to type next."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from searchapp.errors import SearchappError

Level = Literal["ok", "note", "warning", "problem"]
LEVELS: tuple[Level, ...] = ("ok", "note", "warning", "problem")
"""From good to bad: a note is worth knowing, a warning costs quality or time, a problem stops work or misleads."""

Figure: TypeAlias = "str | int | float | bool | Sequence[Figure] | Mapping[str, Figure] | None"

BROKEN = (
    *(ArithmeticError, AssertionError, AttributeError, EOFError, ImportError, LookupError, MemoryError),
    *(OSError, RuntimeError, TypeError, ValueError),
)
"""What the libraries raise over things that are damaged; a check-up goes on after them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. Only what is ok may do without a meaning and something to do."""

    part: str
    """machine, model, index or corpus."""
    check: str
    level: Level
    found: str
    means: str = ""
    advice: str = ""
    """What to type or do next."""
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.level != "ok" and not (self.means and self.advice):
            raise ValueError(f"{self.part} {self.check} is a {self.level} without a meaning or an advice: {self.found}")

    def to_json(self) -> dict[str, Figure]:
        """Return the finding as JSON has it."""
        return {
            "part": self.part,
            "check": self.check,
            "level": self.level,
            "found": self.found,
            "means": self.means,
            "next": self.advice,
            "figures": dict(self.figures),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All findings of a check-up, in the order of its parts."""

    findings: tuple[Finding, ...]

    @property
    def worst(self) -> Level:
        """Return the worst level there is; ok where nothing was looked at."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="ok")

    @property
    def counts(self) -> dict[Level, int]:
        """Return how many findings there are of each level, none left out."""
        return {level: sum(finding.level == level for finding in self.findings) for level in LEVELS}

    def to_json(self) -> dict[str, Figure]:
        """Return the report as JSON has it."""
        counts: dict[str, Figure] = {str(level): count for level, count in self.counts.items()}
        return {"worst": self.worst, "counts": counts, "findings": [finding.to_json() for finding in self.findings]}


def examine(part: str, check: str, look: Callable[[], Iterable[Finding]], *, means: str) -> list[Finding]:
    """Return the findings of one look; what is too broken to be looked at is a problem, and `means` says of what kind.

    Only what a person or a damaged thing may cause is caught, which is all that libraries raise over them.
    """
    try:
        return list(look())
    except (SearchappError, *BROKEN) as error:
        return [from_error(part, check, error, means=means)]


def from_error(part: str, check: str, error: Exception, *, means: str) -> Finding:
    """Return an error as a problem. Our own texts end with what to do, behind the last semicolon."""
    text = " ".join(str(error).split())
    found, _, advice = text.rpartition("; ") if isinstance(error, SearchappError) else ("", "", "")
    if not found:
        found = text if isinstance(error, SearchappError) else f"{type(error).__name__}: {text[:300]}"
        advice = "fetch or make it again, and report it if that doesn't help"
    return Finding(part, check, "problem", found, means, advice)
