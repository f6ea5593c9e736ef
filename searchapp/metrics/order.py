"""Order: documents and scores become one total order, decided once."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from searchapp.errors import MeasureError

Ties: TypeAlias = Literal["searchapp", "trec_eval"]
"""What decides between equal scores: the smaller document id ("searchapp", as in sentence-transformers) or
the larger one ("trec_eval")."""


def order_hits(doc_ids: Sequence[str], scores: ArrayLike, *, ties: Ties = "searchapp") -> list[int]:
    """Return the positions of the documents, best first: score descending, then document id.

    `scores` is one number per document. Under "searchapp" equal scores go by document id ascending; under
    "trec_eval" by document id descending, and scores are equal if they are so in float32, the precision
    trec_eval keeps them in. Ids compare by code point. Raises MeasureError for a NaN and for lengths that
    differ.

    >>> order_hits(["b", "c", "a"], [1.0, 2.0, 1.0])
    [1, 2, 0]
    >>> order_hits(["b", "c", "a"], [1.0, 2.0, 1.0], ties="trec_eval")
    [1, 0, 2]
    """
    if ties not in ("searchapp", "trec_eval"):
        raise MeasureError(f'ties is {ties!r}; it is "searchapp" or "trec_eval"')
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (len(doc_ids),):
        raise MeasureError(
            f"{len(doc_ids)} documents came with scores of shape {values.shape}; give one score for each"
        )
    bad = np.flatnonzero(np.isnan(values))
    if len(bad):
        raise MeasureError(
            f"the score of document {doc_ids[bad[0]]!r} is NaN ({len(bad)} of {len(values)} scores are), so "
            "there is no order; check the run, or the model that made the vectors"
        )
    if ties == "trec_eval":
        with np.errstate(over="ignore"):
            values = values.astype(np.float32)
    order = np.argsort(-values, kind="stable")
    ranked = values[order]
    if (ranked[1:] == ranked[:-1]).any():
        by_id = np.array(sorted(range(len(doc_ids)), key=doc_ids.__getitem__, reverse=ties == "trec_eval"))
        order = by_id[np.argsort(-values[by_id], kind="stable")]
    positions: list[int] = order.tolist()
    return positions


def ties_at(scores: ArrayLike, cutoff: int) -> bool:
    """Say whether the cut after rank `cutoff` falls between two documents of equal score.

    `scores` are in ranked order. False where no document lies beyond the cut. Raises MeasureError for a
    cutoff below 1.

    >>> ties_at([3.0, 2.0, 2.0], 2), ties_at([3.0, 2.0, 2.0], 1), ties_at([3.0, 2.0, 2.0], 3)
    (True, False, False)
    """
    if cutoff < 1:
        raise MeasureError(f"a cutoff of {cutoff} counts no document; give 1 or more")
    values = np.asarray(scores)
    return len(values) > cutoff and bool(values[cutoff - 1] == values[cutoff])
