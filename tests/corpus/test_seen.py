"""Duplicate ids, against a dictionary."""

import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st

from searchapp.corpus.seen import SeenIds


@settings(max_examples=200)
@given(st.lists(st.lists(st.sampled_from([f"é{i}" for i in range(40)]), max_size=12), max_size=12))
def test_it_knows_what_a_dictionary_knows(windows: list[list[str]]) -> None:
    seen = SeenIds()
    oracle: dict[str, int] = {}
    place = 0
    for window in windows:
        places = list(range(place, place + len(window)))
        place += len(window)
        expected = {}
        for index, doc_id in enumerate(window):
            if doc_id in oracle:
                expected[index] = oracle[doc_id]
            else:
                oracle[doc_id] = places[index]
        assert dict(seen.add(window, places)) == expected


def test_it_takes_sixteen_bytes_an_id_and_keeps_large_places() -> None:
    tracemalloc.start()
    seen = SeenIds()
    for start in range(0, 200_000, 5_000):
        numbers = range(start, start + 5_000)
        assert not seen.add([f"doc-{number}" for number in numbers], [(7 << 40) + number for number in numbers])
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 16 * 200_000 * 1.1
    assert dict(seen.add(["new", "doc-123456"], [0, 1])) == {1: (7 << 40) + 123_456}
