"""One model on several devices, a process each.

sentence-transformers' own pool is not used: a worker of it that runs out of memory ends, and release 6.0 then waits for
its answer for ever; it takes a number of texts for a batch, whatever their lengths; and its workers outlive a parent
that is killed.
"""

import weakref
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import wait
from threading import Lock

import numpy as np

from searchapp.encoders.base import Carded, EncodeCounts, Vectors
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.lengths import TokenCounter
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.torch_worker import Answer, Order, Worker
from searchapp.errors import ModelError, SearchappError, UsageError
from searchapp.optional import require

SHARE = 4_096
"""Texts that a device gets at a time, at most; of fewer texts each gets as many."""


class PooledEncoder(Carded):
    """A model that is loaded once for each of several devices, and gets its texts in shares.

    Vectors are those of one device, but for the company that a text has in its batch. The processes end with the
    encoder, with an interrupted call, and with this process, whatever ends it.
    """

    def __init__(
        self, devices: Sequence[str], dtype: str, *, source: ModelFolder, fingerprint: str, options: EncoderOptions
    ) -> None:
        threads = max(1, require("torch", extra="models").get_num_threads() // len(devices))
        orders = [Order(device, dtype, source, fingerprint, options, threads) for device in devices]
        self._workers: list[Worker] = []
        self._ended = weakref.finalize(self, _stop, self._workers)
        self._counts = EncodeCounts()
        self._one_at_a_time = Lock()
        try:
            for order in orders:
                self._workers.append(Worker(order))
            self._card, *_same = [worker.card() for worker in self._workers]
        except BaseException:
            self.close()
            raise

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the query prompt; row i belongs to text i."""
        return self._encode(texts, task="query")

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the document prompt; row i belongs to text i."""
        return self._encode(texts, task="document")

    def token_counter(self) -> TokenCounter:
        """Return a tokenizer that counts as this encoder does; raise ModelError where it has none that can be used."""
        with self._one_at_a_time:
            if not self._ended.alive:
                raise ModelError(f"the processes of {self._card.model} have ended; load the model again")
            return self._workers[0].token_counter()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._ended()

    def _encode(self, texts: Sequence[str], *, task: str) -> Vectors:
        if isinstance(texts, str):
            raise UsageError("texts is one text; give a list of texts, also for one")
        with self._one_at_a_time:
            if not self._ended.alive:
                raise ModelError(f"the processes of {self._card.model} have ended; load the model again")
            vectors = np.empty((len(texts), self._card.dim), dtype=np.float32)
            try:
                failed = self._share(texts, vectors, task=task)
            except BaseException:
                # Answers that are still to come would be taken for those of the next call.
                self.close()
                raise
        if failed is None:
            return vectors
        try:
            raise failed
        finally:
            del failed  # it holds this frame by its traceback, and so the encoder, whose processes would live on

    def _share(self, texts: Sequence[str], vectors: Vectors, *, task: str) -> SearchappError | None:
        """Fill in the vectors of all texts; return the first error, once every worker is at rest."""
        size = max(1, min(SHARE, -(-len(texts) // len(self._workers))))
        waiting = deque(slice(begin, begin + size) for begin in range(0, len(texts), size))
        free, busy = list(self._workers), dict[object, tuple[Worker, slice]]()
        failed: SearchappError | None = None
        prefixed, lost = [False] * len(texts), [0] * len(texts)
        while waiting or busy:
            while waiting and free:
                worker, share = free.pop(), waiting.popleft()
                worker.ask(task, list(texts[share]))
                busy[worker.connection] = worker, share
            for connection in wait([worker.connection for worker, _share in busy.values()]):
                worker, share = busy.pop(connection)
                answer = worker.answer()
                if isinstance(answer, Answer):
                    vectors[share] = answer.vectors
                    prefixed[share], lost[share] = answer.prefixed, answer.lost
                else:
                    failed = failed or answer
                    waiting.clear()
                free.append(worker)
        if failed is None:
            self._counts.note(prefixed, lost)
        return failed


def _stop(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.end()
