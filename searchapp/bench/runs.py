"""A cell's run, held compactly: hits become records only when somebody looks at them."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from searchapp.index import NO_ROW, Ranking
from searchapp.index.vectors import Rows
from searchapp.records import Hit


class RowedDocuments(Protocol):
    """Documents by row."""

    def ids(self, rows: Rows) -> list[str]:
        """Return the doc_ids of the given rows, in the given order."""
        ...

    def rows(self, doc_ids: Iterable[str]) -> dict[str, int]:
        """Return the row of every given doc_id that is there."""
        ...


class Rowed(Protocol):
    """What has documents by row: an index, or a corpus that was listed."""

    def __len__(self) -> int:
        """Return how many documents there are."""
        ...

    def living_documents(self) -> Rows:
        """Return the first row of every document, int64, ascending."""
        ...

    @property
    def documents(self) -> RowedDocuments:
        """Return the documents."""
        ...


class RankedRun(Mapping[str, Sequence[Hit]]):
    """query_id -> hits, best first, in 12 bytes a hit and one string a document.

    query_ids: the queries in their order; one without hits has an empty list.
    lengths: int64 (queries,), how many hits each has.
    doc_ids, scores: the hits of all queries laid end to end, float32 scores.
    """

    def __init__(
        self,
        query_ids: Sequence[str],
        lengths: npt.NDArray[np.int64],
        doc_ids: Sequence[str],
        scores: npt.NDArray[np.float32],
    ) -> None:
        self._places = {query_id: place for place, query_id in enumerate(query_ids)}
        self._ends = np.concatenate([[0], np.cumsum(lengths)])
        self._doc_ids = doc_ids
        self._scores = scores

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __getitem__(self, query_id: str) -> list[Hit]:
        part = self._part(query_id)
        pairs = zip(self._doc_ids[part], self._scores[part].tolist(), strict=True)
        return [Hit(rank, doc_id, score) for rank, (doc_id, score) in enumerate(pairs, 1)]

    def scored(self, query_id: str) -> tuple[Sequence[str], npt.NDArray[np.float32]]:
        """Return the doc_ids and float32 scores of a query's hits, best first."""
        part = self._part(query_id)
        return self._doc_ids[part], self._scores[part]

    def rankings(self) -> dict[str, Sequence[str]]:
        """Return query_id -> doc_ids, best first: what `evaluate` takes."""
        return {query_id: self._doc_ids[self._part(query_id)] for query_id in self._places}

    def write(self, path: Path) -> None:
        """Write the run as Parquet, for `read_ranked_run`; ids may hold anything."""
        lengths = np.diff(self._ends)
        names = pa.array(list(self._places), pa.string())
        queries = pa.DictionaryArray.from_arrays(np.repeat(np.arange(len(self), dtype=np.int32), lengths), names)
        documents = pa.array(self._doc_ids, pa.string()).dictionary_encode()
        table = pa.table({"query_id": queries, "doc_id": documents, "score": pa.array(self._scores, pa.float32())})
        pq.write_table(table.replace_schema_metadata({"queries": _join(self._places)}), path)

    def _part(self, query_id: str) -> slice:
        place = self._places[query_id]
        return slice(int(self._ends[place]), int(self._ends[place + 1]))


def ranked_run(index: Rowed, query_ids: Sequence[str], rankings: Sequence[Ranking]) -> RankedRun:
    """Return the run that rankings stand for; laid end to end they are in the order of the queries."""
    rows = [row[row != NO_ROW] for ranking in rankings for row in ranking.rows]
    scores = [
        score[row != NO_ROW] for ranking in rankings for row, score in zip(ranking.rows, ranking.scores, strict=True)
    ]
    laid = np.concatenate(rows) if rows else np.empty(0, np.int64)
    found, places = np.unique(laid, return_inverse=True)
    names = np.array(index.documents.ids(found), dtype=object)
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return RankedRun(
        query_ids, lengths, names[places].tolist(), np.concatenate(scores) if scores else np.empty(0, np.float32)
    )


def top_documents(run: Mapping[str, Sequence[Hit]], count: int) -> set[str]:
    """Return the documents that are among the best `count` of any query."""
    if isinstance(run, RankedRun):
        return {doc_id for ranking in run.rankings().values() for doc_id in ranking[:count]}
    return {hit.doc_id for hits in run.values() for hit in hits[:count]}


def tied_beyond(rankings: Sequence[Ranking]) -> list[bool]:
    """Return, for each query, whether the last hit that was kept and the one beyond it have the same score."""
    return [bool(tied) for ranking in rankings for tied in ranking.tied]


def compact(query_ids: Sequence[str], run: Mapping[str, Sequence[Hit]]) -> RankedRun:
    """Return another system's run compactly, for these queries only; one that it lacks has no hits."""
    held = [run.get(query_id, ()) for query_id in query_ids]
    doc_ids = [hit.doc_id for hits in held for hit in hits]
    scores = np.array([hit.score for hits in held for hit in hits], dtype=np.float32)
    return RankedRun(query_ids, np.array([len(hits) for hits in held], dtype=np.int64), doc_ids, scores)


def read_ranked_run(path: Path) -> RankedRun:
    """Read the run that `RankedRun.write` wrote."""
    table = pq.read_table(path).combine_chunks()
    query_ids = _split(table.schema.metadata[b"queries"])
    numbers = {query_id: place for place, query_id in enumerate(query_ids)}
    queries, documents = (table[name].combine_chunks() for name in ("query_id", "doc_id"))
    queries, documents = (_encoded(column) for column in (queries, documents))
    of = np.array([numbers[query_id] for query_id in queries.dictionary.to_pylist()], dtype=np.int64)
    lengths = np.bincount(of[queries.indices.to_numpy()] if len(table) else [], minlength=len(query_ids))
    names = np.array(documents.dictionary.to_pylist(), dtype=object)
    doc_ids = names[documents.indices.to_numpy()].tolist() if len(table) else []
    return RankedRun(query_ids, lengths, doc_ids, table["score"].to_numpy())


def _encoded(column: pa.Array) -> pa.DictionaryArray:
    return column if isinstance(column, pa.DictionaryArray) else column.dictionary_encode()


def _join(query_ids: Mapping[str, int]) -> bytes:
    return json.dumps(list(query_ids)).encode()


def _split(text: bytes) -> list[str]:
    found: list[str] = json.loads(text)
    return found
