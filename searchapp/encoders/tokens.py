"""Texts to token ids, once, without padding; padded per batch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

COLUMNS = {"input_ids", "attention_mask", "token_type_ids"}
"""What a tokenizer may give for this to know how to pad it."""


class Tokenizer(Protocol):
    """What is used of a transformers tokenizer."""

    pad_token_id: int
    pad_token_type_id: int
    padding_side: str

    def __call__(self, text: list[str], *, padding: bool, truncation: bool, verbose: bool) -> Any:
        """Return ids by column, and for a fast tokenizer the `encodings` they come from."""
        ...

    def num_special_tokens_to_add(self, pair: bool) -> int:
        """Return how many tokens are put around every text."""
        ...


@dataclass(frozen=True, slots=True)
class TokenizedTexts:
    """The ids of some texts, cut at max_seq_length."""

    columns: Mapping[str, Sequence[Sequence[int]]]
    padding: Mapping[str, int]
    left: bool
    lengths: tuple[int, ...]
    lost: tuple[int, ...]
    """Tokens of each text beyond max_seq_length."""

    def padded(self, rows: npt.NDArray[np.intp]) -> dict[str, npt.NDArray[np.int64]]:
        """Return int64 (len(rows), longest) per column for the texts at `rows`."""
        lengths = np.array([self.lengths[row] for row in rows])
        places = np.arange(lengths.max())
        taken = places >= (lengths.max() - lengths)[:, None] if self.left else places < lengths[:, None]
        result = {}
        for name, column in self.columns.items():
            block = np.full(taken.shape, self.padding[name], dtype=np.int64)
            ids = chain.from_iterable(column[row] for row in rows)
            block[taken] = np.fromiter(ids, dtype=np.int64, count=int(lengths.sum()))
            result[name] = block
        return result


def measure(first: Any, texts: list[str], *, task: str) -> tuple[list[int], int | None]:
    """Return the tokens of each text as a model's first module sees them, and how many of them it uses.

    Where the tokenizer is not one of transformers, characters stand in for tokens and nothing is known to be cut.
    """
    routes = dict(getattr(first, "sub_modules", {}))
    first = routes[task][0] if task in routes else first
    tokenizer: Any = getattr(first, "tokenizer", None)
    if not hasattr(tokenizer, "num_special_tokens_to_add") or not hasattr(tokenizer, "model_max_length"):
        return [len(text) for text in texts], None
    encoded = tokenizer(texts, padding=False, truncation=False, verbose=False)
    own = getattr(first, f"{task}_length", None)
    return [len(ids) for ids in encoded["input_ids"]], own or limit_of(first.max_seq_length)


def limit_of(length: float | None) -> int | None:
    """Return a max_seq_length, or None for the huge numbers that stand for none."""
    return int(length) if length is not None and length < 1e9 else None


def tokenize(tokenizer: Tokenizer, texts: list[str]) -> TokenizedTexts:
    """Turn texts into ids with a fast tokenizer, cut as it is set to.

    What is cut comes back from the same pass as pieces, each with the special tokens around it.
    """
    encoded = tokenizer(texts, padding=False, truncation=True, verbose=False)
    special = tokenizer.num_special_tokens_to_add(pair=False)
    return TokenizedTexts(
        columns={name: encoded[name] for name in encoded},
        padding={
            "input_ids": tokenizer.pad_token_id,
            "attention_mask": 0,
            "token_type_ids": tokenizer.pad_token_type_id,
        },
        left=tokenizer.padding_side == "left",
        lengths=tuple(len(ids) for ids in encoded["input_ids"]),
        lost=tuple(sum(len(piece) - special for piece in item.overflowing) for item in encoded.encodings),
    )
