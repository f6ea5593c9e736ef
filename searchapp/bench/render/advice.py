"""The advice: what to ship, and what it was held against."""

from collections.abc import Iterator

from searchapp.bench.render.markup import Column, Row, Value, details, element, facts, table
from searchapp.bench.render.wording import (
    amount,
    bounds,
    cell_title,
    count,
    differences,
    number,
    numbered,
    read_by_search,
    signed,
    size,
    spread,
)
from searchapp.bench.report import Cell, Report

MOST_OPEN = 8
"""Rivals that are shown unasked."""


def advice(report: Report) -> Iterator[str]:
    """Yield the line, what it means, and the cells held against the best one."""
    ship = report.ship
    if ship is None:
        yield element("p", no_advice(report), css="quiet")
        return
    names = {cell.name: cell for cell in report.cells}
    yield f'<div class="advice">{element("p", ship.line, css="line")}'
    if ship.cell in names:
        yield facts(_chosen(names[ship.cell], report))
    yield "</div>"
    if ship.budget_bytes is not None:
        allowed = f"{size(ship.budget_bytes)} ({count(ship.budget_bytes)} bytes)"
        yield element("p", f"The index file was allowed no more than {allowed}.", css="quiet")
    table = rivals_table(report)
    if table:
        yield (
            table
            if len(ship.rivals) <= MOST_OPEN
            else details(f"Held against {numbered(len(ship.rivals), 'cell')}", table)
        )


def no_advice(report: Report) -> str:
    """Say why there is no advice: something has a size, so the budget was too small; or nothing has."""
    measured = any(cell.cost.index_bytes is not None for cell in report.cells if not cell.is_baseline)
    return "Nothing fits the budget; see the notes." if measured else "No advice: no cell's size was measured."


def rivals_table(report: Report) -> str:
    """Return the cells held against the best one; empty without advice."""
    ship = report.ship
    if ship is None or not ship.rivals:
        return ""
    titles = {cell.name: cell_title(cell, report) for cell in report.cells}
    best = titles.get(ship.best, ship.best)
    columns = [Column("cell", "ascending", words=True), Column("difference", "descending", "to the best")]
    columns += [Column("95 % interval", note="of the difference"), Column("p", "descending", "paired test")]
    alone = report.counts.get("evaluated") == 1
    rows = [
        Row(
            [
                Value(title := titles.get(rival.name, rival.name), title, tag="as good" if rival.eligible else ""),
                Value(signed(rival.difference), rival.difference),
                Value(differences(None if alone else rival.interval)),
                Value(number(rival.p), rival.p),
            ]
        )
        for rival in ship.rivals
    ]
    caption = f"Held against the best {report.primary}, that of {best}, on the same queries"
    return table("rivals", caption, columns, rows)


def _chosen(cell: Cell, report: Report) -> Iterator[tuple[str, str]]:
    interval = spread(cell.intervals, report.primary, len(cell.query_ids))
    yield report.primary, number(cell.measures[report.primary]) + (f" ({bounds(interval)})" if interval else "")
    yield "Bytes per vector", count(cell.cost.bytes_per_vector)
    yield "Read by a search", read_by_search(cell.cost)
    if cell.cost.latency is not None:
        yield "One query", f"{amount(cell.cost.latency.p50)} ms (p99 {amount(cell.cost.latency.p99)})"
