"""Pairing: which cells of two operands are held against each other, by which measures, and whether they may be."""

from collections.abc import Sequence
from itertools import chain

from searchapp.bench.operands import MATTERING, NAMED, Operand, counted, describe_source, list_cells
from searchapp.bench.report import Cell
from searchapp.errors import MeasureError, UsageError
from searchapp.metrics import Judging

Pair = tuple[Operand, Cell, Operand, Cell]


def check_comparable(one: Operand, other: Operand, notes: list[str]) -> None:
    """Raise UsageError unless two sides count the same thing."""
    left, right = one.report, other.report
    a, b = left.judging, right.judging
    for what, here, there, option in (
        ("protocol", left.protocol, right.protocol, "--protocol"),
        ("gains", _gains(a), _gains(b), "--gains"),
        ("relevance threshold", a.threshold, b.threshold, "--threshold"),
        ("rule for queries without a relevant document", a.no_relevant, b.no_relevant, "--no-relevant"),
        ("rule to drop a hit with the query's own id", a.drop_self, b.drop_self, "--drop-self"),
    ):
        if here != there:
            raise UsageError(
                f"{one.text} and {other.text} can't be compared: the {what} is {here} in the first and {there} in the "
                f"second; run one of the benches again with the same {option}"
            )
    differing = {part for part, here in left.fingerprints.items() if right.fingerprints.get(part, here) != here}
    for part, noun in (("queries", "queries"), ("qrels", "judgments")):
        if part in differing:
            sources = f"{describe_source(left)} and {describe_source(right)}"
            raise UsageError(
                f"{one.text} and {other.text} can't be compared: the {noun} of {sources} are not the same; "
                "run one of the benches again on the data of the other"
            )
    if "corpus" in differing:
        notes.append(f"{one.text} and {other.text} searched different corpora: other documents, or another --text")


def _gains(judging: Judging) -> str:
    table = judging.gains.by_grade
    return "linear" if table is None else ", ".join(f"{gain:g}" for gain in table)


def pair_up(one: Operand, other: Operand, notes: list[str]) -> list[Pair]:
    """Return the pairs of cells to compare. Raises UsageError where there are none."""
    left, right = _candidates(one, notes), _candidates(other, notes)
    if one.cell is None and other.cell is None and len(left) + len(right) > 2:
        pairs = [(one, before, other, after) for before in left for after in right if before.name == after.name]
        matched = {before.name for _, before, _, _ in pairs}
        if not matched:
            raise UsageError(
                f"{one.text} and {other.text} have no cell of the same name: the first has {list_cells(left)}, "
                f"the second {list_cells(right)}; name one of each: {one.text}:{left[0].name} "
                f"{other.text}:{right[0].name}"
            )
        for side, cells in ((one, left), (other, right)):
            if alone := [cell for cell in cells if cell.name not in matched]:
                notes.append(f"only in {side.text}, so not compared: {list_cells(alone)}")
        return pairs
    return [(one, before, other, after) for before in left for after in right]


def _candidates(side: Operand, notes: list[str]) -> tuple[Cell, ...]:
    """Return the cells that were named, or those of a folder that are no baselines, if it has any."""
    cells = tuple(cell for cell in side.cells if not cell.is_baseline)
    if side.cell is not None or not cells:
        return side.cells
    if left_out := [cell for cell in side.cells if cell.is_baseline]:
        notes.append(f"compared only where it is named ({side.text}:{left_out[0].name}): {list_cells(left_out)}")
    return cells


def check_queries(pair: Pair) -> None:
    """Raise UsageError unless both means are over the same queries."""
    one, before, other, after = pair
    left, right = set(before.query_ids), set(after.query_ids)
    if left != right:
        odd = ", ".join(sorted(left ^ right)[:NAMED])
        raise UsageError(
            f"{one.name(before)} has {counted(len(left), 'query', 'queries')} in its means, {other.name(after)} "
            f"{len(right):,}, and {counted(len(left ^ right), 'is', 'are')} in one only (such as {odd}); "
            "run one bench again on the same queries"
        )


def choose_measures(wanted: Sequence[str], required: Sequence[str], pairs: Sequence[Pair]) -> list[str]:
    """Return the measures to compare by; all sides have them."""
    sides = {side.name(cell): cell.per_query for pair in pairs for side, cell in (pair[:2], pair[2:])}
    common = [name for name in pairs[0][1].per_query if all(name in held for held in sides.values())]
    for name in (*wanted, *required):
        if lacking := [side for side, held in sides.items() if name not in held]:
            having = next((f"{side} was" for side, held in sides.items() if name in held), "neither was the other")
            raise MeasureError(
                f"{lacking[0]} was not measured by {name}, {having}; choose --measures that all sides have "
                f"({', '.join(common) or 'none'}), or run the bench again with --measures {name}"
            )
    primary = pairs[0][0].report.primary
    groups = [(primary, *chain(*(group for group in MATTERING if primary in group)))]
    groups += [group for group in MATTERING if primary not in group]
    found = [next((name for name in group if name in common), None) for group in groups]
    names = list(wanted) or [name for name in found if name is not None] or common[:1]
    if not common:
        first, second = list(sides)[:2]
        raise MeasureError(f"{first} and {second} have no measure in common; run one bench again with other --measures")
    return list(dict.fromkeys([*names, *required]))
