"""The learning curve: losses above, the judged measure at every dim below, the step that was kept marked in both."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import TypeAlias

from searchapp.judging.style import standalone_style
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
    wrap,
)
from searchapp.train.log import LogRow
from searchapp.train.names import at_every_dim, split_name

WIDTH, PANEL = 720.0, 200.0
"""Of the picture, and how high each of its panels is."""
LEFT, RIGHT = 64.0, 20.0

_SERIES = 6
_MARKED = 30
"""Points of a line that are marked one by one; of more the line alone is drawn."""

Point: TypeAlias = tuple[int, float]
"""A step and its value."""


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class _Panel:
    title: str
    lines: tuple[_Line, ...]

    @property
    def values(self) -> list[float]:
        return [value for one in self.lines for _, value in one.points]


def draw_curve(rows: Sequence[LogRow], *, measure: str | None, best: int | None) -> str:
    """Return the picture of a log as an SVG document of its own, readable on light and on dark.

    `measure` is the full name of what the best is kept by, drawn at every dim; None where nothing was judged. `best` is
    the step that was kept. What is not finite is left out, and so is a panel that nothing is in.
    """
    panels = [panel for panel in _panels(rows, measure) if panel.lines]
    steps = [row.step for row in rows]
    last = max(steps, default=0) or 1
    body = [standalone_style()]
    drawn: list[str] = []
    top = 12.0
    for panel in panels:
        items, top = _draw(panel, top, last=last, best=best)
        drawn += items
    if not panels:
        drawn.append(place("nothing was logged", LEFT, top + 16))
        top += 40
    body += [f'<rect class="surface" width="{WIDTH:.0f}" height="{top:.0f}"/>', *drawn]
    return wrap(body, size=(WIDTH, top), name="learning-curve", words=("Learning curve", _told(panels, best)))


def _panels(rows: Sequence[LogRow], measure: str | None) -> Iterator[_Panel]:
    trained = _line("training loss", ((row.step, row.loss) for row in rows))
    validated = _line("validation loss", ((row.step, row.eval_loss) for row in rows))
    yield _Panel("loss", tuple(one for one in (trained, validated) if one.points))
    names = at_every_dim(measure, [row.measures for row in rows])
    if names:
        lines = (_line(split_name(name)[0], ((row.step, row.measures.get(name)) for row in rows)) for name in names)
        yield _Panel(split_name(names[0])[1], tuple(one for one in lines if one.points))


def _line(name: str, points: Iterator[tuple[int, float | None]]) -> _Line:
    return _Line(name, tuple((step, value) for step, value in points if value is not None and math.isfinite(value)))


def _draw(panel: _Panel, top: float, *, last: int, best: int | None) -> tuple[list[str], float]:
    """Return what a panel is drawn with, from `top` on, and where it ends."""
    items = [(f'<g class="{_css(number)}">{_sample(number)}</g>', one.name) for number, one in enumerate(panel.lines)]
    legend, reach = draw_legend(items, left=LEFT, right=WIDTH - RIGHT, top=top + 14)
    area = Box(LEFT, reach + 38, WIDTH - RIGHT, reach + 38 + PANEL)
    x = Axis(Scale(0, last, area.left, area.right), _steps(last), "step")
    y = _values(panel, area)
    drawn = [*legend, *draw_axes(area, x, y)]
    if best is not None and 0 <= best <= last:
        at = x.scale(best)
        drawn.append(line((at, area.top - 4), (at, area.bottom), css="baseline"))
        late = at > (area.left + area.right) / 2
        beside = at - 5 if late else at + 5
        anchor: Anchor = "end" if late else "start"
        drawn.append(place(f"step {best:,}, kept", beside, area.top - 6, css="key", anchor=anchor))
    for number, one in enumerate(panel.lines):
        drawn.append(f'<g class="{_css(number)}">{"".join(_curve(one, number, (x, y), best=best))}</g>')
    return drawn, area.bottom + 52


def _curve(one: _Line, number: int, axes: tuple[Axis, Axis], *, best: int | None) -> Iterator[str]:
    x, y = axes
    places = [(x.scale(step), y.scale(value)) for step, value in one.points]
    yield path(places, css="curve again" if number >= _SERIES else "curve")
    few = len(places) <= _MARKED
    for (step, value), at in zip(one.points, places, strict=True):
        if few or step == best:
            words = f"{one.name}, step {step:,}: {value:.4f}"
            yield f"<g><title>{escape(words)}</title>{marker(number % _SERIES, *at, css='mark')}</g>"


def _css(number: int) -> str:
    return f"series-{number % _SERIES}"


def _sample(number: int) -> str:
    dashed = " again" if number >= _SERIES else ""
    return line((-9, 0), (9, 0), css=f"curve{dashed}") + marker(number % _SERIES, 0, 0, css="mark")


def _steps(last: int) -> list[tuple[float, str]]:
    return [(value, f"{value:,.0f}") for value in linear_ticks(0, last) if value.is_integer()]


def _values(panel: _Panel, area: Box) -> Axis:
    low, high = min(panel.values), max(panel.values)
    room = (high - low) * 0.06 or max(abs(high) * 0.05, 0.01)
    scale = Scale(low - room, high + room, area.bottom, area.top)
    return Axis(scale, [(value, f"{value:g}") for value in linear_ticks(scale.low, scale.high, most=5)], panel.title)


def _told(panels: Sequence[_Panel], best: int | None) -> str:
    """Say in words what is drawn: of each line where it began, ended, and what it was at the step that was kept."""
    parts = []
    for one in (one for panel in panels for one in panel.lines):
        (first, began), (last, ended) = one.points[0], one.points[-1]
        kept = [f", {value:.4f} at step {step:,}, kept" for step, value in one.points if step == best]
        parts.append(f"{one.name}: {began:.4f} at step {first:,} to {ended:.4f} at step {last:,}{''.join(kept[-1:])}")
    return "; ".join(parts) or "nothing was logged"
