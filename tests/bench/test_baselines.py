"""Baselines against exact expectations and a slow ranking."""

from collections.abc import Sequence
from math import comb
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.baselines import Baseline, best_rows, bm25_run, random_run
from searchapp.bench.lexical import Bm25
from searchapp.bench.runs import ranked_run
from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Dataset, open_dataset
from searchapp.index import Index
from searchapp.metrics import evaluate
from searchapp.records import Document
from tests.fakes import HashEncoder


@pytest.fixture(scope="module")
def index(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder: Path = tmp_path_factory.mktemp("index") / "shop"
    return build_index(dataset.corpus, folder, encoder=HashEncoder(), options=BuildOptions(dims=(8,), kinds=("flat",)))


def _rows(found: Baseline) -> list[list[int]]:
    return [ranking.rows[0].tolist() for ranking in found.rankings]


def _slow(index: Index, texts: Sequence[str], query: str) -> list[tuple[str, float]]:
    """Sort all documents by score and id."""
    ids = index.documents.ids(np.arange(len(index)))
    scored = zip(ids, Bm25(texts, language="english").scores(query).tolist(), strict=True)
    return sorted(scored, key=lambda pair: (-pair[1], pair[0]))


def test_bm25_over_the_whole_corpus(index: Index, dataset: Dataset) -> None:
    texts = [document.text for document in dataset.corpus.documents()]
    found = bm25_run(index, dataset.corpus.documents(), dataset.queries, k=7, language="us")
    run = ranked_run(index, [query.query_id for query in dataset.queries], found.rankings)
    for query, ranking in zip(dataset.queries, found.rankings, strict=True):
        slow = _slow(index, texts, query.text)
        assert [(hit.doc_id, hit.score) for hit in run[query.query_id]] == slow[:7]
        assert ranking.tied.tolist() == [slow[6][1] == slow[7][1]]
    assert found.note == "bm25: english stop words and stems, k1 0.9, b 0.4"
    assert found.index_bytes == Bm25(texts, language="english").index_bytes


def test_bm25_has_no_hits_without_a_known_word(index: Index, dataset: Dataset) -> None:
    texts = [document.text for document in dataset.corpus.documents()]
    query = dataset.queries[0]
    rare = type(query)("rare", "zzz")
    found = bm25_run(index, dataset.corpus.documents(), [rare, query], k=len(index), language="english")
    assert _rows(found)[0] == []
    matching = [doc_id for doc_id, score in _slow(index, texts, query.text) if score > 0]
    assert index.documents.ids(found.rankings[1].rows[0]) == matching
    assert 0 < len(matching) < len(index)
    assert found.rankings[1].tied.tolist() == [False]


def test_bm25_places_every_document_of_a_pool(index: Index, dataset: Dataset) -> None:
    texts = [document.text for document in dataset.corpus.documents()]
    places = index.documents.rows(f"p{number:03d}" for number in range(240))
    pools = [
        np.array([places[doc_id] for doc_id in dataset.qrels[query.query_id]], dtype=np.int64)
        for query in dataset.queries
    ]
    pools[3] = pools[3][:0]
    found = bm25_run(index, dataset.corpus.documents(), dataset.queries, k=240, pools=pools, language="english")
    for query, pool, ranking in zip(dataset.queries, pools, found.rankings, strict=True):
        members = set(index.documents.ids(pool))
        slow = [pair for pair in _slow(index, texts, query.text) if pair[0] in members]
        assert list(zip(index.documents.ids(ranking.rows[0]), ranking.scores[0].tolist(), strict=True)) == slow


def test_bm25_takes_the_documents_that_the_index_has(index: Index, dataset: Dataset) -> None:
    """In another order, with strangers among them and one missing: numbers count over what both have."""
    held = [document for document in dataset.corpus.documents() if document.doc_id != "p011"]
    stranger = Document("stranger", "red bag " * 5)
    found = bm25_run(index, [stranger, *reversed(held)], dataset.queries, k=240, language="english")
    oracle = Bm25([document.text for document in held], language="english")
    for query, ranking in zip(dataset.queries, found.rankings, strict=True):
        scores = oracle.scores(query.text).tolist()
        scored = sorted(((doc.doc_id, score) for doc, score in zip(held, scores, strict=True)), key=lambda p: p[0])
        expected = sorted((pair for pair in scored if pair[1] > 0), key=lambda pair: -pair[1])
        assert list(zip(index.documents.ids(ranking.rows[0]), ranking.scores[0].tolist(), strict=True)) == expected


def test_best_rows_keep_ties_at_the_cutoff() -> None:
    draw = np.random.default_rng(1)
    for _ in range(200):
        scores = draw.integers(0, 6, 30).astype(np.float32)
        k = int(draw.integers(1, 40))
        last = sorted((score for score in scores.tolist() if score > 0), reverse=True)[:k][-1]
        assert best_rows(scores, k).tolist() == [row for row, score in enumerate(scores.tolist()) if score >= last]


def test_random_order_of_pools_has_the_expected_accuracy() -> None:
    """A share of 1 - C(n - r, k) / C(n, k) of the random orders of n with r relevant has one in the first k."""
    queries = [f"q{number}" for number in range(6000)]
    pools = [np.arange(number % 100, number % 100 + 20, dtype=np.int64) for number in range(6000)]
    found = random_run(queries, np.arange(120), k=120, pools=pools)
    qrels = {
        query: {str(row): int(row - pool[0] in (0, 11, 12)) for row in pool}
        for query, pool in zip(queries, pools, strict=True)
    }
    run = {query: [str(row) for row in rows] for query, rows in zip(queries, _rows(found), strict=True)}
    measures = evaluate(run, qrels, ["Success@1", "Success@5", "Success@10"]).measures
    for k, value in zip((1, 5, 10), measures.values(), strict=True):
        exact = 1 - comb(17, k) / comb(20, k)
        assert abs(value - exact) < 3 * (exact * (1 - exact) / 6000) ** 0.5
    assert [sorted(rows) for rows in _rows(found)] == [pool.tolist() for pool in pools]


@pytest.mark.parametrize(("documents", "k"), [(40, 4), (12, 4), (5, 9)], ids=["drawn", "shuffled", "all"])
def test_random_rows_are_distinct_and_evenly_spread(documents: int, k: int) -> None:
    found = _rows(random_run([f"q{number}" for number in range(4000)], np.arange(documents), k=k))
    width = min(k, documents)
    assert all(len(set(rows)) == width and len(rows) == width for rows in found)
    for place in range(width):
        counts = np.bincount([rows[place] for rows in found], minlength=documents)
        expected = 4000 / documents
        chi_square = float(((counts - expected) ** 2 / expected).sum())
        freedom = documents - 1
        assert len(counts) == documents
        assert chi_square < freedom + 4 * (2 * freedom) ** 0.5


def test_random_follows_from_the_seed_and_the_query_alone() -> None:
    pool = np.array([9, 4, 7, 1], dtype=np.int64)
    one = random_run(["a", "b", "c"], np.arange(1000), k=3)
    assert _rows(random_run(["c", "a"], np.arange(1000), k=3)) == [_rows(one)[2], _rows(one)[0]]
    assert _rows(random_run(["a"], np.arange(1000), k=3, seed=1)) != _rows(one)[:1]
    assert _rows(random_run(["a"], np.arange(10), k=4, pools=[pool])) == _rows(
        random_run(["a"], np.arange(10), k=4, pools=[pool[::-1]])
    )
    assert [ranking.scores[0].tolist() for ranking in one.rankings] == [[3.0, 2.0, 1.0]] * 3
    assert _rows(one) == [[498, 705, 635], [475, 33, 168], [735, 580, 208]]


@pytest.mark.verify
@pytest.mark.parametrize(("name", "value"), [("scifact", 0.6804), ("home_depot", 0.3913)])
def test_bm25_on_real_data(real_data: Path, tmp_path: Path, name: str, value: float) -> None:
    """Anserini publishes .6789 for BM25 of SciFact's title and abstract as one text, with the same parameters."""
    data = open_dataset(real_data / name)
    folder = tmp_path / "texts"
    corpus = build_index(
        data.corpus, folder, encoder=HashEncoder(dim=8), options=BuildOptions(dims=(8,), kinds=("flat",))
    )
    found = bm25_run(corpus, data.corpus.documents(), data.queries, k=10)
    run = ranked_run(corpus, [query.query_id for query in data.queries], found.rankings)
    assert evaluate(run.rankings(), data.qrels, ["nDCG@10"]).measures["nDCG@10"] == pytest.approx(value, abs=0.0005)
    assert found.note == "bm25: english stop words and stems, k1 0.9, b 0.4"
