"""What encoders have in common whose queries and documents differ by nothing but the prompt."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from searchapp.encoders.base import Carded, EncodeCounts, EncoderCard, Vectors
from searchapp.errors import UsageError
from searchapp.prompts import add_prompt


class PromptedEncoder(Carded, ABC):
    """An encoder that puts a prompt before a text and then knows no roles any more."""

    roles_are_prompts = True
    """Queries and documents go through one function, which gets the prompt; see `Searcher`."""

    def __init__(self, card: EncoderCard) -> None:
        self._card = card
        self._counts = EncodeCounts()

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the query prompt; row i belongs to text i."""
        return self._encode(texts, self._card.prompts.query)

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the document prompt; row i belongs to text i."""
        return self._encode(texts, self._card.prompts.document)

    def _encode(self, texts: Sequence[str], prompt: str) -> Vectors:
        if isinstance(texts, str):
            raise UsageError("texts is one text; give a list of texts, also for one")
        vectors = np.empty((len(texts), self._card.dim), dtype=np.float32)
        prefixed, already = add_prompt(prompt, texts)
        lost = self._fill(prefixed, vectors) if prefixed else []
        self._counts.note(already, lost)
        return vectors

    @abstractmethod
    def _fill(self, texts: list[str], vectors: Vectors) -> Sequence[int]:
        """Write the vectors of texts, at least one, prompts before them; return the tokens that each text lost."""
