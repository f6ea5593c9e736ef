"""Which core runs what."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

from searchapp.optional import require

Batch = TypeVar("Batch")


class Cores:
    """Runs batches, on the CPU one per core at a time.

    A core that has a batch to itself waits for no other between the layers, which is worth most on a busy machine. The
    threads live as long as the encoder: each that ends leaves its matrix-product buffers behind, about 1 MB.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def run(self, run: Callable[[Batch], None], batches: Sequence[Batch], *, parallel: bool) -> None:
        """Run every batch; raise what the first failing one raises, with none left running."""
        torch = require("torch", extra="models")
        threads = torch.get_num_threads()
        if not parallel or threads < 2 or len(batches) < threads:
            for batch in batches:
                run(batch)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        try:
            run_all(self._pool, run, batches)
        finally:
            torch.set_num_threads(threads)  # the number is also what later threads begin with


def run_all(pool: ThreadPoolExecutor, run: Callable[[Batch], None], batches: Sequence[Batch]) -> None:
    """Run every batch in a pool; raise what the first failing one raises, with none left running."""
    futures = [pool.submit(run, batch) for batch in batches]
    try:
        for future in futures:
            future.result()
    finally:
        for future in futures:
            future.cancel()
        wait(futures)
