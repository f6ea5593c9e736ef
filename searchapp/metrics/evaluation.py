"""Evaluation: a run and its judgments become means, per-query values and an account of what was counted."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from searchapp.errors import MeasureError
from searchapp.metrics.blocks import Qrels, Run, cut_blocks
from searchapp.metrics.judging import Judging
from searchapp.metrics.measure import Measure
from searchapp.metrics.ranking import Scope

DEFAULT_MEASURES = tuple(
    Measure.parse(text)
    for text in (
        *(f"accuracy@{k}" for k in (1, 3, 5, 10)),
        *(f"precision@{k}" for k in (1, 3, 5, 10)),
        *(f"recall@{k}" for k in (1, 3, 5, 10, 100)),
        *("nDCG@10", "RR@10", "AP@100", "AP(denominator=R)@100", "Judged@10"),
    )
)
"""What a report shows, in its order."""


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """The numbers of one run and what they were counted over.

    measures: mean per measure, keyed by `str(measure)`.
    per_query: the same keys, float64 arrays aligned with `query_ids`, read-only.
    query_ids: the queries in the means, in the order of the qrels.
    no_relevant: judged queries without a document of grade `judging.threshold` or more.
    unranked: queries in the means that the run has no ranking for; they count as 0, as under `trec_eval -c`.
    unjudged_queries: queries of the run without judgments; they count for nothing.
    """

    measures: dict[str, float]
    per_query: dict[str, NDArray[np.float64]]
    query_ids: tuple[str, ...]
    no_relevant: tuple[str, ...]
    unranked: tuple[str, ...]
    unjudged_queries: tuple[str, ...]
    judging: Judging

    @property
    def dropped(self) -> tuple[str, ...]:
        """Return the judged queries that are in no mean, because nothing relevant is known for them."""
        return self.no_relevant if self.judging.no_relevant == "drop" else ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a line for each thing a reader of the means must know; empty if all is plain."""
        fate = "left out of the means" if self.judging.no_relevant == "drop" else "kept in the means"
        counted = (
            (
                f"judged queries without a document of grade {self.judging.threshold} or more, {fate}",
                self.no_relevant,
            ),
            ("judged queries that the run lacks, counted as 0 (as under trec_eval -c)", self.unranked),
            ("queries of the run without judgments, ignored", self.unjudged_queries),
        )
        return tuple(f"{what}: {len(ids)}" for what, ids in counted if ids)


def evaluate(
    run: Run,
    qrels: Qrels,
    measures: Iterable[Measure | str] = DEFAULT_MEASURES,
    *,
    judging: Judging = Judging(),
) -> Evaluation:
    """Judge a run: compute every measure for every judged query, and the means.

    `run` maps query ids to document ids in their final order, best first: it is never sorted here. `qrels`
    maps query ids to document ids to grades. Rankings are read as deep as the measures look; beyond that
    they are not checked for repeats either. Memory grows with the judgments, not with the rankings.

    Raises MeasureError for an unknown measure, empty qrels, a run that shares no query with the qrels, no
    query with a relevant document, a document ranked twice, a grade that is not a whole number, and a grade
    that the gains have no place for.

    >>> run, qrels = {"q1": ["a", "b", "c"]}, {"q1": {"b": 1, "c": 2}}
    >>> result = evaluate(run, qrels, ["RR@10", "nDCG@10", "precision@2"])
    >>> {name: round(value, 4) for name, value in result.measures.items()}
    {'RR@10': 0.5, 'nDCG@10': 0.6199, 'precision@2': 0.5}
    """
    wanted = _wanted(measures)
    unjudged = tuple(query_id for query_id in run if query_id not in qrels)
    _check_overlap(run, qrels, len(unjudged))
    _check_grades(qrels)
    no_relevant = tuple(
        query_id for query_id, judged in qrels.items() if max(judged.values(), default=0) < judging.threshold
    )
    left_out = set(no_relevant) if judging.no_relevant == "drop" else set()
    query_ids = tuple(query_id for query_id in qrels if query_id not in left_out)
    if not query_ids:
        raise _nothing_relevant(qrels, judging.threshold)
    per_query = _score(run, qrels, query_ids, measures=wanted, judging=judging)
    return Evaluation(
        measures={name: float(values.mean()) for name, values in per_query.items()},
        per_query=per_query,
        query_ids=query_ids,
        no_relevant=no_relevant,
        unranked=tuple(query_id for query_id in query_ids if query_id not in run),
        unjudged_queries=unjudged,
        judging=judging,
    )


def _score(
    run: Run, qrels: Qrels, query_ids: Sequence[str], *, measures: Sequence[Measure], judging: Judging
) -> dict[str, NDArray[np.float64]]:
    """Return every measure's values, aligned with `query_ids`, computed block by block."""
    per_query = {str(measure): np.empty(len(query_ids)) for measure in measures}
    start = 0
    for block in cut_blocks(run, qrels, query_ids, depth=_depth(measures), judging=judging):
        end = start + len(block.lengths)
        for measure in measures:
            scope = Scope(measure.cutoff, judging.threshold if measure.rel is None else measure.rel)
            per_query[str(measure)][start:end] = measure.formula(block, scope)
        start = end
    for values in per_query.values():
        values.setflags(write=False)
    return per_query


def _depth(measures: Sequence[Measure]) -> int | None:
    """Return the deepest rank that any measure looks at, None if one looks at all."""
    cutoffs = [measure.cutoff for measure in measures if measure.cutoff is not None]
    return max(cutoffs) if len(cutoffs) == len(measures) else None


def _wanted(measures: Iterable[Measure | str]) -> tuple[Measure, ...]:
    if isinstance(measures, str):
        raise MeasureError(f"measures is the text {measures!r}; give a list, for example [{measures!r}]")
    wanted = tuple(Measure.parse(item) if isinstance(item, str) else item for item in measures)
    if not wanted:
        raise MeasureError('no measure was asked for; give at least one, for example ["nDCG@10"]')
    return wanted


def _check_overlap(run: Run, qrels: Qrels, unjudged: int) -> None:
    if not qrels:
        raise MeasureError("there are no judgments (the qrels are empty); give query_id -> doc_id -> grade")
    if not run:
        raise MeasureError(f"the run is empty, but {len(qrels)} queries are judged; give query_id -> ranked doc_ids")
    if unjudged == len(run):
        raise MeasureError(
            f"none of the run's {len(run)} queries (such as {next(iter(run))!r}) is among the {len(qrels)} "
            f"judged ones (such as {next(iter(qrels))!r}); check that run and qrels are of the same data set "
            "and split"
        )


def _check_grades(qrels: Qrels) -> None:
    """Raise for a grade that would lose its fraction, or isn't a number, before anything is counted."""
    kinds = set(map(type, chain.from_iterable(judged.values() for judged in qrels.values())))
    for kind in kinds:
        if not issubclass(kind, (int, np.integer)):
            raise _not_whole(qrels, kind)


def _not_whole(qrels: Qrels, kind: type) -> MeasureError:
    query_id, doc_id, grade = next(
        (query_id, doc_id, grade)
        for query_id, judged in qrels.items()
        for doc_id, grade in judged.items()
        if type(grade) is kind
    )
    return MeasureError(
        f"the grade of document {doc_id!r} for query {query_id!r} is {grade!r}; grades are whole numbers, "
        "larger is better, 0 is irrelevant"
    )


def _nothing_relevant(qrels: Qrels, threshold: int) -> MeasureError:
    top = max((grade for judged in qrels.values() for grade in judged.values()), default=None)
    found = "they hold no document" if top is None else f"the highest grade found is {top}"
    return MeasureError(
        f"none of the {len(qrels)} judged queries has a relevant document (grade {threshold} or more; {found}),"
        " so no query is left; lower the threshold, or check the qrels"
    )
