import itertools
import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from searchapp.errors import MeasureError
from searchapp.metrics import Interval, bootstrap_mean, bootstrap_means
from searchapp.metrics.uncertainty import expanded_tail, t_quantile

SKEWED = np.random.default_rng(5).beta(0.5, 1.5, 400)


@pytest.mark.parametrize("probability", [0.6, 0.9, 0.975, 0.995])
@pytest.mark.parametrize("freedom", [*range(1, 31), 49, 50, 299, 999, 1000, 1001, 1500, 9999, 10**6])
def test_quantiles_of_t_equal_scipy(freedom: int, probability: float) -> None:
    assert t_quantile(probability, freedom) == pytest.approx(stats.t.ppf(probability, freedom), rel=1e-8)


def test_the_tail_is_the_one_of_the_formula() -> None:
    for count in (2, 3, 10, 100, 1000):
        wider = math.sqrt(count / (count - 1)) * stats.t.ppf(0.975, count - 1)
        assert expanded_tail(count) == pytest.approx(stats.norm.cdf(-wider), rel=1e-6)
    assert expanded_tail(10**7) == pytest.approx(0.025, abs=1e-6)


def test_bounds_equal_the_exact_bootstrap_distribution() -> None:
    # Every one of the 4 ** 4 resamples, each as likely.
    values = np.array([0.0, 0.25, 0.4, 1.0])
    means = np.sort([np.mean(drawn) for drawn in itertools.product(values, repeat=4)])
    bounds = bootstrap_mean(values, resamples=200_000)
    tail = expanded_tail(4)
    expected = np.quantile(means, (tail, 1 - tail), method="inverted_cdf")
    assert bounds == pytest.approx(tuple(expected), abs=1e-12)


@pytest.mark.parametrize("count", [20, 400])
def test_bounds_equal_scipy_at_the_same_level(count: int) -> None:
    values = SKEWED[:count]
    level = 1 - 2 * expanded_tail(count)
    found = bootstrap_mean(values, resamples=40_000)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=40_000,
        method="percentile",
        rng=np.random.default_rng(9),
    ).confidence_interval
    # A bound of 40,000 resamples is itself off by about .01 standard errors.
    error = values.std(ddof=1) / math.sqrt(count)
    assert found == pytest.approx((theirs.low, theirs.high), abs=0.05 * error)


def test_many_values_have_the_bounds_of_the_normal_distribution() -> None:
    values = np.tile(SKEWED, 25)
    error = values.std(ddof=1) / math.sqrt(len(values))
    expected = (
        values.mean() - NormalDist().inv_cdf(0.975) * error,
        values.mean() + NormalDist().inv_cdf(0.975) * error,
    )
    assert bootstrap_mean(values, resamples=20_000) == pytest.approx(expected, abs=0.05 * error)


def test_few_values_have_wider_bounds_than_the_plain_percentiles() -> None:
    values = SKEWED[:10]
    low, high = bootstrap_mean(values, resamples=40_000)
    plain = stats.bootstrap((values,), np.mean, n_resamples=40_000, method="percentile", rng=np.random.default_rng(3))
    # t(.975, 9) / z(.975) * sqrt(10 / 9): what the plain percentiles lack.
    lacking = stats.t.ppf(0.975, 9) / stats.norm.ppf(0.975) * math.sqrt(10 / 9)
    width = plain.confidence_interval.high - plain.confidence_interval.low
    assert (high - low) / width == pytest.approx(lacking, rel=0.03)


def test_all_measures_share_one_resampling() -> None:
    values = {"a": SKEWED, "b": 1 - SKEWED, "c": SKEWED * 2, "d": SKEWED[::-1]}
    bounds = bootstrap_means(values)
    assert list(bounds) == ["a", "b", "c", "d"]
    assert bounds["b"] == pytest.approx((1 - bounds["a"].high, 1 - bounds["a"].low), abs=1e-12)
    assert bounds["c"] == pytest.approx((2 * bounds["a"].low, 2 * bounds["a"].high), abs=1e-12)
    assert bounds["d"] != bounds["a"]
    for name, column in values.items():
        assert bounds[name] == pytest.approx(bootstrap_mean(column), abs=1e-12)


def test_the_seed_decides() -> None:
    assert bootstrap_mean(SKEWED) == bootstrap_mean(SKEWED.copy())
    assert bootstrap_mean(SKEWED, seed=1) != bootstrap_mean(SKEWED, seed=2)


def test_one_query_has_its_value_as_bounds() -> None:
    assert bootstrap_means({"RR": np.array([0.3])}) == {"RR": Interval(0.3, 0.3)}


def test_two_queries_have_their_values_as_bounds() -> None:
    assert bootstrap_mean(np.array([0.75, 0.25])) == Interval(0.25, 0.75)


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 1.0])
def test_equal_values_have_no_width(value: float) -> None:
    assert bootstrap_mean(np.full(77, value)) == Interval(value, value)


def test_no_measures_have_no_bounds() -> None:
    assert bootstrap_means({}) == {}


def test_what_has_no_bounds_is_refused() -> None:
    ones = np.ones(3)
    with pytest.raises(
        MeasureError, match=r"RR: 1 of 3 values are not finite, such as nan at position 1; .*every query"
    ):
        bootstrap_means({"AP": ones, "RR": np.array([0, np.nan, 1])})
    with pytest.raises(MeasureError, match="such as inf at position 0"):
        bootstrap_mean(np.array([np.inf, 1.0]))
    with pytest.raises(MeasureError, match="AP has 3 values and RR has 2; expected a value of every measure"):
        bootstrap_means({"AP": ones, "RR": np.ones(2)})
    with pytest.raises(MeasureError, match=r"RR: found values of shape \(0,\), expected one number per query and at"):
        bootstrap_means({"RR": np.ones(0)})
    with pytest.raises(MeasureError, match=r"values: found values of shape \(2, 2\)"):
        bootstrap_mean(np.ones((2, 2)))
    with pytest.raises(MeasureError, match="resamples is 0; expected 1 or more"):
        bootstrap_mean(ones, resamples=0)
