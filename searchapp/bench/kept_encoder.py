"""An encoder whose vectors are kept in the cache: texts that were embedded once are not embedded again."""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from searchapp.bench.cache import Cache, make_key
from searchapp.build import library_versions
from searchapp.encoders import CANARIES, EncodeCounts, Encoder, EncoderCard
from searchapp.encoders.base import Vectors
from searchapp.search import CANARY_COSINE

Encode = Callable[[Sequence[str]], Vectors]


class KeptEncoder:
    """Looks up a call's vectors before it makes them, under a key of the encoder's card, the texts and their role.

    Vectors of the canary texts are kept beside them and made again at every look-up: a runtime that gives others by now
    does not meet what it gave before. Counts of truncated texts are kept as well.
    """

    def __init__(self, encoder: Encoder, cache: Cache) -> None:
        self._encoder = encoder
        self._cache = cache
        self._counts = EncodeCounts()

    @property
    def card(self) -> EncoderCard:
        """Return what decides the vectors."""
        return self._encoder.card

    @property
    def counts(self) -> EncodeCounts:
        """Return what happened to the texts so far."""
        return self._counts

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the query prompt."""
        return self._kept("query", self._encoder.encode_queries, texts)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the document prompt."""
        return self._kept("document", self._encoder.encode_documents, texts)

    def _kept(self, role: str, encode: Encode, texts: Sequence[str]) -> Vectors:
        card = dataclasses.asdict(self.card)
        key = make_key({"role": role, "texts": list(texts), "encoder": card, "versions": library_versions()})
        canaries, _ = self._counted(encode, CANARIES)
        found = self._cache.load_texts(key)
        if found is not None and _agree(found[0][: len(CANARIES)], canaries):
            vectors, counts = found[0][len(CANARIES) :], found[1]
        else:
            vectors, counts = self._counted(encode, texts)
            self._cache.save_texts(key, np.concatenate([canaries, vectors]), counts)
        for name, more in counts.items():
            setattr(self._counts, name, getattr(self._counts, name) + more)
        return vectors

    def _counted(self, encode: Encode, texts: Sequence[str]) -> tuple[Vectors, dict[str, int]]:
        before = self._encoder.counts.totals()
        vectors = encode(texts)
        after = self._encoder.counts.totals()
        return vectors, {name: after[name] - before[name] for name in after}


def _agree(stored: Vectors, found: Vectors) -> bool:
    """Tell whether vectors (n, dim) are the same, row by row, but for what half precision may differ by."""
    if stored.shape != found.shape:
        return False
    lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(found, axis=1)
    cosines = np.einsum("nd,nd->n", stored, found) / np.where(lengths == 0, 1, lengths)
    return bool(np.isfinite(found).all() and cosines.min() >= CANARY_COSINE)
