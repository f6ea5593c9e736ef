"""A bench's report as tables on a terminal."""

from collections.abc import Collection, Iterable, Sequence

import typer
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from searchapp.bench.render.wording import numbered, spread, tie_rank
from searchapp.bench.report import Cell, Loss, PairwiseReport, Report
from searchapp.cli.console import console, one_line
from searchapp.metrics import Interval

GAP = 2
SHOWN = ("RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100", "accuracy@10", "precision@10")
"""Measures of the table beside the primary one, what matters most first: those without room are left to --json."""
LEAST_LOSS = 0.00005
"""Nothing of a smaller loss is seen in four decimals."""
MOST_TIED = 5
LEFT = ("kind", "slice", "model", "lost to")
WORDS = ("kind", "slice", "model")
"""Columns that may go over several lines: at spaces, the first of them first, then within words, the last one first."""
NARROWEST = 6
LAST = ("build s", "q/s")
"""Columns for wide terminals, the first to go; where only they are missing, that isn't said."""
RARE = ("p99 ms", "p50 ms", "lost to", "95 %")
"""Columns that are left out only when no further measure is left to leave out."""

Row = dict[str, str]


def print_report(report: Report) -> None:
    """Print the cells as a table, a row each, what to ship, slices, and what must be known to read it."""
    models = ", ".join(model.name for model in report.models) or "no model"
    _say(
        f"{report.dataset} {report.split}, {report.protocol}: {numbered(report.counts['evaluated'], 'query')}, "
        f"{numbered(report.documents, 'document')}, {models}; "
        f"gains {report.judging.gains.name}, relevant: {report.relevant}"
    )
    several = len(report.models) > 1
    rows = [_cell(cell, report.primary, several=several) for cell in report.cells]
    others = [name for name in rows[0] if name in report.cells[0].measures and name != report.primary]
    _print_what_fits(rows, report.cells[0].measures, order=[*LAST, *reversed(others), *RARE])
    if report.ship is not None and sum(not cell.is_baseline for cell in report.cells) > 1:
        _say(f"to ship: {report.ship.line}")
    _print_ties(report)
    _print_slices(report)
    for line in report.notes:
        _say(f"note: {line}")


def print_pairwise(report: PairwiseReport) -> None:
    """Print a row for each model and dim."""
    models = ", ".join(model.name for model in report.models)
    _say(f"{report.dataset}: {numbered(report.count, report.task[:-1])}, {models}")
    rows = []
    for row in report.rows:
        interval = {"95 %": _interval(spread(row.intervals, report.primary, report.count))}
        first = {report.primary: f"{row.measures[report.primary]:.4f}", **interval}
        others = {name: f"{value:.4f}" for name, value in row.measures.items() if name != report.primary}
        named = {"model": one_line(row.model).plain} if len(report.models) > 1 else {}
        rows.append({**named, "dim": str(row.dim), **first, **others})
    known = list(report.rows[0].measures)
    _print_what_fits(rows, known, order=[*(name for name in reversed(known) if name != report.primary), "95 %"])
    for line in report.notes:
        _say(f"note: {line}")


def _say(text: str) -> None:
    """Print a line that may hold words of data sets, models and runs."""
    typer.echo(one_line(text).plain)


def _cell(cell: Cell, primary: str, *, several: bool) -> Row:
    """Return one row of the table, by column."""
    measures, cost = cell.measures, cell.cost
    shown = [name for name in SHOWN if name in measures and name != primary]
    latency = cost.latency
    return {
        **({"model": one_line(cell.model).plain} if several else {}),
        "dim": "" if cell.dim is None else str(cell.dim),
        "kind": one_line(cell.label).plain,
        primary: f"{measures[primary]:.4f}",
        "95 %": _interval(spread(cell.intervals, primary, len(cell.query_ids))),
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


def _print_ties(report: Report) -> None:
    """Print which cells have ties at the primary measure's cutoff, if any has."""
    rank = tie_rank(report)
    tied = [f"{cell.name} {numbered(cell.ties[rank], 'query')}" for cell in report.cells if cell.ties.get(rank)]
    if tied:
        more = f" and {len(tied) - MOST_TIED} more" if len(tied) > MOST_TIED else ""
        _say(f"ties at rank {rank}: {', '.join(tied[:MOST_TIED])}{more}")


def _print_slices(report: Report) -> None:
    """Print the slices of the cell to ship, or of the first one, with how many queries each has."""
    if not any(cell.slices for cell in report.cells):
        return
    names = {report.ship.cell, *(cell.name for cell in report.cells if cell.is_baseline)} if report.ship else set()
    for cell in report.cells:
        if names and cell.name not in names:
            continue
        typer.echo()
        _say(f"{cell.name}, slices (all cells with --json or --out)")
        _print(
            [
                {
                    "slice": one_line(f"{part.by} {part.value}").plain,
                    "queries": f"{part.queries:,}",
                    report.primary: f"{part.measures[report.primary]:.4f}" if part.queries else "-",
                    "95 %": _interval(spread(part.intervals, report.primary, part.queries)),
                }
                for part in cell.slices
            ],
            order=(),
        )


def _print_what_fits(rows: Sequence[Row], known: Collection[str], *, order: Sequence[str]) -> None:
    """Print rows, and how many of the known measures and of the other columns are not there."""
    absent = _print(rows, order=order)
    measures = len(known) - sum(name in known and name not in absent for name in rows[0])
    columns = [name for name in rows[0] if name in absent and name not in known]
    said = [f"{measures} more measure{'s' * (measures > 1)}"] if measures else []
    if not set(columns) <= set(LAST):
        said.append(f"{numbered(len(columns), 'more column')} ({', '.join(columns)})")
    if said:
        typer.echo(f"{', '.join(said)}, and all intervals, with --json or --out")


def _print(rows: Sequence[Row], *, order: Iterable[str]) -> set[str]:
    """Print rows, without the first columns of `order` as far as there is no room for them; return those left out.

    Where that is not enough, words go over several lines; numbers and headings are never cut, but the table grows.
    """
    plain = console()
    widths = {name: max(cell_len(name), *(cell_len(row[name]) for row in rows)) for name in rows[0]}
    absent = set()
    for name in order:
        if _total(widths) <= plain.width:
            break
        if widths.pop(name, None) is not None:
            absent.add(name)
    for least, words in ((_longest_word, WORDS), (_narrowest, reversed(WORDS))):
        for name in words:
            if name in widths and (over := _total(widths) - plain.width) > 0:
                widths[name] = max(widths[name] - over, least(rows, name))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name, width in widths.items():
        table.add_column(
            Text(name),
            justify="left" if name in LEFT else "right",
            width=width,
            no_wrap=name not in WORDS,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(row[name]) for name in widths))
    plain.width = max(plain.width, _total(widths) + GAP)
    plain.print(table)
    return absent


def _total(widths: dict[str, int]) -> int:
    return sum(widths.values()) + GAP * (len(widths) - 1)


def _longest_word(rows: Sequence[Row], name: str) -> int:
    return max(cell_len(word) for text in (name, *(row[name] for row in rows)) for word in text.split() or [""])


def _narrowest(rows: Sequence[Row], name: str) -> int:
    return min(_longest_word(rows, name), max(cell_len(name), NARROWEST))


def _interval(interval: Interval | None) -> str:
    return "-" if interval is None else f"{interval.low:.4f}-{interval.high:.4f}"
