"""Text templates: what is left out, and that nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.corpus.template import Template
from searchapp.errors import UsageError

NAMES = ("a", "b", "c", "d")
CELLS = st.fixed_dictionaries({name: st.text(st.characters(codec="utf-8"), max_size=8) for name in NAMES})


@pytest.mark.parametrize(
    ("source", "cells", "text"),
    [
        ("{a}, {b}, {c}", "xyz", "x, y, z"),
        ("{a}, {b}, {c}", "x z", "x, z"),
        ("{a}, {b}, {c}", " yz", "y, z"),
        ("{a}, {b}, {c}", "xy ", "x, y"),
        ("{a}, {b}, {c}", "x  ", "x"),
        ("{a}, {b}, {c}", "   ", ""),
        ("Title: {a}. Brand: {b}. Color: {c}!", "x z", "Title: x. Color: z!"),
        ("Title: {a}. Brand: {b}. Color: {c}!", "xy ", "Title: x. Brand: y"),
        ("Title: {a}. Brand: {b}. Color: {c}!", " y ", "y"),
        ("{a} ({b}) by {c}", "xyz", "x (y) by z"),
        ("{a} ({b}) by {c}", "x z", "x by z"),
        ("{a} ({b}) by {c}", "xy ", "x (y)"),
        ("{a} ({b})", "x ", "x"),
        ("{a}「{b}」{c}", "x z", "xz"),
        ("{a}{b}", "xy", "xy"),
        ("{{{a}}} {{b}}", "x", "{x} {b}"),
        ("{a} {a}", "x", "x x"),
    ],
)
def test_examples(source: str, cells: str, text: str) -> None:
    template = Template.parse(source)
    values = {name: cell.strip() for name, cell in zip("abc", cells.ljust(3), strict=True)}
    assert template.render(values) == text


@pytest.mark.parametrize(
    ("source", "gist"),
    [
        ("title", "names no column; write it like --text '{title}'"),
        ("", "names no column; write it like --text '{title}'"),
        ("{a", "'{' at position 1 names no column"),
        ("a}", "'}' at position 2 names no column"),
        ("{} {a}", "'{}' at position 1 names no column"),
        ("{{a}}", "names no column"),
        ("{a{b}}", "'{' at position 1 names no column"),
    ],
)
def test_bad_templates_say_where(source: str, gist: str) -> None:
    with pytest.raises(UsageError) as caught:
        Template.parse(source)
    assert gist in str(caught.value)


@given(CELLS, st.sampled_from([", ", ". ", " | ", " - "]))
def test_with_one_separator_it_is_a_join_of_what_is_not_blank(cells: dict[str, str], separator: str) -> None:
    template = Template.join(separator, NAMES)
    assert template.render(cells) == separator.join(cells[name] for name in NAMES if cells[name].strip()).strip()


@given(CELLS, st.lists(st.text("xyz,.: ", max_size=5), min_size=5, max_size=5))
def test_without_blanks_it_is_plain_substitution(cells: dict[str, str], literals: list[str]) -> None:
    full = {name: cell if cell.strip() else name for name, cell in cells.items()}
    source = literals[0] + "".join("{" + name + "}" + text for name, text in zip(NAMES, literals[1:], strict=True))
    expected = literals[0] + "".join(full[name] + text for name, text in zip(NAMES, literals[1:], strict=True))
    assert Template.parse(source).render(full) == expected.strip()


@given(CELLS)
def test_cells_that_look_like_templates_are_not_filled_in(cells: dict[str, str]) -> None:
    assert Template.parse("{a}").render({"a": "{b} {{" + cells["a"] + "x"}) == "{b} {{" + cells["a"] + "x"


@given(st.text("{}ab", max_size=10))
def test_any_text_is_a_template_or_a_usage_error(source: str) -> None:
    try:
        template = Template.parse(source)
    except UsageError:
        return
    assert template.columns
    template.render(dict.fromkeys(template.columns, "x"))


def test_columns_are_named_once() -> None:
    assert Template.parse("{product title}: {b}, {product title}").columns == ("product title", "b")
