"""Comparison: two systems on the same queries, and whether chance alone would make them differ as much."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from searchapp.errors import MeasureError
from searchapp.metrics.uncertainty import Interval, bootstrap_mean, check_resamples, checked_values

SAME = 1e-12
"""Values that differ by no more are equal: sums in another order differ by as much."""

_TO_DETECT = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)
"""How many standard errors a true difference must be to be found four times in five, at the 5 % level."""

_CHUNK_BYTES = 1 << 16
"""Random bytes drawn at once; each is the signs of eight queries."""

_SIGNS = 1.0 - 2.0 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, np.newaxis], axis=1, bitorder="little")
"""(256, 8): the signs that a byte stands for."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What system b does better or worse than system a, on the same queries.

    difference: mean of b - a, with `interval` its 95 % bootstrap bounds.
    p: how often differences of no meaning (each query's sign tossed) would have a mean as far from 0, two-sided.
    effect_size: the mean difference in standard deviations of the differences (Cohen's d of paired samples); 0 if there
        is no difference at all, infinite if it is the same for every query.
    wins, ties, losses: queries where b is above, equal to (to within 1e-12) or below a.
    detectable: the smallest true difference that so many queries show with 80 % power at the 5 % level, (z.975 + z.80)
        sd / sqrt(n); infinite for one query.
    """

    queries: int
    mean_a: float
    mean_b: float
    difference: float
    interval: Interval
    p: float
    effect_size: float
    wins: int
    ties: int
    losses: int
    detectable: float


def compare_paired(
    a: NDArray[np.float64], b: NDArray[np.float64], *, resamples: int = 10_000, seed: int = 0
) -> Comparison:
    """Compare two systems' (n,) float64 values, aligned by query; positive differences are in favour of `b`.

    The test is the paired randomisation test (Fisher 1935; Smucker, Allan and Carterette 2007): under the hypothesis of
    no difference each query's could as well have had the other sign. Where 2^n <= `resamples`, n being the queries that
    differ, all signs are tried and p is exact; else p = (1 + as far or farther) / (1 + resamples). The same values
    and seed always give the same answer. Memory does not grow with the product of `resamples` and n.

    Raises MeasureError for values of different lengths, no values, a value that is not a finite number, and fewer than
    1 resample.

    >>> found = compare_paired(np.array([0.5, 0.2, 0.0, 0.4]), np.array([0.6, 0.4, 0.3, 0.4]))
    >>> found.wins, found.ties, found.losses, round(found.difference, 2), found.p
    (3, 1, 0, 0.15, 0.25)
    """
    check_resamples(resamples)
    a, b = checked_values(a, "a"), checked_values(b, "b")
    if len(a) != len(b):
        raise MeasureError(
            f"system a has values of {len(a)} queries and system b of {len(b)}; expected the same queries in the same "
            "order; compare over the queries that both have"
        )
    differences = b - a
    differences[np.abs(differences) <= SAME] = 0.0
    mean = float(differences.mean())
    # Numbers that are all the same have a standard deviation of rounding errors.
    spread = float(differences.std(ddof=1)) if np.ptp(differences) > SAME else 0.0
    return Comparison(
        queries=len(differences),
        mean_a=float(a.mean()),
        mean_b=float(b.mean()),
        difference=mean,
        interval=bootstrap_mean(differences, resamples=resamples, seed=seed),
        p=randomisation_p(differences, resamples=resamples, seed=seed),
        effect_size=_effect_size(mean, spread),
        wins=int((differences > 0).sum()),
        ties=int((differences == 0).sum()),
        losses=int((differences < 0).sum()),
        detectable=_TO_DETECT * spread / math.sqrt(len(differences)) if len(differences) > 1 else math.inf,
    )


def randomisation_p(differences: NDArray[np.float64], *, resamples: int = 10_000, seed: int = 0) -> float:
    """Return the two-sided p of the paired randomisation test for (n,) differences; see `compare_paired`."""
    differing = differences[differences != 0]
    if not len(differing):
        return 1.0
    # Eight queries go by one byte: their 256 signed sums are looked up, not added anew.
    groups = np.zeros((-(-len(differing) // 8), 8))
    groups.ravel()[: len(differing)] = differing
    sums = groups @ _SIGNS.T
    columns = np.arange(len(groups))
    # A sum that equals the found one but for rounding is as far.
    bound = abs(differing.sum()) - SAME * np.abs(differing).sum()
    exact = len(differing) < 63 and 2 ** len(differing) <= resamples
    tosses = _all_signs(len(differing)) if exact else _random_signs(len(groups), resamples, seed)
    far = sum(int((np.abs(sums[columns, signs].sum(axis=1)) >= bound).sum()) for signs in tosses)
    return far / 2 ** len(differing) if exact else (1 + far) / (1 + resamples)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values adjusted for being several, in the same order: compare them with the level as they are.

    The i-th smallest of m is multiplied by m - i + 1, and is no less than the ones before it. Source: Holm 1979, A
    Simple Sequentially Rejective Multiple Test Procedure. Raises MeasureError for a p that is not from 0 to 1.

    >>> [round(p, 3) for p in holm([0.04, 0.01, 0.03])]
    [0.06, 0.03, 0.06]
    """
    for position, p in enumerate(p_values):
        if not 0 <= p <= 1:
            raise MeasureError(f"p value {position + 1} of {len(p_values)} is {p}; expected a number from 0 to 1")
    adjusted = [0.0] * len(p_values)
    so_far = 0.0
    for place, position in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        so_far = max(so_far, min(1.0, (len(p_values) - place) * p_values[position]))
        adjusted[position] = so_far
    return adjusted


def _effect_size(mean: float, spread: float) -> float:
    if spread > 0:
        return mean / spread
    return math.copysign(math.inf, mean) if mean else 0.0


def _all_signs(count: int) -> Iterator[NDArray[np.uint8]]:
    """Yield every way to sign `count` differences, as bytes (b, groups of eight)."""
    step = _CHUNK_BYTES // 8
    for start in range(0, 2**count, step):
        numbers = np.arange(start, min(start + step, 2**count), dtype="<u8")
        yield numbers.view(np.uint8).reshape(-1, 8)[:, : -(-count // 8)]


def _random_signs(groups: int, resamples: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Yield `resamples` random ways to sign, as bytes (b, groups)."""
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK_BYTES // groups)
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        yield np.frombuffer(rng.bytes(size * groups), dtype=np.uint8).reshape(size, groups)
