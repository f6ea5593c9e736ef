"""The style of pictures: their classes and the colours of both themes, for pages and for pictures that stand alone."""

import re
from importlib.resources import files
from typing import Literal, TypeAlias

Theme: TypeAlias = Literal["light", "dark"]

_ASSETS = files("searchapp.judging") / "assets"


def read_style() -> str:
    """Return the style sheet of a page with pictures: colours as variables, of the theme that the reader prefers."""
    return _read("colours.css") + _read("plot.css")


def colours(theme: Theme) -> dict[str, str]:
    """Return the colours by name."""
    light, dark = re.findall(r":root\s*\{(.*?)\}", _read("colours.css"), re.DOTALL)
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", light if theme == "light" else dark))


def plot_style(theme: Theme) -> str:
    """Return the style sheet of pictures with colours in the place of their names, for what knows no variables."""
    names = colours(theme)
    return re.sub(r"var\(--([\w-]+)\)", lambda match: names[match[1]], _read("plot.css"))


def standalone_style() -> str:
    """Return a style element for a picture in a file of its own: light, or dark where the reader prefers that."""
    return f"<style>{plot_style('light')}@media (prefers-color-scheme: dark) {{\n{plot_style('dark')}}}\n</style>"


def _read(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")
