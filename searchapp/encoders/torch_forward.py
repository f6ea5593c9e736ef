"""Batches through a model in PyTorch, and their vectors back."""

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from searchapp.encoders.base import EncoderCard, Vectors
from searchapp.encoders.batching import Rows
from searchapp.encoders.folder import one_line
from searchapp.encoders.torch_device import free_memory, is_out_of_memory
from searchapp.encoders.torch_inputs import Features, Inputs
from searchapp.errors import ModelError
from searchapp.optional import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

IN_FLIGHT = 8
"""Batches that a GPU may have before the oldest's vectors are waited for."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that go through a model together."""

    rows: Rows
    """Which of the inputs' texts they are."""
    inputs: Inputs
    vectors: Vectors
    """Where the vectors of all of the inputs' texts go, (n, dim)."""
    features: Features | None = None
    """What the model takes, if it has been made already."""

    @property
    def tokens(self) -> int:
        """Return its tokens, padding included."""
        return len(self.rows) * self.longest

    @property
    def longest(self) -> int:
        """Return the tokens of its longest text."""
        return max(int(self.inputs.lengths[row]) for row in self.rows)

    def make_features(self) -> Features:
        """Return what the model takes."""
        return self.inputs.features(self.rows) if self.features is None else self.features

    def halves(self) -> tuple["Batch", "Batch"]:
        """Return two batches of half as many texts; a batch of one text has no halves."""
        middle = (len(self.rows) + 1) // 2
        first, second = (replace(self, rows=rows, features=None) for rows in (self.rows[:middle], self.rows[middle:]))
        return first, second


class Results:
    """Vectors on their way to where they belong.

    CUDA goes on with the next batch while they travel; they are there once `finish` returns.
    """

    def __init__(self) -> None:
        self._coming: deque[tuple[Batch, Any, Any]] = deque()

    def add(self, batch: Batch, found: Any) -> None:
        """Take a batch's vectors, a tensor (texts, dim) of any dtype on any device."""
        torch = require("torch", extra="models")
        found = found.float()
        if found.device.type != "cuda":
            batch.vectors[batch.rows] = found.cpu().numpy()
            return
        landing = torch.empty(found.shape, dtype=torch.float32, pin_memory=True)
        landing.copy_(found, non_blocking=True)
        landed = torch.cuda.Event()
        landed.record(torch.cuda.current_stream(found.device))
        self._coming.append((batch, landing, landed))
        if len(self._coming) > IN_FLIGHT:
            self._land()

    def finish(self) -> None:
        """Wait for what is still on its way."""
        while self._coming:
            self._land()

    def _land(self) -> None:
        batch, landing, landed = self._coming.popleft()
        landed.synchronize()
        batch.vectors[batch.rows] = landing.numpy()


class Forward:
    """A model that takes batches of any size: what its device has no memory for goes through in halves.

    Batches as large as one that failed are halved at once from then on.
    """

    def __init__(self, model: "SentenceTransformer", card: EncoderCard) -> None:
        self._model = model
        self._card = card
        self._too_many: int | None = None

    def run(self, batch: Batch, results: Results) -> None:
        """Run a batch, or what memory lets through of it at a time.

        Raises ModelError where there is no memory for one text alone.
        """
        waiting = [batch]
        while waiting:
            batch = waiting.pop()
            if len(batch.rows) > 1 and self._too_many is not None and batch.tokens >= self._too_many:
                waiting += reversed(batch.halves())
                continue
            if self._fits(batch, results):
                continue
            # What failed holds no memory any more, and what other batches have left there is not in the way either.
            results.finish()
            free_memory(self._model.device.type)
            if len(batch.rows) == 1:
                raise ModelError(self._no_room(batch.longest))
            self._too_many = batch.tokens
            waiting += reversed(batch.halves())

    def _fits(self, batch: Batch, results: Results) -> bool:
        try:
            results.add(batch, forward(self._model, batch.make_features(), task=batch.inputs.task))
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return False
        except IndexError as error:
            raise ModelError(
                f"{self._card.model} can't run what its tokenizer gives ({one_line(error)}); a token without a vector "
                "is the likely cause: check that its tokenizer and weights belong together, or fetch it again"
            ) from error
        return True

    def _no_room(self, length: int) -> str:
        device = str(self._model.device)
        elsewhere = "" if device == "cpu" else ", or type --device cpu"
        return (
            f"{device} has no memory for one text of {length:,} tokens alone, with {self._card.model} in "
            f"{self._card.dtype}; end what else takes memory there, name a smaller model or one with a smaller "
            f"max_seq_length{elsewhere}"
        )


def forward(model: "SentenceTransformer", features: Features, *, task: str) -> Any:
    """Run one batch and return its vectors where the model is, a tensor (texts, dim)."""
    torch = require("torch", extra="models")
    # Copies from pinned memory are not waited for; what computes with them on the device comes after them anyway.
    unwaited = model.device.type == "cuda"
    with torch.inference_mode():
        moved = {
            name: value.to(model.device, non_blocking=unwaited) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        return model(moved, task=task)["sentence_embedding"]
