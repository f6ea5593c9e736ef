"""A vector per token, and the mean of those that a text has."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import Vectors
from searchapp.encoders.tensors import StoredTensor, open_tensors
from searchapp.errors import ModelError

EMBEDDING, EMBEDDINGS = "embedding.weight", "embeddings"
"""What sentence-transformers and model2vec call the matrix."""

Ids = npt.NDArray[np.intp]


class TokenTable:
    """The vectors of a static model's tokens, in one of the two forms they are saved in.

    sentence-transformers saves `embedding.weight`, a row per token. model2vec saves `embeddings`, and may let tokens
    share rows (`mapping`, a row's number per token) and weigh them (`weights`, a factor per token). Raises ModelError
    for tensors that fit neither form.
    """

    def __init__(self, tensors: Mapping[str, StoredTensor], path: Path) -> None:
        own = tensors.get(EMBEDDING)
        rows = tensors.get(EMBEDDINGS) if own is None else own
        if rows is None or rows.stored.ndim != 2 or 0 in rows.stored.shape:
            found = ", ".join(f"{name} {tensor.stored.shape}" for name, tensor in tensors.items()) or "nothing"
            raise ModelError(
                f"{path} holds {found} where a matrix named embedding.weight or embeddings was expected; name a "
                "folder that sentence-transformers or model2vec saved a static model in"
            )
        self._rows = rows
        mapping = None if own is not None else tensors.get("mapping")
        weights = None if own is not None else tensors.get("weights")
        self._mapping = None if mapping is None else mapping.stored.astype(np.intp).ravel()
        self._weights = None if weights is None else weights.take(np.arange(len(weights.stored))).ravel()
        self._check(path)

    def _check(self, path: Path) -> None:
        count = len(self._rows.stored)
        if (
            self._mapping is not None
            and len(self._mapping)
            and not 0 <= self._mapping.min() <= self._mapping.max() < count
        ):
            raise ModelError(
                f"mapping in {path} names rows {self._mapping.min()} to {self._mapping.max()} of {count} there are; "
                "fetch the model again"
            )
        if self._weights is not None and len(self._weights) != self.tokens:
            raise ModelError(
                f"{path} holds {len(self._weights)} weights for {self.tokens} tokens; fetch the model again"
            )

    @property
    def tokens(self) -> int:
        """Return how many tokens have a vector: ids run below it."""
        return len(self._rows.stored if self._mapping is None else self._mapping)

    @property
    def dim(self) -> int:
        """Return the width of the vectors."""
        return int(self._rows.stored.shape[1])

    def means(self, ids: Ids, lengths: Ids, *, block: int) -> Vectors:
        """Return float32 (n, dim): the mean of each text's token vectors, zeros for a text of no token.

        `ids` are the tokens of all texts on end, `lengths` (n) how many each text has. At most `block` token vectors
        are in memory at once. Texts of one length go together, so that a mean is one sum over an axis: a vector
        doesn't depend on the other texts.
        """
        means = np.zeros((len(lengths), self.dim), dtype=np.float32)
        starts = np.cumsum(lengths) - lengths
        order = np.argsort(lengths, kind="stable")
        widths, first = np.unique(lengths[order], return_index=True)
        for width, alike in zip(widths.tolist(), np.split(order, first[1:]), strict=True):
            if width == 0:
                continue
            texts = max(1, block // width)
            for begin in range(0, len(alike), texts):
                rows = alike[begin : begin + texts]
                places = starts[rows][:, None] + np.arange(width)
                means[rows] = self._sum(ids[places], block) / np.float32(width)
        return means

    def _sum(self, ids: Ids, block: int) -> Vectors:
        """Return float32 (n, dim) of ids (n, width), a stretch of them at a time where one text exceeds a block."""
        if ids.shape[1] <= block:
            total: Vectors = self._take(ids).sum(axis=1)
            return total
        # Thousands of float32 numbers on one sum would leave five digits of it.
        exact = np.zeros((len(ids), self.dim))
        for begin in range(0, ids.shape[1], block):
            exact += self._take(ids[:, begin : begin + block]).sum(axis=1, dtype=np.float64)
        return exact.astype(np.float32)

    def _take(self, ids: Ids) -> Vectors:
        vectors = self._rows.take(ids if self._mapping is None else self._mapping[ids])
        return vectors if self._weights is None else vectors * self._weights[ids][..., None]


def open_table(path: Path) -> TokenTable:
    """Open the token vectors in a safetensors file; raise ModelError where it holds none."""
    return TokenTable(open_tensors(path), path)
