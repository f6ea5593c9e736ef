"""Cells: every derived index of an index folder, searched with the judged queries and measured."""

import itertools
import statistics
import time
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from searchapp.bench.report import Cell, Report
from searchapp.build import Progress, silent
from searchapp.corpus import Dataset
from searchapp.errors import InputError, UsageError
from searchapp.index import NO_ROW, Index, Ranking, Setting, is_kind, plan_kind
from searchapp.index.manifest import Derived
from searchapp.index.vectors import Rows, Vectors
from searchapp.metrics import DEFAULT_MEASURES, Gains, Judging, Measure, evaluate
from searchapp.records import Hit
from searchapp.search import Searcher

Protocol: TypeAlias = Literal["full-corpus", "judged-pool"]
LEAST_ROUNDS, MOST_ROUNDS, LEAST_SECONDS = 1, 9, 0.5
"""Searches are timed until they have taken this long together, but not more often than that."""
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
    no_relevant: Literal["drop", "zero"] = "drop"
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
        no_relevant=options.no_relevant,
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
        notes=(*evaluation.notes, *missing, *_notes(dataset, index), *_pool_note(cells, options)),
    )


def _settings(index: Index, options: BenchOptions) -> Iterator[tuple[Derived, Setting]]:
    """Yield every derived index the options ask for, with every combination of search parameters that it takes.

    Lists are visited where there are lists, and rescoring goes where it may change anything.
    """
    if 0 in options.nprobe:
        raise UsageError("--nprobe 0 would visit no list; type 1 or more")
    chosen = [derived for derived in index.manifest.derived if _is_asked(derived, index, options)]
    if not chosen:
        held = ", ".join(derived.name for derived in index.manifest.derived) or "vectors alone"
        raise UsageError(
            f"{index.folder} holds {held}; none of it was asked for, so choose among these with --dims, --kinds"
        )
    for derived in chosen:
        probes: Sequence[int | None] = (None,)
        if derived.nlist:
            probes = sorted({min(nprobe, derived.nlist) for nprobe in options.nprobe}) or (None,)
        is_exact = derived.factory == "Flat" and derived.dim == index.manifest.dim
        rescores: Sequence[int | None] = (None,) if is_exact else (options.rescore or (None,))
        for nprobe, rescore in itertools.product(probes, rescores):
            yield derived, Setting(derived.dim, derived.kind, nprobe, rescore)


def _is_asked(derived: Derived, index: Index, options: BenchOptions) -> bool:
    if options.dims and derived.dim not in options.dims:
        return False
    auto = plan_kind("auto", rows=len(index), dim=derived.dim).kind
    return not options.kinds or any(is_kind(derived, auto if kind == "auto" else kind) for kind in options.kinds)


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
    measures = _measures(options)
    if options.protocol == "judged-pool":
        pools = _judged_rows(dataset, index)

        def search() -> list[Ranking]:
            pairs = zip(vectors, pools, strict=True)
            return [index.search_among(vector[None], rows, setting) for vector, rows in pairs]
    else:
        depth = _depth(options, len(index))

        def search() -> list[Ranking]:
            return [index.search(vectors, depth, setting)]

    rankings, seconds = _timed(search)
    run = _run(dataset, index, rankings)
    evaluation = evaluate(
        {query_id: [hit.doc_id for hit in hits] for query_id, hits in run.items()},
        dataset.qrels,
        measures,
        judging=judging,
    )
    asked = derived.rescore if setting.rescore is None else setting.rescore
    return Cell(
        dim=derived.dim,
        kind=derived.kind,
        nprobe=setting.nprobe or derived.nprobe,
        rescore=max(asked, max(ranking.rows.shape[1] for ranking in rankings)) if asked else 0,
        evaluation=evaluation,
        run=run,
        ties=_ties(dataset, rankings, measures, evaluated=set(evaluation.query_ids)),
        bytes_per_vector=index.manifest.files[derived.file].bytes / len(index),
        queries_per_second=len(vectors) / seconds,
    )


def _timed(search: Callable[[], list[Ranking]]) -> tuple[list[Ranking], float]:
    """Search once unmeasured, so that files are mapped and threads there; then return the median seconds of some."""
    rankings = search()
    taken: list[float] = []
    while len(taken) < LEAST_ROUNDS or (sum(taken) < LEAST_SECONDS and len(taken) < MOST_ROUNDS):
        start = time.perf_counter()
        search()
        taken.append(time.perf_counter() - start)
    return rankings, statistics.median(taken)


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


def _judged_rows(dataset: Dataset, index: Index) -> list[Rows]:
    """Return, for each query, the rows of the documents it has judgments for."""
    places = index.documents.rows(doc_id for judged in dataset.qrels.values() for doc_id in judged)
    judged = [[places.get(doc_id) for doc_id in dataset.qrels[query.query_id]] for query in dataset.queries]
    return [np.array([row for row in rows if row is not None], dtype=np.int64) for rows in judged]


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


def _ties(
    dataset: Dataset, rankings: Sequence[Ranking], measures: Sequence[Measure], *, evaluated: Container[str]
) -> dict[int, int]:
    """Count the evaluated queries with a tie at each cutoff of the measures: ranks k and k + 1 score the same."""
    counts = dict.fromkeys(sorted({measure.cutoff for measure in measures if measure.cutoff}), 0)
    queries = iter(dataset.queries)
    for ranking in rankings:
        for row, scores in enumerate(ranking.scores):
            if next(queries).query_id not in evaluated:
                continue
            for cutoff in counts:
                if cutoff == len(scores):
                    counts[cutoff] += bool(ranking.tied[row])
                elif cutoff < len(scores) and ranking.rows[row, cutoff] != NO_ROW:
                    counts[cutoff] += bool(scores[cutoff - 1] == scores[cutoff])
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


def _pool_note(cells: Sequence[Cell], options: BenchOptions) -> list[str]:
    if options.protocol != "judged-pool" or not any(cell.rescore for cell in cells):
        return []
    return ["rescored cells rank a judged pool at full width, so they equal flat's; --rescore 0 judges the codes"]


def _notes(dataset: Dataset, index: Index) -> list[str]:
    counts = index.manifest.counts
    notes = []
    if counts.get("truncated"):
        notes.append(
            f"{counts['truncated']:,} documents were longer than max_seq_length "
            f"{index.manifest.encoder['max_seq_length']} and lost {counts['tokens_lost']:,} tokens"
        )
    survey = dataset.corpus.survey()
    if survey.fingerprint != index.manifest.corpus["fingerprint"]:
        notes.append(
            f"the index was made from another corpus than this data set's, or with other columns: {len(index):,} "
            f"documents in the index, {survey.count:,} in the data set"
        )
    if counts.get("skipped"):
        notes.append(f"{counts['skipped']:,} bad rows of the corpus were skipped")
    if dataset.skipped.count:
        notes.append(f"{dataset.skipped.count:,} bad rows of queries and judgments were skipped")
    return notes
