"""Trade-offs: quality against what it costs, with intervals and the front of what nothing cheaper beats."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from searchapp.bench.render.wording import amount, bounds, cell_title, count, number, numbered
from searchapp.bench.report import Cell, Report, Ship
from searchapp.metrics import Interval
from searchapp.svg import (
    Axis,
    Box,
    Scale,
    draw_axes,
    draw_legend,
    line,
    linear_ticks,
    log_ticks,
    marker,
    path,
    place,
    shorten,
    text_box,
    wrap,
)

WIDTH, HEIGHT = 560.0, 400.0
KEY_LINE = 18.0


@dataclass(frozen=True, slots=True)
class Price:
    """What a trade-off's x axis measures: how a cell's is read and written, and which front belongs to it."""

    name: str
    title: str
    read: Callable[[Cell], float | None]
    write: Callable[[float], str]
    front: Callable[[Ship], tuple[str, ...]]


PRICES = (
    Price(
        "bytes",
        "bytes per vector",
        lambda cell: cell.cost.bytes_per_vector,
        lambda value: f"{count(value)} B",
        lambda ship: ship.front_bytes,
    ),
    Price(
        "latency",
        "milliseconds for one query (median)",
        lambda cell: None if cell.cost.latency is None else cell.cost.latency.p50,
        lambda value: f"{amount(value)} ms",
        lambda ship: ship.front_latency,
    ),
)


@dataclass(frozen=True, slots=True)
class _Point:
    cell: Cell
    title: str
    cost: float
    score: float
    low: float
    high: float
    css: str
    shape: int
    place: int
    """On the front, from 1; 0 if it is not on it."""


def draw_tradeoff(report: Report, price: Price) -> str | None:
    """Return the picture, or None where no cell's price was measured."""
    points = _points(report, price)
    if not points:
        return None
    low, high = min(point.low for point in points), max(point.high for point in points)
    room = max(high - low, 0.01)
    baselines = [(cell.name, cell.measures[report.primary]) for cell in report.cells if cell.is_baseline]
    near = [(name, score) for name, score in baselines if low - room * 0.3 <= score <= high + room * 0.3]
    legend, reach = draw_legend([*_keys(points), *_baseline_keys(baselines, near)], left=56, right=WIDTH - 12, top=20)
    area = Box(56, reach + 40, WIDTH - 24, HEIGHT + reach - 74)
    x, y = _axes(points, [score for _, score in near], area, price, report.primary)
    body = [*legend, *draw_axes(area, x, y)]
    body += [line((area.left, y.scale(score)), (area.right, y.scale(score)), css="baseline") for _, score in near]
    front = sorted((point for point in points if point.place), key=lambda point: point.place)
    if len(front) > 1:
        steps = [(x.scale(point.cost), y.scale(point.score)) for point in front]
        corners = [(after[0], before[1]) for before, after in pairwise(steps)]
        stairs = [spot for pair in zip(steps, [*corners, steps[-1]], strict=True) for spot in pair]
        body.append(path(stairs[:-1], css="front"))
    body += [_draw(point, price, x, y) for point in sorted(points, key=lambda point: point.place)]
    body += _numbers(front, points, area, x, y)
    key = [f"{point.place}  {point.title}: {number(point.score)}, {price.write(point.cost)}" for point in front]
    top = area.bottom + 66
    body += [place(shorten(words, WIDTH - 80), 56, top + KEY_LINE * row, css="key") for row, words in enumerate(key)]
    said = f"{numbered(len(points), 'cell')}." + (" The front, cheapest first: " + "; ".join(key) if key else "")
    size = (WIDTH, top + KEY_LINE * len(key) - (8 if key else 20))
    return wrap(body, size=size, name=price.name, words=(f"{report.primary} against {price.title}", said))


def _points(report: Report, price: Price) -> list[_Point]:
    priced = [(cell, price.read(cell)) for cell in report.cells if not cell.is_baseline]
    families = list(dict.fromkeys(_family(cell.kind) for cell, _ in priced))
    models = [model.name for model in report.models]
    front = price.front(report.ship) if report.ship else ()
    points = []
    for cell, cost in priced:
        if not cost or cost <= 0:
            continue
        score = cell.measures[report.primary]
        interval = cell.intervals.get(report.primary, Interval(score, score))
        low, high = min(interval.low, score), max(interval.high, score)
        colour = models.index(cell.model) % 6 if cell.model in models else 0
        shape = min(families.index(_family(cell.kind)), 5)
        rank = front.index(cell.name) + 1 if cell.name in front else 0
        css = f"series-{colour}"
        points.append(_Point(cell, cell_title(cell, report), cost, score, low, high, css, shape, rank))
    return points


def _family(kind: str) -> str:
    """Return a kind without the numbers of its lists: `ivf512-pq48` -> `ivf-pq`."""
    return re.sub(r"(?i)(ivf|pq)\d+(x\d+)?", lambda match: match[1], kind)


def _keys(points: Sequence[_Point]) -> list[tuple[str, str]]:
    models = {point.cell.model or "": point.css for point in points}
    shapes = {point.shape: _family(point.cell.kind) if point.shape < 5 else "other" for point in points}
    dots = [(f'<g class="{css}">{marker(0, 0, 0, css="mark")}</g>', model) for model, css in models.items()]
    marks = [(f'<g class="neutral">{marker(shape, 0, 0, css="mark")}</g>', name) for shape, name in shapes.items()]
    front = [(line((-9, 0), (9, 0), css="front"), "nothing cheaper is better")] if any(p.place for p in points) else []
    return [*(dots if len(dots) > 1 else []), *marks, *front]


def _baseline_keys(
    baselines: Sequence[tuple[str, float]], near: Sequence[tuple[str, float]]
) -> Iterator[tuple[str, str]]:
    for name, score in baselines:
        if (name, score) in near:
            yield line((-9, 0), (9, 0), css="baseline"), f"{name} {number(score)}"
        else:
            yield (
                place("↓" if not near or score < near[0][1] else "↑", 0, 4, anchor="middle"),
                f"{name} {number(score)}",
            )


def _axes(
    points: Sequence[_Point], others: Sequence[float], area: Box, price: Price, measure: str
) -> tuple[Axis, Axis]:
    low, high = min([*(point.low for point in points), *others]), max([*(point.high for point in points), *others])
    room = max(high - low, 0.01) * 0.06
    y = Scale(low - room, high + room, area.bottom, area.top)
    costs = [point.cost for point in points]
    x = Scale(min(costs) * 0.8, max(costs) * 1.25, area.left, area.right, log=True)
    return (
        Axis(x, [(value, f"{value:,.10g}") for value in log_ticks(x.low, x.high)], price.title),
        Axis(y, [(value, f"{value:.10g}") for value in linear_ticks(y.low, y.high)], measure),
    )


def _draw(point: _Point, price: Price, x: Axis, y: Axis) -> str:
    at, height = x.scale(point.cost), y.scale(point.score)
    interval = f" ({bounds(Interval(point.low, point.high))})" if point.high > point.low else ""
    words = escape(f"{point.title}: {number(point.score)}{interval}, {price.write(point.cost)}")
    mark = marker(point.shape, at, height, css="mark" if point.place else "mark hollow")
    bar = line((at, y.scale(point.low)), (at, y.scale(point.high)), css="interval")
    return f'<g class="{point.css}{"" if point.place else " behind"}"><title>{words}</title>{bar}{mark}</g>'


def _numbers(front: Sequence[_Point], points: Sequence[_Point], area: Box, x: Axis, y: Axis) -> Iterator[str]:
    """Yield the places on the front beside its points, each where it meets no mark and no other words."""
    spots = [(x.scale(point.cost), y.scale(point.score)) for point in points]
    taken = [Box(at - 5, height - 5, at + 5, height + 5) for at, height in spots]
    for point in front:
        at, height, words = x.scale(point.cost), y.scale(point.score), str(point.place)
        for dx, dy in ((-12, -8), (12, -8), (12, 16), (-12, 16), (-16, -20), (16, -20), (16, 28), (-16, 28), (0, -32)):
            box = text_box(words, at + dx, height + dy, anchor="middle")
            if area.holds(box) and not any(box.meets(other) for other in taken):
                taken.append(box)
                yield place(words, at + dx, height + dy, css="point-label", anchor="middle")
                break
