"""A sentence-transformers model as an encoder, on one device."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from searchapp.encoders.ahead import ahead
from searchapp.encoders.base import Carded, EncodeCounts, EncoderCard, Vectors
from searchapp.encoders.batching import plan_batches
from searchapp.encoders.cores import Cores
from searchapp.encoders.lengths import TokenCounter
from searchapp.encoders.torch_forward import Batch, Forward, Results
from searchapp.encoders.torch_inputs import InputMaker, pin
from searchapp.errors import UsageError
from searchapp.prompts import add_prompt

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


class TorchEncoder(Carded):
    """A sentence-transformers model as an encoder.

    `budget` is the tokens of a batch. A GPU gets `part` texts at a time, and a thread makes the next ones ready while
    it works. None is for the CPU, which has no time to spare: all texts of a call are batched together, and every core
    takes a batch.
    """

    def __init__(
        self, model: "SentenceTransformer", card: EncoderCard, *, budget: int, part: int | None = None
    ) -> None:
        self.model = model
        self._inputs = InputMaker(model)
        self._forward = Forward(model, card)
        self._device = model.device.type
        self._budget = budget
        self._part = part
        self._card = card
        self._counts = EncodeCounts()
        self._cores = Cores()

    @property
    def plain(self) -> bool:
        """Say whether the ids of a fast tokenizer, padded, are all that the model takes."""
        return self._inputs.plain

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the query prompt; row i belongs to text i."""
        return self._encode(texts, self._card.prompts.query, task="query")

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the document prompt; row i belongs to text i."""
        return self._encode(texts, self._card.prompts.document, task="document")

    def token_counter(self) -> TokenCounter:
        """Return a tokenizer that counts as this encoder does; raise ModelError where it has none that can be used."""
        return self._inputs.token_counter()

    def _encode(self, texts: Sequence[str], prompt: str, *, task: str) -> Vectors:
        if isinstance(texts, str):
            raise UsageError("texts is one text; give a list of texts, also for one")
        vectors = np.empty((len(texts), self._card.dim), dtype=np.float32)
        if not texts:
            self._counts.note([], [])
            return vectors
        prefixed, already = add_prompt(prompt, texts)
        lost: list[int] = []
        results = Results()

        def run(batch: Batch) -> None:
            self._forward.run(batch, results)

        parallel = self._part is None and self._inputs.plain
        with closing(self._parts(prefixed, vectors, prompt=prompt, task=task)) as parts:
            for batches in parts:
                lost += batches[0].inputs.lost
                self._cores.run(run, batches, parallel=parallel)
        results.finish()
        self._counts.note(already, lost)
        return vectors

    def _parts(
        self, prefixed: list[str], vectors: Vectors, *, prompt: str, task: str
    ) -> Generator[list[Batch], None, None]:
        """Yield the batches of each part, those of the next one being made meanwhile."""
        step = self._part or len(prefixed)

        def batches(begin: int) -> list[Batch]:
            inputs = self._inputs.prepare(prefixed[begin : begin + step], prompt=prompt, task=task)
            into = vectors[begin : begin + step]
            planned = [Batch(rows, inputs, into) for rows in plan_batches(inputs.lengths, self._budget)]
            return planned if self._part is None else [self._made(batch) for batch in planned]

        parts = map(batches, range(0, len(prefixed), step))
        yield from ahead(parts) if step < len(prefixed) else parts

    def _made(self, batch: Batch) -> Batch:
        features = batch.make_features()
        return replace(batch, features=pin(features) if self._device == "cuda" else features)
