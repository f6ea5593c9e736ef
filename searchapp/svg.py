"""SVG: the small vocabulary that plots are drawn with. Colours are classes; a style sheet says what they are."""

import math
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, NamedTuple

FONT = 12.0
WIDE_GLYPH, GLYPH = 1.0, 0.62
"""Width of a character in ems: of East Asian ones, and of all others in a broad sans-serif face."""

Anchor = Literal["start", "middle", "end"]


class Box(NamedTuple):
    """A rectangle, in user units, y growing downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Box") -> bool:
        """Tell whether the two share any area."""
        return (
            self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom
        )

    def holds(self, other: "Box") -> bool:
        """Tell whether the other lies within."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and other.right <= self.right
            and other.bottom <= self.bottom
        )


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps low..high to start..end, by the value or by its logarithm."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return where a value is drawn."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        at = math.log(value) if self.log else value
        return self.start + (at - low) / (high - low) * (self.end - self.start)


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale, the values marked on it with their words, and what it measures."""

    scale: Scale
    ticks: Sequence[tuple[float, str]]
    title: str


def linear_ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Return round values within low..high: steps of 1, 2 or 5 times a power of ten.

    >>> linear_ticks(0.12, 0.57)
    [0.2, 0.3, 0.4, 0.5]
    """
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(place * step, digits) + 0.0 for place in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten within low..high.

    Powers alone where those would be many, round values where there would be less than two.

    >>> log_ticks(30, 2000), log_ticks(2.8, 4.4)
    ([50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0], [3.0, 3.5, 4.0])
    """
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1, 2, 5) if math.log10(high / low) <= 3 else (1,)
    values = (factor * 10.0**power for power in powers for factor in factors)
    within = [value for value in values if low * 0.999 <= value <= high * 1.001]
    return within if len(within) > 1 else linear_ticks(low, high)


def text_width(words: str, *, font: float = FONT) -> float:
    """Return about how wide words are drawn, rather too wide than too narrow."""
    ems = (WIDE_GLYPH if unicodedata.east_asian_width(glyph) in "WF" else GLYPH for glyph in words)
    return sum(ems) * font


def shorten(words: str, width: float) -> str:
    """Return words cut to a width, the cut marked."""
    if text_width(words) <= width:
        return words
    while words and text_width(words + "…") > width:
        words = words[:-1]
    return words + "…"


def place(words: str, x: float, y: float, *, css: str = "tick", anchor: Anchor = "start") -> str:
    """Return text whose baseline starts, is centred or ends at (x, y)."""
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def text_box(words: str, x: float, y: float, *, anchor: Anchor = "start") -> Box:
    """Return where `place` draws the same words."""
    width = text_width(words)
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[anchor]
    return Box(left, y - FONT * 0.8, left + width, y + FONT * 0.25)


def line(start: tuple[float, float], end: tuple[float, float], *, css: str) -> str:
    """Return a straight line."""
    return f'<line class="{css}" x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}"/>'


def path(points: Sequence[tuple[float, float]], *, css: str) -> str:
    """Return an open line through points."""
    return f'<path class="{css}" d="M{" L".join(f"{x:.1f} {y:.1f}" for x, y in points)}"/>'


def marker(shape: int, x: float, y: float, *, css: str) -> str:
    """Return one of six marks of about the same weight: circle, square, triangle, diamond, inverted triangle, cross."""
    if shape == 0:
        return f'<circle class="{css}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'
    corners = (
        ((-4, -4), (4, -4), (4, 4), (-4, 4)),
        ((0, -5), (5, 4), (-5, 4)),
        ((0, -5.5), (5.5, 0), (0, 5.5), (-5.5, 0)),
        ((0, 5), (5, -4), (-5, -4)),
        ((-5, -2), (-2, -2), (-2, -5), (2, -5), (2, -2), (5, -2), (5, 2), (2, 2), (2, 5), (-2, 5), (-2, 2), (-5, 2)),
    )[min(shape, 5) - 1]
    return f'<path class="{css}" d="M{" L".join(f"{x + dx:.1f} {y + dy:.1f}" for dx, dy in corners)} Z"/>'


def draw_axes(area: Box, x: Axis, y: Axis) -> Iterator[str]:
    """Yield the grid, the words at the ticks and the titles of two axes around an area."""
    for value, words in y.ticks:
        at = y.scale(value)
        yield line((area.left, at), (area.right, at), css="grid")
        yield place(words, area.left - 8, at + 4, anchor="end")
    yield line((area.left, area.bottom), (area.right, area.bottom), css="axis")
    taken = -math.inf
    for value, words in sorted(x.ticks, key=lambda tick: x.scale(tick[0])):
        at = x.scale(value)
        yield line((at, area.bottom), (at, area.bottom + 4), css="axis")
        box = text_box(words, at, area.bottom + 18, anchor="middle")
        if box.left > taken + 4:
            yield place(words, at, area.bottom + 18, anchor="middle")
            taken = box.right
    yield place(x.title, (area.left + area.right) / 2, area.bottom + 38, css="axis-title", anchor="middle")
    yield place(y.title, area.left - 8, area.top - 12, css="axis-title")


def draw_legend(items: Sequence[tuple[str, str]], *, left: float, right: float, top: float) -> tuple[list[str], float]:
    """Return a row, or rows, of (mark drawn around 0 0, words), and how far down they reach."""
    drawn, x, y = [], left, top
    for mark, words in items:
        words = shorten(words, right - left - 24)
        width = 24 + text_width(words) + 14
        if x > left and x + width - 14 > right:
            x, y = left, y + 20
        drawn.append(f'<g transform="translate({x + 9:.1f} {y - 4:.1f})">{mark}</g>' + place(words, x + 22, y))
        x += width
    return drawn, y


def wrap(body: Sequence[str], *, size: tuple[float, float], name: str, words: tuple[str, str]) -> str:
    """Return the SVG document of a body: `words` are its title and its description, `name` makes their ids unique."""
    title, description = words
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {size[0]:.0f} {size[1]:.0f}" '
        f'width="{size[0]:.0f}" height="{size[1]:.0f}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        f"{''.join(body)}</svg>"
    )
