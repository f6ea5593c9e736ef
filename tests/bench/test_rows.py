"""Rows beside the cells: baselines with and without an index, other systems' runs, all by the same judge."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.rows import choose_language
from searchapp.corpus import Dataset
from searchapp.errors import InputError, UsageError
from searchapp.metrics import evaluate
from searchapp.records import Hit, Query
from tests.bench.benching import PLAIN, bench, names
from tests.fakes import HashEncoder

BOTH = replace(PLAIN, baselines=("random", "bm25"))


def test_baselines_stand_first_and_are_the_same_without_a_model(dataset: Dataset, tmp_path: Path) -> None:
    report = bench(dataset, tmp_path, HashEncoder(), options=BOTH)
    alone = bench(dataset, tmp_path, options=BOTH)
    assert names(report) == ["random", "bm25", "d48-flat"]
    assert names(alone) == ["random", "bm25"]
    assert alone.documents == report.documents == 240
    for one, other in zip(alone.cells, report.cells, strict=False):
        assert one.is_baseline
        assert one.measures == other.measures
        assert {q: list(hits) for q, hits in one.run.items()} == {q: list(hits) for q, hits in other.run.items()}
    random, bm25, ours = (cell.measures["nDCG@10"] for cell in report.cells)
    assert random < 0.3 * ours
    assert bm25 > 0.9 * ours
    assert alone.ship is None


def test_in_a_judged_pool_baselines_rank_all_that_is_judged(dataset: Dataset, tmp_path: Path) -> None:
    report = bench(dataset, tmp_path, HashEncoder(), options=replace(BOTH, protocol="judged-pool"))
    for cell in report.cells:
        for query_id, judged in dataset.qrels.items():
            assert {hit.doc_id for hit in cell.run[query_id]} == set(judged)
    random, bm25, _ = (cell.measures["nDCG"] for cell in report.cells)
    # A random order of a pool scores high already: that is why it stands in the table.
    assert 0.2 < random < bm25


def test_another_system_is_judged_as_evaluate_judges_it(dataset: Dataset, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    ids = [document.doc_id for document in dataset.corpus.documents()]
    theirs = {
        query_id: [Hit(rank, ids[row], 1.0 / rank) for rank, row in enumerate(rng.permutation(240)[:100], 1)]
        for query_id in list(dataset.qrels)[:30]
    }
    report = bench(dataset, tmp_path, systems={"theirs": theirs, "nothing": {"q00": []}})
    expected = evaluate({q: [hit.doc_id for hit in hits] for q, hits in theirs.items()}, dataset.qrels)
    assert report.cell("theirs").measures == pytest.approx(expected.measures, abs=1e-12)
    assert set(report.cell("nothing").measures.values()) == {0}
    assert "theirs lacks 10 of 40 judged queries, counted as 0" in report.notes
    with pytest.raises(InputError, match="the run other has none of the 40 judged queries"):
        bench(dataset, tmp_path, systems={"other": {"x": theirs["q00"]}})
    pooled = bench(dataset, tmp_path, options=replace(PLAIN, protocol="judged-pool"), systems={"theirs": theirs})
    for query_id, hits in pooled.cells[0].run.items():
        judged = dataset.qrels[query_id]
        assert [hit.doc_id for hit in hits] == [h.doc_id for h in theirs.get(query_id, []) if h.doc_id in judged]


def test_two_rows_of_one_name_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="two rows of the table would be called bm25"):
        bench(dataset, tmp_path, options=BOTH, systems={"bm25": {"q00": []}})


@pytest.mark.parametrize(
    ("asked", "locales", "expected"),
    [
        ("auto", ["jp", "jp"], "jp"),
        ("auto", ["us", "es"], "auto"),
        ("auto", [None], "auto"),
        ("swahili", ["us"], "swahili"),
        ("auto", ["elsewhere"], "auto"),
    ],
)
def test_the_language_is_that_of_the_only_locale(asked: str, locales: list[str | None], expected: str) -> None:
    queries = [Query(str(n), "x", {} if name is None else {"locale": name}) for n, name in enumerate(locales)]
    assert choose_language(asked, queries) == expected
