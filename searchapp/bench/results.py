"""The folder that `bench --out` keeps: results, runs, per-query values, a table, a model card and a page."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from searchapp.bench.as_json import pairwise_to_json, report_to_json
from searchapp.bench.render.card import render_card
from searchapp.bench.render.markdown import render_markdown
from searchapp.bench.render.page import render_page, render_pairwise_page
from searchapp.bench.render.plots import draw_plots, svg_to_png
from searchapp.bench.report import PairwiseReport, Report
from searchapp.bench.stored import QRELS, QUERIES, SLICES, TITLES, write_per_query
from searchapp.corpus import write_run
from searchapp.errors import InputError
from searchapp.layout import BENCH, committing_folder, sha256_file


def write_results(folder: Path, report: Report | PairwiseReport, *, pictures: bool = False) -> None:
    """Write a report at `folder`, all or nothing; `pictures` adds the plots as PNG.

    Results of an earlier bench are replaced, anything else is left alone. Raises IndexFolderError where something is in
    the way, InputError for ids that a TREC run can't hold, MissingExtraError where PNG needs a library.
    """
    if isinstance(report, Report):
        check_ids(report.evidence.qrels)
    with committing_folder(folder, overwrite=True, made=BENCH) as temporary:
        for name, text in _texts(report):
            (temporary / name).write_text(text, encoding="utf-8", newline="\n")
        if isinstance(report, Report):
            _write_values(temporary, report)
        if pictures:
            (temporary / "plots").mkdir()
            for name, svg in draw_plots(report).items():
                (temporary / "plots" / f"{name}.png").write_bytes(svg_to_png(svg))
        body = report_to_json(report) if isinstance(report, Report) else pairwise_to_json(report)
        made = sorted(item.relative_to(temporary).as_posix() for item in temporary.rglob("*") if item.is_file())
        sums = {name: sha256_file(temporary / name) for name in made}
        text = json.dumps({**body, "files": made, "sha256": sums}, indent=2, ensure_ascii=False) + "\n"
        (temporary / BENCH.marker).write_text(text, encoding="utf-8")


def check_ids(qrels: Mapping[str, Mapping[str, int]]) -> None:
    """Raise InputError for a judged query or document whose id the files of a run and of judgments can't hold."""
    for query_id, judged in qrels.items():
        for what, name in (("query id", query_id), *(("document id", doc_id) for doc_id in judged)):
            if not name or re.search(r"\s", name):
                raise InputError(
                    f"the {what} {name!r} has white space in it, at which TREC files are cut, so results can't be "
                    "kept; rename it, or leave --out away"
                )


def _texts(report: Report | PairwiseReport) -> Iterator[tuple[str, str]]:
    yield "results.md", render_markdown(report)
    yield "model-card.yaml", render_card(report)
    if isinstance(report, PairwiseReport):
        yield "report.html", render_pairwise_page(report)
        return
    yield "report.html", render_page(report)
    evidence = report.evidence
    yield QUERIES, _jsonl({"_id": query_id, "text": text} for query_id, text in evidence.queries.items())
    yield TITLES, _jsonl({"_id": doc_id, "title": title} for doc_id, title in evidence.titles.items())
    slices = {by: {value: list(ids) for value, ids in values.items()} for by, values in evidence.slices.items()}
    yield SLICES, json.dumps(slices, ensure_ascii=False) + "\n"
    judged = ((query_id, *item) for query_id, grades in evidence.qrels.items() for item in grades.items())
    yield QRELS, "".join(f"{query_id} 0 {doc_id} {grade}\n" for query_id, doc_id, grade in judged)


def _write_values(folder: Path, report: Report) -> None:
    (folder / "runs").mkdir()
    (folder / "per-query").mkdir()
    for cell in report.cells:
        write_run(folder / "runs" / f"{cell.name}.trec", cell.run, tag=f"searchapp-{cell.name}")
        write_per_query(folder / "per-query" / f"{cell.name}.parquet", cell)


def _jsonl(lines: Iterator[dict[str, str]]) -> str:
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
