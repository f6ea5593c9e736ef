"""Markup: HTML text made of data, escaped in one place, and the one table that all sections use."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal


@dataclass(frozen=True, slots=True)
class Column:
    """A column's heading. `first` is the order that the first click on it gives; empty if it can't be sorted."""

    title: str
    first: Literal["ascending", "descending", ""] = ""
    note: str = ""
    """A second, smaller line of the heading."""
    words: bool = False
    """Holds words, not numbers."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a table's cell shows, and what it is sorted by (None: always last)."""

    text: str
    sort: float | str | None = None
    small: str = ""
    """A second, smaller line."""
    picture: str = ""
    """SVG that goes before the text, for the eye alone."""
    tag: str = ""
    """A word set apart: `baseline`, `ship this`."""


@dataclass(frozen=True, slots=True)
class Row:
    """The values of a row, the first of which names it."""

    values: Sequence[Value]
    css: str = ""


def element(name: str, text: str, *, css: str = "") -> str:
    """Return an element around plain text."""
    return f"<{name}{_class(css)}>{escape(text)}</{name}>"


def section(ident: str, title: str, body: Iterable[str]) -> str:
    """Return a section of the page under its heading."""
    return (
        f'<section id="{ident}" aria-labelledby="{ident}-heading"><h2 id="{ident}-heading">{escape(title)}</h2>'
        f"{''.join(body)}</section>"
    )


def details(summary: str, body: str) -> str:
    """Return what is shown only when asked for; works without a script."""
    return f"<details><summary>{escape(summary)}</summary>{body}</details>"


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs of a name and what it is, as a list of descriptions."""
    items = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(text)}</dd></div>" for name, text in pairs)
    return f'<dl class="facts">{items}</dl>'


def table(ident: str, caption: str, columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """Return a table with a caption and scopes, in a box of its own that scrolls sideways where it must."""
    head = "".join(_heading(column) for column in columns)
    body = "".join(_row(row, columns) for row in rows)
    return (
        f'<div class="scroll" role="region" aria-labelledby="{ident}-caption" tabindex="0"><table id="{ident}">'
        f'<caption id="{ident}-caption"><span>{escape(caption)}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _heading(column: Column) -> str:
    order = f' data-first="{column.first}"' if column.first else ""
    note = f"<small>{escape(column.note)}</small>" if column.note else ""
    return f'<th scope="col"{_class("words" if column.words else "")}{order}>{escape(column.title)}{note}</th>'


def _row(row: Row, columns: Sequence[Column]) -> str:
    cells = []
    for place, (value, column) in enumerate(zip(row.values, columns, strict=True)):
        kind = "th" if place == 0 else "td"
        scope = ' scope="row"' if place == 0 else ""
        key = "" if value.sort is None else f' data-sort="{escape(str(value.sort))}"'
        tag = f' <span class="tag">{escape(value.tag)}</span>' if value.tag else ""
        small = f"<small>{escape(value.small)}</small>" if value.small else ""
        css = _class("words" if column.words else "")
        cells.append(f"<{kind}{scope}{css}{key}>{value.picture}{escape(value.text)}{tag}{small}</{kind}>")
    return f"<tr{_class(row.css)}>{''.join(cells)}</tr>"


def _class(css: str) -> str:
    return f' class="{css}"' if css else ""
