"""The page: self-contained, well-formed, escaped, legible, and its numbers are the report's."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

from searchapp.bench.render.explorer import chosen_queries, explorer_data
from searchapp.bench.render.page import render_page, render_pairwise_page
from searchapp.bench.report import Evidence, Report
from searchapp.judging.style import Theme, colours
from searchapp.metrics import Interval, Judging
from searchapp.records import Hit
from tests.bench.render.reports import make_pairwise, make_report, one_query, with_cells

VOID = {"meta", "link", "input", "br", "hr", "img"}
COSTS = ("index", "queries/s", "build", "memory", "ties@10", "dims")


class Tree(HTMLParser):
    """Reads a page: every start tag, the rows of every table, the text of every script; notes what isn't closed."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.captions: dict[str, str] = {}
        self.scripts: list[str] = []
        self.unbalanced: list[str] = []
        self._table = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self._table = dict(attrs)["id"] or ""
            self.tables[self._table], self.captions[self._table] = [], ""
        if tag == "tr":
            self.tables[self._table].append([])
        if tag in ("td", "th"):
            self.tables[self._table][-1].append("")
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if "script" in self.open:
            self.scripts[-1] += data
        elif "caption" in self.open:
            self.captions[self._table] += data
        elif "td" in self.open or "th" in self.open:
            row = self.tables[self._table][-1]
            row[-1] += ("|" if self.open[-1] in ("small", "span") else "") + data.strip()

    def named(self, tag: str) -> Iterator[dict[str, str | None]]:
        return (attrs for name, attrs in self.tags if name == tag)


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return render_page(report)


@pytest.fixture(scope="module")
def tree(page: str) -> Tree:
    return Tree(page)


def data_of(page: str) -> Any:
    return json.loads(Tree(page).scripts[0])


def bounds(interval: Interval) -> str:
    return f"{interval.low:.4f}–{interval.high:.4f}"


def test_it_asks_no_network_for_anything(page: str, tree: Tree) -> None:
    policy = next(attrs["content"] for attrs in tree.named("meta") if "http-equiv" in attrs)
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    expected = [
        base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style[1], tree.scripts[1])
    ]
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{expected[0]}'; script-src 'sha256-{expected[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
    links = [attrs["href"] or "" for name in ("a", "link") for attrs in tree.named(name)]
    assert [link for link in links if not link.startswith("#")] == ["data:,"]
    assert not [name for name, attrs in tree.tags if "src" in attrs or "style" in attrs]
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp|innerHTML|insertAdjacent|\beval\b", page)
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) == {"http://www.w3.org/2000/svg"}


def test_every_element_is_closed_and_every_id_is_one(tree: Tree) -> None:
    assert tree.unbalanced == []
    assert tree.open == []
    ids = [attrs["id"] for _, attrs in tree.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    wanted = " ".join(attrs.get("aria-labelledby") or "" for _, attrs in tree.tags).split()
    assert set(wanted) <= set(ids)
    assert {(attrs["href"] or "")[1:] for attrs in tree.named("a")} <= set(ids)


def test_landmarks_captions_and_scopes_are_there(tree: Tree) -> None:
    names = [name for name, _ in tree.tags]
    assert [names.count(name) for name in ("header", "nav", "main", "footer", "h1")] == [1, 1, 1, 1, 1]
    assert next(iter(tree.named("html"))) == {"lang": "en"}
    assert all(tree.captions.values()) and len(tree.captions) == names.count("table") == 6
    assert all(attrs.get("scope") in ("col", "row") for attrs in tree.named("th"))
    sections = [attrs["id"] for attrs in tree.named("section")]
    assert sections == ["about", "ship", "cells", "plots", "loss", "slices", "queries"]


def test_the_matrix_shows_every_number_of_every_cell(report: Report, tree: Tree) -> None:
    head, *rows = tree.tables["matrix"]
    assert [name.partition("|")[0] for name in head] == [
        *("cell", "nDCG@10", "bytes", "p50", "p95", "p99"),
        *("RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100", *COSTS),
    ]
    assert len(rows) == len(report.cells) == 26
    for row, cell in zip(rows, report.cells, strict=True):
        shown = dict(zip((name.partition("|")[0] for name in head), row, strict=True))
        for name in ("nDCG@10", "RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100"):
            assert shown[name] == f"{cell.measures[name]:.4f}|{bounds(cell.intervals[name])}"
        latency = cell.cost.latency
        if latency is None:
            assert shown["cell"] == f"{cell.name}|baseline"
            assert {shown[name] for name in (*COSTS, "bytes", "p50", "p95", "p99")} == {"–", "2"}
        else:
            assert shown["cell"].startswith(f"d{cell.dim} {cell.label}|")
            assert shown["cell"].endswith(f"|{cell.model}")
            assert float(shown["bytes"].replace(",", "")) == cell.cost.bytes_per_vector
            assert [float(shown[name]) for name in ("p50", "p95", "p99")] == pytest.approx(
                [latency.p50, latency.p95, latency.p99], abs=0.006
            )
            assert (shown["dims"], shown["ties@10"]) == (str(cell.dim), "2")
    assert [row[0] for row in rows if "ship this" in row[0]] == ["d384 sq8|ship this|alpha-e5"]


def test_the_other_measures_have_a_table_of_their_own(report: Report, tree: Tree) -> None:
    head, *rows = tree.tables["measures"]
    assert len(head) - 1 == len(report.cells[0].per_query) - 6
    cell = report.cells[5]
    for name, shown in list(zip(head, rows[5], strict=True))[1:]:
        assert shown == f"{cell.measures[name]:.4f}|{bounds(cell.intervals[name])}"


def test_losses_add_up_and_gains_are_negative(report: Report, tree: Tree) -> None:
    _, *rows = tree.tables["losses"]
    cells = [cell for cell in report.cells if cell.loss is not None]
    assert len(rows) == len(cells)
    for row, cell in zip(rows, cells, strict=True):
        reference, *parts, total = (float(value.replace("−", "-")) for value in row[1:])
        assert cell.loss is not None
        assert reference == cell.loss.reference
        assert parts == pytest.approx(
            [cell.loss.truncation, cell.loss.quantisation, cell.loss.rescoring, cell.loss.search], abs=5e-5
        )
        assert total == pytest.approx(cell.loss.total, abs=5e-5)
        assert (parts[2] < 0) == (cell.rescore > 0)


def test_slices_show_their_size_and_interval(report: Report, tree: Tree) -> None:
    head, *rows = tree.tables["slices-0"]
    assert head == ["cell", "us|n = 16", "jp|n = 16", "es|n = 16"]
    for row, cell in zip(rows, report.cells, strict=True):
        assert row[1:] == [
            f"{part.measures['nDCG@10']:.4f}|{bounds(part.intervals['nDCG@10'])}" for part in cell.slices
        ]


def test_the_advice_and_its_rivals_are_told(report: Report, page: str, tree: Tree) -> None:
    ship = report.ship
    assert ship is not None
    assert ship.line.replace(">", "&gt;") in page
    chosen = report.cell(ship.cell)
    for name, text in (
        ("nDCG@10", f"{chosen.measures['nDCG@10']:.4f} ({bounds(chosen.intervals['nDCG@10'])})"),
        ("Bytes per vector", "384"),
        ("Read by a search", "92.2 kB of index"),
        ("One query", "0.97 ms (p99 2.81)"),
    ):
        assert f"<dt>{name}</dt><dd>{text}</dd>" in page
    rescored = replace(ship, cell="alpha-e5-d64-ivf16-pq8-nprobe8-rescore50")
    told = "<dd>5.8 kB of index and 368.6 kB of stored vectors</dd>"
    assert told in render_page(replace(report, ship=rescored)) and told not in page
    _, *rows = tree.tables["rivals"]
    first = ship.rivals[0]
    assert rows[0][1:] == [f"−{-first.difference:.4f}", "−0.0345 to +0.0055", "0.0400"]
    assert [("as good" in row[0]) for row in rows] == [rival.eligible for rival in ship.rivals]


def test_a_judged_pool_says_what_its_times_and_scores_are(report: Report) -> None:
    told = (
        "Times are of searches of the whole index. nprobe changes nothing here, since all of a pool is scored; "
        "a rescored cell scores all of it at full width, so it equals flat at full width and no more."
    )
    assert told in render_page(replace(report, protocol="judged-pool"))
    assert told not in render_page(report)


def test_one_query_has_no_interval_and_is_one(report: Report) -> None:
    alone = one_query(report)
    cells = []
    for cell in alone.cells:
        latency = cell.cost.latency and replace(cell.cost.latency, queries=1, k=1, threads=1)
        cells.append(replace(cell, cost=replace(cell.cost, latency=latency)))
    page = render_page(replace(alone, cells=tuple(cells)))
    tree = Tree(page)
    assert "full-corpus, 1 of 1 judged query (0 without a relevant document), 1 document<" in page
    assert "its best hit, over 1 query on 1 thread, without" in page
    assert report.ship is not None
    chosen = alone.cell(report.ship.cell)
    assert f"<dt>nDCG@10</dt><dd>{chosen.measures['nDCG@10']:.4f}</dd>" in page
    for row, cell in zip(tree.tables["matrix"][1:], alone.cells, strict=True):
        assert row[1] == f"{cell.measures['nDCG@10']:.4f}|–"
    for row, cell in zip(tree.tables["slices-0"][1:], alone.cells, strict=True):
        assert row[1:] == [f"{part.measures['nDCG@10']:.4f}|–" for part in cell.slices]
    assert {row[2] for row in tree.tables["rivals"][1:]} == {"–"}
    assert not re.search(r"(\d\.\d{4})–\1", page)
    assert not re.search(r"\b(\d+\.\d) % to \1 %", page)


def test_what_is_missing_has_no_section(report: Report) -> None:
    bare = [replace(cell, loss=None, slices=()) for cell in report.cells if cell.is_baseline]
    tree = Tree(render_page(with_cells(report, bare)))
    assert [attrs["id"] for attrs in tree.named("section")] == ["about", "ship", "cells", "plots", "queries"]
    assert len(tree.tables["matrix"]) == 3


def test_words_of_the_data_never_become_markup(report: Report) -> None:
    evil = '</script><script>alert(1)</script><img src=x onerror=alert(1)>\u2028"&amp;'
    queries = dict(report.evidence.queries) | {"q00": evil}
    evidence = replace(report.evidence, queries=queries, titles=dict.fromkeys(report.evidence.titles, evil))
    ship = report.ship
    assert ship is not None
    models = tuple(replace(model, name=evil, query_prompt=evil, runtime=evil) for model in report.models)
    cells = tuple(
        replace(cell, model=evil, kind=evil, slices=tuple(replace(part, by=evil, value=evil) for part in cell.slices))
        for cell in report.cells
    )
    page = render_page(
        replace(
            replace(report, models=models, cells=cells, fingerprints={evil: evil}, machine={evil: evil}),
            **{"dataset": evil, "notes": (evil,), "relevant": evil, "split": evil, "evidence": evidence},
            ship=replace(ship, line=evil, budget_bytes=20),
        )
    )
    tree = Tree(page)
    names = [name for name, _ in tree.tags]
    assert (names.count("script"), names.count("img"), tree.unbalanced) == (2, 0, [])
    data = data_of(page)
    assert data["queries"][0]["text"] == evil
    assert {title for _, title in data["docs"]} == {evil}
    assert "\u2028" not in tree.scripts[0]


def test_a_lone_surrogate_does_not_keep_the_page_from_being_written(report: Report) -> None:
    queries = dict(report.evidence.queries) | {"q00": "bag \ud83d"}
    page = render_page(replace(report, evidence=replace(report.evidence, queries=queries)))
    assert data_of(page)["queries"][0]["text"] == "bag ?"
    assert page.encode("utf-8")


def test_the_explorer_holds_the_hits_grades_and_values(report: Report, page: str) -> None:
    data = data_of(page)
    assert data["primary"] == "nDCG@10"
    assert data["labels"] == ["I", "C", "S", "E"]
    assert [cell["name"] for cell in data["cells"]] == [cell.name for cell in report.cells]
    assert [query["id"] for query in data["queries"]] == list(report.cells[0].query_ids)
    for query in data["queries"]:
        judged = report.evidence.qrels[query["id"]]
        assert query["text"] == report.evidence.queries[query["id"]]
        for place, cell in enumerate(report.cells):
            best = [hit.doc_id for hit in cell.run[query["id"]][:10]]
            assert [data["docs"][query["pool"][hit]][0] for hit in query["hits"][place]] == best
            assert [query["grades"][hit] for hit in query["hits"][place]] == [judged.get(doc_id) for doc_id in best]
            value = cell.per_query["nDCG@10"][cell.query_ids.index(query["id"])]
            assert query["values"][place] == pytest.approx(value, abs=5.1e-5)
    assert all(title == report.evidence.titles[doc_id] for doc_id, title in data["docs"])
    assert len({doc_id for doc_id, _ in data["docs"]}) == len(data["docs"])


def test_the_explorer_starts_with_the_best_and_the_one_to_ship(report: Report) -> None:
    ship = report.ship
    assert ship is not None
    names = [cell.name for cell in report.cells]
    other = replace(ship, best="alpha-e5-d384-flat", cell="acme_beta-mini-d64-sq8")
    assert explorer_data(replace(report, ship=other))["start"] == [0, names.index("acme_beta-mini-d64-sq8")]
    order = sorted(range(len(names)), key=lambda place: -report.cells[place].measures["nDCG@10"])
    assert explorer_data(replace(report, ship=None))["start"] == order[:2]
    assert explorer_data(with_cells(report, report.cells[3:4]))["start"] == [0, 0]


def test_a_query_does_not_find_itself_where_that_is_dropped(report: Report) -> None:
    hits = [Hit(1, "q00", 0.9), *(Hit(rank, f"p{rank:03d}", 0.5 / rank) for rank in range(2, 13))]
    cells = [replace(cell, run={**cell.run, "q00": hits}) for cell in report.cells[:2]]
    data: Any = explorer_data(with_cells(replace(report, judging=Judging(drop_self=True)), cells))
    first = data["queries"][0]
    found = [data["docs"][first["pool"][hit]][0] for hit in first["hits"][0]]
    assert found == [f"p{rank:03d}" for rank in range(2, 12)]


def test_of_many_queries_those_that_differ_most_are_kept(report: Report) -> None:
    ids = tuple(f"q{n:04d}" for n in range(2500))
    rng = np.random.default_rng(5)
    values = [rng.random(2500) for _ in range(3)]
    cells = [
        replace(cell, query_ids=ids, per_query={"nDCG@10": each}, intervals={}, run={}, slices=())
        for cell, each in zip([*report.cells[:2], report.cells[-1]], values, strict=True)
    ]
    evidence = Evidence(dict.fromkeys(ids, "bag"), {})
    large = with_cells(replace(report, evidence=evidence), cells)
    # The baseline, which always differs, has no say.
    spreads = np.abs(values[0] - values[1])
    kept = {ids[place] for place in np.argsort(-spreads, kind="stable")[:2000]}
    chosen = chosen_queries(large)
    assert set(chosen) == kept
    assert chosen == sorted(chosen)
    page = render_page(large)
    assert "Of 2,500 queries these are the 2,000 whose nDCG@10 differs most between cells." in page
    assert len(data_of(page)["queries"]) == 2000


@pytest.mark.parametrize("task", ["triplets", "pairs"])
def test_a_pairwise_page_shows_every_number(task: str) -> None:
    report = make_pairwise(task)
    tree = Tree(render_pairwise_page(report))
    assert (tree.unbalanced, tree.open) == ([], [])
    head, *rows = tree.tables["pairwise"]
    names = [name.partition("|")[0] for name in head]
    assert names[:3] == ["dims", report.primary, "kept"]
    assert sorted([names[1], *names[3:]]) == sorted(report.rows[0].measures)
    full = report.rows[0].measures[report.primary]
    for row, shown in zip(report.rows, rows, strict=True):
        assert shown[0] == f"{row.dim} dims|nomic"
        assert shown[2] == f"{row.measures[report.primary] / full * 100:.1f} %"
        assert [shown[1], *shown[3:]] == [
            f"{row.measures[name]:.4f}|{bounds(row.intervals[name])}" for name in [names[1], *names[3:]]
        ]
    assert tree.scripts[0] == "null"
    assert [attrs["id"] for attrs in tree.named("section")] == ["about", "cells", "plots"]


def _luminance(colour: str) -> float:
    """Return relative luminance (WCAG 2.2) of #rrggbb."""
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_that_of_level_aa(theme: Theme) -> None:
    palette = colours(theme)
    words = [
        (ink, ground) for ink in ("ink", "muted", "accent") for ground in ("page", "surface", "raised", "accent-soft")
    ]
    words += [("ink", f"level-{level}") for level in range(4)] + [("on-accent", "level-4"), ("on-accent", "accent")]
    assert {
        pair: _contrast(palette[pair[0]], palette[pair[1]])
        for pair in words
        if _contrast(*(palette[name] for name in pair)) < 4.5
    } == {}
    marks = [f"series-{number}" for number in range(6)] + ["axis", "part-0", "part-2"]
    assert {mark for mark in marks if _contrast(palette[mark], palette["surface"]) < 3} == set()
