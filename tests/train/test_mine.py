"""Hard negatives, held against a slow way of finding them."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import ReadOptions, open_corpus, open_dataset, read_triplets, write_triplets
from searchapp.errors import InputError, UsageError
from searchapp.index import Index
from searchapp.prompts import Prompts
from searchapp.records import Query, Triplet
from searchapp.search import Searcher
from searchapp.train.data import read_training_data
from searchapp.train.examples import Example
from searchapp.train.index_texts import corpus_texts, stored_texts
from searchapp.train.mine import Judged, MineOptions, mine
from searchapp.train.recipe import DataSpec
from tests.fakes import HashEncoder
from tests.train.files import write_rows

SHOP = {
    "b1": "red leather bag",
    "b2": "red leather bags",
    "b3": "red leather tote bag",
    "b4": "blue leather bag",
    "b5": "red leather bag",
    "b6": "red leather tote bag",
    "k1": "steel kettle",
    "k2": "copper kettle with a lid",
    "f1": "赤い革のハンドバッグ",
    "f2": "赤い革の手袋",
    "g1": "빨간 가죽 가방",
    "g2": "빨간 가죽 장갑",
    "s1": "bolso de cuero rojo",
    "s2": "bolso de cuero azul",
    "w1": "mfuko wa ngozi nyekundu",
    "w2": "mfuko wa ngozi mweusi",
}
QUERIES = (
    Query("q1", "red leather bag"),
    Query("q2", "赤い革のバッグ"),
    Query("q3", "빨간 가방"),
    Query("q4", "mfuko nyekundu"),
    Query("q5", "lamp"),
)
QRELS = {
    "q1": {"b1": 2, "b3": 3, "b4": 1, "k1": 0, "gone": 3},
    "q2": {"f1": 2, "f2": 0},
    "q3": {"g1": 2},
    "q4": {"w1": 2, "w2": 1},
    "q5": {"k2": 0},
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("mine")
    rows = ({"_id": key, "text": text, "shelf": n} for n, (key, text) in enumerate(SHOP.items()))
    path = write_rows(folder / "shop.jsonl", *rows)
    building = BuildOptions(kinds=("flat",), query_encoder=False)
    return build_index(open_corpus(path), folder / "shop", encoder=HashEncoder(), options=building)


def found(index: Index, options: MineOptions, threshold: int = 2, qrels: Mapping = QRELS) -> tuple[list, dict]:
    judged = Judged(QUERIES, qrels, threshold)
    mined = mine(Searcher(index, HashEncoder()), judged, lambda needed: stored_texts(index, needed), options=options)
    return list(mined.triplets), dict(mined.counts)


def slow(options: MineOptions, threshold: int = 2) -> list[Triplet]:
    """Score every document against every query and go by the rules as they are written."""
    encoder = HashEncoder()
    documents = encoder.encode_documents(list(SHOP.values())).astype(np.float64)
    documents /= np.linalg.norm(documents, axis=1, keepdims=True)
    rows = []
    for query in QUERIES:
        asked = encoder.encode_queries([query.text])[0].astype(np.float64)
        cosines = dict(zip(SHOP, documents @ asked / np.linalg.norm(asked), strict=True))
        ranked = sorted(SHOP, key=lambda doc_id: (-round(cosines[doc_id], 6), doc_id))[: options.depth]
        grades = QRELS[query.query_id]
        relevant = sorted(
            (doc_id for doc_id in grades if grades[doc_id] >= threshold and doc_id in SHOP),
            key=lambda doc_id: (-grades[doc_id], doc_id),
        )
        for positive in relevant:
            judged = [doc_id for doc_id in ranked if doc_id in grades and grades[doc_id] < threshold]
            others = [
                doc_id
                for rank, doc_id in enumerate(ranked, 1)
                if doc_id not in grades
                and not options.judged_only
                and rank > options.skip_top
                and cosines[doc_id] < options.max_score_ratio * cosines[positive]
            ]
            texts = [SHOP[doc_id] for doc_id in [*judged, *others]]
            texts = [text for text in dict.fromkeys(texts) if text not in {SHOP[doc_id] for doc_id in relevant}]
            if texts:
                rows.append(Triplet(query.text, SHOP[positive], tuple(texts[: options.negatives])))
    return rows


@pytest.mark.parametrize(
    "options",
    [
        MineOptions(),
        MineOptions(negatives=4),
        MineOptions(negatives=5, max_score_ratio=1),
        MineOptions(negatives=3, max_score_ratio=0.5),
        MineOptions(negatives=3, skip_top=4),
        MineOptions(negatives=2, judged_only=True),
        MineOptions(negatives=9, depth=5, max_score_ratio=1),
    ],
)
@pytest.mark.parametrize("threshold", [1, 2, 3])
def test_as_the_slow_way_does(index: Index, options: MineOptions, threshold: int) -> None:
    assert found(index, options, threshold)[0] == slow(options, threshold)


def test_scores_are_those_of_full_width_whatever_is_searched(index: Index, tmp_path: Path) -> None:
    rows = ({"_id": key, "text": text} for key, text in SHOP.items())
    path = write_rows(tmp_path / "shop.jsonl", *rows)
    building = BuildOptions(dims=(8,), kinds=("sq8",), query_encoder=False)
    narrow = build_index(open_corpus(path), tmp_path / "shop", encoder=HashEncoder(), options=building)
    options = MineOptions(negatives=4)
    assert found(narrow, options)[0] == slow(options) == found(index, options)[0]


def test_what_is_nearer_than_a_positive_that_scores_below_zero_is_too_near(index: Index) -> None:
    encoder = HashEncoder()
    documents = encoder.encode_documents(list(SHOP.values())).astype(np.float64)
    asked = encoder.encode_queries([QUERIES[4].text])[0].astype(np.float64)
    cosines = documents @ asked / np.linalg.norm(documents, axis=1) / np.linalg.norm(asked)
    scores = dict(zip(SHOP, cosines.tolist(), strict=True))
    ranked = sorted(SHOP, key=lambda doc_id: -scores[doc_id])
    below = [doc_id for doc_id in ranked if scores[doc_id] < 0]
    positive = below[len(below) // 2]
    qrels = {**{query.query_id: {} for query in QUERIES}, "q5": {positive: 2}}
    [triplet], _ = found(index, MineOptions(negatives=len(SHOP), max_score_ratio=0.95), qrels=qrels)
    far = [SHOP[doc_id] for doc_id in ranked if scores[doc_id] < 1.05 * scores[positive]]
    assert 0 < len(far) < len(below) - 1
    assert triplet.negatives == tuple(dict.fromkeys(far))


def test_judged_ones_come_first_and_duplicates_of_what_is_relevant_are_none(index: Index) -> None:
    triplets, counts = found(index, MineOptions(negatives=3, max_score_ratio=1))
    assert triplets[0].negatives[:2] == ("blue leather bag", "steel kettle")
    assert not any("red leather bag" in row.negatives for row in triplets[:2])
    assert triplets[2] == Triplet("赤い革のバッグ", "赤い革のハンドバッグ", triplets[2].negatives)
    assert triplets[2].negatives[0] == "赤い革の手袋"
    assert counts == {
        "queries": 5,
        "queries_without_positives": 1,
        "positives_missing": 1,
        "pairs": 5,
        "triplets": 5,
        "negatives": 15,
        "negatives_judged": counts["negatives_judged"],
        "pairs_without_negatives": 0,
        "hits": 64,
        "hits_relevant": 5,
        "hits_skipped": 0,
        "hits_unjudged": 0,
        "hits_too_near": counts["hits_too_near"],
    }


def test_what_is_left_out_is_counted(index: Index) -> None:
    _, only = found(index, MineOptions(judged_only=True))
    assert (only["hits_unjudged"], only["triplets"], only["pairs_without_negatives"]) == (64 - 5 - 4, 4, 1)
    assert only["negatives_judged"] == only["negatives"] == 4
    _, skipped = found(index, MineOptions(skip_top=16, max_score_ratio=1))
    assert skipped["hits_skipped"] == 64 - 5 - 4
    _, near = found(index, MineOptions(max_score_ratio=0.01))
    assert near["hits_too_near"] > 0


def test_no_negative_at_all_is_an_error(index: Index) -> None:
    qrels = {query.query_id: {"b1": 2} for query in QUERIES}
    with pytest.raises(InputError, match=r"none of 5 pairs .* has a hard negative .*; type a larger --depth, or"):
        found(index, MineOptions(judged_only=True), qrels=qrels)


def test_what_scores_as_the_positive_does_is_too_near_and_what_has_no_text_is_none(tmp_path: Path) -> None:
    # The encoder takes no notice of case: d1 to d3 have one vector.
    shop = {"d1": "red bag", "d2": "Red Bag", "d3": "RED BAG", "d4": "kettle", "d5": "oak table", "d6": "lamp"}
    path = write_rows(tmp_path / "shop.jsonl", *({"_id": key, "text": text} for key, text in shop.items()))
    building = BuildOptions(kinds=("flat",), query_encoder=False)
    searcher = Searcher(
        build_index(open_corpus(path), tmp_path / "shop", encoder=HashEncoder(), options=building), HashEncoder()
    )
    judged = Judged((Query("q1", " red bag  "), Query("q2", "a lamp")), {"q1": {"d1": 1}, "q2": {"d6": 1}}, 1)
    heard: list[tuple] = []
    mined = mine(
        searcher,
        judged,
        lambda needed: {doc_id: shop[doc_id] for doc_id in needed - {"d5", "d6"}},
        options=MineOptions(negatives=5, max_score_ratio=1),
        progress=lambda *words: heard.append(words),
    )
    assert heard == [("searching", 0, 2), ("reading texts", 0, None)]
    [triplet] = mined.triplets
    assert triplet == Triplet("red bag", "red bag", ("kettle",))
    found = {name: mined.counts[name] for name in ("pairs", "hits", "hits_too_near", "pairs_without_negatives")}
    assert found == {"pairs": 2, "hits": 12, "hits_too_near": 2, "pairs_without_negatives": 1}


def test_no_pair_at_all_says_why(index: Index) -> None:
    nowhere = {query.query_id: {} for query in QUERIES}
    with pytest.raises(InputError, match=r"the best grade is 1, and from 2 on one is; type --threshold 1$"):
        Judged(QUERIES, {**nowhere, "q2": {"f1": 1, "f2": 0}}, 2)
    for grades in ({}, {"f1": 0}):
        with pytest.raises(InputError, match=r"the best grade is 0, and from 1 on one is; name other judgments$"):
            Judged(QUERIES, {**nowhere, "q2": grades}, 1)
    with pytest.raises(InputError, match=r"none of the 2 relevant documents is there .*; name the corpus that belongs"):
        found(index, MineOptions(), qrels={**nowhere, "q2": {"gone": 2}, "q3": {"gone too": 3}})


@pytest.mark.parametrize(
    ("given", "gist"),
    [
        ({"negatives": 0}, "--negatives must be at least 1; type --negatives 1"),
        ({"depth": 0}, "--depth must be at least 1"),
        ({"skip_top": -1}, "--skip-top must be at least 0; type --skip-top 0"),
        ({"max_score_ratio": 0.0}, "--max-score-ratio is 0, expected a share of the positive's score"),
        ({"max_score_ratio": 1.5}, "--max-score-ratio is 1.5, expected"),
        ({"max_score_ratio": float("nan")}, "--max-score-ratio is nan"),
        ({"skip_top": 100}, "--skip-top 100 leaves none of 100 hits; type a larger --depth"),
    ],
)
def test_numbers_that_cannot_be(given: dict, gist: str) -> None:
    with pytest.raises(UsageError) as caught:
        MineOptions(**given)
    assert gist in str(caught.value)


def test_texts_come_from_the_index_or_from_its_corpus_and_are_checked(index: Index, tmp_path: Path) -> None:
    assert stored_texts(index, {"f1", "b1", "none"}) == {"f1": SHOP["f1"], "b1": SHOP["b1"]}
    path = write_rows(tmp_path / "other.jsonl", {"_id": "f1", "text": SHOP["f1"]}, {"_id": "b1", "text": "changed"})
    assert corpus_texts(index, open_corpus(path), {"f1", "k1"}) == {"f1": SHOP["f1"]}
    with pytest.raises(
        InputError, match=r"the corpus other, read as '\{text\}', gives 'changed' for the document 'b1'"
    ):
        corpus_texts(index, open_corpus(path), {"b1"})


def test_an_index_that_stores_no_text_says_so(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "long.jsonl", {"_id": "d", "text": "word " * 200, "n": True})
    made = build_index(
        open_corpus(path, ReadOptions(store=("n",))),
        tmp_path / "long",
        encoder=HashEncoder(),
        options=BuildOptions(query_encoder=False),
    )
    with pytest.raises(InputError, match=r"the fields text that .*long stores gives '' for the document 'd'.*--corpus"):
        stored_texts(made, {"d"})


def test_cells_of_an_index_are_text_as_the_corpus_reader_makes_it(tmp_path: Path) -> None:
    row = {"_id": "d", "title": "鞄", "new": True, "used": False, "size": 3.5, "color": None}
    path = write_rows(tmp_path / "c.jsonl", row)
    options = ReadOptions(text="{title} {new} {used} {size} {color}")
    building = BuildOptions(query_encoder=False)
    made = build_index(open_corpus(path, options), tmp_path / "c", encoder=HashEncoder(), options=building)
    assert stored_texts(made, {"d"}) == {"d": "鞄 true false 3.5"}


def test_what_is_written_is_read_back(index: Index, tmp_path: Path) -> None:
    triplets, _ = found(index, MineOptions(negatives=3, max_score_ratio=1))
    path = tmp_path / "t.jsonl"
    assert write_triplets(path, triplets) == len(triplets)
    assert list(read_triplets(path)) == triplets
    data = read_training_data(path, spec=DataSpec(negatives=3), prompts=Prompts())
    assert data.examples == [Example(row.anchor, row.positive, row.negatives) for row in triplets]
    assert "赤い革のバッグ" in path.read_text(encoding="utf-8")
    one, _ = found(index, MineOptions())
    write_triplets(path, one)
    assert json.loads(path.read_text(encoding="utf-8").splitlines()[0]) == {
        "anchor": one[0].anchor,
        "positive": one[0].positive,
        "negative": one[0].negatives[0],
    }


def test_rows_with_fewer_negatives_are_written_beside_others(tmp_path: Path) -> None:
    rows = [Triplet("a", "p", ("x", "y")), Triplet("b", "q", ("z",))]
    write_triplets(tmp_path / "t.jsonl", rows)
    assert list(read_triplets(tmp_path / "t.jsonl")) == rows


def test_a_real_catalogue(real_data: Path, tmp_path: Path) -> None:
    dataset = open_dataset(real_data / "esci_us", options=ReadOptions(text="{product_title}", store=("product_title",)))
    made = build_index(
        dataset.corpus, tmp_path / "esci", encoder=HashEncoder(), options=BuildOptions(query_encoder=False)
    )
    judged = Judged(dataset.queries, dataset.qrels, dataset.threshold)
    mined = mine(Searcher(made, HashEncoder()), judged, lambda needed: stored_texts(made, needed))
    assert mined.counts["pairs"] == 138
    assert mined.counts["triplets"] + mined.counts["pairs_without_negatives"] == 138
    products = {document.text for document in dataset.corpus.documents()}
    assert {text for row in mined.triplets for text in (row.positive, *row.negatives)} <= products
