"""Triplets and scored pairs -> a report: models judged at every dim, with intervals."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from searchapp.bench.report import Model, PairwiseReport, PairwiseRow, model_of
from searchapp.build import Progress, silent
from searchapp.encoders import Encoder
from searchapp.errors import UsageError
from searchapp.judging.embedding import Embedder
from searchapp.judging.fingerprint import fingerprint
from searchapp.judging.pairwise import PAIRS_PRIMARY, TRIPLETS_PRIMARY, embed_pairs, embed_triplets
from searchapp.metrics.pairs import bootstrap_correlations, correlations, triplet_accuracy
from searchapp.metrics.uncertainty import Interval, bootstrap_means
from searchapp.records import ScoredPair, Triplet

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
    embedder = Embedder(encoder, dims, progress=progress)
    embedded = embed_triplets(triplets, embedder)

    def measure(dim: int) -> Measured:
        hits = embedded.hits(dim)
        return triplet_accuracy(hits), _accuracy_intervals(hits)

    prompts = encoder.card.prompts
    told = f"anchors take the prompt {prompts.query!r}, positives and negatives {prompts.document!r}"
    return _judged(embedder, measure, progress, prompt_note=told if prompts.query or prompts.document else "")


def judge_pairs(
    pairs: Sequence[ScoredPair], encoder: Encoder, *, dims: Sequence[int] = (), progress: Progress = silent
) -> Judged:
    """Judge one model on scored pairs; see `run_pairs`. Memory: a vector of the widest dim for each distinct text."""
    embedder = Embedder(encoder, dims, progress=progress)
    embedded = embed_pairs(pairs, embedder)

    def measure(dim: int) -> Measured:
        similarities = embedded.similarities(dim)
        return correlations(similarities, embedded.gold), bootstrap_correlations(similarities, embedded.gold)

    prompt = encoder.card.prompts.query
    told = f"both sentences of a pair take the query prompt {prompt!r}"
    return _judged(embedder, measure, progress, prompt_note=told if prompt else "")


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


def _judged(embedder: Embedder, measure: Callable[[int], Measured], progress: Progress, *, prompt_note: str) -> Judged:
    """Measure every dim and put the model's part of the report together."""
    card = embedder.encoder.card
    rows = []
    for done, dim in enumerate(embedder.dims):
        progress(f"measuring d{dim}", done, len(embedder.dims))
        measures, intervals = measure(dim)
        rows.append(PairwiseRow(f"d{dim}", card.model, dim, measures, intervals))
    model = model_of(card, embed_seconds=embedder.seconds)
    return Judged(model, tuple(rows), tuple(note for note in (prompt_note, *_notes(embedder)) if note))


def _notes(embedder: Embedder) -> Iterator[str]:
    yield from embedder.losses()
    if min(embedder.dims) < embedder.encoder.card.dim:
        yield "vectors are cut and not made unit length again: dot, manhattan and euclidean are of what is left"


def _accuracy_intervals(hits: Mapping[str, npt.NDArray[np.bool_]]) -> dict[str, Interval]:
    """Return the bounds of each accuracy; those of `max_accuracy` are the ones of the largest."""
    bounds = bootstrap_means({f"{name}_accuracy": found.astype(np.float64) for name, found in hits.items()})
    best = max(hits, key=lambda name: float(hits[name].mean()))
    return {**bounds, "max_accuracy": bounds[f"{best}_accuracy"]}
