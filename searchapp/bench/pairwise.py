"""Triplets and scored pairs -> a report: every text is embedded once, every dim is cut from that.

Vectors are cut and not made unit length again, as sentence-transformers' `truncate_dim` does: the cosine doesn't mind,
and dot, Manhattan and Euclidean are those of the numbers that the model gives.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from searchapp.bench.fingerprint import fingerprint
from searchapp.bench.report import Model, PairwiseReport, PairwiseRow, model_of
from searchapp.build import Progress, silent
from searchapp.encoders import Encoder, check_encoder, check_vectors
from searchapp.encoders.base import Vectors
from searchapp.errors import MeasureError, UsageError
from searchapp.metrics.pairs import (
    SIMILARITIES,
    Values,
    bootstrap_correlations,
    correlations,
    pair_similarities,
    triplet_accuracy,
    triplet_hits,
)
from searchapp.metrics.uncertainty import Interval, bootstrap_means
from searchapp.records import ScoredPair, Triplet
from searchapp.shards import WINDOW_CHARACTERS, WINDOW_DOCUMENTS

TRIPLETS_PRIMARY = "cosine_accuracy"
PAIRS_PRIMARY = "spearman_cosine"

_BLOCK = 1 << 22
_SHOWN = 60

Rows = npt.NDArray[np.intp]
Encode = Callable[[Sequence[str]], Vectors]
Measured = tuple[Mapping[str, float], Mapping[str, Interval]]


@dataclass(frozen=True, slots=True)
class Judged:
    """One model, judged at every dim."""

    model: Model
    rows: tuple[PairwiseRow, ...]
    notes: tuple[str, ...]


def run_triplets(
    triplets: Iterable[Triplet],
    encoders: Iterable[Encoder],
    *,
    dataset: str,
    dims: Sequence[int] = (),
    progress: Progress = silent,
) -> PairwiseReport:
    """Judge models on triplets: the share whose positive is nearer to the anchor than every negative, per dim.

    `encoders` are taken one after the other, so that a generator may load each when its turn comes. No dims means a
    model's full width. Anchors are embedded with the query prompt, positives and negatives with the document prompt.
    Raises MeasureError where there are no triplets, UsageError for dims a model doesn't have, BadVectorsError for
    vectors that are NaN, zero or all the same.
    """
    held = tuple(triplets)
    judged = [judge_triplets(held, encoder, dims=dims, progress=progress) for encoder in encoders]
    items = ((one.anchor, one.positive, *one.negatives) for one in held)
    return make_report("triplets", judged, dataset=dataset, count=len(held), texts=fingerprint(items))


def run_pairs(
    pairs: Iterable[ScoredPair],
    encoders: Iterable[Encoder],
    *,
    dataset: str,
    dims: Sequence[int] = (),
    progress: Progress = silent,
) -> PairwiseReport:
    """Judge models on scored pairs: how far similarities and the scores of people correlate, per dim.

    `encoders` and `dims` are as in `run_triplets`. Both sentences are embedded with the query prompt. Raises
    MeasureError for fewer than two pairs and where a correlation would be NaN, UsageError for dims a model doesn't
    have, BadVectorsError for vectors that are NaN, zero or all the same.
    """
    held = tuple(pairs)
    judged = [judge_pairs(held, encoder, dims=dims, progress=progress) for encoder in encoders]
    items = ((one.sentence1, one.sentence2, one.score) for one in held)
    return make_report("pairs", judged, dataset=dataset, count=len(held), texts=fingerprint(items))


def judge_triplets(
    triplets: Sequence[Triplet], encoder: Encoder, *, dims: Sequence[int] = (), progress: Progress = silent
) -> Judged:
    """Judge one model on triplets; see `run_triplets`. Memory: a vector of the widest dim for each distinct text."""
    if not triplets:
        raise MeasureError("there are no triplets; give one or more")
    work = _Work(encoder, dims, progress)
    anchors, anchor_rows = _distinct(one.anchor for one in triplets)
    documents, rows = _distinct(text for one in triplets for text in (one.positive, *one.negatives))
    owner = np.repeat(np.arange(len(triplets)), [1 + len(one.negatives) for one in triplets])
    is_positive = np.append(True, owner[1:] != owner[:-1])
    total = len(anchors) + len(documents)
    queries = work.embed(anchors, encoder.encode_queries, total)
    found = work.embed(documents, encoder.encode_documents, total)

    def measure(dim: int) -> Measured:
        similarities = _similarities(queries, anchor_rows[owner], found, rows, dim)
        positive = {name: values[is_positive] for name, values in similarities.items()}
        negative = {name: values[~is_positive] for name, values in similarities.items()}
        hits = triplet_hits(positive, negative, owner[~is_positive])
        return triplet_accuracy(hits), _accuracy_intervals(hits)

    prompts = encoder.card.prompts
    told = f"anchors take the prompt {prompts.query!r}, positives and negatives {prompts.document!r}"
    return work.judged(measure, prompt_note=told if prompts.query or prompts.document else "")


def judge_pairs(
    pairs: Sequence[ScoredPair], encoder: Encoder, *, dims: Sequence[int] = (), progress: Progress = silent
) -> Judged:
    """Judge one model on scored pairs; see `run_pairs`. Memory: a vector of the widest dim for each distinct text."""
    gold = np.array([one.score for one in pairs], dtype=np.float64)
    work = _Work(encoder, dims, progress)
    sentences, rows = _distinct(text for one in pairs for text in (one.sentence1, one.sentence2))
    vectors = work.embed(sentences, encoder.encode_queries, len(sentences))

    def measure(dim: int) -> Measured:
        similarities = _similarities(vectors, rows[::2], vectors, rows[1::2], dim)
        return correlations(similarities, gold), bootstrap_correlations(similarities, gold)

    prompt = encoder.card.prompts.query
    told = f"both sentences of a pair take the query prompt {prompt!r}"
    return work.judged(measure, prompt_note=told if prompt else "")


def make_report(
    task: Literal["triplets", "pairs"], judged: Sequence[Judged], *, dataset: str, count: int, texts: str
) -> PairwiseReport:
    """Put judged models into one report; `texts` is the fingerprint of what they were judged on.

    Rows are called `d128`, or `MODEL-d128` where there are several models.
    """
    if not judged:
        raise UsageError("there is no model to judge; name one or more")
    several = len(judged) > 1
    rows = [
        replace(row, name=f"{row.model.replace('/', '-')}-{row.name}") if several else row
        for one in judged
        for row in one.rows
    ]
    notes = [f"{one.model.name}: {note}" if several else note for one in judged for note in one.notes]
    return PairwiseReport(
        task=task,
        dataset=dataset,
        count=count,
        primary=TRIPLETS_PRIMARY if task == "triplets" else PAIRS_PRIMARY,
        models=tuple(one.model for one in judged),
        rows=tuple(rows),
        fingerprint=texts,
        notes=tuple(notes),
    )


class _Work:
    """One encoder at work: what it embedded, how long that took and what it lost."""

    def __init__(self, encoder: Encoder, dims: Sequence[int], progress: Progress) -> None:
        self._encoder = encoder
        self._dims = _chosen_dims(dims, encoder)
        self._progress = progress
        check_encoder(encoder)
        self._checked = replace(encoder.counts)
        self._seconds = 0.0
        self._done = 0

    def embed(self, texts: Sequence[str], encode: Encode, total: int) -> Vectors:
        """Return the vectors of texts, a window at a time, cut to the widest dim that is asked for."""
        vectors = np.empty((len(texts), max(self._dims)), dtype=np.float32)
        start = 0
        for window in _windows(texts):
            began = time.perf_counter()
            made = encode(window)
            self._seconds += time.perf_counter() - began
            check_vectors(made, window, [f"the text {_short(text)!r}" for text in window])
            vectors[start : start + len(window)] = made[:, : vectors.shape[1]]
            start += len(window)
            self._done += len(window)
            self._progress("embedding", self._done, total)
        return vectors

    def judged(self, measure: Callable[[int], Measured], *, prompt_note: str) -> Judged:
        """Measure every dim and put the model's part of the report together."""
        card = self._encoder.card
        rows = []
        for done, dim in enumerate(self._dims):
            self._progress(f"measuring d{dim}", done, len(self._dims))
            measures, intervals = measure(dim)
            rows.append(PairwiseRow(f"d{dim}", card.model, dim, measures, intervals))
        model = model_of(card, embed_seconds=self._seconds)
        return Judged(model, tuple(rows), tuple(note for note in (prompt_note, *self._losses()) if note))

    def _losses(self) -> Iterator[str]:
        card, counts, checked = self._encoder.card, self._encoder.counts, self._checked
        if cut := counts.truncated - checked.truncated:
            lost = counts.tokens_lost - checked.tokens_lost
            yield f"{cut:,} texts were cut at max_seq_length {card.max_seq_length}: {lost:,} tokens lost"
        if there := counts.already_prefixed - checked.already_prefixed:
            yield f"{there:,} texts began with the prompt already and were left as they are"
        if min(self._dims) < card.dim:
            yield "vectors are cut and not made unit length again: dot, manhattan and euclidean are of what is left"


def _chosen_dims(dims: Sequence[int], encoder: Encoder) -> tuple[int, ...]:
    width = encoder.card.dim
    for dim in dims:
        if not 1 <= dim <= width:
            raise UsageError(f"{dim} dims: {encoder.card.model} gives {width}; type a number from 1 to {width}")
    return tuple(dict.fromkeys(dims)) or (width,)


def _distinct(texts: Iterable[str]) -> tuple[list[str], Rows]:
    """Return the different texts in order, and for each text which of them it is."""
    places: dict[str, int] = {}
    rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), dtype=np.intp)
    return list(places), rows


def _windows(texts: Iterable[str]) -> Iterator[list[str]]:
    window: list[str] = []
    size = 0
    for text in texts:
        window.append(text)
        size += len(text)
        if len(window) == WINDOW_DOCUMENTS or size >= WINDOW_CHARACTERS:
            yield window
            window, size = [], 0
    if window:
        yield window


def _similarities(left: Vectors, left_rows: Rows, right: Vectors, right_rows: Rows, dim: int) -> dict[str, Values]:
    """Return the similarities of left[left_rows[i]] and right[right_rows[i]], a block of them at a time."""
    step = max(1, _BLOCK // dim)
    blocks = [
        pair_similarities(left[left_rows[start : start + step], :dim], right[right_rows[start : start + step], :dim])
        for start in range(0, len(left_rows), step)
    ]
    return {name: np.concatenate([np.empty(0), *(block[name] for block in blocks)]) for name in SIMILARITIES}


def _accuracy_intervals(hits: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, Interval]:
    """Return the bounds of each accuracy; those of `max_accuracy` are the ones of the largest."""
    bounds = bootstrap_means({f"{name}_accuracy": found.astype(np.float64) for name, found in hits.items()})
    best = max(hits, key=lambda name: float(hits[name].mean()))
    return {**bounds, "max_accuracy": bounds[f"{best}_accuracy"]}


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
