"""Which texts go through the model together."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from searchapp.errors import UsageError

Rows: TypeAlias = npt.NDArray[np.intp]
"""Positions of texts in a call."""


def plan_batches(lengths: Sequence[int], budget: int) -> list[Rows]:
    """Group texts of like length so that every batch, padded to its longest, holds at most `budget` tokens.

    `lengths` are tokens per text. Returns the positions of each batch, longest texts first, so that what needs most
    memory comes first; together they are every position once. A text longer than the budget is a batch of its own.
    Equal lengths keep their order, so the same texts always give the same plan. Raises UsageError for a budget that
    holds no token.

    >>> [batch.tolist() for batch in plan_batches([2, 9, 3, 2], budget=6)]
    [[1], [2, 0], [3]]
    """
    if budget < 1:
        raise UsageError(f"a token budget of {budget} holds no text; give 1 or more")
    order = np.argsort(-np.asarray(lengths, dtype=np.int64), kind="stable")
    batches: list[Rows] = []
    start = 0
    while start < len(order):
        width = max(1, lengths[order[start]])
        stop = start + max(1, budget // width)
        batches.append(order[start:stop])
        start = stop
    return batches
