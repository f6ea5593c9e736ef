"""Plots: every picture of a report as SVG, and the same as PNG."""

from searchapp.bench.render.loss_picture import draw_losses
from searchapp.bench.render.retention import draw_retention
from searchapp.bench.render.tradeoff import PRICES, draw_tradeoff
from searchapp.bench.report import PairwiseReport, Report
from searchapp.judging.style import colours, plot_style
from searchapp.optional import require

ZOOM = 2.0
"""Pixels of a PNG per unit of its SVG."""


def draw_plots(report: Report | PairwiseReport) -> dict[str, str]:
    """Return the SVG text of every picture that the report has numbers for, by name.

    `retention`, and of a retrieval report also `bytes`, `latency` and `loss`. Colours are classes, for the page's style
    sheet to say; `svg_to_png` does that for pictures that stand alone.
    """
    drawn = {"retention": draw_retention(report)}
    if isinstance(report, Report):
        drawn |= {price.name: draw_tradeoff(report, price) for price in PRICES}
        drawn["loss"] = draw_losses(report)
    return {name: svg for name, svg in drawn.items() if svg is not None}


def svg_to_png(svg: str) -> bytes:
    """Return a picture of `draw_plots` as PNG, in the light colours, twice as large.

    Raises MissingExtraError where resvg_py is not installed.
    """
    resvg = require("resvg_py", extra="plots")
    return bytes(
        resvg.svg_to_bytes(
            svg_string=svg,
            background=colours("light")["surface"],
            style_sheet=plot_style("light"),
            zoom=ZOOM,
        )
    )
