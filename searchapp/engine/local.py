"""The default engine: one shard after the other, in this process."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, TypeVar

Shard = TypeVar("Shard")
Receipt = TypeVar("Receipt")


class Engine(Protocol):
    """Maps a task over shards."""

    name: str

    def map(self, task: Callable[[Shard], Receipt], shards: Iterable[Shard]) -> Iterator[Receipt]:
        """Yield the task's receipt for every shard, in the shards' order."""
        ...


class LocalEngine:
    """Runs every shard here; takes the next shard only when the receipt before it has been taken."""

    name = "local"

    def map(self, task: Callable[[Shard], Receipt], shards: Iterable[Shard]) -> Iterator[Receipt]:
        """Yield the task's receipt for every shard, in the shards' order.

        >>> list(LocalEngine().map(len, ["a", "bc"]))
        [1, 2]
        """
        return map(task, shards)
