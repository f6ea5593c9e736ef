"""Hard negatives: none that is known to be relevant, and as many in every row."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from searchapp.train.examples import Example

SEED = 0
"""Of the order in which texts are drawn for rows with too few negatives: the same rows are filled the same way."""


@dataclass(frozen=True, slots=True)
class Levelled:
    """Rows with one number of negatives, and what it took."""

    examples: list[Example]
    negatives: int
    """Of each row."""
    relevant: int
    """Negatives left out that are known to be relevant to their anchor, or the positive itself."""
    filled: int
    """Negatives drawn from other rows."""
    dropped: int
    """Rows left out, for which no text was left to draw."""


def level_negatives(examples: Sequence[Example], relevant: Mapping[str, frozenset[str]], count: int) -> Levelled:
    """Give every row the number of negatives that the richest has, `count` at most; 0 leaves them all out.

    A negative that is known to be relevant to its anchor is none and is left out, so is one that a row has twice; the
    first `count` stay. A row with fewer than others is filled with positives and negatives of other rows, drawn in one
    seeded order, each once before any comes again, and never one that is relevant to the row's anchor: what a batch
    would bring along anyway. Where none is left to draw, a row's own negatives are repeated.
    """
    if count < 1:
        return Levelled([replace(one, negatives=()) for one in examples], 0, 0, 0, 0)
    kept = [_own(example, relevant.get(example.anchor, frozenset())) for example in examples]
    refused = sum(len(dict.fromkeys(one.negatives)) - len(own) for one, own in zip(examples, kept, strict=True))
    kept = [own[:count] for own in kept]
    width = max(map(len, kept), default=0)
    drawn = _Draw(examples) if any(len(own) < width for own in kept) else None
    rows: list[Example] = []
    filled = 0
    for example, own in zip(examples, kept, strict=True):
        more: list[str] = []
        if drawn is not None and len(own) < width:
            taboo = {example.anchor, example.positive, *own, *relevant.get(example.anchor, ())}
            more = list(drawn.take(width - len(own), taboo))
        filled += len(more)
        texts = [*own, *more]
        if texts or not width:
            rows.append(replace(example, negatives=tuple(texts[place % len(texts)] for place in range(width))))
    return Levelled(rows, width, refused, filled, len(examples) - len(rows))


def _own(example: Example, relevant: frozenset[str]) -> list[str]:
    return [text for text in dict.fromkeys(example.negatives) if text not in relevant and text != example.positive]


class _Draw:
    """The texts of all rows in a shuffled round."""

    def __init__(self, examples: Sequence[Example]) -> None:
        texts = list(dict.fromkeys(text for one in examples for text in (one.positive, *one.negatives)))
        self._texts = [texts[place] for place in np.random.default_rng(SEED).permutation(len(texts))]
        self._next = 0

    def take(self, count: int, taboo: set[str]) -> Iterator[str]:
        """Yield `count` texts that are not taboo, fewer where a whole round has no more."""
        for _ in range(len(self._texts)):
            if not count:
                return
            text = self._texts[self._next]
            self._next = (self._next + 1) % len(self._texts)
            if text not in taboo:
                count -= 1
                yield text
