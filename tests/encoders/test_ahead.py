from collections.abc import Iterator
from threading import Event, current_thread

import pytest

from searchapp.encoders.ahead import ahead

PATIENCE = 60.0
"""Seconds after which a thread is taken to be stuck."""


@pytest.mark.parametrize("depth", [1, 2, 5])
@pytest.mark.parametrize("count", [0, 1, 2, 9])
def test_items_keep_their_order(count: int, depth: int) -> None:
    assert list(ahead(iter(range(count)), depth)) == list(range(count))


def test_the_next_item_is_made_while_one_is_held() -> None:
    made = [Event() for _ in range(3)]

    def items() -> Iterator[str]:
        for number, event in enumerate(made):
            event.set()
            yield f"{number} by {current_thread().name}"

    coming = ahead(items(), depth=1)
    assert not next(coming).endswith(current_thread().name)
    assert made[1].wait(PATIENCE)
    assert not made[2].is_set()
    assert len(list(coming)) == 2


def test_an_error_comes_where_its_item_would_have() -> None:
    def items() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("no third")

    taken = []
    with pytest.raises(ValueError, match="no third"):
        for item in ahead(items()):
            taken.append(item)
    assert taken == [1, 2]


def test_nothing_more_is_made_once_it_is_closed() -> None:
    made = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    coming = ahead(items(), depth=2)
    assert next(coming) == 0
    coming.close()
    assert len(made) <= 4
