import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.encoders.batching import plan_batches
from searchapp.errors import UsageError


@given(st.lists(st.integers(0, 60)), st.integers(1, 100))
def test_batches_hold_every_text_once_within_the_budget_longest_first(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, budget)
    flat = [int(row) for batch in batches for row in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert flat == sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget


@given(st.lists(st.integers(1, 60), min_size=1), st.integers(1, 100))
def test_no_batch_could_have_taken_the_next_text(lengths: list[int], budget: int) -> None:
    batches = plan_batches(lengths, budget)
    for batch, following in itertools.pairwise(batches):
        assert len(following) > 0
        assert (len(batch) + 1) * lengths[batch[0]] > budget


def test_no_texts_make_no_batches() -> None:
    assert plan_batches([], 10) == []


def test_an_empty_budget_is_refused() -> None:
    with pytest.raises(UsageError, match="a token budget of 0 holds no text; give 1 or more"):
        plan_batches([1], 0)
