"""Rows in a given order become batches in which no two conflict: each batch takes the first rows that fit."""

import heapq
from collections.abc import Iterator, Sequence

from searchapp.errors import InputError
from searchapp.train.conflicts import Batch, Conflicts, Key
from searchapp.train.examples import TrainingData


def check_company(data: TrainingData) -> None:
    """Refuse rows that nothing can be told from: without negatives, and no two of them may be in one batch.

    The loss of such a batch is 0 whatever the weights are, so it would end well and teach nothing. Raises InputError.
    """
    if data.examples[0].negatives:
        return
    conflicts = Conflicts(((one.anchor, one.positive) for one in data.examples), data.relevant)
    if all(len(batch) < 2 for batch in cut_batches(range(len(conflicts)), conflicts, 2)):
        raise InputError(
            f"{data.name} gives a positive nothing to be told from: {len(data.examples):,} rows without negatives, of "
            "which no two differ in both anchor and positive; name rows with more anchors, or with negatives"
        )


def cut_batches(order: Sequence[int], conflicts: Conflicts, size: int) -> Iterator[list[int]]:
    """Yield batches of at most `size` rows; every row is in one. A row that doesn't fit waits for a later batch.

    These are the batches that going through all rows that are left, in order, would give. Rows that wait are kept by
    what kept them out, in queues of which only the first row need be looked at: what keeps it out keeps all out.
    """
    waiting = _Waiting()
    fresh = 0
    while fresh < len(order) or waiting:
        batch = Batch(conflicts)
        rows: list[int] = []
        while len(rows) < size and (found := waiting.first()) is not None:
            key, place = found
            reason = key if batch.blocks(key) else batch.blocker(order[place])
            if reason is None:
                waiting.take(key)
                batch.add(order[place])
                rows.append(order[place])
            elif reason == key:
                waiting.close(key)
            else:
                waiting.take(key)
                waiting.put(reason, place)
        while len(rows) < size and fresh < len(order):
            reason = batch.blocker(order[fresh])
            if reason is None:
                batch.add(order[fresh])
                rows.append(order[fresh])
            else:
                waiting.put(reason, fresh)
            fresh += 1
        waiting.open_all()
        yield rows


class _Waiting:
    """Places of rows that wait: a queue for each key, closed as long as its key keeps out all of it."""

    def __init__(self) -> None:
        self._queues: dict[Key, list[int]] = {}
        self._open: list[tuple[int, Key]] = []
        self._closed: set[Key] = set()

    def __bool__(self) -> bool:
        return bool(self._queues)

    def first(self) -> tuple[Key, int] | None:
        """Return the first place in the open queues, with its key; None if there is none."""
        while self._open:
            place, key = self._open[0]
            if key not in self._closed and self._queues.get(key, (None,))[0] == place:
                return key, place
            heapq.heappop(self._open)
        return None

    def take(self, key: Key) -> None:
        """Remove the first place of a queue."""
        queue = self._queues[key]
        heapq.heappop(queue)
        if queue:
            heapq.heappush(self._open, (queue[0], key))
        else:
            del self._queues[key]

    def put(self, key: Key, place: int) -> None:
        """Let a place wait for a key that keeps it out now."""
        heapq.heappush(self._queues.setdefault(key, []), place)
        self.close(key)

    def close(self, key: Key) -> None:
        """Leave a queue out until all are opened."""
        self._closed.add(key)

    def open_all(self) -> None:
        """Let all queues be asked again: a new batch begins."""
        for key in self._closed:
            if key in self._queues:
                heapq.heappush(self._open, (self._queues[key][0], key))
        self._closed.clear()
