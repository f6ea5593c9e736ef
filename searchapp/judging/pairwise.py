"""Triplets and scored pairs: every text is embedded once, every dim is cut from that.

Vectors are cut and not made unit length again, as sentence-transformers' `truncate_dim` does: the cosine doesn't mind,
and dot, Manhattan and Euclidean are those of the numbers that the model gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import Vectors
from searchapp.errors import MeasureError
from searchapp.judging.embedding import Embedder, Rows, cut_texts, distinct
from searchapp.metrics.pairs import SIMILARITIES, Values, pair_similarities, triplet_hits
from searchapp.records import ScoredPair, Triplet

TRIPLETS_PRIMARY = "cosine_accuracy"
PAIRS_PRIMARY = "spearman_cosine"

_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedTriplets:
    """Triplets as rows: each anchor beside its positive, then beside each of its negatives.

    queries, documents: vectors of the different texts, float32 (texts, widest dim).
    query_rows, document_rows: (m,), the row of each anchor and of what it is held against.
    owner: (m,), which triplet that is. is_positive: (m,), whether it is the triplet's positive.
    """

    queries: Vectors
    documents: Vectors
    query_rows: Rows
    document_rows: Rows
    owner: Rows
    is_positive: npt.NDArray[np.bool_]

    def hits(self, dim: int) -> dict[str, npt.NDArray[np.bool_]]:
        """Tell for each triplet, at a dim, whether its positive is nearer than every negative; see `triplet_hits`."""
        found = _similarities(self.queries, self.query_rows, self.documents, self.document_rows, dim)
        positive = {name: values[self.is_positive] for name, values in found.items()}
        negative = {name: values[~self.is_positive] for name, values in found.items()}
        return triplet_hits(positive, negative, self.owner[~self.is_positive])


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddedPairs:
    """Scored pairs as rows of vectors; gold: float64 (pairs,), what people said."""

    vectors: Vectors
    rows: Rows
    gold: Values

    def similarities(self, dim: int) -> dict[str, Values]:
        """Return the four similarities of each pair at a dim, float64 (pairs,)."""
        return _similarities(self.vectors, self.rows[::2], self.vectors, self.rows[1::2], dim)


def embed_triplets(triplets: Sequence[Triplet], embedder: Embedder) -> EmbeddedTriplets:
    """Embed triplets: anchors with the query prompt, positives and negatives with the document prompt.

    Memory: a vector of the widest dim for each distinct text. Raises MeasureError where there are no triplets.
    """
    if not triplets:
        raise MeasureError("there are no triplets; give one or more")
    anchors, anchor_rows = distinct(one.anchor for one in triplets)
    documents, rows = distinct(text for one in triplets for text in (one.positive, *one.negatives))
    owner = np.repeat(np.arange(len(triplets)), [1 + len(one.negatives) for one in triplets])
    total = len(anchors) + len(documents)
    encoder = embedder.encoder
    return EmbeddedTriplets(
        embedder.embed(cut_texts(anchors), encoder.encode_queries, rows=len(anchors), total=total),
        embedder.embed(cut_texts(documents), encoder.encode_documents, rows=len(documents), total=total),
        anchor_rows[owner],
        rows,
        owner,
        np.append(True, owner[1:] != owner[:-1]),
    )


def embed_pairs(pairs: Sequence[ScoredPair], embedder: Embedder) -> EmbeddedPairs:
    """Embed scored pairs, both sentences with the query prompt.

    Memory: a vector of the widest dim for each distinct text.
    """
    gold = np.array([one.score for one in pairs], dtype=np.float64)
    sentences, rows = distinct(text for one in pairs for text in (one.sentence1, one.sentence2))
    count, encode = len(sentences), embedder.encoder.encode_queries
    return EmbeddedPairs(embedder.embed(cut_texts(sentences), encode, rows=count, total=count), rows, gold)


def _similarities(left: Vectors, left_rows: Rows, right: Vectors, right_rows: Rows, dim: int) -> dict[str, Values]:
    """Return the similarities of left[left_rows[i]] and right[right_rows[i]], a block of them at a time."""
    step = max(1, _BLOCK // dim)
    blocks = [
        pair_similarities(left[left_rows[start : start + step], :dim], right[right_rows[start : start + step], :dim])
        for start in range(0, len(left_rows), step)
    ]
    return {name: np.concatenate([np.empty(0), *(block[name] for block in blocks)]) for name in SIMILARITIES}
