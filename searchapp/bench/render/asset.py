"""Assets: the files that every page is made of, shipped with the package."""

from importlib.resources import files


def read_asset(name: str) -> str:
    """Return the text of one of the files in `assets/`: a template, a style sheet, the script."""
    return (files("searchapp.bench.render") / "assets" / name).read_text(encoding="utf-8")
