"""Blocks: a run is looked up for where its judged documents stand, a bounded number of queries at a time."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain, count, repeat
from typing import TypeAlias

import numpy as np

from searchapp.errors import MeasureError
from searchapp.metrics.judging import Judging
from searchapp.metrics.ranking import UNRANKED, JudgedRanks

Run: TypeAlias = Mapping[str, Sequence[str]]
"""query_id -> doc_ids, best first; the order is final."""

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]
"""query_id -> doc_id -> grade."""

_BLOCK_QUERIES = 1024


def cut_blocks(
    run: Run, qrels: Qrels, query_ids: Sequence[str], *, depth: int | None, judging: Judging
) -> Iterator[JudgedRanks]:
    """Yield the queries in order, at most 1,024 at a time.

    Rankings are read to `depth` (None: all); a query that the run lacks has an empty one. Every query must be in
    `qrels`. Raises MeasureError for a document that a ranking holds twice within that depth.
    """
    for start in range(0, len(query_ids), _BLOCK_QUERIES):
        yield _block(run, qrels, query_ids[start : start + _BLOCK_QUERIES], depth=depth, judging=judging)


def _block(run: Run, qrels: Qrels, query_ids: Sequence[str], *, depth: int | None, judging: Judging) -> JudgedRanks:
    """Look up the rank of every judged document; the only work that is done document by document."""
    lengths = np.zeros(len(query_ids), dtype=np.int64)
    ranks: list[int] = []
    for number, query_id in enumerate(query_ids):
        top = _top(run.get(query_id, ()), query_id, depth=depth, drop_self=judging.drop_self)
        rank_of = dict(zip(top, count(1), strict=False))
        if len(rank_of) != len(top):
            raise _repeat(top, run[query_id], query_id)
        lengths[number] = len(top)
        ranks.extend(map(rank_of.get, qrels[query_id], repeat(UNRANKED)))
    judgments = [qrels[query_id] for query_id in query_ids]
    return JudgedRanks(
        query=np.repeat(np.arange(len(query_ids), dtype=np.int64), [len(judged) for judged in judgments]),
        grade=np.fromiter(chain.from_iterable(judged.values() for judged in judgments), dtype=np.int64),
        rank=np.array(ranks, dtype=np.int64),
        lengths=lengths,
        gains=judging.gains,
    )


def _top(ranking: Sequence[str], query_id: str, *, depth: int | None, drop_self: bool) -> Sequence[str]:
    """Return the documents that count, best first."""
    if not drop_self:
        return ranking[:depth]
    one_more = None if depth is None else depth + 1
    return [doc_id for doc_id in ranking[:one_more] if doc_id != query_id][:depth]


def _repeat(top: Sequence[str], ranking: Sequence[str], query_id: str) -> MeasureError:
    doc_id = next(doc_id for doc_id, times in Counter(top).items() if times > 1)
    first, second = [rank for rank, other in enumerate(ranking, start=1) if other == doc_id][:2]
    return MeasureError(
        f"the ranking of query {query_id!r} holds document {doc_id!r} twice, at ranks {first} and {second}; "
        "a ranking holds each document once: keep the first and take out the others"
    )
