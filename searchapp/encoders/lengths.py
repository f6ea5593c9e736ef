"""How many tokens texts have, by a model's tokenizer alone: no weights, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from searchapp.encoders.folder import one_line
from searchapp.encoders.static_folder import find_static
from searchapp.errors import ModelError


@dataclass(frozen=True, slots=True)
class TokenCounter:
    """Counts tokens as an encoder does against its max_seq_length: with the special tokens, where it puts some."""

    tokenizer: Tokenizer
    special: bool

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, uncut."""
        found = self.tokenizer.encode_batch_fast(list(texts), add_special_tokens=self.special)
        return [len(encoding.ids) for encoding in found]

    def spans(self, texts: Sequence[str]) -> list[npt.NDArray[np.int64]]:
        """Return where each text's tokens begin and end, characters, int64 (tokens, 2), without special tokens."""
        found = self.tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [np.array(encoding.offsets, dtype=np.int64).reshape(-1, 2) for encoding in found]


def count_with(tokenizer: Tokenizer, *, special: bool) -> TokenCounter:
    """Return a counter with a copy of a tokenizer, which cuts and pads nothing."""
    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_truncation()
    own.no_padding()
    return TokenCounter(own, special)


def open_token_counter(folder: Path) -> TokenCounter | None:
    """Open the tokenizer in a model's folder; None where it has none of the kind that can be used alone.

    Raises ModelError for a file that is damaged.
    """
    static = find_static(folder)
    places = [static.tokenizer] if static else [folder / "tokenizer.json", *sorted(folder.glob("0_*/tokenizer.json"))]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return None
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise ModelError(f"{path} can't be read ({one_line(error)}); fetch the model again") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return TokenCounter(tokenizer, special=static is None)
