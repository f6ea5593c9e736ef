"""The query explorer: what its script reads, and the controls that it fills."""

import json
from collections.abc import Sequence
from html import escape
from string import Template

from searchapp.bench.render.asset import read_asset
from searchapp.bench.render.wording import cell_title, count, number
from searchapp.bench.report import Cell, Json, Report

TOP, MOST_QUERIES = 10, 2000
"""Hits of a cell, and queries, that the page holds."""
LONGEST_TITLE = 240
"""Characters of a title that the page holds; a passage's text is read elsewhere."""
DIGITS = 4


def explorer_data(report: Report) -> dict[str, Json]:
    """Return the queries with their values and best hits in every cell.

    `docs` holds [doc_id, title] once; a query's `pool` are places in it, `grades` those of the pool (null: not judged),
    `values` the primary measure and `hits` places in the pool, by cell.
    """
    places: dict[str, int] = {}
    values = _values(report.cells, report.primary)
    queries: list[Json] = [
        _query(query_id, report, places) | {"values": [_rounded(each.get(query_id)) for each in values]}
        for query_id in chosen_queries(report)
    ]
    titles = report.evidence.titles
    grades = [grade for judged in report.evidence.qrels.values() for grade in judged.values()]
    cells: list[Json] = [{"name": cell.name, "title": cell_title(cell, report)} for cell in report.cells]
    return {
        "primary": report.primary,
        "labels": list(report.evidence.labels),
        "top": max([1, len(report.evidence.labels) - 1, *grades]),
        "start": list(_start(report)),
        "cells": cells,
        "docs": [[doc_id, _cut(titles.get(doc_id, ""))] for doc_id in places],
        "queries": queries,
    }


def chosen_queries(report: Report) -> list[str]:
    """Return the queries that the page holds: those whose values differ most between cells, in their own order."""
    order = _query_ids(report)
    if len(order) <= MOST_QUERIES:
        return order
    judged = [cell for cell in report.cells if not cell.is_baseline] or report.cells
    values = _values(judged, report.primary)
    spreads = {
        query_id: max(each.get(query_id, 0.0) for each in values) - min(each.get(query_id, 0.0) for each in values)
        for query_id in order
    }
    kept = set(sorted(order, key=lambda query_id: -spreads[query_id])[:MOST_QUERIES])
    return [query_id for query_id in order if query_id in kept]


def embed_json(data: Json) -> str:
    """Return data as JSON that may stand in a script element: nothing in it can end the element or a line."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for glyph in "<>&\u2028\u2029":
        text = text.replace(glyph, f"\\u{ord(glyph):04x}")
    return text


def explorer_controls(report: Report) -> str:
    """Return the explorer before its script runs: the controls, hidden, and what to read instead."""
    total, kept = len(_query_ids(report)), len(chosen_queries(report))
    cut = ""
    if kept < total:
        cut = f"Of {count(total)} queries these are the {count(kept)} "
        cut += f"whose {escape(report.primary)} differs most between cells. "
    options = "".join(
        f'<option value="{place}">{escape(cell_title(cell, report))} · {number(cell.measures[report.primary])}</option>'
        for place, cell in enumerate(report.cells)
    )
    return Template(read_asset("explorer.html")).substitute(cut=cut, top=TOP, options=options)


def _query_ids(report: Report) -> list[str]:
    return list(dict.fromkeys(query_id for cell in report.cells for query_id in cell.query_ids))


def _query(query_id: str, report: Report, places: dict[str, int]) -> dict[str, Json]:
    grades = report.evidence.qrels.get(query_id, {})
    pool: dict[str, int] = {}
    hits: list[Json] = []
    for cell in report.cells:
        hits.append([pool.setdefault(doc_id, len(pool)) for doc_id in _best(cell, query_id, report)])
    return {
        "id": query_id,
        "text": report.evidence.queries.get(query_id, ""),
        "pool": [places.setdefault(doc_id, len(places)) for doc_id in pool],
        "grades": [grades.get(doc_id) for doc_id in pool],
        "hits": hits,
    }


def _cut(title: str) -> str:
    return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"


def _best(cell: Cell, query_id: str, report: Report) -> Sequence[str]:
    ranked = [hit.doc_id for hit in cell.run.get(query_id, ())[: TOP + 1]]
    if report.judging.drop_self:
        ranked = [doc_id for doc_id in ranked if doc_id != query_id]
    return ranked[:TOP]


def _values(cells: Sequence[Cell], measure: str) -> list[dict[str, float]]:
    return [dict(zip(cell.query_ids, cell.per_query[measure].tolist(), strict=True)) for cell in cells]


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _start(report: Report) -> tuple[int, int]:
    """Return the cells to begin with: the best one and the one to ship, or the two best."""
    order = sorted(range(len(report.cells)), key=lambda place: -report.cells[place].measures[report.primary])
    names = [cell.name for cell in report.cells]
    if report.ship is not None and report.ship.best in names and report.ship.cell in names:
        best, chosen = names.index(report.ship.best), names.index(report.ship.cell)
        if best != chosen:
            return best, chosen
        order = [best, *(place for place in order if place != best)]
    first, second = (*order[:2], *order[:1], 0, 0)[:2]
    return first, second
