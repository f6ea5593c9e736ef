"""Tables of the page: the cells, their losses, their slices, the models, and what was held against the best."""

from collections.abc import Iterator

from searchapp.bench.render.loss_picture import PARTS, loss_parts
from searchapp.bench.render.markup import Column, Row, Value, table
from searchapp.bench.render.retention import retention_curves
from searchapp.bench.render.wording import (
    NONE,
    amount,
    bounds,
    cell_title,
    count,
    lost,
    main_measures,
    number,
    other_measures,
    percent,
    short_title,
    size,
    spread,
    tie_rank,
)
from searchapp.bench.report import Cell, PairwiseReport, Report
from searchapp.metrics import Interval
from searchapp.svg import Scale

_PRICES = (
    Column("bytes", "ascending", "per vector"),
    Column("p50", "ascending", "ms"),
    Column("p95", "ascending", "ms"),
    Column("p99", "ascending", "ms"),
)


def matrix_table(report: Report) -> str:
    """Return all cells with their main measures, intervals and costs."""
    names = main_measures(report)
    low, high = _span(report)
    scale = Scale(low, high, 3, 93)
    measures = [Column(name, "descending", "95 % interval") for name in names]
    columns = [Column("cell", "ascending", words=True), measures[0], *_PRICES, *measures[1:], *_cost_columns(report)]
    rows = []
    for cell in report.cells:
        first, *others = [_measure(cell, name, scale if name == report.primary else None) for name in names]
        rows.append(
            Row(
                [_title(cell, report), first, *_prices(cell), *others, *_costs(cell, tie_rank(report))],
                _row_css(cell, report),
            )
        )
    return table("matrix", "Every cell: quality with 95 % intervals, and what it costs", columns, rows)


def measures_table(report: Report) -> str:
    """Return the measures that the first table leaves out; empty if there are none."""
    names = other_measures(report)
    if not names:
        return ""
    columns = [Column("cell", "ascending", words=True), *(Column(name, "descending") for name in names)]
    rows = [
        Row([_title(cell, report), *(_measure(cell, name, None) for name in names)], _row_css(cell, report))
        for cell in report.cells
    ]
    return table("measures", "All other measures, with 95 % intervals", columns, rows)


def loss_table(report: Report) -> str:
    """Return where each cell lost quality."""
    columns = [Column("cell", "ascending", words=True), Column("full, flat", note=report.primary)]
    columns += [Column(part, "descending") for part in PARTS]
    rows = []
    for cell in report.cells:
        if cell.loss is not None:
            parts = [Value(lost(part), part) for part in loss_parts(cell.loss)]
            total = Value(lost(cell.loss.total), cell.loss.total)
            rows.append(Row([_title(cell, report), Value(number(cell.loss.reference)), *parts, total]))
    caption = f"{report.primary} lost against full width and flat, in parts that add up; a gain is negative"
    return table("losses", caption, [*columns, Column("in all", "descending")], rows)


def slice_tables(report: Report) -> Iterator[str]:
    """Yield a table for every way the queries were cut: the primary measure of each part, whatever its size."""
    parts = {(part.by, part.value): part.queries for cell in report.cells for part in cell.slices}
    for place, by in enumerate(dict.fromkeys(by for by, _ in parts)):
        values = {value: queries for (its_by, value), queries in parts.items() if its_by == by}
        columns = [Column(value, "descending", f"n = {count(queries)}") for value, queries in values.items()]
        rows = []
        for cell in report.cells:
            held = {part.value: part for part in cell.slices if part.by == by}
            shown = [
                _number(
                    held[value].measures.get(report.primary), spread(held[value].intervals, report.primary, queries)
                )
                if value in held
                else Value(NONE)
                for value, queries in values.items()
            ]
            rows.append(Row([_title(cell, report), *shown], _row_css(cell, report)))
        caption = f"{report.primary} by {by}, with 95 % intervals"
        yield table(f"slices-{place}", caption, [Column("cell", "ascending", words=True), *columns], rows)


def pairwise_table(report: PairwiseReport) -> str:
    """Return every model at every dim with all measures, the primary one first, and what it keeps of full width."""
    known = report.rows[0].measures if report.rows else {}
    others = [name for name in known if name != report.primary]
    shares = {(curve.name, kept.dim): kept.share for curve in retention_curves(report) for kept in curve.points}
    columns = [Column("dims", "descending", words=True), Column(report.primary, "descending", "95 % interval")]
    columns += [Column("kept", "descending", "of full width"), *(Column(name, "descending") for name in others)]
    rows = []
    for row in report.rows:
        share = shares.get((row.model, row.dim))
        first, *values = (
            _number(row.measures.get(name), spread(row.intervals, name, report.count))
            for name in (report.primary, *others)
        )
        kept = Value(NONE if share is None else percent(share), share)
        rows.append(Row([Value(f"{row.dim} dims", row.dim, row.model), first, kept, *values]))
    return table("pairwise", "Every model at every dim, with 95 % intervals", columns, rows)


def _title(cell: Cell, report: Report) -> Value:
    shipped = report.ship is not None and report.ship.cell == cell.name
    tag = "baseline" if cell.is_baseline else "ship this" if shipped else ""
    model = cell.model or "" if len(report.models) > 1 else ""
    return Value(short_title(cell), cell_title(cell, report), model, tag=tag)


def _row_css(cell: Cell, report: Report) -> str:
    if cell.is_baseline:
        return "baseline-row"
    return "shipped" if report.ship is not None and report.ship.cell == cell.name else ""


def _measure(cell: Cell, name: str, scale: Scale | None) -> Value:
    values, interval = cell.per_query.get(name), spread(cell.intervals, name, len(cell.query_ids))
    mean = None if values is None else float(values.mean())
    picture = ""
    if scale is not None and mean is not None and scale.low <= mean <= scale.high:
        picture = _whisker(mean, interval, scale)
    return _number(mean, interval, picture=picture)


def _number(mean: float | None, interval: Interval | None, *, picture: str = "") -> Value:
    return Value(number(mean), mean, "" if mean is None else bounds(interval), picture)


def _prices(cell: Cell) -> list[Value]:
    size_, latency = cell.cost.bytes_per_vector, cell.cost.latency
    times = [latency.p50, latency.p95, latency.p99] if latency else [None] * 3
    return [Value(count(size_), size_), *(Value(amount(time), time) for time in times)]


def _cost_columns(report: Report) -> list[Column]:
    return [
        Column("index", "ascending", "file"),
        Column("queries/s", "descending", "in one batch"),
        Column("build", "ascending", "seconds"),
        Column("memory", "ascending", "at most"),
        Column(f"ties@{tie_rank(report)}", "ascending", "queries"),
        Column("dims", "descending"),
    ]


def _costs(cell: Cell, rank: int) -> list[Value]:
    cost = cell.cost
    return [
        Value(size(cost.index_bytes), cost.index_bytes, f"+ {size(cost.vectors_bytes)}" if cost.vectors_bytes else ""),
        Value(count(cost.queries_per_second), cost.queries_per_second),
        Value(amount(cost.build_seconds), cost.build_seconds),
        Value(size(cost.peak_memory_bytes), cost.peak_memory_bytes),
        Value(count(cell.ties.get(rank)), cell.ties.get(rank)),
        Value(NONE if cell.dim is None else str(cell.dim), cell.dim),
    ]


def _span(report: Report) -> tuple[float, float]:
    """Return the bounds that hold every cell's interval of the primary measure; baselines may lie outside."""
    cells = [cell for cell in report.cells if not cell.is_baseline] or report.cells
    if not cells:
        return 0.0, 1.0
    means = [cell.measures[report.primary] for cell in cells]
    found = [interval for cell in cells if (interval := cell.intervals.get(report.primary))]
    low, high = (
        min([*means, *(interval.low for interval in found)]),
        max([*means, *(interval.high for interval in found)]),
    )
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _whisker(mean: float, interval: Interval | None, scale: Scale) -> str:
    """Return a dot in its interval, on the scale that all rows share."""
    low, high = interval or (mean, mean)
    low, high = max(low, scale.low), min(high, scale.high)
    return (
        '<svg class="whisker" viewBox="0 0 96 14" width="96" height="14" aria-hidden="true" focusable="false">'
        '<line class="rail" x1="0" y1="7" x2="96" y2="7"/>'
        f'<line x1="{scale(low):.1f}" y1="7" x2="{scale(high):.1f}" y2="7"/>'
        f'<circle cx="{scale(mean):.1f}" cy="7" r="3.5"/></svg>'
    )
