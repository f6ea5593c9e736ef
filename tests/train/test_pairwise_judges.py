"""Judges on triplets and scored pairs: sentence-transformers' numbers to 1e-6, `bench`'s exactly."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchapp.bench.pairwise import run_pairs, run_triplets
from searchapp.corpus import read_scored_pairs, read_triplets
from searchapp.encoders import load_encoder
from searchapp.errors import BadVectorsError, MeasureError, UsageError
from searchapp.prompts import Prompts
from searchapp.records import ScoredPair, Triplet
from searchapp.train.examples import Example
from searchapp.train.judge import Judge
from searchapp.train.pairwise_judges import PairsJudge, TripletJudge
from searchapp.train.recipe import JudgeSpec
from tests.fakes import HashEncoder, PoisonedEncoder
from tests.judging.peers import load_peer, peer_pairs, peer_triplets
from tests.models_on_disk import make_bge, make_collapsed, make_nomic, make_roberta

TRIPLETS = (
    Triplet("red bag", "a red leather bag", ("an oak table", "a kettle")),
    Triplet("table", "an oak table", ("a red leather bag",)),
    Triplet("red bag", "a bag, red", ("a kettle",)),
)
PAIRS = (ScoredPair("red bag", "a bag", 4.0), ScoredPair("red bag", "a table", 1.0), ScoredPair("oak", "a bag", 0.5))


@pytest.mark.parametrize(("make", "dims"), [(make_nomic, (48, 16)), (make_bge, (64, 20, 7))], ids=["nomic", "bge"])
def test_triplets_of_home_depot_equal_sentence_transformers(
    make: Callable[[Path], Path], dims: tuple[int, ...], tmp_path: Path, real_data: Path
) -> None:
    path = make(tmp_path / "model")
    triplets = list(read_triplets(real_data / "home_depot" / "triplets-test.jsonl"))[::15]
    judge = TripletJudge(triplets, spec=JudgeSpec(name="triplet-esci"), dims=dims)
    found = judge.judge(load_encoder(str(path)))
    peer = load_peer(str(path))
    assert list(found) == [f"triplet-esci-{dim}" for dim in dims]
    for dim, measures in zip(dims, found.values(), strict=True):
        theirs = peer_triplets(peer, triplets, dim)
        assert dict(measures) == pytest.approx(theirs, abs=1e-6)
        assert list(measures) == list(theirs)


def test_pairs_of_the_sts_benchmark_equal_sentence_transformers(tmp_path: Path, real_data: Path) -> None:
    path = make_roberta(tmp_path / "model")
    pairs = list(read_scored_pairs(real_data / "stsb" / "sts-dev.csv"))[::20]
    dims = (64, 32, 8)
    found = PairsJudge(pairs, spec=JudgeSpec(name="sts-dev"), dims=dims).judge(load_encoder(str(path)))
    peer = load_peer(str(path))
    assert list(found) == ["sts-dev-64", "sts-dev-32", "sts-dev-8"]
    for dim, measures in zip(dims, found.values(), strict=True):
        assert dict(measures) == pytest.approx(peer_pairs(peer, pairs, dim), abs=1e-6)


def test_numbers_are_those_of_the_bench() -> None:
    encoder = HashEncoder(Prompts("q: ", "d: "))
    triplets = TripletJudge(TRIPLETS, spec=JudgeSpec(name="t"), dims=(8, 48)).judge(encoder)
    rows = run_triplets(TRIPLETS, [encoder], dataset="t", dims=(48, 8)).rows
    assert [dict(one) for one in triplets.values()] == [dict(row.measures) for row in rows]
    pairs = PairsJudge(PAIRS, spec=JudgeSpec(name="p"), dims=(8, 48)).judge(encoder)
    rows = run_pairs(PAIRS, [encoder], dataset="p", dims=(48, 8)).rows
    assert [dict(one) for one in pairs.values()] == [dict(row.measures) for row in rows]


def test_a_judge_says_what_it_keeps_by_and_what_it_holds() -> None:
    triplets: Judge = TripletJudge(TRIPLETS, spec=JudgeSpec(name="triplet-esci"), dims=(48,))
    assert (triplets.task, triplets.measure) == ("triplets", "triplet-esci_cosine_accuracy")
    assert list(triplets.queries) == ["red bag", "table"]
    assert list(triplets.documents) == ["a red leather bag", "an oak table", "a kettle", "a bag, red"]
    pairs: Judge = PairsJudge(PAIRS, spec=JudgeSpec(name="sts-dev"), dims=(16, 48))
    assert (pairs.task, pairs.measure) == ("pairs", "sts-dev-48_spearman_cosine")
    assert list(pairs.queries) == ["red bag", "a bag", "a table", "oak"]
    assert list(pairs.documents) == []


def test_what_the_loss_is_computed_on_has_as_many_negatives_in_every_row() -> None:
    judge: Judge = TripletJudge(TRIPLETS, spec=JudgeSpec(), dims=(48,))
    assert list(judge.examples) == [
        Example("red bag", "a red leather bag", ("an oak table",)),
        Example("table", "an oak table", ("a red leather bag",)),
        Example("red bag", "a bag, red", ("a kettle",)),
    ]
    assert list(PairsJudge(PAIRS, spec=JudgeSpec(), dims=(48,)).examples) == []


def test_fingerprints_are_of_what_is_judged_on() -> None:
    def triplets(*rows: Triplet) -> str:
        return TripletJudge(rows, spec=JudgeSpec(), dims=(48,)).fingerprint

    def pairs(*rows: ScoredPair) -> str:
        return PairsJudge(rows, spec=JudgeSpec(), dims=(48,)).fingerprint

    assert triplets(*TRIPLETS) == triplets(*TRIPLETS[::-1]) != triplets(*TRIPLETS[:2])
    assert pairs(*PAIRS) == pairs(*PAIRS[::-1]) != pairs(*PAIRS[1:], replace(PAIRS[0], score=4.5))
    assert len(pairs(*PAIRS)) == 64


@pytest.mark.parametrize("judge", [TripletJudge, PairsJudge])
def test_an_unknown_measure_names_the_nearest(judge: Any) -> None:
    rows, wrong, right = (
        (TRIPLETS, "cosine_acuracy", "cosine_accuracy")
        if judge is TripletJudge
        else (PAIRS, "spearmann_cosine", "spearman_cosine")
    )
    with pytest.raises(UsageError, match=f"judge.measure is '{wrong}'.* did you mean {right}\\?"):
        judge(rows, spec=JudgeSpec(measure=wrong), dims=(4,))
    assert judge(rows, spec=JudgeSpec(name="n", measure=right), dims=(4,)).measure == f"n_{right}"


@pytest.mark.parametrize(
    ("scores", "gist"),
    [([3.0, 3.0, 3.0], "all 3 gold scores are 3, so nothing correlates"), ([1.0], "1 pairs have no correlation")],
)
def test_scores_that_no_model_can_correlate_with_are_refused_before_any_training(
    scores: list[float], gist: str
) -> None:
    rows = [ScoredPair("bag", f"bag {number}", score) for number, score in enumerate(scores)]
    with pytest.raises(MeasureError, match=gist):
        PairsJudge(rows, spec=JudgeSpec(), dims=(48,))


def test_bad_vectors_are_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(BadVectorsError, match="NaN"):
        TripletJudge(TRIPLETS, spec=JudgeSpec(), dims=(48,)).judge(PoisonedEncoder("kettle"))
    collapsed = load_encoder(str(make_collapsed(tmp_path / "model")))
    for judge in (
        TripletJudge(TRIPLETS, spec=JudgeSpec(), dims=(50,)),
        PairsJudge(PAIRS, spec=JudgeSpec(), dims=(50,)),
    ):
        with pytest.raises(BadVectorsError, match="it has collapsed"):
            judge.judge(collapsed)
    same = [ScoredPair("a", "b", 1.0), ScoredPair("a", "b", 2.0)]
    with pytest.raises(MeasureError, match="NaN"):
        PairsJudge(same, spec=JudgeSpec(), dims=(48,)).judge(HashEncoder())
    with pytest.raises(MeasureError, match="no triplets"):
        TripletJudge((), spec=JudgeSpec(), dims=(48,))
