"""A process that encodes on one device, and the end of it that the caller holds."""

import contextlib
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Any

from searchapp.encoders.base import EncoderCard, Vectors
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.lengths import TokenCounter
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.torch_load import load_on
from searchapp.errors import ModelError, SearchappError
from searchapp.optional import require

TOKENIZER = "tokenizer"
"""Asked for like a task."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to load."""

    device: str
    dtype: str
    source: ModelFolder
    fingerprint: str
    options: EncoderOptions
    threads: int
    """Threads that torch may use on the CPU."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of some texts."""

    vectors: Vectors
    prefixed: Sequence[bool]
    """Whether each text began with the prompt."""
    lost: Sequence[int]
    """Tokens that each text lost."""


class Worker:
    """The caller's end: starts the process, asks it, ends it. One question at a time."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self.connection, theirs = multiprocessing.Pipe()
        # A child that is forked would inherit locks and a CUDA context that it can't use.
        self._process = multiprocessing.get_context("spawn").Process(
            target=serve, args=(order, theirs), name=f"searchapp on {order.device}", daemon=True
        )
        with _without_interrupts():
            self._process.start()
        theirs.close()

    def card(self) -> EncoderCard:
        """Wait for the model and return what it is; raise what loading it raised."""
        found = self._receive(
            "while it loaded the model; a script that loads models on several devices needs its own work under "
            '`if __name__ == "__main__":`'
        )
        if isinstance(found, SearchappError):
            raise found
        card: EncoderCard = found
        return card

    def token_counter(self) -> TokenCounter:
        """Return the tokenizer of its model, to count with here; raise what making one raised."""
        self.ask(TOKENIZER, [])
        found = self._receive("before it gave its tokenizer")
        if isinstance(found, SearchappError):
            raise found
        counter: TokenCounter = found
        return counter

    def ask(self, task: str, texts: list[str]) -> None:
        """Give it texts to encode, as `query` or `document`; raise ModelError where the process has ended."""
        try:
            self.connection.send((task, texts))
        except OSError:
            raise self._lost("before it was given its texts") from None

    def answer(self) -> Answer | SearchappError:
        """Wait for what came of them."""
        found: Answer | SearchappError = self._receive("before it answered; memory may have run out")
        return found

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self._process.terminate()
        self._process.join()
        self._process.close()
        self.connection.close()

    def _receive(self, meanwhile: str) -> Any:
        try:
            return self.connection.recv()
        except (EOFError, OSError):
            raise self._lost(meanwhile) from None

    def _lost(self, when: str) -> ModelError:
        self._process.join()
        return ModelError(f"the process on {self._order.device} ended (exit code {self._process.exitcode}) {when}")


def serve(order: Order, connection: Connection) -> None:
    """Load the model, then encode what comes until nobody is there to ask."""
    with contextlib.suppress(EOFError, ConnectionError):
        require("torch", extra="models").set_num_threads(order.threads)
        try:
            encoder = load_on(
                order.device,
                order.dtype,
                source=order.source,
                fingerprint=order.fingerprint,
                options=order.options,
            )
        except SearchappError as error:
            connection.send(error)
            return
        connection.send(encoder.card)
        while True:
            task, texts = connection.recv()
            try:
                if task == TOKENIZER:
                    connection.send(encoder.token_counter())
                    continue
                vectors = (encoder.encode_queries if task == "query" else encoder.encode_documents)(texts)
            except SearchappError as error:
                connection.send(error)
                continue
            connection.send(Answer(vectors, encoder.counts.last_prefixed, encoder.counts.last_lost))


@contextlib.contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let a process that is started here know nothing of Ctrl-C: whoever started it ends it."""
    # It lets interrupts through again when it starts, so it is started before.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
