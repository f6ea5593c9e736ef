"""The oracle: exact search in plain NumPy, slow and readable. Every kind is held against it."""

from collections.abc import Sequence

import numpy as np

from searchapp.index.ranking import Ranking
from searchapp.index.vectors import Vectors, cosine_scores


def exact_search(
    vectors: Vectors, doc_ids: Sequence[str], queries: Vectors, k: int, *, dim: int, layer_norm: bool = False
) -> Ranking:
    """Rank all documents for every query by cosine over the first `dim` values; ties by doc_id.

    `vectors` is float32 (rows, width), `queries` float32 (n, width). Holds rows x n scores: for tests and small pools.
    """
    everything = np.broadcast_to(vectors, (len(queries), *vectors.shape))
    scores = cosine_scores(queries, everything, dim, layer_norm=layer_norm)
    rows = np.empty_like(scores, dtype=np.int64)
    for query, row_scores in enumerate(scores):
        rows[query] = sorted(range(len(doc_ids)), key=lambda row: (-row_scores[row], doc_ids[row]))
    ordered = np.take_along_axis(scores, rows, axis=1)
    tied = ordered[:, k - 1] == ordered[:, k] if k < len(doc_ids) else np.zeros(len(queries), dtype=bool)
    return Ranking(rows[:, :k], ordered[:, :k], tied)
