"""A comparison as tables on a terminal."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

import typer

from searchapp.cli.console import console, one_line

if TYPE_CHECKING:
    from searchapp.bench.compare import Changed, ComparedRow, ComparisonReport, ShownHit, SliceRow
    from searchapp.bench.gate import Condition, Failure
    from searchapp.metrics.comparison import Comparison

SPARED = ("detectable", "effect", "W/T/L", "A", "B", "95 % interval")
"""Columns that a narrow terminal goes without, the first to go first."""
PAIR = ("baseline", "system")
NAMES = ("measure", "slice")
NAME = 12
"""Columns that a name has at the least, if it is so long; it goes on in the next line."""
NONE = "-"
"""Stands where there is nothing to count."""
GAP = 2
RANK = 4
"""Columns of a rank and the gap after it."""


def print_comparison(report: "ComparisonReport") -> None:
    """Print the tests as a table, then the slices, then the queries that changed most with both hit lists."""
    from searchapp.bench.operands import counted

    frame = report.frame
    typer.echo(
        f"{plain(f'{frame.dataset} {frame.split}')}, {frame.protocol}: {counted(report.queries, 'query', 'queries')}; "
        f"gains {frame.judging.gains}, relevant: {frame.relevant}"
    )
    cells = [_cells(row) for row in report.rows]
    if _width(cells) <= console().width:
        _print_table(cells)
    else:
        _print_by_pair(cells)
    if report.slices:
        tests = counted(sum(row.comparison is not None for row in report.slices), "row", "rows")
        typer.echo(f"\nslices, {report.primary}; p: Holm over the {tests} of slices")
        _print_by_pair([_slice_cells(row) for row in report.slices])
    pairs = list(dict.fromkeys((one.baseline, one.system) for one in report.changed))
    if not pairs:
        return
    shown = max(pairs, key=lambda pair: _size(report, pair))
    typer.echo(f"\nchanged most in {report.primary} (grade or -, document, title):\n{_heading(shown)}")
    for one in report.changed:
        if (one.baseline, one.system) == shown:
            _print_changed(one, report.frame.evidence.labels)
    if len(pairs) > 1:
        typer.echo("\nthose of the other pairs are in --json")


def _size(report: "ComparisonReport", pair: tuple[str, str]) -> float:
    """Return how far a pair lies apart in the primary measure."""
    found = [
        row.comparison for row in report.rows if (*pair, report.primary) == (row.baseline, row.system, row.measure)
    ]
    size: float = max(abs(comparison.difference) for comparison in found)
    return size


def _cells(row: "ComparedRow") -> dict[str, str]:
    """Return one row of the table, by column."""
    found = row.comparison
    return {
        "baseline": plain(row.baseline),
        "system": plain(row.system),
        "measure": row.measure,
        **_numbers(found),
        "p (Holm)": _p(row.p_holm),
        "effect": f"{found.effect_size:+.2f}",
        "W/T/L": f"{found.wins}/{found.ties}/{found.losses}",
        "detectable": f"{found.detectable:.4f}",
    }


def _slice_cells(row: "SliceRow") -> dict[str, str]:
    """Return one row of the slices' table, by column; one query has no interval."""
    names = {"baseline": plain(row.baseline), "system": plain(row.system), "slice": plain(f"{row.by}: {row.value}")}
    found = row.comparison
    if found is None or row.p_holm is None:
        return {**names, "n": "0", **dict.fromkeys(("A", "B", "difference", "95 % interval", "p (Holm)"), NONE)}
    numbers = _numbers(found) | ({"95 % interval": NONE} if found.queries < 2 else {})
    return {**names, "n": f"{found.queries:,}", **numbers, "p (Holm)": _p(row.p_holm)}


def _numbers(found: "Comparison") -> dict[str, str]:
    """Return the columns that all tables have."""
    return {
        "A": f"{found.mean_a:.4f}",
        "B": f"{found.mean_b:.4f}",
        "difference": f"{found.difference:+.4f}",
        "95 % interval": f"{found.interval.low:+.4f} {found.interval.high:+.4f}",
    }


def _p(value: float) -> str:
    return "<.0001" if value < 0.0001 else f"{value:.4f}"


def _print_by_pair(cells: "Sequence[dict[str, str]]") -> None:
    """Print a table for each pair, its names above it, without the columns that the terminal has no room for."""
    names = [name for name in cells[0] if name not in PAIR]
    spared = []
    for name in SPARED:
        if name in names and _width([{name: row[name] for name in names} for row in cells]) > console().width:
            names.remove(name)
            spared.append(name)
    for pair in dict.fromkeys((row["baseline"], row["system"]) for row in cells):
        typer.echo(f"\n{_heading(pair)}")
        _print_table([{name: row[name] for name in names} for row in cells if (row["baseline"], row["system"]) == pair])
    if spared:
        typer.echo(f"no room for {', '.join(name for name in cells[0] if name in spared)}; see --json")


def _heading(pair: tuple[str, str]) -> str:
    """Return the names of a pair, in two lines where one is too short for both."""
    from rich.cells import cell_len

    one, other = map(plain, pair)
    line = f"{one} | {other}"
    return line if cell_len(line) <= console().width else f"{one} |\n{other}"


def _print_table(cells: "Sequence[dict[str, str]]") -> None:
    """Print a table, wider than the terminal rather than with a number cut; only names go on in the next line."""
    from rich.table import Table
    from rich.text import Text

    out, widths = console(), _widths(cells)
    out.width = max(out.width, _width(cells))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name, width in widths.items():
        rest = sum(widths.values()) - width + GAP * (len(widths) - 1)
        width = min(width, out.width - rest) if name in NAMES else width
        justify: Literal["left", "right"] = "left" if name in (*PAIR, *NAMES) else "right"
        table.add_column(name, justify=justify, no_wrap=name not in NAMES, overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(Text, row.values()))
    out.print(table)


def _widths(cells: "Sequence[dict[str, str]]") -> dict[str, int]:
    """Return how wide each column is if nothing in it goes on in the next line."""
    from rich.cells import cell_len

    return {name: max(cell_len(name), *(cell_len(row[name]) for row in cells)) for name in cells[0]}


def _width(cells: "Sequence[dict[str, str]]") -> int:
    """Return the least width of a table without a number cut."""
    widths = _widths(cells)
    folded = [width if name not in NAMES else min(width, NAME) for name, width in widths.items()]
    return sum(folded) + GAP * (len(folded) - 1)


def _print_changed(one: "Changed", labels: "Sequence[str]") -> None:
    """Print a query and both its hit lists side by side: grade, document, title."""
    from rich.table import Table
    from rich.text import Text

    typer.echo(f"\n{plain(one.query_id)}: {plain(one.text)}  {one.before:.4f} | {one.after:.4f}")
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    for _ in ("before", "after"):
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max((console().width - RANK) // 2 - GAP, 1))
    for rank, pair in enumerate(zip_longest(one.hits_before, one.hits_after), 1):
        table.add_row(str(rank), *(Text(_hit(hit, labels)) for hit in pair))
    console().print(table)


def _hit(hit: "ShownHit | None", labels: "Sequence[str]") -> str:
    """Return a hit in one line; its grade by name, or `-` where nobody judged it."""
    if hit is None:
        return ""
    grade = "-" if hit.grade is None else labels[hit.grade] if 0 <= hit.grade < len(labels) else str(hit.grade)
    return plain(f"{grade} {hit.doc_id} {hit.title}")


def tell_gate(
    report: "ComparisonReport", conditions: "Sequence[Condition]", failures: "Sequence[Failure]"
) -> list[str]:
    """Return what the gate says, a line for each drop, or one line if there is none."""
    from searchapp.bench.gate import judge_gate

    spared = [drop for drop in judge_gate(report, conditions, strict=True) if drop not in failures]
    lines = [f"gate: failed: {failure}" for failure in failures]
    lines += [f"gate: passed: {drop}; --strict would fail it" for drop in spared]
    if conditions and not lines:
        lines = [f"gate: passed: {', '.join(map(str, conditions))}"]
    return ["", *lines] if lines else []


def plain(text: str) -> str:
    """Return a text in one line, with nothing in it that a terminal would obey."""
    return one_line(text).plain
