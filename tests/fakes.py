"""Small real implementations of the project's seams, for tests."""

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from searchapp.encoders import EncodeCounts, EncoderCard
from searchapp.prompts import Prompts, add_prompt

DIM = 48
TRIGRAMS = 997


class HashEncoder:
    """Adds up a random vector per character trigram: texts with words in common lie near each other. Deterministic."""

    def __init__(self, prompts: Prompts = Prompts(), *, dim: int = DIM, salt: int = 0) -> None:
        self.card = EncoderCard(
            model=f"hash-{salt}",
            revision=None,
            fingerprint=f"{salt:064x}",
            dim=dim,
            prompts=prompts,
            pooling="sum",
            max_seq_length=None,
            dtype="float32",
            runtime="numpy",
        )
        self.counts = EncodeCounts()
        self.seen: list[str] = []
        self._table = np.random.default_rng(salt).standard_normal((TRIGRAMS, dim)).astype(np.float32)

    def encode_queries(self, texts: Sequence[str]) -> np.ndarray:
        return self._encode(self.card.prompts.query, texts)

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        return self._encode(self.card.prompts.document, texts)

    def _lost(self, texts: Sequence[str]) -> list[int]:
        return [0] * len(texts)

    def _encode(self, prompt: str, texts: Sequence[str]) -> np.ndarray:
        prefixed, already = add_prompt(prompt, texts)
        self.counts.note(already, self._lost(prefixed))
        self.seen += prefixed
        vectors = np.zeros((len(texts), self.card.dim), np.float32)
        for row, text in enumerate(prefixed):
            padded = f"  {text.lower()}  "
            codes = [zlib.crc32(padded[start : start + 3].encode()) % TRIGRAMS for start in range(len(padded) - 2)]
            vectors[row] = self._table[codes].sum(axis=0)
        return vectors


class PoisonedEncoder(HashEncoder):
    """Gives NaN for every text that holds a given word."""

    def __init__(self, word: str) -> None:
        super().__init__()
        self._word = word

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        vectors = super().encode_documents(texts)
        vectors[[self._word in text for text in texts]] = np.nan
        return vectors


class StoppingEncoder(HashEncoder):
    """Is interrupted, as by Ctrl-C, once it has been shown a given number of documents."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self._after = after

    def encode_documents(self, texts: Sequence[str]) -> np.ndarray:
        if self.counts.texts > self._after:
            raise KeyboardInterrupt
        return super().encode_documents(texts)


class DriftedEncoder(HashEncoder):
    """Says it is the HashEncoder and gives other vectors, as a broken runtime would."""

    def __init__(self) -> None:
        super().__init__(salt=1)
        self.card = replace(HashEncoder().card)


class CuttingEncoder(HashEncoder):
    """Reads only the first characters of a text and counts what it leaves out, a token a character."""

    def __init__(self, limit: int, prompts: Prompts = Prompts()) -> None:
        super().__init__(prompts)
        self.card = replace(self.card, max_seq_length=limit)
        self._limit = limit

    def token_counter(self) -> "Characters":
        return Characters()

    def _lost(self, texts: Sequence[str]) -> list[int]:
        return [max(0, len(text) - self._limit) for text in texts]


class Characters:
    """A tokenizer whose tokens are characters, without special ones."""

    def count(self, texts: Sequence[str]) -> list[int]:
        return [len(text) for text in texts]

    def spans(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [np.arange(len(text))[:, None] + np.array([[0, 1]]) for text in texts]
