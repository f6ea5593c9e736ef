"""Colours have one place, and pictures that stand alone know no variables."""

import re

from searchapp.judging.style import colours, plot_style, read_style, standalone_style


def test_both_themes_name_the_same_colours() -> None:
    light, dark = colours("light"), colours("dark")
    assert list(light) == list(dark)
    assert light["surface"] == "#ffffff" and dark["surface"] == "#161921"


def test_a_page_has_variables_and_a_picture_their_colours() -> None:
    assert "var(--series-0)" in read_style() and "--series-0: #3a4fc4;" in read_style()
    used = set(re.findall(r"var\(--([\w-]+)\)", read_style()))
    assert used <= set(colours("light"))
    for theme in ("light", "dark"):
        sheet = plot_style(theme)
        assert "var(" not in sheet
        assert f".plot .series-0 {{ color: {colours(theme)['series-0']}; }}" in sheet


def test_a_picture_is_light_unless_dark_is_preferred() -> None:
    style = standalone_style()
    before, after = style.split("@media (prefers-color-scheme: dark) {")
    assert before == f"<style>{plot_style('light')}"
    assert after == f"\n{plot_style('dark')}}}\n</style>"
