"""Rows beside the cells: baselines, and the runs of other systems, judged by the same judge."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from searchapp.bench.baselines import Baseline, bm25_run, random_run
from searchapp.bench.judge import Judge
from searchapp.bench.report import Cell, Cost
from searchapp.bench.runs import RankedRun, Rowed, compact, ranked_run, tied_beyond
from searchapp.bench.tokens import LOCALES
from searchapp.build import Progress
from searchapp.errors import InputError
from searchapp.index.vectors import Rows
from searchapp.records import Document, Hit, Query

Ranker = Callable[[Judge, Rowed, Sequence[Rows] | None], Baseline]


def _random(judge: Judge, corpus: Rowed, pools: Sequence[Rows] | None) -> Baseline:
    k = judge.options.depth(len(corpus))
    return random_run(judge.query_ids, corpus.living_documents(), k=k if pools is None else len(corpus), pools=pools)


def _bm25(judge: Judge, corpus: Rowed, pools: Sequence[Rows] | None) -> Baseline:
    k = judge.options.depth(len(corpus))
    return bm25_run(
        corpus,
        judge.dataset.corpus.documents(),
        judge.dataset.queries,
        k=k if pools is None else len(corpus),
        pools=pools,
        language=choose_language(judge.options.language, judge.dataset.queries),
    )


BASELINES: dict[str, Ranker] = {"random": _random, "bm25": _bm25}
"""A baseline is a row here."""


def baseline_cells(judge: Judge, corpus: Rowed, *, progress: Progress) -> tuple[list[Cell], list[str]]:
    """Return the rows of the baselines asked for, over the documents of an index, and notes on them."""
    pools = judge.pools(corpus) if judge.options.protocol == "judged-pool" else None
    cells, notes = [], []
    for done, name in enumerate(judge.options.baselines):
        progress(f"baseline {name}", done, len(judge.options.baselines))
        found = BASELINES[name](judge, corpus, pools)
        run = ranked_run(corpus, judge.query_ids, found.rankings)
        cost = Cost(
            bytes_per_vector=None if found.index_bytes is None else found.index_bytes / len(corpus),
            index_bytes=found.index_bytes,
            build_seconds=found.build_seconds,
            queries_per_second=found.queries_per_second,
        )
        cells.append(_row(judge, name, run, cost=cost, tied=tied_beyond(found.rankings)))
        notes.append(found.note)
    return cells, notes


def choose_language(asked: str, queries: Iterable[Query]) -> str:
    """Return BM25's language: what was asked for, else that of the queries' one locale, else "auto"."""
    if asked != "auto":
        return asked
    locales = {str(query.fields.get("locale", "")) for query in queries}
    return next(iter(locales)) if len(locales) == 1 and locales <= LOCALES.keys() else "auto"


def system_cell(judge: Judge, name: str, hits: Mapping[str, Sequence[Hit]]) -> tuple[Cell, list[str]]:
    """Judge another system's run, and say what is missing in it; of a judged pool only what is judged counts.

    Raises InputError for a run that has none of the judged queries.
    """
    qrels = judge.dataset.qrels
    if not hits.keys() & qrels.keys():
        raise InputError(
            f"the run {name} has none of the {len(qrels):,} judged queries (such as {next(iter(qrels))!r}, the run has "
            f"{next(iter(hits), None)!r}); name a run of this data set and split"
        )
    notes = []
    if judge.options.protocol == "judged-pool":
        hits = {query: [hit for hit in found if hit.doc_id in qrels.get(query, ())] for query, found in hits.items()}
        lacking = sum(len(judged) - len(hits.get(query, ())) for query, judged in qrels.items())
        if lacking:
            notes.append(
                f"{name} lacks {lacking:,} of {sum(map(len, qrels.values())):,} judged documents, which rank nowhere: "
                "a run cut at some rank scores less in a judged pool than the same system ranking all of it"
            )
    if unranked := len(qrels.keys() - hits.keys()):
        notes.append(f"{name} lacks {unranked:,} of {len(qrels):,} judged queries, counted as 0")
    run = compact(judge.query_ids, hits)
    return _row(judge, name, run, cost=Cost(), tied=[False] * len(run)), notes


def _row(judge: Judge, name: str, run: RankedRun, *, cost: Cost, tied: Sequence[bool]) -> Cell:
    evaluation = judge.evaluate(run)
    return Cell(
        name=name,
        model=None,
        dim=None,
        kind=name,
        nprobe=None,
        rescore=0,
        query_ids=evaluation.query_ids,
        per_query=evaluation.per_query,
        intervals=judge.intervals(evaluation.per_query),
        run=run,
        ties=judge.ties(run, tied, evaluated=frozenset(evaluation.query_ids)),
        cost=cost,
    )


class ListedDocuments:
    """The ids of a corpus by row, where there is no index: what baselines and titles need of one."""

    def __init__(self, documents: Iterable[Document]) -> None:
        self._ids = [document.doc_id for document in documents]
        self._rows = {doc_id: row for row, doc_id in enumerate(self._ids)}

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def documents(self) -> "ListedDocuments":
        """Return itself: an index has its documents as a part."""
        return self

    def living_documents(self) -> Rows:
        """Return the row of every document."""
        return np.arange(len(self._ids), dtype=np.int64)

    def ids(self, rows: Rows) -> list[str]:
        """Return the doc_ids of the given rows, in the given order."""
        return [self._ids[row] for row in np.asarray(rows).tolist()]

    def rows(self, doc_ids: Iterable[str]) -> dict[str, int]:
        """Return the row of every given doc_id that is in the corpus."""
        return {doc_id: self._rows[doc_id] for doc_id in doc_ids if doc_id in self._rows}
