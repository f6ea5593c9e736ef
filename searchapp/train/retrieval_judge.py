"""The judge on retrieval: the corpus embedded once, searched exactly at every dim, by the project's own measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from searchapp.build import Progress, silent
from searchapp.corpus import Dataset
from searchapp.encoders import Encoder
from searchapp.encoders.base import Vectors
from searchapp.errors import InputError
from searchapp.index.held import HeldVectors
from searchapp.judging.embedding import Embedder
from searchapp.judging.fingerprint import fingerprint
from searchapp.metrics import Gains, Judging, evaluate
from searchapp.records import Document, Query, Triplet
from searchapp.shards import SHARD_DOCUMENTS, cut_slices, cut_windows
from searchapp.train.examples import Example
from searchapp.train.judge import Measures
from searchapp.train.keys import RETRIEVAL_MEASURES, RETRIEVAL_PRIMARY
from searchapp.train.names import name_judge
from searchapp.train.recipe import JudgeSpec

Qrels: TypeAlias = Mapping[str, Mapping[str, int]]

_DEEPEST = max(measure.cutoff or 0 for measure in RETRIEVAL_MEASURES.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked and what can be found: queries, documents, and which are relevant to which."""

    queries: Sequence[Query]
    documents: Sequence[Document]
    qrels: Qrels
    judging: Judging = Judging()
    examples: Sequence[Example] = ()
    """The rows it was made of, where it was made of rows."""


def asked_of_dataset(dataset: Dataset, progress: Progress = silent) -> Asked:
    """Read a data set whole: its texts are held, its stored fields are not.

    Grades gain and are relevant as the data set says. Raises InputError where a judged document is not in the corpus.
    """
    documents: list[Document] = []
    for document in dataset.corpus.documents():
        documents.append(Document(document.doc_id, document.text))
        if len(documents) % 1000 == 0:
            progress("reading", len(documents), None)
    judged = {doc_id for grades in dataset.qrels.values() for doc_id in grades}
    if lacking := sorted(judged - {document.doc_id for document in documents}):
        raise InputError(
            f"{len(lacking):,} of {len(judged):,} judged documents are not in the corpus of {dataset.name} (such as "
            f"{', '.join(lacking[:5])}); check that corpus and judgments belong together"
        )
    judging = Judging(gains=Gains.parse(dataset.gains), threshold=dataset.threshold)
    return Asked(dataset.queries, documents, dataset.qrels, judging)


def asked_of_pairs(pairs: Sequence[Triplet]) -> Asked:
    """Make retrieval of rows: every different anchor is a query, every different positive a document.

    What stands beside an anchor in any row is relevant to it, grade 1; hard negatives are left out. Ids are the numbers
    of the texts in their order.
    """
    queries: dict[str, str] = {}
    documents: dict[str, str] = {}
    qrels: dict[str, dict[str, int]] = {}
    for pair in pairs:
        query_id = queries.setdefault(pair.anchor, str(len(queries)))
        doc_id = documents.setdefault(pair.positive, str(len(documents)))
        qrels.setdefault(query_id, {})[doc_id] = 1
    return Asked(
        tuple(Query(query_id, text) for text, query_id in queries.items()),
        tuple(Document(doc_id, text) for text, doc_id in documents.items()),
        qrels,
        examples=tuple(Example(pair.anchor, pair.positive) for pair in pairs),
    )


class RetrievalJudge:
    """Judges what is found among all documents, at every dim.

    Keys are those of sentence-transformers' InformationRetrievalEvaluator; the numbers are those of `searchapp bench`
    with a flat index of the same model. Raises UsageError for a measure that is none of the keys.
    """

    task = "retrieval"

    def __init__(self, asked: Asked, *, spec: JudgeSpec, dims: Sequence[int], progress: Progress = silent) -> None:
        self.names = name_judge(spec, dims, keys=tuple(RETRIEVAL_MEASURES), usual=RETRIEVAL_PRIMARY)
        self.measure = self.names.measure
        self.queries = tuple(query.text for query in asked.queries)
        self.documents = tuple(document.text for document in asked.documents)
        self.examples = asked.examples
        self._asked = asked
        self._doc_ids = [document.doc_id for document in asked.documents]
        self._progress = progress

    @cached_property
    def fingerprint(self) -> str:
        """Return sha256 of queries, documents, judgments and how they count, whatever their order."""
        asked, gains = self._asked, self._asked.judging.gains
        return fingerprint(
            [
                *(("query", query.query_id, query.text) for query in asked.queries),
                *(("document", document.doc_id, document.text) for document in asked.documents),
                *(("grade", q, d, grade) for q, grades in asked.qrels.items() for d, grade in grades.items()),
                ("judging", gains.name, gains.by_grade, asked.judging.threshold),
            ]
        )

    def judge(self, encoder: Encoder) -> Measures:
        """Measure every dim; raises BadVectorsError for vectors that are NaN, zero or all the same."""
        embedder = Embedder(encoder, self.names.dims, progress=self._progress)
        total = len(self.queries) + len(self.documents)
        queries = embedder.embed([self.queries], encoder.encode_queries, rows=len(self.queries), total=total)
        # The same cuts as on the way into an index, so that batches, and with them vectors, are the same.
        windows = (
            [document.text for document in window]
            for part in cut_slices(self._asked.documents, SHARD_DOCUMENTS)
            for window in cut_windows(part.documents)
        )
        documents = embedder.embed(windows, encoder.encode_documents, rows=len(self.documents), total=total)
        return {self.names.at(dim): self._measure(queries, documents, dim) for dim in self.names.dims}

    def _measure(self, queries: Vectors, documents: Vectors, dim: int) -> dict[str, float]:
        self._progress(f"measuring d{dim}", self.names.dims.index(dim), len(self.names.dims))
        ranking = HeldVectors(documents, self._doc_ids, dim=dim).search(queries, _DEEPEST)
        run = {
            query.query_id: [self._doc_ids[row] for row in rows]
            for query, rows in zip(self._asked.queries, ranking.rows.tolist(), strict=True)
        }
        found = evaluate(run, self._asked.qrels, RETRIEVAL_MEASURES.values(), judging=self._asked.judging).measures
        return {key: found[str(measure)] for key, measure in RETRIEVAL_MEASURES.items()}
