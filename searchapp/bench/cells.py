"""Cells: every derived index of an index folder, searched with the judged queries and measured."""

import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from searchapp.bench.report import Cell, Report
from searchapp.build import Progress, silent
from searchapp.corpus import Dataset
from searchapp.errors import InputError, UsageError
from searchapp.index import NO_ROW, Index, Ranking, Setting, is_kind
from searchapp.index.manifest import Derived
from searchapp.index.vectors import Vectors
from searchapp.metrics import DEFAULT_MEASURES, Gains, Judging, Measure, evaluate
from searchapp.records import Hit
from searchapp.search import Searcher

Protocol: TypeAlias = Literal["full-corpus", "judged-pool"]
WARM = 8
"""Queries searched before the clock starts, so that files are mapped and threads are there."""
NAMED = 3
"""How many missing ids an error names."""


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure. Empty dims and kinds take all that the index holds; None takes the data set's own."""

    dims: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    nprobe: tuple[int, ...] = ()
    rescore: tuple[int, ...] = ()
    measures: tuple[Measure, ...] = DEFAULT_MEASURES
    gains: Gains | None = None
    threshold: int | None = None
    protocol: Protocol = "full-corpus"
    drop_self: bool = False
    allow_missing: bool = False


def run_bench(
    dataset: Dataset, searcher: Searcher, *, options: BenchOptions = BenchOptions(), progress: Progress = silent
) -> Report:
    """Search the judged queries with every (dim, kind, nprobe, rescore) and measure each.

    Queries are embedded once. Raises InputError where judged documents are not in the index, unless `allow_missing`;
    MeasureError where nothing can be computed.
    """
    index = searcher.index
    judging = Judging(
        gains=options.gains or Gains.parse(dataset.gains),
        threshold=dataset.threshold if options.threshold is None else options.threshold,
        drop_self=options.drop_self,
    )
    missing = _missing_documents(dataset, index, allowed=options.allow_missing)
    texts = [query.text for query in dataset.queries]
    progress("embedding queries", 0, len(texts))
    vectors = searcher.encoder.encode_queries(texts)
    cells = []
    planned = list(_settings(index, options))
    for done, (derived, setting) in enumerate(planned):
        progress("searching", done, len(planned))
        cells.append(_measure(dataset, index, vectors, derived=derived, setting=setting, judged=(options, judging)))
    evaluation = cells[0].evaluation
    return Report(
        dataset=dataset.name,
        split=dataset.split,
        model=str(index.manifest.encoder["model"]),
        protocol=options.protocol,
        gains=judging.gains.name,
        relevant=_threshold(judging.threshold, dataset.labels),
        documents=len(index),
        queries={
            "judged": len(dataset.qrels),
            "evaluated": len(evaluation.query_ids),
            "without_relevant": len(evaluation.no_relevant),
        },
        cells=tuple(cells),
        notes=(*evaluation.notes, *missing, *_notes(dataset, index)),
    )


def _settings(index: Index, options: BenchOptions) -> Iterator[tuple[Derived, Setting]]:
    """Yield every derived index the options ask for, with every combination of search parameters that it takes."""
    chosen = [
        derived
        for derived in index.manifest.derived
        if (not options.dims or derived.dim in options.dims)
        and (not options.kinds or any(kind == "auto" or is_kind(derived, kind) for kind in options.kinds))
    ]
    if not chosen:
        held = ", ".join(derived.name for derived in index.manifest.derived)
        raise UsageError(
            f"{index.folder} holds {held}; none of it was asked for, so choose among these with --dims, --kinds"
        )
    for derived in chosen:
        probes: Sequence[int | None] = (options.nprobe or (None,)) if derived.nlist else (None,)
        rescores: Sequence[int | None] = (None,) if derived.kind == "flat" else (options.rescore or (None,))
        for nprobe, rescore in itertools.product(probes, rescores):
            yield derived, Setting(derived.dim, derived.kind, nprobe, rescore)


def _measure(
    dataset: Dataset,
    index: Index,
    vectors: Vectors,
    *,
    derived: Derived,
    setting: Setting,
    judged: tuple[BenchOptions, Judging],
) -> Cell:
    options, judging = judged
    index.search(vectors[:WARM], 1, setting)
    start = time.perf_counter()
    if options.protocol == "judged-pool":
        rankings = _rank_pools(dataset, index, vectors, setting)
        ranking = None
    else:
        ranking = index.search(vectors, _depth(options, len(index)), setting)
        rankings = [ranking]
    seconds = time.perf_counter() - start
    run = _run(dataset, index, rankings)
    evaluation = evaluate(
        {query_id: [hit.doc_id for hit in hits] for query_id, hits in run.items()},
        dataset.qrels,
        _measures(options),
        judging=judging,
    )
    size = index.manifest.files[derived.file].bytes
    return Cell(
        dim=derived.dim,
        kind=derived.kind,
        nprobe=setting.nprobe or derived.nprobe,
        rescore=derived.rescore if setting.rescore is None else setting.rescore,
        evaluation=evaluation,
        run=run,
        ties={} if ranking is None else _ties(ranking, _measures(options)),
        bytes_per_vector=size / len(index),
        queries_per_second=len(vectors) / seconds,
    )


def _depth(options: BenchOptions, documents: int) -> int:
    """Return how deep to search: as far as the measures look, and one further where a query's own id is dropped."""
    cutoffs = [measure.cutoff or documents for measure in _measures(options)]
    return min(documents, max(cutoffs) + options.drop_self)


def _measures(options: BenchOptions) -> tuple[Measure, ...]:
    """Return the measures; a judged pool is also measured at full depth, as the ESCI paper does."""
    full = Measure.parse("nDCG")
    if options.protocol == "judged-pool" and full not in options.measures:
        return (*options.measures, full)
    return options.measures


def _rank_pools(dataset: Dataset, index: Index, vectors: Vectors, setting: Setting) -> list[Ranking]:
    """Rank, for each query, only the documents it has judgments for."""
    places = index.documents.rows(doc_id for judged in dataset.qrels.values() for doc_id in judged)
    rankings = []
    for query, vector in zip(dataset.queries, vectors, strict=True):
        rows = [places[doc_id] for doc_id in dataset.qrels[query.query_id] if doc_id in places]
        rankings.append(index.search_among(vector[None], np.array(rows, dtype=np.int64), setting))
    return rankings


def _run(dataset: Dataset, index: Index, rankings: Sequence[Ranking]) -> dict[str, list[Hit]]:
    """Return the hits per query id; the rankings, laid end to end, are in the order of the data set's queries."""
    run: dict[str, list[Hit]] = {}
    queries = iter(dataset.queries)
    for ranking in rankings:
        ids = iter(index.documents.ids(ranking.rows[ranking.rows != NO_ROW]))
        for rows, scores in zip(ranking.rows, ranking.scores, strict=True):
            found = scores[rows != NO_ROW].tolist()
            run[next(queries).query_id] = [Hit(rank, next(ids), score) for rank, score in enumerate(found, 1)]
    return run


def _ties(ranking: Ranking, measures: Sequence[Measure]) -> dict[int, int]:
    """Count the queries with a tie at each cutoff of the measures."""
    width = ranking.scores.shape[1]
    counts = {}
    for cutoff in sorted({measure.cutoff for measure in measures if measure.cutoff}):
        if cutoff < width:
            equal = ranking.scores[:, cutoff - 1] == ranking.scores[:, cutoff]
            counts[cutoff] = int((equal & (ranking.rows[:, cutoff] != NO_ROW)).sum())
        elif cutoff == width:
            counts[cutoff] = int(ranking.tied.sum())
    return counts


def _missing_documents(dataset: Dataset, index: Index, *, allowed: bool) -> list[str]:
    """Return a note on judged documents that the index lacks; raise InputError if that is not allowed."""
    judged = {doc_id for grades in dataset.qrels.values() for doc_id in grades}
    lacking = sorted(judged - index.documents.rows(judged).keys())
    if not lacking:
        return []
    found = f"{len(lacking):,} of {len(judged):,} judged documents are not in the index"
    if not allowed or len(lacking) == len(judged):
        raise InputError(
            f"{found} (such as {', '.join(lacking[:NAMED])}); check that corpus and judgments belong together"
            + ("" if len(lacking) == len(judged) else ", or type --allow-missing to count them as never found")
        )
    return [f"{found}, counted as never found"]


def _threshold(threshold: int, labels: Sequence[str]) -> str:
    return f"grade >= {threshold}" + (f" ({' or '.join(reversed(labels[threshold:]))})" if labels else "")


def _notes(dataset: Dataset, index: Index) -> list[str]:
    counts = index.manifest.counts
    notes = []
    if counts.get("truncated"):
        notes.append(
            f"{counts['truncated']:,} documents were longer than max_seq_length "
            f"{index.manifest.encoder['max_seq_length']} and lost {counts['tokens_lost']:,} tokens"
        )
    if dataset.skipped.count:
        notes.append(f"{dataset.skipped.count:,} bad rows of queries and judgments were skipped")
    return notes
