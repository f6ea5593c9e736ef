"""Pairs of vectors -> numbers: triplets told apart, and correlations with what people said.

Four similarities, larger is nearer: cosine, dot product, and the negated Manhattan and Euclidean distances.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchapp.errors import MeasureError
from searchapp.metrics.uncertainty import Interval

SIMILARITIES = ("cosine", "dot", "manhattan", "euclidean")

Values: TypeAlias = NDArray[np.float64]

_BLOCK = 1 << 20
"""How many numbers are worked on at a time."""
_SHORTEST = 1e-12
"""A shorter vector is divided by this instead of its length, as torch's normalize does: zero has cosine 0."""
_FLAT = 1e-12
"""A resample with less than this share of the variance has none; ranks are exact, so that they need no such bound."""


def pair_similarities(left: NDArray[np.float32], right: NDArray[np.float32]) -> dict[str, Values]:
    """Return the four similarities of row i of `left` with row i of `right`, float64 (n,) of float32 (n, d) each.

    Computed in float64 and rounded to float32, so that what differs by rounding alone is a tie: a text is exactly as
    near to itself as any other text to itself.

    >>> found = pair_similarities(np.float32([[3, 4]]), np.float32([[4, 3]]))
    >>> {name: round(float(values[0]), 4) for name, values in found.items()}
    {'cosine': 0.96, 'dot': 24.0, 'manhattan': -2.0, 'euclidean': -1.4142}
    """
    if left.shape != right.shape or left.ndim != 2:
        raise MeasureError(f"vectors of shapes {left.shape} and {right.shape} are no pairs; give two of one (n, d)")
    found = {name: np.empty(len(left)) for name in SIMILARITIES}
    step = max(1, _BLOCK // max(1, left.shape[1]))
    for start in range(0, len(left), step):
        here = slice(start, start + step)
        a, b = left[here].astype(np.float64), right[here].astype(np.float64)
        found["dot"][here] = np.einsum("nd,nd->n", a, b)
        found["cosine"][here] = found["dot"][here] / (_lengths(a) * _lengths(b))
        difference = np.abs(a - b)
        found["manhattan"][here] = -difference.sum(axis=1)
        found["euclidean"][here] = -np.linalg.norm(difference, axis=1)
    with np.errstate(over="ignore"):
        return {name: values.astype(np.float32).astype(np.float64) for name, values in found.items()}


def triplet_hits(
    positive: Mapping[str, Values], negative: Mapping[str, Values], owner: NDArray[np.intp]
) -> dict[str, NDArray[np.bool_]]:
    """Tell for each triplet whether its positive is nearer to the anchor than every one of its negatives.

    `positive` holds, per similarity, one number for each of n triplets; `negative` one for each negative, which belongs
    to triplet `owner[j]`. A tie is no hit, as in sentence-transformers' TripletEvaluator. Raises MeasureError for a
    triplet without a negative and for similarities that are not finite.
    """
    count = len(next(iter(positive.values())))
    counted = np.bincount(owner, minlength=count)
    if not count or not counted.all():
        raise MeasureError("there is no triplet, or one without a negative; give every anchor one negative or more")
    hits = {}
    for name in positive:
        _check_finite(name, positive[name])
        _check_finite(name, negative[name])
        nearest = np.full(count, -np.inf)
        np.maximum.at(nearest, owner, negative[name])
        hits[name] = positive[name] > nearest
    return hits


def triplet_accuracy(hits: Mapping[str, NDArray[np.bool_]]) -> dict[str, float]:
    """Return the share of hits: `cosine_accuracy` and so on, and `max_accuracy`, the largest of them.

    >>> triplet_accuracy({"cosine": np.array([True, False]), "dot": np.array([True, True])})
    {'cosine_accuracy': 0.5, 'dot_accuracy': 1.0, 'max_accuracy': 1.0}
    """
    shares = {f"{name}_accuracy": float(found.mean()) for name, found in hits.items()}
    return {**shares, "max_accuracy": max(shares.values())}


def correlations(similarities: Mapping[str, Values], gold: Values) -> dict[str, float]:
    """Return Pearson's and Spearman's correlation of each similarity with the gold scores, and the largest of each.

    All are float64 (n,). The keys are `pearson_cosine`, `spearman_cosine` and so on, then `pearson_max` and
    `spearman_max`, as in sentence-transformers' EmbeddingSimilarityEvaluator. Spearman's is Pearson's of the ranks,
    equal values sharing the mean of theirs. Raises MeasureError where a number would be NaN: fewer than two pairs,
    values that are not finite, and gold scores or similarities that are all the same.
    """
    check_gold(gold)
    gold_ranks = average_ranks(gold)
    found: dict[str, float] = {}
    for name, values in similarities.items():
        _check_finite(name, values)
        if np.ptp(values) == 0:
            raise MeasureError(
                f"the {name} similarity of all {len(values):,} pairs is {values[0]:g}, so it correlates with nothing"
                " (NaN): the vectors are constant or too short; check that the model was trained and saved whole, or"
                " judge it at more dims"
            )
        found[f"pearson_{name}"] = _pearson(values, gold)
        found[f"spearman_{name}"] = _pearson(average_ranks(values), gold_ranks)
    return {**found, **_largest(found)}


def check_gold(gold: Values) -> None:
    """Raise MeasureError where nothing can correlate with these gold scores, float64 (n,), whatever the model."""
    if len(gold) < 2:
        raise MeasureError(f"{len(gold)} pairs have no correlation; give 2 or more")
    _check_finite("gold", gold)
    if np.ptp(gold) == 0:
        raise MeasureError(
            f"all {len(gold):,} gold scores are {gold[0]:g}, so nothing correlates with them (NaN); check the column of"
            " scores"
        )


def average_ranks(values: Values) -> Values:
    """Return ranks from 1, smallest first; equal values share the mean of their ranks.

    >>> average_ranks(np.array([0.5, 0.1, 0.5])).tolist()
    [2.5, 1.0, 2.5]
    """
    ranks: Values = _Ranker(values).ranks(np.ones((1, len(values))))[0]
    return ranks


def bootstrap_correlations(
    similarities: Mapping[str, Values], gold: Values, *, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """Return 95 % bounds of every number of `correlations`, by drawing the pairs again with replacement.

    Percentiles 2.5 and 97.5; every resample has its own ranks and its own largest similarity. A resample in which
    something is constant is left out. Memory does not grow with `resamples`; the same values and seed always give the
    same bounds.
    """
    point = correlations(similarities, gold)
    drawn: dict[str, list[Values]] = {name: [] for name in point}
    sampler = _Resampled(similarities, gold)
    for weights in _weights(len(gold), resamples, seed):
        found = sampler.correlations(weights)
        for name, values in {**found, **_largest_of(found)}.items():
            drawn[name].append(values)
    bounds = {}
    for name, parts in drawn.items():
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        low, high = np.percentile(values, (2.5, 97.5)) if len(values) else (point[name], point[name])
        bounds[name] = Interval(float(low), float(high))
    return bounds


class _Ranker:
    """Ranks of one column in any resample of its values, from one sort."""

    def __init__(self, values: Values) -> None:
        self._order = np.argsort(values, kind="stable")
        ordered = values[self._order]
        last = np.append(ordered[1:] != ordered[:-1], True)
        self._ends = np.flatnonzero(last)
        self._group = np.empty(len(values), np.intp)
        self._group[self._order] = np.cumsum(last) - last

    def ranks(self, weights: Values) -> Values:
        """Return the rank of each value where value i is there `weights[b, i]` times, (b, n)."""
        upto = np.cumsum(weights[:, self._order], axis=1)[:, self._ends]
        before = np.concatenate([np.zeros((len(weights), 1)), upto[:, :-1]], axis=1)
        ranks: Values = ((before + upto + 1) / 2)[:, self._group]
        return ranks


class _Resampled:
    """Correlations of many resamples at once; a resample is how often each of n pairs was drawn."""

    def __init__(self, similarities: Mapping[str, Values], gold: Values) -> None:
        self._columns = {name: _standard(values) for name, values in similarities.items()}
        self._gold = _standard(gold)
        self._rankers = {name: _Ranker(values) for name, values in similarities.items()}
        self._gold_ranker = _Ranker(gold)

    def correlations(self, weights: Values) -> dict[str, Values]:
        """Return (b,) values by key for weights (b, n); NaN where something is constant."""
        count = weights.shape[1]
        gold_ranks = self._gold_ranker.ranks(weights) - (count + 1) / 2
        gold_weighted = weights * gold_ranks
        gold_spread = np.einsum("bn,bn->b", gold_weighted, gold_ranks)
        found = {}
        for name, values in self._columns.items():
            found[f"pearson_{name}"] = self._pearson(weights, values)
            ranks = self._rankers[name].ranks(weights) - (count + 1) / 2
            spread = np.einsum("bn,bn,bn->b", weights, ranks, ranks)
            shared = np.einsum("bn,bn->b", gold_weighted, ranks)
            found[f"spearman_{name}"] = _ratio(shared, spread, gold_spread, least=0.0)
        return found

    def _pearson(self, weights: Values, values: Values) -> Values:
        count = weights.shape[1]
        columns = np.stack([values, self._gold, values**2, self._gold**2, values * self._gold], axis=1)
        x, y, xx, yy, xy = (weights @ columns / count).T
        return _ratio(xy - x * y, xx - x * x, yy - y * y, least=_FLAT)


def _ratio(shared: Values, left: Values, right: Values, *, least: float) -> Values:
    there = (left > least) & (right > least)
    scale = np.sqrt(np.where(there, left, 1.0)) * np.sqrt(np.where(there, right, 1.0))
    return np.where(there, np.clip(shared / scale, -1.0, 1.0), np.nan)


def _weights(count: int, resamples: int, seed: int) -> Iterator[Values]:
    rng = np.random.default_rng(seed)
    step = max(1, _BLOCK // count)
    for start in range(0, resamples, step):
        rows = min(step, resamples - start)
        drawn = rng.integers(count, size=(rows, count)) + np.arange(rows)[:, None] * count
        yield np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count).astype(np.float64)


def _standard(values: Values) -> Values:
    centred = values - values.mean()
    standard: Values = centred / centred.std()
    return standard


def _pearson(left: Values, right: Values) -> float:
    a, b = left - left.mean(), right - right.mean()
    return float(np.clip((a / np.linalg.norm(a)) @ (b / np.linalg.norm(b)), -1.0, 1.0))


def _largest(found: Mapping[str, float]) -> dict[str, float]:
    return {
        f"{kind}_max": max(value for name, value in found.items() if name.startswith(f"{kind}_"))
        for kind in ("pearson", "spearman")
    }


def _largest_of(found: Mapping[str, Values]) -> dict[str, Values]:
    return {
        f"{kind}_max": np.fmax.reduce([values for name, values in found.items() if name.startswith(f"{kind}_")])
        for kind in ("pearson", "spearman")
    }


def _lengths(vectors: Values) -> Values:
    lengths: Values = np.maximum(np.linalg.norm(vectors, axis=1), _SHORTEST)
    return lengths


def _check_finite(name: str, values: Values) -> None:
    bad = int(np.count_nonzero(~np.isfinite(values)))
    if bad:
        what = "gold scores" if name == "gold" else f"{name} similarities"
        raise MeasureError(
            f"{bad:,} of {len(values):,} {what} are NaN or infinite, so there is no number; check the scores, or the"
            " model that made the vectors"
        )
