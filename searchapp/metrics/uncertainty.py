"""Uncertainty: a mean comes with the interval that resampling the queries gives."""

import math
from collections.abc import Iterator, Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from searchapp.errors import MeasureError

LEVEL = 0.95
"""How often an interval is meant to hold the true value."""

_CHUNK_DRAWS = 1 << 16
"""Queries drawn at once: few enough for the processor's cache."""


class Interval(NamedTuple):
    """Bounds of a confidence interval."""

    low: float
    high: float


def bootstrap_means(
    per_query: Mapping[str, NDArray[np.float64]], *, resamples: int = 2000, seed: int = 0
) -> dict[str, Interval]:
    """Return 95 % bounds of the mean of every measure, by drawing its queries again with replacement.

    `per_query` maps measures to (n,) float64, all of the same n queries; all are judged on the same draws. The bounds
    are expanded percentiles (Hesterberg 2015, What Teachers Should Know About the Bootstrap, section 5.3): as a
    percentile interval is as narrow as a normal one with n for n - 1, its level is raised to what the t distribution
    asks for, which matters for few queries. One query has no spread to learn from: its bounds are its value.

    Memory does not grow with the product of `resamples` and n; the same values and seed always give the same bounds.
    Raises MeasureError for no queries, arrays of different lengths, a value that is not a finite number, and
    fewer than 1 resample.

    >>> bounds = bootstrap_means({"RR@10": np.array([1.0, 0.5, 0.0, 1.0, 0.25, 1.0, 0.5, 0.5])})["RR@10"]
    >>> [round(bound, 2) for bound in bounds]
    [0.28, 0.88]
    """
    if not per_query:
        return {}
    check_resamples(resamples)
    names = list(per_query)
    values = np.stack([checked_values(per_query[name], name) for name in _same_length(per_query)], axis=1)
    count = len(values)
    # What is drawn is the rest beside the centre: nothing at all where all values are equal.
    centre = values.mean(axis=0)
    centre = np.where(np.ptp(values, axis=0) == 0, values[0], centre)
    means = np.concatenate([counts @ (values - centre) for counts in _drawn(count, resamples, seed)]) / count
    tail = expanded_tail(count)
    # A mean lies among its values; taking the centre away and adding it again may leave it a rounding error outside.
    low, high = np.clip(np.quantile(means, (tail, 1 - tail), axis=0) + centre, values.min(axis=0), values.max(axis=0))
    return {name: Interval(*bounds) for name, *bounds in zip(names, low.tolist(), high.tolist(), strict=True)}


def bootstrap_mean(values: NDArray[np.float64], *, resamples: int = 2000, seed: int = 0) -> Interval:
    """Return 95 % bounds of the mean of (n,) float64 values; the same as `bootstrap_means` gives for them."""
    return bootstrap_means({"values": values}, resamples=resamples, seed=seed)["values"]


def expanded_tail(count: int) -> float:
    """Return the share of resampled means to leave out on either side, for `count` queries.

    Source: Hesterberg 2015, section 5.3: alpha' / 2 = Phi(-sqrt(n / (n - 1)) t(1 - alpha / 2, n - 1)).
    """
    if count < 2:
        return 0.0
    wider = math.sqrt(count / (count - 1)) * t_quantile((1 + LEVEL) / 2, count - 1)
    return NormalDist().cdf(-wider)


def t_quantile(probability: float, freedom: int) -> float:
    """Return the quantile of Student's t distribution, for a probability above 0.5 and 1 or more degrees of freedom.

    Halves the range of the distribution function, which is a finite sum for whole degrees of freedom. Source:
    Abramowitz and Stegun 1964, 26.7.3 and 26.7.4; above 1,000 degrees their expansion 26.7.5, off by some 1e-9 there.
    """
    z = NormalDist().inv_cdf(probability)
    if freedom > 1000:
        return z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    low, high = 0.0, math.pi / 2
    # The share within +-t rises with the angle atan(t / sqrt(freedom)), so halving finds it to the last bit.
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _share_within(angle, freedom) < 2 * probability - 1 else (low, angle)
    return math.sqrt(freedom) * math.tan((low + high) / 2)


def checked_values(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Return the values as float64; raise MeasureError if there are none, or one is not a finite number."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array):
        raise MeasureError(
            f"{name}: found values of shape {array.shape}, expected one number per query and at least one query; "
            "check that run and qrels share queries"
        )
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        raise MeasureError(
            f"{name}: {len(bad)} of {len(array)} values are not finite, such as {array[bad[0]]} at position {bad[0]}; "
            "expected a number for every query; evaluate the run again, or leave that query out"
        )
    return array


def check_resamples(resamples: int) -> None:
    """Raise MeasureError for a number of resamples that gives no answer."""
    if resamples < 1:
        raise MeasureError(f"resamples is {resamples}; expected 1 or more; 2000 is usual")


def _same_length(per_query: Mapping[str, NDArray[np.float64]]) -> list[str]:
    """Return the names; raise MeasureError if the arrays can't be of the same queries."""
    (first, values), *others = per_query.items()
    for name, other in others:
        if len(other) != len(values):
            raise MeasureError(
                f"{first} has {len(values)} values and {name} has {len(other)}; expected a value of every measure for "
                "the same queries, in the same order"
            )
    return list(per_query)


def _drawn(count: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Yield how often each of `count` queries was drawn, (b, count), until there are `resamples` rows."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK_DRAWS // count)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        drawn = rng.integers(count, size=(size, count))
        drawn += np.arange(0, size * count, count)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=size * count).reshape(size, count).astype(np.float64)


def _share_within(angle: float, freedom: int) -> float:
    """Return the share of t's distribution within +-sqrt(freedom) tan(angle)."""
    odd = freedom % 2
    cosine, sine = math.cos(angle), math.sin(angle)
    term = cosine if odd else 1.0
    total = 0.0 if freedom == 1 else term
    for step in range(2 + odd, freedom - 1, 2):
        term *= cosine * cosine * (step - 1) / step
        total += term
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
