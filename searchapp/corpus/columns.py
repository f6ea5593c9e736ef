"""Which columns hold the id and the text where nobody said so, and what to say where they are missing."""

import difflib
from collections.abc import Iterable, Sequence

from searchapp.corpus.template import Template

ID_COLUMNS = ("_id", "id", "doc_id", "docid", "product_id")
"""Names of id columns; the first that is there is taken."""

BODY_COLUMNS = ("text", "contents", "content", "body", "passage")
"""Names of the main text; the first that is there is taken, behind the title if there is one."""

TEXT_COLUMNS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    *((" ", ("title", body), body) for body in BODY_COLUMNS),
    (" ", ("title",), "title"),
    (" ", ("name",), "name"),
    (", ", ("product_title", "product_brand", "product_color"), "product_title"),
)
"""Default texts: a separator, columns (those missing are left out) and the one that must be there; the first
row that fits is taken."""

_LISTED = 30


def default_id(columns: Sequence[str]) -> str | None:
    """Return the column that holds ids by its name, or None."""
    return next((name for name in ID_COLUMNS if name in columns), None)


def default_template(columns: Sequence[str]) -> Template | None:
    """Return the template of the columns that hold text by their names, or None.

    >>> default_template(["_id", "title", "text"]).source
    '{title} {text}'
    """
    for separator, names, key in TEXT_COLUMNS:
        if key in columns:
            return Template.join(separator, tuple(name for name in names if name in columns))
    return None


def no_id(columns: Sequence[str]) -> str:
    """Say that no column holds ids by its name."""
    likely = [name for name in columns if "id" in name.lower() or "key" in name.lower()]
    guess = likely[0] if likely else (columns[0] if columns else "COLUMN")
    return f"no id column ({', '.join(ID_COLUMNS)}) among {listed(columns)}; name it, such as --id {guess!r}"


def no_text(columns: Sequence[str], id_column: str) -> str:
    """Say that no column holds text by its name."""
    others = [name for name in columns if name != id_column] or ["COLUMN"]
    return f"no text column (title, text, ...) among {listed(columns)}; name it, such as --text '{{{others[0]}}}'"


def no_such(name: str, columns: Sequence[str], option: str) -> str:
    """Say that a column is missing, which an option named or (empty) the format asks for, and which comes nearest."""
    near = nearest(name, columns)
    if not option:
        return f"no column {name!r} among {listed(columns)}; add it" + (f", or rename {near!r}" if near else "")
    written = f"'{{{near}}}'" if option == "--text" else repr(near)
    advice = f"perhaps {option} {written}" if near else f"name one of them with {option}"
    return f"no column {name!r} among {listed(columns)}; {advice}"


def nearest(name: str, names: Iterable[str]) -> str | None:
    """Return the name most like `name`, whatever its case, or None."""
    folded = {candidate.casefold(): candidate for candidate in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1)
    return folded[near[0]] if near else None


def listed(columns: Sequence[str]) -> str:
    """List names of columns for a message."""
    shown = ", ".join(columns[:_LISTED]) or "none"
    return f"the columns {shown}" + (", ..." if len(columns) > _LISTED else "")
