"""Baselines: what chance and what matching words would find, ranked like any other search."""

import hashlib
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchapp.bench.lexical import Bm25
from searchapp.bench.runs import Rowed
from searchapp.index import Ranking
from searchapp.index.ranking import order
from searchapp.index.vectors import Rows
from searchapp.records import Document, Query

BLOCK = 16_384
"""Documents whose rows are looked up at a time."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """A baseline's rankings, one of a single query each, in the order of the queries, and what it cost."""

    rankings: list[Ranking]
    """Rows (1, hits): as many hits as there are, up to k."""
    note: str
    """What a reader of the numbers must know."""
    index_bytes: int | None = None
    build_seconds: float | None = None
    queries_per_second: float | None = None


def random_run(
    query_ids: Sequence[str], documents: Rows, *, k: int, pools: Sequence[Rows] | None = None, seed: int = 0
) -> Baseline:
    """Rank at random: k of the `documents`, or each query's pool shuffled; both int64 rows, a pool for each query.

    A query's order follows from the seed and its id alone, on any machine and with any release of NumPy (the raw
    stream of PCG64 is fixed). Scores count down to 1, without ties.
    """
    rankings = []
    for place, query_id in enumerate(query_ids):
        bits = _bits(seed, query_id)
        rows = (
            documents[_sample(bits, len(documents), k)] if pools is None else _shuffled(bits, np.sort(pools[place]))[:k]
        )
        scores = np.arange(len(rows), 0, -1, dtype=np.float32)
        rankings.append(Ranking(rows[None], scores[None], np.zeros(1, dtype=bool)))
    return Baseline(rankings, f"random: seed {seed}")


def bm25_run(
    index: Rowed,
    documents: Iterable[Document],
    queries: Sequence[Query],
    *,
    k: int,
    pools: Sequence[Rows] | None = None,
    language: str = "auto",
) -> Baseline:
    """Rank by BM25 over the texts of `documents`: score descending, then doc_id ascending.

    Only documents that the index has are counted and ranked; one of the index that is not among `documents` has no
    text and scores 0. Over the whole corpus a document without a word of the query is no hit; in a judged pool (int64
    rows, one array a query) every document gets its place, those with 0 last. Raises UsageError for an unknown
    language, MissingExtraError where bm25s is not installed.
    """
    began = time.perf_counter()
    rows: list[Rows] = []
    living = index.living_documents()
    bm25 = Bm25(_texts(index, documents, rows), language=language)
    places = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
    build_seconds = time.perf_counter() - began
    began = time.perf_counter()
    rankings = []
    for number, query in enumerate(queries):
        scores = np.zeros(int(living[-1]) + 1 if len(living) else 0, dtype=np.float32)
        scores[places] = bm25.scores(query.text)
        candidates = best_rows(scores, k) if pools is None else pools[number]
        rankings.append(order(candidates[None], scores[candidates][None], k, index.documents.ids))
    seconds = time.perf_counter() - began
    return Baseline(rankings, bm25.note, bm25.index_bytes, build_seconds, len(queries) / seconds if seconds else None)


def best_rows(scores: npt.NDArray[np.float32], k: int) -> Rows:
    """Return the rows that may be among the best k of float32 (rows,): those above 0, all ties with the k-th included.

    >>> best_rows(np.array([0, 3, 1, 2, 2], dtype=np.float32), 2).tolist()
    [1, 3, 4]
    """
    rows = np.flatnonzero(scores > 0)
    if len(rows) > k:
        found = scores[rows]
        rows = rows[found >= np.partition(found, len(rows) - k)[len(rows) - k]]
    return rows.astype(np.int64)


def _texts(index: Rowed, documents: Iterable[Document], rows: list[Rows]) -> Iterator[str]:
    """Yield the texts of the documents that the index has, and append their rows, a block at a time."""
    start, living = 0, index.living_documents()
    stream = iter(documents)
    while block := list(itertools.islice(stream, BLOCK)):
        ids = [document.doc_id for document in block]
        same = living[start : start + len(block)]
        start += len(block)
        if ids == index.documents.ids(same):
            found: dict[str, int] = dict(zip(ids, same.tolist(), strict=True))
        else:
            found = index.documents.rows(ids)
        held = [document for document in block if document.doc_id in found]
        rows.append(np.array([found[document.doc_id] for document in held], dtype=np.int64))
        for document in held:
            yield document.text


def _bits(seed: int, query_id: str) -> np.random.PCG64:
    digest = hashlib.sha256(f"{seed}\n{query_id}".encode()).digest()
    return np.random.PCG64(int.from_bytes(digest[:16], "big"))


def _shuffled(bits: np.random.PCG64, rows: Rows) -> Rows:
    return rows[np.argsort(bits.random_raw(len(rows)), kind="stable")]


def _sample(bits: np.random.PCG64, documents: int, k: int) -> Rows:
    """Return min(k, documents) distinct rows in random order: few are drawn until there are enough, many shuffled."""
    if 4 * k > documents:
        return _shuffled(bits, np.arange(documents, dtype=np.int64))[:k]
    drawn = np.empty(0, dtype=np.int64)
    while len(drawn) < k:
        more = (bits.random_raw(2 * k) % np.uint64(documents)).astype(np.int64)
        drawn = np.concatenate([drawn, more])
        drawn = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    return drawn[:k]
