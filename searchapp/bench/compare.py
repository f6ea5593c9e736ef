"""Comparisons: systems held against a baseline on the same queries, with what chance alone would have done."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np

from searchapp import __version__
from searchapp.bench.operands import (
    Operand,
    RunOperand,
    find_frame,
    judge_operand,
)
from searchapp.bench.pairing import Pair, check_comparable, check_queries, choose_measures, pair_up
from searchapp.bench.report import Cell, Json, Report
from searchapp.bench.slices import cut_slices
from searchapp.errors import UsageError
from searchapp.metrics import DEFAULT_MEASURES, Measure
from searchapp.metrics.comparison import SAME, Comparison, compare_paired, holm
from searchapp.records import Query

SHOWN_HITS = 10
"""How long the lists of hits of a changed query are, where the primary measure has no cutoff."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One test: a system held against the baseline by one measure; `p_holm` is corrected for all rows of the table."""

    baseline: str
    system: str
    measure: str
    comparison: Comparison
    p_holm: float


@dataclass(frozen=True, slots=True)
class SliceRow:
    """One test on the queries whose `by` is `value`, by the primary measure; corrected for all rows of slices.

    Both numbers are None where none of these queries is in the means.
    """

    baseline: str
    system: str
    by: str
    value: str
    comparison: Comparison | None
    p_holm: float | None


@dataclass(frozen=True, slots=True)
class ShownHit:
    """A hit as a person reads it; `grade` is None where nobody judged it."""

    rank: int
    doc_id: str
    title: str
    grade: int | None


@dataclass(frozen=True, slots=True)
class Changed:
    """A query whose primary measure changed, and the hits it had before (the baseline's) and after (the system's)."""

    baseline: str
    system: str
    query_id: str
    text: str
    before: float
    after: float
    hits_before: tuple[ShownHit, ...]
    hits_after: tuple[ShownHit, ...]


@dataclass(frozen=True, slots=True)
class ComparisonReport:
    """All rows of one comparison and what they have in common."""

    frame: Report
    """The baseline's report: data set, protocol and judging are the same on all sides."""
    primary: str
    """The measure whose changes are listed and whose slices are compared."""
    queries: int
    rows: tuple[ComparedRow, ...]
    changed: tuple[Changed, ...]
    """Of each pair the queries that changed most, the largest change first."""
    notes: tuple[str, ...] = ()
    slices: tuple[SliceRow, ...] = ()
    """Of each pair all slices, however small."""

    def to_json(self) -> dict[str, Json]:
        """Return the report as plain JSON."""
        return {
            "format": "searchapp-comparison",
            "format_version": 1,
            "searchapp": __version__,
            **{name: getattr(self.frame, name) for name in ("dataset", "split", "protocol", "relevant")},
            "gains": self.frame.judging.gains.name,
            **{name: getattr(self.frame.judging, name) for name in ("threshold", "no_relevant", "drop_self")},
            "labels": list(self.frame.evidence.labels),
            "primary": self.primary,
            "queries": self.queries,
            "rows": [_row_to_json(row) for row in self.rows],
            "slices": [_slice_to_json(row, self.primary) for row in self.slices],
            "changed": [asdict(one) for one in self.changed],
            "notes": list(self.notes),
        }


def compare_results(
    operands: Sequence[Operand | RunOperand],
    *,
    measures: Sequence[str] = (),
    also: Sequence[str] = (),
    judged_by: Report | None = None,
    changed: int = 5,
    named_slices: Mapping[str, str] | None = None,
) -> ComparisonReport:
    """Hold every operand but the first against the first, the baseline, on the same queries.

    Two folders are compared cell by cell where the names are the same, or, if each has but one cell, these two; one
    system (a run, `FOLDER:CELL`) and a folder, with every cell of the folder. Baselines (bm25, random) are compared
    where they are named. Runs are judged as the first folder among the operands is, or as `judged_by` (see `judge_by`)
    is. Without `measures`, the ones that matter most are taken; `also` come on top. p is corrected (Holm) for all rows
    together. `changed` queries are listed for each pair. The slices that the baseline was measured by, and those of
    `named_slices` (query_id -> value, what a slice file says), are compared by the primary measure.

    Raises UsageError for fewer than two operands, a cell that isn't there, sides that don't belong together (another
    protocol, other gains, thresholds, rules, queries or judgments) and where there are no two cells to compare;
    MeasureError for a measure that one side lacks.
    """
    if len(operands) < 2:
        raise UsageError(
            f"found {len(operands)} to compare, expected a baseline and at least one other; "
            "type: searchapp bench compare runs/before runs/after"
        )
    notes: list[str] = []
    wanted, required = ([str(Measure.parse(text)) for text in texts] for texts in (measures, also))
    frame = find_frame(operands, judged_by)
    held = list(frame.cells[0].per_query) if frame.cells else list(map(str, DEFAULT_MEASURES))
    judged = list(dict.fromkeys([*(wanted or held), *required]))
    first, *others = (
        one if isinstance(one, Operand) else judge_operand(one, frame, judged, notes=notes) for one in operands
    )
    for other in others:
        check_comparable(first, other, notes)
    pairs = [pair for other in others for pair in pair_up(first, other, notes)]
    for pair in pairs:
        check_queries(pair)
    names = choose_measures(wanted, required, pairs)
    primary = first.report.primary if first.report.primary in names else names[0]
    slices = _slices(first.report, named_slices)
    return ComparisonReport(
        frame=first.report,
        primary=primary,
        queries=len(pairs[0][1].query_ids),
        rows=_rows(pairs, names),
        changed=tuple(one for pair in pairs for one in _changed(pair, primary=primary, most=changed)),
        notes=tuple(dict.fromkeys(notes)),
        slices=_slice_rows(pairs, slices, primary),
    )


def _slices(frame: Report, named: Mapping[str, str] | None) -> Mapping[str, Mapping[str, Sequence[str]]]:
    """Return the slices of a report's queries, by -> value -> query ids, and what a slice file says of them."""
    if not named:
        return frame.evidence.slices
    queries = [Query(query_id, frame.evidence.queries.get(query_id, "")) for query_id in frame.evidence.qrels]
    return {**frame.evidence.slices, **cut_slices(queries, (), named)}


def _rows(pairs: Sequence[Pair], names: Sequence[str]) -> tuple[ComparedRow, ...]:
    rows = []
    for one, before, other, after in pairs:
        order = _order(before, after)
        for name in names:
            comparison = compare_paired(before.per_query[name], after.per_query[name][order])
            rows.append(ComparedRow(one.name(before), other.name(after), name, comparison, comparison.p))
    adjusted = holm([row.comparison.p for row in rows])
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, adjusted, strict=True))


def _slice_rows(
    pairs: Sequence[Pair], slices: Mapping[str, Mapping[str, Sequence[str]]], primary: str
) -> tuple[SliceRow, ...]:
    rows = []
    for one, before, other, after in pairs:
        old, new = before.per_query[primary], after.per_query[primary][_order(before, after)]
        places = {query_id: row for row, query_id in enumerate(before.query_ids)}
        for by, values in slices.items():
            for value, members in values.items():
                chosen = [places[query_id] for query_id in members if query_id in places]
                found = compare_paired(old[chosen], new[chosen]) if chosen else None
                rows.append(SliceRow(one.name(before), other.name(after), by, value, found, None))
    adjusted = iter(holm([row.comparison.p for row in rows if row.comparison]))
    return tuple(replace(row, p_holm=next(adjusted)) if row.comparison else row for row in rows)


def _order(before: Cell, after: Cell) -> list[int]:
    """Return where the queries of one cell are in the other."""
    rows = {query_id: row for row, query_id in enumerate(after.query_ids)}
    return [rows[query_id] for query_id in before.query_ids]


def _changed(pair: Pair, *, primary: str, most: int) -> list[Changed]:
    """Return the queries whose primary measure changed most, larger changes first, then in the order of the queries."""
    one, before, other, after = pair
    old, new = before.per_query[primary], after.per_query[primary][_order(before, after)]
    size = np.abs(new - old)
    texts = {**other.report.evidence.queries, **one.report.evidence.queries}
    return [
        Changed(
            one.name(before),
            other.name(after),
            query_id,
            texts.get(query_id, ""),
            before=float(old[row]),
            after=float(new[row]),
            hits_before=_shown(pair, before, query_id, primary),
            hits_after=_shown(pair, after, query_id, primary),
        )
        for row in np.argsort(-size, kind="stable")[:most].tolist()
        for query_id in before.query_ids[row : row + 1]
        if size[row] > SAME
    ]


def _shown(pair: Pair, cell: Cell, query_id: str, primary: str) -> tuple[ShownHit, ...]:
    """Return the hits of a query that its primary measure looks at, ten at most."""
    one, other = pair[0].report, pair[2].report
    titles = (one.evidence.titles, other.evidence.titles)
    grades = one.evidence.qrels.get(query_id, {})
    found = [hit for hit in cell.run.get(query_id, ()) if not (one.judging.drop_self and hit.doc_id == query_id)]
    depth = min(Measure.parse(primary).cutoff or SHOWN_HITS, SHOWN_HITS)
    return tuple(
        ShownHit(rank, hit.doc_id, next((t[hit.doc_id] for t in titles if hit.doc_id in t), ""), grades.get(hit.doc_id))
        for rank, hit in enumerate(found[:depth], 1)
    )


def _row_to_json(row: ComparedRow) -> dict[str, Json]:
    names = {"baseline": row.baseline, "system": row.system, "measure": row.measure}
    return {**names, **_numbers(row.comparison), "p_holm": row.p_holm}


def _slice_to_json(row: SliceRow, measure: str) -> dict[str, Json]:
    """Return a row as plain JSON: the row of a slice without queries has only null, of one query no interval."""
    numbers: dict[str, Json] = {**dict.fromkeys(Comparison.__dataclass_fields__), "queries": 0}
    if row.comparison is not None:
        numbers |= _numbers(row.comparison)
        numbers |= {"interval": None} if row.comparison.queries < 2 else {}
    names = {name: getattr(row, name) for name in ("baseline", "system", "by", "value")}
    return {**names, "measure": measure, **numbers, "p_holm": row.p_holm}


def _numbers(comparison: Comparison) -> dict[str, Json]:
    """Return the numbers of a comparison as plain JSON, which has no infinity: null stands for it."""
    numbers = {name: None if value in (math.inf, -math.inf) else value for name, value in asdict(comparison).items()}
    return {**numbers, "interval": list(comparison.interval)}
