"""Triplets and correlations, against scipy and against the definitions written out."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from searchapp.errors import MeasureError
from searchapp.metrics import (
    SIMILARITIES,
    average_ranks,
    bootstrap_correlations,
    correlations,
    pair_similarities,
    triplet_accuracy,
    triplet_hits,
)


def random_vectors(seed: int, count: int, dim: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32)


def by_definition(a: Sequence[float], b: Sequence[float]) -> dict[str, float]:
    dot = math.fsum(x * y for x, y in zip(a, b, strict=True))
    return {
        "cosine": dot / math.sqrt(math.fsum(x * x for x in a)) / math.sqrt(math.fsum(y * y for y in b)),
        "dot": dot,
        "manhattan": -math.fsum(abs(x - y) for x, y in zip(a, b, strict=True)),
        "euclidean": -math.dist(a, b),
    }


@pytest.mark.parametrize(("count", "dim"), [(7, 1), (5, 48), (3000, 700)])
def test_similarities_are_those_of_their_definitions(count: int, dim: int) -> None:
    left, right = random_vectors(0, count, dim), random_vectors(1, count, dim)
    found = pair_similarities(left, right)
    assert tuple(found) == SIMILARITIES
    for row in (0, count // 2, count - 1):
        expected = by_definition(left[row].tolist(), right[row].tolist())
        assert {name: found[name][row] for name in found} == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert all(values.shape == (count,) for values in found.values())


def test_every_text_is_equally_near_to_itself() -> None:
    vectors = random_vectors(2, 200, 33)
    found = pair_similarities(vectors, vectors)
    assert set(found["cosine"]) == {1.0}
    assert set(found["euclidean"]) == set(found["manhattan"]) == {0.0}


def test_a_zero_vector_has_cosine_zero() -> None:
    zero, other = np.zeros((1, 3), np.float32), np.ones((1, 3), np.float32)
    assert pair_similarities(zero, other)["cosine"].tolist() == [0.0]


@pytest.mark.parametrize("shapes", [((2, 3), (2, 4)), ((2, 3), (3, 3)), ((3,), (3,))])
def test_vectors_that_are_no_pairs_are_refused(shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    with pytest.raises(MeasureError, match=r"are no pairs; give two of one \(n, d\)"):
        pair_similarities(np.ones(shapes[0], np.float32), np.ones(shapes[1], np.float32))


def test_a_triplet_is_right_if_the_positive_is_nearer_than_every_negative() -> None:
    positive = {"cosine": np.array([0.9, 0.5, 0.3]), "manhattan": np.array([-1.0, -1.0, -1.0])}
    negative = {"cosine": np.array([0.1, 0.5, 0.2, 0.4]), "manhattan": np.array([-2.0, -2.0, -2.0, -2.0])}
    owner = np.array([0, 1, 2, 2])  # a tie is wrong, and so is the nearer one of two negatives
    hits = triplet_hits(positive, negative, owner)
    assert {name: found.tolist() for name, found in hits.items()} == {
        "cosine": [True, False, False],
        "manhattan": [True, True, True],
    }
    assert triplet_accuracy(hits) == {"cosine_accuracy": 1 / 3, "manhattan_accuracy": 1.0, "max_accuracy": 1.0}


@pytest.mark.parametrize(
    ("negative", "owner", "gist"),
    [
        ([0.1], [1], "one without a negative"),
        ([], [], "one without a negative"),
        ([0.1, math.nan], [0, 1], "1 of 2 cosine similarities are NaN or infinite"),
    ],
)
def test_triplets_that_are_none_are_refused(negative: list[float], owner: list[int], gist: str) -> None:
    with pytest.raises(MeasureError, match=gist):
        triplet_hits({"cosine": np.array([0.5, 0.5])}, {"cosine": np.array(negative)}, np.array(owner, dtype=np.intp))


TIED = st.lists(st.integers(-3, 3).map(float), min_size=2, max_size=30)
UNTIED = st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=30)


@given(st.one_of(TIED, UNTIED))
def test_ranks_equal_scipy(values: list[float]) -> None:
    assert average_ranks(np.array(values)).tolist() == stats.rankdata(values).tolist()


@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 5)), min_size=3, max_size=40))
@settings(max_examples=200)
def test_correlations_equal_scipy(pairs: list[tuple[int, int]]) -> None:
    values, gold = (np.array(column, dtype=np.float64) for column in zip(*pairs, strict=True))
    if np.ptp(values) == 0 or np.ptp(gold) == 0:
        with pytest.raises(MeasureError):
            correlations({"cosine": values}, gold)
        return
    expected = {
        "pearson_cosine": stats.pearsonr(values, gold).statistic,
        "spearman_cosine": stats.spearmanr(values, gold).statistic,
    }
    expected |= {"pearson_max": expected["pearson_cosine"], "spearman_max": expected["spearman_cosine"]}
    assert correlations({"cosine": values}, gold) == pytest.approx(expected, abs=1e-12)


def scored(seed: int, count: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Gold scores with ties, and three similarities: one good with ties, one weak, one that goes the other way."""
    rng = np.random.default_rng(seed)
    gold = np.round(rng.uniform(0, 5, count), 1)
    noise = rng.standard_normal((3, count))
    return {
        "cosine": np.round(gold + noise[0], 1),
        "dot": 1e6 + gold + 9 * noise[1],
        "euclidean": -np.exp(gold + noise[2]),
    }, gold


def test_each_maximum_is_of_its_own_kind() -> None:
    similarities, gold = scored(5, 300)
    similarities["dot"] = np.where(np.arange(300) == 0, 1e9, gold)  # one outlier: the ranks agree, the values don't
    found = correlations(similarities, gold)
    assert found["pearson_max"] == found["pearson_cosine"] > found["pearson_dot"]
    assert found["spearman_max"] == found["spearman_dot"] > found["spearman_cosine"]


@pytest.mark.parametrize("count", [4, 60])
def test_the_bootstrap_equals_scipy_on_every_resample(count: int) -> None:
    similarities, gold = scored(1, count)
    similarities["manhattan"] = np.where(np.arange(count) < 2, -1.0, 0.0)  # often constant, where few are drawn
    drawn = np.random.default_rng(3).integers(count, size=(200, count))
    values: dict[str, list[float]] = {}
    for rows in drawn:
        found = {}
        for name, column in similarities.items():
            # What is constant in a resample has no correlation there, and the maximum is of the others.
            if np.ptp(column[rows]) > 0 and np.ptp(gold[rows]) > 0:
                found[f"pearson_{name}"] = stats.pearsonr(column[rows], gold[rows]).statistic
                found[f"spearman_{name}"] = stats.spearmanr(column[rows], gold[rows]).statistic
        for kind in ("pearson", "spearman") if found else ():
            found[f"{kind}_max"] = max(value for name, value in found.items() if name.startswith(kind))
        for name, value in found.items():
            values.setdefault(name, []).append(value)
    bounds = bootstrap_correlations(similarities, gold, resamples=200, seed=3)
    assert set(bounds) == set(values) == set(correlations(similarities, gold))
    for name, interval in bounds.items():
        assert tuple(interval) == pytest.approx(np.percentile(values[name], (2.5, 97.5)), abs=1e-9), name


def test_bounds_are_repeatable_and_hold_the_number() -> None:
    similarities, gold = scored(2, 5000)  # five chunks of resamples
    bounds = bootstrap_correlations(similarities, gold, seed=7)
    assert bounds == bootstrap_correlations(similarities, gold, seed=7)
    assert bounds != bootstrap_correlations(similarities, gold, seed=8)
    for name, value in correlations(similarities, gold).items():
        assert bounds[name].low < value < bounds[name].high, name
        if name != "pearson_euclidean":  # of values with a long tail, so that its interval is wider
            # The standard error of a correlation r of n pairs is near (1 - r * r) / sqrt(n).
            width = 2 * 1.96 * (1 - value * value) / math.sqrt(5000)
            assert bounds[name].high - bounds[name].low == pytest.approx(width, rel=0.3), name


def test_the_bounds_cover_a_known_correlation() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        gold, noise = rng.standard_normal((2, 150))
        low, high = bootstrap_correlations({"cosine": 0.6 * gold + 0.8 * noise}, gold, resamples=400, seed=seed)[
            "pearson_cosine"
        ]
        covered += low <= 0.6 <= high
    assert 0.90 <= covered / 200 <= 0.98


GOOD = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("values", "gold", "gist"),
    [
        (GOOD[:1], GOOD[:1], "1 pairs have no correlation; give 2 or more"),
        (GOOD, np.full(3, 2.5), r"all 3 gold scores are 2.5, so nothing correlates with them \(NaN\)"),
        (np.full(3, 0.25), GOOD, "the cosine similarity of all 3 pairs is 0.25.* the vectors are constant"),
        (np.array([1, math.nan, math.inf]), GOOD, "2 of 3 cosine similarities are NaN or infinite"),
        (GOOD, np.array([1, 2, math.nan]), "1 of 3 gold scores are NaN or infinite"),
    ],
)
def test_a_nan_is_an_error_that_says_why(values: np.ndarray, gold: np.ndarray, gist: str) -> None:
    for function in (correlations, bootstrap_correlations):
        with pytest.raises(MeasureError, match=gist):
            function({"cosine": values}, gold)
