"""Texts to be judged -> vectors of one encoder: checked, timed, and with an account of what was lost."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from searchapp.build import Progress, silent
from searchapp.encoders import Encoder, check_encoder, check_vectors
from searchapp.encoders.base import Vectors
from searchapp.errors import UsageError
from searchapp.shards import WINDOW_CHARACTERS, WINDOW_DOCUMENTS

Rows: TypeAlias = npt.NDArray[np.intp]
Encode: TypeAlias = Callable[[Sequence[str]], Vectors]

_SHOWN = 60


class Embedder:
    """One encoder at work: what it embedded, how long that took and what it lost.

    dims: what is to be judged, each once; the encoder's full width where none was asked for.
    seconds: what the encoder took so far.

    Raises UsageError for dims the model doesn't have, BadVectorsError for a model that gives NaN, zeros or one vector
    for everything.
    """

    def __init__(self, encoder: Encoder, dims: Sequence[int] = (), *, progress: Progress = silent) -> None:
        self.encoder = encoder
        self.dims = chosen_dims(dims, width=encoder.card.dim, model=encoder.card.model)
        self.seconds = 0.0
        self._progress = progress
        check_encoder(encoder)
        self._checked = replace(encoder.counts)
        self._done = 0

    def embed(self, windows: Iterable[Sequence[str]], encode: Encode, *, rows: int, total: int) -> Vectors:
        """Return the vectors of the texts of all windows, `rows` of them, float32 (rows, widest dim).

        `encode` gets a window at a time; `total` is how many texts this embedder will have embedded in the end, for
        progress. Raises BadVectorsError for vectors that are NaN, zero or all the same.
        """
        vectors = np.empty((rows, max(self.dims)), dtype=np.float32)
        start = 0
        for window in windows:
            began = time.perf_counter()
            made = encode(window)
            self.seconds += time.perf_counter() - began
            check_vectors(made, window, [f"the text {_short(text)!r}" for text in window])
            vectors[start : start + len(window)] = made[:, : vectors.shape[1]]
            start += len(window)
            self._done += len(window)
            self._progress("embedding", self._done, total)
        return vectors

    def losses(self) -> Iterator[str]:
        """Yield a line for each thing that the texts lost on the way, or had already."""
        card, counts, checked = self.encoder.card, self.encoder.counts, self._checked
        if cut := counts.truncated - checked.truncated:
            lost = counts.tokens_lost - checked.tokens_lost
            yield f"{cut:,} texts were cut at max_seq_length {card.max_seq_length}: {lost:,} tokens lost"
        if there := counts.already_prefixed - checked.already_prefixed:
            yield f"{there:,} texts began with the prompt already and were left as they are"


def chosen_dims(dims: Sequence[int], *, width: int, model: str) -> tuple[int, ...]:
    """Return the dims, each once, or full width for none; raise UsageError for one that the model doesn't have."""
    for dim in dims:
        if not 1 <= dim <= width:
            raise UsageError(f"{dim} dims: {model} gives {width}; type a number from 1 to {width}")
    return tuple(dict.fromkeys(dims)) or (width,)


def distinct(texts: Iterable[str]) -> tuple[list[str], Rows]:
    """Return the different texts in order, and for each text which of them it is, (n,)."""
    places: dict[str, int] = {}
    rows = np.fromiter((places.setdefault(text, len(places)) for text in texts), dtype=np.intp)
    return list(places), rows


def cut_texts(texts: Iterable[str]) -> Iterator[list[str]]:
    """Cut texts into what an encoder gets at a time."""
    window: list[str] = []
    size = 0
    for text in texts:
        window.append(text)
        size += len(text)
        if len(window) == WINDOW_DOCUMENTS or size >= WINDOW_CHARACTERS:
            yield window
            window, size = [], 0
    if window:
        yield window


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
