"""Work that is done before it is asked for."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")


class _End:
    """Comes after the last item."""


def ahead(items: Iterable[Item], depth: int = 2) -> Iterator[Item]:
    """Yield the items while a thread makes the next ones, at most `depth` of them.

    What making an item raises is raised where that item would have come. The thread makes nothing more once the
    iterator is closed.

    >>> list(ahead(text.upper() for text in ("red", "bag")))
    ['RED', 'BAG']
    """
    source = iter(items)
    thread = ThreadPoolExecutor(1)
    try:
        coming = deque(thread.submit(next, source, _End()) for _ in range(depth))
        while not isinstance(item := coming.popleft().result(), _End):
            coming.append(thread.submit(next, source, _End()))
            yield item
    finally:
        thread.shutdown(cancel_futures=True)
