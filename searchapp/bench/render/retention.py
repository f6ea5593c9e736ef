"""Retention: the share of the full-width score that every dim keeps, and the picture of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from searchapp.bench.render.wording import percent
from searchapp.bench.report import Cell, PairwiseReport, PairwiseRow, Report
from searchapp.metrics import Interval
from searchapp.metrics.uncertainty import bootstrap_mean
from searchapp.svg import (
    Anchor,
    Axis,
    Box,
    Scale,
    draw_axes,
    draw_legend,
    line,
    linear_ticks,
    marker,
    path,
    place,
    text_box,
    wrap,
)

WIDTH, HEIGHT = 560.0, 370.0


_BESIDE: tuple[tuple[float, float, Anchor], ...] = (
    (8, 16, "start"),
    (-8, 16, "end"),
    (-8, -9, "end"),
    (8, -9, "start"),
)
"""Where a point's words may go, from the point."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What one dim keeps: `width` is dim / full width, `share` score / full-width score, with its interval."""

    dim: int
    width: float
    share: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Curve:
    """One model's points, widest first."""

    name: str
    points: tuple[Kept, ...]


def _published(name: str, full: int, shares: dict[int, float]) -> Curve:
    kept = (Kept(dim, dim / full, share, Interval(share, share)) for dim, share in {full: 1.0, **shares}.items())
    return Curve(name, tuple(kept))


PUBLISHED = (
    _published("nomic-embed-text-v1.5, published", 768, {512: 0.995, 256: 0.980, 128: 0.953, 64: 0.901}),
    _published("Swahili Matryoshka, published", 768, {512: 0.990, 256: 0.965, 128: 0.922, 64: 0.837}),
)
"""Curves to hold one's own against: MTEB average of the first, nDCG@10 of bge-base trained on Swahili pairs."""


def retention_curves(report: Report | PairwiseReport) -> list[Curve]:
    """Return a curve for every model judged at its full width and at least one dim below, flat and not rescored.

    The interval of a share is that of the ratio of the two means over the same queries (linearised, bootstrapped);
    where per-query values are not kept, that of the score in shares of the full-width score.
    """
    if isinstance(report, PairwiseReport):
        return [curve for model in report.models if (curve := _pairwise_curve(report, model.name, model.dim))]
    return [curve for model in report.models if (curve := _curve(report, model.name, model.dim))]


def _curve(report: Report, model: str, full: int) -> Curve | None:
    flat = {cell.dim: cell for cell in report.cells if cell.model == model and cell.kind == "flat" and not cell.rescore}
    if full not in flat or len(flat) < 2:
        return None
    base = flat[full].per_query[report.primary]
    if base.mean() <= 0:
        return None
    dims = sorted((dim for dim in flat if dim is not None), reverse=True)
    return Curve(model, tuple(_kept(flat[dim], base, measure=report.primary, width=dim / full) for dim in dims))


def _kept(cell: Cell, base: np.ndarray[tuple[int, ...], np.dtype[np.float64]], *, measure: str, width: float) -> Kept:
    values, mean = cell.per_query[measure], base.mean()
    share = float(values.mean() / mean)
    interval = bootstrap_mean(share + (values - share * base) / mean) if width < 1 else Interval(1.0, 1.0)
    return Kept(round(cell.dim or 0), width, share, interval)


def _pairwise_curve(report: PairwiseReport, model: str, full: int) -> Curve | None:
    rows: dict[int, PairwiseRow] = {row.dim: row for row in report.rows if row.model == model}
    if full not in rows or len(rows) < 2 or rows[full].measures[report.primary] <= 0:
        return None
    base = rows[full].measures[report.primary]
    points = []
    for dim in sorted(rows, reverse=True):
        share = rows[dim].measures[report.primary] / base
        low, high = rows[dim].intervals.get(report.primary, Interval(share * base, share * base))
        points.append(Kept(dim, dim / full, share, Interval(low / base, high / base)))
    return Curve(model, tuple(points))


def draw_retention(report: Report | PairwiseReport) -> str | None:
    """Return the picture, or None where no model was judged at its full width and below it."""
    curves = retention_curves(report)
    if not curves:
        return None
    items = [
        (f'<g class="series-{number % 6}">{_sample(number)}</g>', f"{curve.name}, {curve.points[0].dim} dims")
        for number, curve in enumerate(curves)
    ]
    items += [
        (line((-9, 0), (9, 0), css=f"reference reference-{number}"), curve.name)
        for number, curve in enumerate(PUBLISHED)
    ]
    legend, reach = draw_legend(items, left=56, right=WIDTH - 12, top=20)
    area = Box(56, reach + 40, WIDTH - 24, HEIGHT + reach - 74)
    x, y = _axes(area, [*curves, *PUBLISHED])
    body = [*legend, *draw_axes(area, x, y)]
    for number, curve in enumerate(PUBLISHED):
        body.append(path(_line(curve, x, y), css=f"reference reference-{number}"))
    drawn: list[Box] = []
    for number, curve in enumerate(curves):
        body.append(f'<g class="series-{number % 6}">{"".join(_draw(curve, number, x, y))}</g>')
        body.extend(_dims(curve, x, y, (area, drawn)))
    said = "; ".join(
        f"{curve.name}: " + ", ".join(f"{kept.dim} dims {percent(kept.share)}" for kept in curve.points)
        for curve in [*curves, *PUBLISHED]
    )
    words = (f"Share of the full-width {report.primary} kept at every dim", said)
    return wrap(body, size=(WIDTH, HEIGHT + reach - 20), name="retention", words=words)


def _axes(area: Box, curves: Sequence[Curve]) -> tuple[Axis, Axis]:
    points = [kept for curve in curves for kept in curve.points]
    low = min(min(kept.interval.low, kept.share) for kept in points)
    high = max(max(kept.interval.high, kept.share) for kept in points)
    room = (high - low) * 0.06
    y = Scale(low - room, high + room, area.bottom, area.top)
    x = Scale(min(kept.width for kept in points) * 0.88, 1.08, area.left, area.right, log=True)
    widths = [1 / 2**power for power in range(12) if 1 / 2**power >= x.low]
    marks = [(width, "full" if width == 1 else f"1/{round(1 / width)}") for width in widths]
    shares = [(value, f"{value * 100:g} %") for value in linear_ticks(y.low, y.high)]
    return Axis(x, marks, "dims kept, of the full width"), Axis(y, shares, "of the full-width score")


def _line(curve: Curve, x: Axis, y: Axis) -> list[tuple[float, float]]:
    return [(x.scale(kept.width), y.scale(kept.share)) for kept in curve.points]


def _sample(number: int) -> str:
    return line((-9, 0), (9, 0), css="curve") + marker(number % 6, 0, 0, css="mark")


def _draw(curve: Curve, number: int, x: Axis, y: Axis) -> Iterator[str]:
    yield path(_line(curve, x, y), css="curve")
    for kept in curve.points:
        at = x.scale(kept.width)
        low, high = (y.scale(bound) for bound in kept.interval)
        if abs(low - high) > 0.5:
            yield line((at, low), (at, high), css="interval")
        words = f"{curve.name}, {kept.dim} dims: {percent(kept.share)}"
        if kept.width < 1 and kept.interval.high > kept.interval.low:
            words += f" ({percent(kept.interval.low)} to {percent(kept.interval.high)})"
        yield f"<g><title>{escape(words)}</title>{marker(number % 6, at, y.scale(kept.share), css='mark')}</g>"


def _dims(curve: Curve, x: Axis, y: Axis, room: tuple[Box, list[Box]]) -> Iterator[str]:
    """Yield the dims beside the points below full width, where there is room; `drawn` gains what they fill."""
    area, drawn = room
    for kept in curve.points[1:]:
        at, height, words = x.scale(kept.width), y.scale(kept.share), str(kept.dim)
        for dx, dy, anchor in _BESIDE:
            box = text_box(words, at + dx, height + dy, anchor=anchor)
            if area.holds(box) and not any(box.meets(other) for other in drawn):
                drawn.append(box)
                yield place(words, at + dx, height + dy, css="point-label", anchor=anchor)
                break
