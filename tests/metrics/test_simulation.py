"""The statistics do what they promise, on simulated runs of which the truth is known.

The values are like nDCG's: many 0, some 1, the rest in between; and two systems agree on most queries, as related ones
do. All seeds are fixed, and the bands are four or more standard errors of the simulated rate to either side.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from searchapp.metrics import Interval, bootstrap_mean, compare_paired
from searchapp.metrics.comparison import randomisation_p

pytestmark = pytest.mark.slow

COUNTS = (50, 200, 1000)


@dataclass(frozen=True)
class Scores:
    """A mixture of 0, 1 and a beta distribution."""

    zeros: float
    ones: float
    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        return self.ones + (1 - self.zeros - self.ones) * self.alpha / (self.alpha + self.beta)

    def draw(self, rng: np.random.Generator, count: int) -> NDArray[np.float64]:
        chosen = rng.random(count)
        between = rng.beta(self.alpha, self.beta, count)
        return np.where(chosen < self.zeros, 0.0, np.where(chosen < self.zeros + self.ones, 1.0, between))


BASE = Scores(zeros=0.35, ones=0.15, alpha=1.5, beta=2.0)
BETTER = Scores(zeros=0.2, ones=0.25, alpha=2.0, beta=2.0)
AGREEMENT = 0.6


def draw_pair(rng: np.random.Generator, count: int, other: Scores) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw two systems: the second has the first one's value where they agree, and one of `other` elsewhere."""
    a = BASE.draw(rng, count)
    return a, np.where(rng.random(count) < AGREEMENT, a, other.draw(rng, count))


def covers(interval: Interval, value: float) -> bool:
    return interval.low <= value <= interval.high


def test_the_simulated_means_are_what_they_are_said_to_be() -> None:
    a, b = draw_pair(np.random.default_rng(0), 1_000_000, BETTER)
    error = 4 / math.sqrt(len(a))
    assert a.mean() == pytest.approx(BASE.mean, abs=error * a.std())
    true = (1 - AGREEMENT) * (BETTER.mean - BASE.mean)
    assert (b - a).mean() == pytest.approx(true, abs=error * (b - a).std())
    assert true == pytest.approx(0.4 * (0.25 + 0.55 / 2 - 0.15 - 0.5 * 1.5 / 3.5), abs=1e-12)


@pytest.mark.parametrize("count", COUNTS)
def test_intervals_cover_the_truth_as_often_as_they_say(count: int) -> None:
    runs, difference, mean = 2000, 0, 0
    true = (1 - AGREEMENT) * (BETTER.mean - BASE.mean)
    for run in range(runs):
        a, b = draw_pair(np.random.default_rng((count, run)), count, BETTER)
        difference += covers(compare_paired(a, b, resamples=1000, seed=run).interval, true)
        mean += covers(bootstrap_mean(a, resamples=1000, seed=run), BASE.mean)
    assert 0.93 <= difference / runs <= 0.97
    assert 0.93 <= mean / runs <= 0.97


@pytest.mark.parametrize("graded", [True, False], ids=["like nDCG", "like accuracy"])
@pytest.mark.parametrize("count", COUNTS)
def test_no_difference_is_found_significant_as_often_as_the_level_says(count: int, graded: bool) -> None:
    runs, found = 10_000, 0
    for run in range(runs):
        a, b = draw_pair(np.random.default_rng((7, count, run)), count, BASE)
        differences = b - a if graded else (b > 0).astype(np.float64) - (a > 0)
        found += randomisation_p(differences, resamples=999, seed=run) <= 0.05
    if graded:
        assert 0.04 <= found / runs <= 0.06
    else:
        # Sums of +-1 tie, and a tie counts as far: a test of few values is on the safe side.
        assert found / runs <= 0.06


def test_the_detectable_difference_is_found_four_times_in_five() -> None:
    count, runs, found = 200, 2000, 0
    a, b = draw_pair(np.random.default_rng(1), 100_000, BASE)
    spread = float((b - a).std())
    shift = compare_paired(a, b, resamples=1).detectable * math.sqrt(len(a) / count)
    assert shift == pytest.approx(2.8015852 * spread / math.sqrt(count), rel=1e-4)
    for run in range(runs):
        differences = np.random.default_rng((9, run)).choice(b - a, count) - (b - a).mean() + shift
        found += randomisation_p(differences, resamples=999, seed=run) <= 0.05
    assert 0.77 <= found / runs <= 0.83
