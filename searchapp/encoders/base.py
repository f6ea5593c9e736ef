"""What an encoder is: text in, vectors out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from searchapp.prompts import Prompts

Vectors: TypeAlias = npt.NDArray[np.float32]


@dataclass(slots=True)
class EncodeCounts:
    """What happened to the texts so far; grows with every call."""

    texts: int = 0
    truncated: int = 0
    """Texts longer than max_seq_length."""
    tokens_lost: int = 0
    """Tokens of those beyond it."""
    already_prefixed: int = 0
    """Texts that began with the prompt and were left as they are."""
    last_lost: Sequence[int] = field(default=(), compare=False)
    """Tokens lost of each text of the last call."""
    last_prefixed: Sequence[bool] = field(default=(), compare=False)
    """Whether each text of the last call began with the prompt."""

    def totals(self) -> dict[str, int]:
        """Return what was counted so far, by name."""
        return {name: getattr(self, name) for name in ("texts", "truncated", "tokens_lost", "already_prefixed")}

    def note(self, already: Sequence[bool], lost: Sequence[int]) -> None:
        """Take note of a call: which of its texts began with the prompt, and how many tokens each lost."""
        self.last_prefixed, self.last_lost = already, lost
        self.texts += len(lost)
        self.truncated += sum(tokens > 0 for tokens in lost)
        self.tokens_lost += sum(lost)
        self.already_prefixed += sum(already)


@dataclass(frozen=True, slots=True)
class EncoderCard:
    """Everything that decides an encoder's vectors; stored in the index as the contract."""

    model: str
    """The name it was asked for by: a catalog name, hub name or folder."""
    revision: str | None
    fingerprint: str
    """sha256 over the files that decide the vectors: weights, tokenizer, module configs."""
    dim: int
    prompts: Prompts
    pooling: str
    max_seq_length: int | None
    dtype: str
    runtime: str


class Carded:
    """What says which encoder it is, and what happened to its texts."""

    _card: EncoderCard
    _counts: EncodeCounts

    @property
    def card(self) -> EncoderCard:
        """Return what decides the vectors."""
        return self._card

    @property
    def counts(self) -> EncodeCounts:
        """Return what happened to the texts so far."""
        return self._counts


class Encoder(Protocol):
    """Turns texts into vectors, as the model gives them: not normalised, not cut."""

    @property
    def card(self) -> EncoderCard:
        """Return what decides the vectors."""
        ...

    @property
    def counts(self) -> EncodeCounts:
        """Return what happened to the texts so far."""
        ...

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the query prompt; row i belongs to text i."""
        ...

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the document prompt; row i belongs to text i."""
        ...
