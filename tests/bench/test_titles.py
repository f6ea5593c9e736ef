"""Titles: of the best hits of every cell and of what is judged, and of nothing else."""

from pathlib import Path

import numpy as np

from searchapp.bench.report import Cell
from searchapp.bench.titles import LONGEST, SHOWN_HITS, collect_titles, title
from searchapp.records import Hit
from tests.index.folders import make_index, random_vectors


def _cell(run: dict[str, list[Hit]]) -> Cell:
    return Cell(
        name="x",
        model=None,
        dim=None,
        kind="x",
        nprobe=None,
        rescore=0,
        query_ids=("q",),
        per_query={"nDCG@10": np.ones(1)},
        intervals={},
        run=run,
        ties={},
    )


def test_the_hits_that_are_shown_and_the_judged_documents_have_titles(tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", random_vectors(60))
    ids = index.documents.ids(np.arange(60))
    run = {"q": [Hit(rank, doc_id, 1.0) for rank, doc_id in enumerate(ids[:30], 1)]}
    found = collect_titles(index, [_cell(run)], {"q": {ids[50]: 1, "not there": 2}})
    # The test's documents have their own id as their only field.
    assert found == {doc_id: doc_id for doc_id in (*ids[:SHOWN_HITS], ids[50])}


def test_a_title_is_one_line_of_bounded_length() -> None:
    assert title({"brand": "Acme", "name": "a\n b " * 100}, ["name"]).startswith("a b a b")
    assert len(title({"name": "x" * 500}, ["name"])) == LONGEST
    assert title({"brand": "Acme", "name": ""}, ["name"]) == "Acme"
    assert title({}, ["name"]) == ""
