"""The text of a document as a template over columns: `"{title}, {brand}, {color}"`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from searchapp.errors import UsageError

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]|[^{}]+")
_CLOSING = ")]}>»”’」』】）"
_OPENING = "([{<«“‘「『【（"


@dataclass(frozen=True, slots=True)
class _Slot:
    """A column with what stands before it: `gap` needs a neighbour on its left, `opening` and `closing` don't."""

    column: str
    gap: str = ""
    opening: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A text template; make one with `Template.parse`. `source` is what was typed."""

    source: str
    _slots: tuple[_Slot, ...]

    @staticmethod
    def parse(source: str, *, option: str = "--text") -> "Template":
        """Read a template. `{{` and `}}` stand for braces themselves; `option` is where it was typed.

        Raises UsageError for a brace left open, an empty name, or a template without any column.
        """
        columns: list[str] = []
        literals = [""]
        for match in _TOKEN.finditer(source):
            piece = match.group()
            if piece in ("{", "}", "{}"):
                raise UsageError(
                    f"{option} {source!r}: {piece!r} at position {match.start() + 1} names no column;"
                    " write {column}, or {{ and }} for braces themselves"
                )
            if match.group(1) is not None:
                columns.append(match.group(1))
                literals.append("")
            else:
                literals[-1] += {"{{": "{", "}}": "}"}.get(piece, piece)
        if not columns:
            raise UsageError(f"{option} {source!r} names no column; write it like {option} '{{{source or 'title'}}}'")
        return Template(source, _slots(columns, literals))

    @staticmethod
    def join(separator: str, columns: tuple[str, ...]) -> "Template":
        """Make the template of these columns with a separator between them."""
        return Template.parse(separator.join("{" + column + "}" for column in columns))

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns named, each once, in order."""
        return tuple(dict.fromkeys(slot.column for slot in self._slots))

    def render(self, cells: Mapping[str, str]) -> str:
        """Fill in the cells and strip the whole; blank cells are left out cleanly.

        The text between two columns belongs to the second and appears only if something stands before it;
        brackets, and what stands before the first or after the last column, come and go with their column.

        >>> text = Template.parse("{title}, {brand} ({color}). Size: {size}")
        >>> text.render({"title": "Bag", "brand": "Acme", "color": "red", "size": "L"})
        'Bag, Acme (red). Size: L'
        >>> text.render({"title": "Bag", "brand": "", "color": "", "size": "L"})
        'Bag. Size: L'
        """
        parts: list[str] = []
        for slot in self._slots:
            cell = cells[slot.column]
            if cell and not cell.isspace():
                parts.append(slot.gap if parts else "")
                parts.append(slot.opening + cell + slot.closing)
        return "".join(parts).strip()


def _slots(columns: list[str], literals: list[str]) -> tuple[_Slot, ...]:
    """Share out the literals: `literals[i]` stands before `columns[i]`, the last one at the end."""
    gaps = [""] * len(columns)
    openings = [literals[0]] + [""] * (len(columns) - 1)
    closings = [""] * (len(columns) - 1) + [literals[-1]]
    for index, literal in enumerate(literals[1:-1]):
        core = literal.lstrip(_CLOSING)
        closings[index] = literal[: len(literal) - len(core)]
        gaps[index + 1] = core.rstrip(_OPENING)
        openings[index + 1] = core[len(gaps[index + 1]) :]
    return tuple(
        _Slot(column, gap, opening, closing)
        for column, gap, opening, closing in zip(columns, gaps, openings, closings, strict=True)
    )
