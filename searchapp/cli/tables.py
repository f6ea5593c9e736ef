"""A bench's report as tables on a terminal."""

from collections.abc import Iterable, Sequence

import typer
from rich.table import Table

from searchapp.bench.report import Cell, Loss, PairwiseReport, Report
from searchapp.cli.console import console
from searchapp.metrics import Interval

GAP = 2
LEAST = 6
SHOWN = ("RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100", "accuracy@10", "precision@10")
"""Measures of the table beside the primary one, what matters most first: those without room are left to --json."""
LEAST_LOSS = 0.00005
"""Nothing of a smaller loss is seen in four decimals."""
LEFT = ("kind", "slice", "model", "lost to")

Row = dict[str, str]


def print_report(report: Report) -> None:
    """Print the cells as a table, a row each, what to ship, slices, and what must be known to read it."""
    counts = report.counts
    models = ", ".join(model.name for model in report.models) or "no model"
    typer.echo(
        f"{report.dataset} {report.split}, {report.protocol}: {counts['evaluated']:,} queries, "
        f"{report.documents:,} documents, {models}; gains {report.judging.gains.name}, relevant: {report.relevant}"
    )
    several = len(report.models) > 1
    rows = [_cell(cell, report.primary, several=several) for cell in report.cells]
    known = set(report.cells[0].measures)
    hidden = _print(rows, droppable=[name for name in rows[0] if name in known - {report.primary}] + ["q/s", "build s"])
    shown = sum(name in rows[0] for name in known) - len(hidden & known)
    if left := len(known) - shown:
        typer.echo(f"{left} more measures, and all intervals, with --json or --out")
    if report.ship is not None and sum(not cell.is_baseline for cell in report.cells) > 1:
        typer.echo(f"to ship: {report.ship.line}")
    _print_slices(report)
    for line in report.notes:
        typer.echo(f"note: {line}")


def print_pairwise(report: PairwiseReport) -> None:
    """Print a row for each model and dim."""
    models = ", ".join(model.name for model in report.models)
    typer.echo(f"{report.dataset}: {report.count:,} {report.task}, {models}")
    rows = []
    for row in report.rows:
        interval = {"95 %": _interval(row.intervals[report.primary])}
        first = {report.primary: f"{row.measures[report.primary]:.4f}", **interval}
        others = {name: f"{value:.4f}" for name, value in row.measures.items() if name != report.primary}
        named = {"model": row.model} if len(report.models) > 1 else {}
        rows.append({**named, "dim": str(row.dim), **first, **others})
    hidden = _print(rows, droppable=[name for name in rows[0] if name in report.rows[0].measures][1:])
    if hidden:
        typer.echo(f"{len(hidden)} more measures with --json or --out")
    for line in report.notes:
        typer.echo(f"note: {line}")


def _cell(cell: Cell, primary: str, *, several: bool) -> Row:
    """Return one row of the table, by column."""
    measures, cost = cell.measures, cell.cost
    shown = [name for name in SHOWN if name in measures and name != primary]
    latency = cost.latency
    return {
        **({"model": cell.model or ""} if several else {}),
        "dim": "" if cell.dim is None else str(cell.dim),
        "kind": cell.label,
        primary: f"{measures[primary]:.4f}",
        "95 %": _interval(cell.intervals[primary]),
        "lost to": _lost(cell.loss),
        **{name: f"{measures[name]:.4f}" for name in shown},
        "bytes": "" if cost.bytes_per_vector is None else f"{cost.bytes_per_vector:,.0f}",
        "p50 ms": "" if latency is None else f"{latency.p50:.2f}",
        "p99 ms": "" if latency is None else f"{latency.p99:.2f}",
        "q/s": "" if cost.queries_per_second is None else f"{cost.queries_per_second:,.0f}",
        "build s": "" if cost.build_seconds is None else f"{cost.build_seconds:.1f}",
    }


def _lost(loss: Loss | None) -> str:
    """Say what a cell lost against full width and flat, and to what most of it: `0.0346 cut`."""
    if loss is None or loss.total < LEAST_LOSS:
        return ""
    before = {"cut": loss.truncation, "codes": loss.quantisation}
    parts = {"few rescored": sum(before.values()) + loss.rescoring} if loss.rescoring else before
    parts = {**parts, "search": loss.search}
    worst = max(parts, key=parts.__getitem__)
    return f"{loss.total:.4f} {worst}"


def _print_slices(report: Report) -> None:
    """Print the slices of the cell to ship, or of the first one, with how many queries each has."""
    if not any(cell.slices for cell in report.cells):
        return
    names = {report.ship.cell, *(cell.name for cell in report.cells if cell.is_baseline)} if report.ship else set()
    for cell in report.cells:
        if names and cell.name not in names:
            continue
        typer.echo(f"\n{cell.name}, slices (all cells with --json or --out)")
        _print(
            [
                {
                    "slice": f"{part.by} {part.value}",
                    "queries": f"{part.queries:,}",
                    report.primary: f"{part.measures[report.primary]:.4f}" if part.queries else "-",
                    "95 %": _interval(part.intervals[report.primary]) if part.queries else "-",
                }
                for part in cell.slices
            ],
            droppable=(),
        )


def _print(rows: Sequence[Row], *, droppable: Iterable[str]) -> set[str]:
    """Print rows, leaving away droppable columns from the last while there is no room; return those left away."""
    width = console().width
    names = list(rows[0])
    dropping = list(droppable)
    hidden: set[str] = set()
    while dropping and len(names) > LEAST and sum(_width(rows, name) + GAP for name in names) - GAP > width:
        hidden.add(dropping[-1])
        names.remove(dropping.pop())
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name in names:
        table.add_column(name, justify="left" if name in LEFT else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    console().print(table)
    return hidden


def _interval(interval: Interval) -> str:
    return f"{interval.low:.4f}-{interval.high:.4f}"


def _width(rows: Sequence[Row], name: str) -> int:
    return max(len(name), *(len(row[name]) for row in rows))
