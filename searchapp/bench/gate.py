"""The gate: which drops against the baseline must not pass."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from searchapp.bench.compare import ComparedRow, ComparisonReport
from searchapp.bench.operands import counted
from searchapp.bench.report import Json
from searchapp.errors import UsageError
from searchapp.metrics import Measure
from searchapp.metrics.comparison import SAME, holm

LEVEL = 0.05
"""A difference is significant where p, corrected for the rows of the gate, is below this."""

_EXAMPLE = 'type --fail-if "nDCG@10 < -0.5%" (of the baseline\'s mean) or --fail-if "nDCG@10 < -0.01" (absolute)'
_SHAPE = re.compile(r"(?P<measure>[^<>]+)<(?P<bound>[^<>=%]+)(?P<percent>%?)", re.ASCII)
_NUMBER = re.compile(r"[-+−]?\s*([0-9]+\.?[0-9]*|\.[0-9]+)")


@dataclass(frozen=True, slots=True)
class Condition:
    """A drop that fails: the measure's difference to the baseline is below `bound`.

    `bound` is 0 or less: a share of the baseline's mean where `is_relative`, else the difference itself.

    >>> Condition.parse("ndcg@10 < -0.5%")
    Condition(measure='nDCG@10', bound=-0.005, is_relative=True)
    >>> str(Condition.parse("P@5<-.01"))
    'precision@5 < -0.01'
    """

    measure: str
    bound: float
    is_relative: bool

    @classmethod
    def parse(cls, text: str) -> "Condition":
        """Read `MEASURE < -X%` or `MEASURE < -X`.

        Raises UsageError for anything else, for a bound above 0 and for one that no drop can reach; MeasureError for
        an unknown measure.
        """
        match = _SHAPE.fullmatch(text.strip())
        if match is None:
            raise UsageError(f"--fail-if {text!r} is no condition: expected MEASURE < -X% or MEASURE < -X; {_EXAMPLE}")
        written = match["bound"].strip()
        if not _NUMBER.fullmatch(written):
            raise UsageError(f"--fail-if {text!r}: the bound is {written!r}, expected a number; {_EXAMPLE}")
        bound = float(written.replace("−", "-").replace(" ", "")) + 0.0  # no -0
        if bound > 0:
            raise UsageError(
                f"--fail-if {text!r}: the bound is above 0, expected the drop that still passes; {_EXAMPLE}"
            )
        is_relative = bool(match["percent"])
        if bound <= (-100 if is_relative else -1):
            raise UsageError(
                f"--fail-if {text!r}: measures lie between 0 and 1, so none can drop below that; {_EXAMPLE}"
            )
        return cls(str(Measure.parse(match["measure"])), bound / 100 if is_relative else bound, is_relative)

    def limit(self, baseline: float) -> float:
        """Return the smallest difference that passes, given the baseline's mean."""
        return self.bound * baseline if self.is_relative else self.bound

    def __str__(self) -> str:
        bound = f"{100 * self.bound:.12g}%" if self.is_relative else f"{self.bound:.12g}"
        return f"{self.measure} < {bound}"


@dataclass(frozen=True, slots=True)
class Failure:
    """A row of the table that a condition doesn't let pass."""

    condition: Condition
    row: ComparedRow
    p: float
    """After Holm's correction for the rows of the gate; `row.p_holm` is corrected for the whole table."""
    tests: int
    """How many rows the gate looks at."""

    @property
    def is_significant(self) -> bool:
        """Tell whether chance is ruled out; False only under `strict`."""
        return self.p < LEVEL

    def to_json(self) -> dict[str, Json]:
        """Return it as plain JSON."""
        row = self.row
        return {
            "condition": str(self.condition),
            "baseline": row.baseline,
            "system": row.system,
            "difference": row.comparison.difference,
            "limit": self.condition.limit(row.comparison.mean_a),
            "p_holm": self.p,
            "tests": self.tests,
            "significant": self.is_significant,
        }

    def __str__(self) -> str:
        found = self.row.comparison
        share = f" ({found.difference / found.mean_a:+.2%})" if found.mean_a else ""
        verdict = "significant" if self.is_significant else "not significant"
        return (
            f"{self.condition}: {self.row.system} has {found.mean_b:.4f}, {self.row.baseline} {found.mean_a:.4f}, a "
            f"difference of {found.difference:+.4f}{share}, {verdict} (p = {self.p:.4f}, Holm over the gate's "
            f"{counted(self.tests, 'row', 'rows')})"
        )


def judge_gate(report: ComparisonReport, conditions: Sequence[Condition], *, strict: bool = False) -> list[Failure]:
    """Return what fails: each difference below a condition's bound that is significant; under `strict`, each below it.

    A condition holds for every pair of the report. p is corrected (Holm) for the rows that the conditions name, every
    pair by every measure of theirs, each once: what else the table shows makes a gate no blunter. Raises UsageError
    where a condition's measure was not compared.
    """
    compared = list(dict.fromkeys(row.measure for row in report.rows))
    for condition in conditions:
        if condition.measure not in compared:
            raise UsageError(
                f'--fail-if "{condition}": {condition.measure} was not compared, only {", ".join(compared)}; '
                f"add it to --measures"
            )
    gated = {condition.measure for condition in conditions}
    rows = [row for row in report.rows if row.measure in gated]
    adjusted = holm([row.comparison.p for row in rows])
    failures = [
        Failure(condition, row, p, len(rows))
        for condition in conditions
        for row, p in zip(rows, adjusted, strict=True)
        if row.measure == condition.measure
        and row.comparison.difference < condition.limit(row.comparison.mean_a) - SAME
    ]
    return [failure for failure in failures if strict or failure.is_significant]


def gate_notes(report: ComparisonReport, conditions: Sequence[Condition]) -> list[str]:
    """Return a line for each condition whose drop is too small for the queries to show, for the pair that shows least.

    Such a gate passes most systems that are worse, unless it is strict.
    """
    notes = []
    for condition in conditions:
        rows = [row for row in report.rows if row.measure == condition.measure]
        blind = [row for row in rows if row.comparison.detectable + condition.limit(row.comparison.mean_a) > SAME]
        if blind:
            row = max(blind, key=lambda row: row.comparison.detectable)
            queries = counted(row.comparison.queries, "query", "queries")
            shown = row.comparison.detectable
            size = f", {shown:.4f}" if math.isfinite(shown) else ""
            notes.append(
                f"{condition}: a drop of {-condition.limit(row.comparison.mean_a):.4f} is less than {row.system} and "
                f"{row.baseline} would show on {queries} four times in five{size}; "
                "judge more queries, or type --strict"
            )
    return notes
