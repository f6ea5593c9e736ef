"""The page: one HTML file with everything in it, that asks no network for anything."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from html import escape
from string import Template

from searchapp import __version__
from searchapp.bench.render.about import PROTOCOLS, about, about_pairs
from searchapp.bench.render.advice import advice
from searchapp.bench.render.asset import read_asset
from searchapp.bench.render.explorer import embed_json, explorer_controls, explorer_data
from searchapp.bench.render.markup import details, element, section
from searchapp.bench.render.plots import draw_plots
from searchapp.bench.render.tables import (
    loss_table,
    matrix_table,
    measures_table,
    pairwise_table,
    slice_tables,
)
from searchapp.bench.render.wording import counted, numbered
from searchapp.bench.report import Json, PairwiseReport, Report
from searchapp.judging.style import read_style

CAPTIONS = {
    "retention": (
        "What is left of the full-width score at every dim, flat. Bars are 95 % intervals. Broken lines are published "
        "curves of models trained to be cut, to hold yours against; they were measured on other data."
    ),
    "bytes": (
        "Bars are 95 % intervals. Filled marks are the front: nothing as small is better. Dotted lines are baselines; "
        "an arrow says that one lies outside the picture. Bytes are the derived index's: stored vectors, which "
        "rescoring reads too, are not in them."
    ),
    "latency": (
        "The same against the median time of one query that comes alone, without embedding it. Filled marks are the "
        "front: nothing as fast is better."
    ),
    "loss": (
        "Truncation is what cutting the vectors cost, quantisation what storing them in fewer bits did, rescoring what "
        "it won back, and search what not looking everywhere missed."
    ),
}


POOLED = (
    "Only the documents that a query has judgments for were ranked, so a score here can't be held against one of the "
    "full corpus. Times are of searches of the whole index. nprobe changes nothing here, since all of a pool "
    "is scored; a rescored cell scores all of it at full width, so it equals flat at full width and no more."
)


def render_page(report: Report) -> str:
    """Return the page of a retrieval report, as one HTML document.

    Everything but sorting and the query explorer is there without a script. Words of data sets, models and queries
    never become markup: they are escaped here, and the script shows them as text.
    """
    plots = draw_plots(report)
    sections = [
        section("about", "What this is", about(report)),
        section("ship", "What to ship", advice(report)),
        section("cells", "Every cell", _cells(report)),
        section("plots", "Trade-offs", _figures(plots, ("retention", "bytes", "latency"))),
    ]
    if any(cell.loss for cell in report.cells):
        sections.append(section("loss", "Where quality was lost", [*_figures(plots, ("loss",)), _losses(report)]))
    if any(cell.slices for cell in report.cells):
        sections.append(section("slices", "Slices of the queries", slice_tables(report)))
    sections.append(section("queries", "Queries and their hits", [explorer_controls(report)]))
    lede = f"{PROTOCOLS[report.protocol].partition(':')[0]}, {counted(report)}"
    return _document((f"{report.dataset} {report.split}".strip(), lede), sections, explorer_data(report))


def render_pairwise_page(report: PairwiseReport) -> str:
    """Return the page of a report on triplets or scored pairs, as one HTML document."""
    plots = draw_plots(report)
    sections = [
        section("about", "What this is", about_pairs(report)),
        section("cells", "Every dim", [pairwise_table(report)]),
        section("plots", "What is kept", _figures(plots, ("retention",))),
    ]
    return _document((report.dataset, f"{numbered(report.count, report.task[:-1])}, {report.primary}"), sections, None)


def _document(words: tuple[str, str], sections: Iterable[str], data: Json) -> str:
    body = list(sections)
    style, script = read_asset("style.css") + read_style(), read_asset("script.js")
    title, lede = words
    text = Template(read_asset("template.html")).substitute(
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'",
        title=escape(title),
        lede=escape(lede),
        nav="".join(_link(part) for part in body),
        main="\n".join(body),
        data=embed_json(data),
        version=escape(__version__),
        style=style,
        script=script,
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _link(part: str) -> str:
    ident = part.partition('id="')[2].partition('"')[0]
    title = part.partition("<h2")[2].partition(">")[2].partition("</h2>")[0]
    return f'<li><a href="#{ident}">{title}</a></li>'


def _cells(report: Report) -> Iterable[str]:
    yield matrix_table(report)
    latency = next((cell.cost.latency for cell in report.cells if cell.cost.latency), None)
    if latency is not None:
        hits = f"{latency.k} best hits" if latency.k > 1 else "best hit"
        yield element(
            "p",
            f"p50, p95 and p99 are milliseconds of one query that comes alone, its {hits}, over "
            f"{numbered(latency.queries, 'query')} on {numbered(latency.threads, 'thread')}, without "
            "embedding it. “+” is what the stored vectors add where a search reads them too.",
            css="quiet",
        )
    if report.protocol == "judged-pool":
        yield element("p", POOLED, css="quiet")
    more = measures_table(report)
    if more:
        yield details("All other measures", more)


def _figures(plots: Mapping[str, str], names: Iterable[str]) -> Iterable[str]:
    shown = [
        f'<figure{_wide(name)}><div class="scroll" role="region" tabindex="0" aria-label="{name} plot">'
        f"{plots[name]}</div><figcaption>{escape(CAPTIONS[name])}</figcaption></figure>"
        for name in names
        if name in plots
    ]
    absent = [name for name in names if name not in plots]
    yield f'<div class="figures">{"".join(shown)}</div>'
    if absent:
        yield element("p", f"Not drawn, for want of numbers: {', '.join(absent)}.", css="quiet")


def _wide(name: str) -> str:
    return ' class="wide"' if name in ("retention", "loss") else ""


def _losses(report: Report) -> str:
    return details("The same in numbers", loss_table(report))
