"""Losses: the picture of where each cell lost quality, a bar for every part, gains to the left of nothing."""

from collections.abc import Iterator, Sequence
from html import escape

from searchapp.bench.render.wording import cell_title, lost, short_title
from searchapp.bench.report import Cell, Loss, Report
from searchapp.svg import (
    Axis,
    Box,
    Scale,
    draw_legend,
    line,
    linear_ticks,
    place,
    shorten,
    text_width,
    wrap,
)

WIDTH, ROW = 640.0, 24.0
PARTS = ("truncation", "quantisation", "rescoring", "search")
MOST_LABEL = 310.0


def loss_parts(loss: Loss) -> tuple[float, ...]:
    """Return the parts in the order of `PARTS`."""
    return (loss.truncation, loss.quantisation, loss.rescoring, loss.search)


def draw_losses(report: Report) -> str | None:
    """Return the picture, or None where no cell's loss was split."""
    split = [(cell, cell.loss) for cell in report.cells if cell.loss is not None]
    if not split:
        return None
    titles = [shorten(short_title(cell), MOST_LABEL) for cell, _ in split]
    left = 16 + max(text_width(title) for title in titles)
    keys = [(f'<rect class="part-{part}" x="-7" y="-6" width="14" height="12" rx="2"/>', part) for part in PARTS]
    keys.append(('<circle class="total" r="3.5"/>', "in all"))
    legend, reach = draw_legend(keys, left=left, right=WIDTH - 12, top=20)
    tops = _tops([cell for cell, _ in split], reach + 24, several=len(report.models) > 1)
    area = Box(left, reach + 24, WIDTH - 78, tops[-1] + ROW)
    axis = _axis([loss for _, loss in split], area, report.primary)
    body = [*legend, *_grid(area, axis)]
    for place_in, (top, title, (cell, loss)) in enumerate(zip(tops, titles, split, strict=True)):
        middle = top + ROW / 2
        if len(report.models) > 1 and (place_in == 0 or split[place_in - 1][0].model != cell.model):
            body.append(place(shorten(cell.model or "", left - 20), left - 10, top - 8, css="axis-title", anchor="end"))
        body.append(place(title, left - 10, middle + 4, anchor="end"))
        body.append(
            f"<g><title>{escape(_said(cell, loss, report))}</title>{''.join(_bar(loss, middle, axis.scale))}</g>"
        )
        body.append(place(lost(loss.total), WIDTH - 8, middle + 4, css="value", anchor="end"))
    words = (
        f"{report.primary} lost against full width and flat, by where it was lost",
        "; ".join(_said(cell, loss, report) for cell, loss in split),
    )
    return wrap(body, size=(WIDTH, area.bottom + 46), name="loss", words=words)


def _tops(cells: Sequence[Cell], start: float, *, several: bool) -> list[float]:
    """Return where each row begins; a line is left free above a model's first where there are several models."""
    tops = []
    for before, cell in zip([None, *cells], cells, strict=False):
        start += ROW if several and (before is None or before.model != cell.model) else 0
        tops.append(start)
        start += ROW
    return tops


def _said(cell: Cell, loss: Loss, report: Report) -> str:
    parts = ", ".join(f"{name} {lost(part)}" for name, part in zip(PARTS, loss_parts(loss), strict=True) if part)
    return f"{cell_title(cell, report)}: {lost(loss.total)}" + (f" ({parts})" if parts else "")


def _axis(losses: Sequence[Loss], area: Box, measure: str) -> Axis:
    gained = max(sum(-part for part in loss_parts(loss) if part < 0) for loss in losses)
    given_up = max(sum(part for part in loss_parts(loss) if part > 0) for loss in losses)
    room = max(gained + given_up, 0.001) * 0.04
    scale = Scale(-gained - room, given_up + room, area.left, area.right)
    marks = [(value, f"{value:.10g}".replace("-", "−")) for value in linear_ticks(scale.low, scale.high)]
    return Axis(scale, marks, f"{measure} lost (a gain is negative)")


def _grid(area: Box, axis: Axis) -> Iterator[str]:
    for value, words in axis.ticks:
        at = axis.scale(value)
        yield line((at, area.top), (at, area.bottom), css="axis" if value == 0 else "grid")
        yield place(words, at, area.bottom + 16, anchor="middle")
    yield place(axis.title, (area.left + area.right) / 2, area.bottom + 36, css="axis-title", anchor="middle")


def _bar(loss: Loss, middle: float, scale: Scale) -> Iterator[str]:
    """Yield losses laid end to end to the right of nothing, gains to the left, and a dot at their sum."""
    ends = {True: 0.0, False: 0.0}
    for name, part in zip(PARTS, loss_parts(loss), strict=True):
        start = ends[part > 0]
        ends[part > 0] = start + part
        left, right = sorted((scale(start), scale(start + part)))
        if right - left >= 0.05:
            yield (
                f'<rect class="part-{name}" x="{left:.1f}" y="{middle - 7:.1f}" width="{right - left:.1f}" '
                f'height="14"/>'
            )
    yield f'<circle class="total" cx="{scale(loss.total):.1f}" cy="{middle:.1f}" r="3.5"/>'
