"""Documents longer than a model sees, cut into chunks that it sees whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import Encoder
from searchapp.errors import ModelError, UsageError
from searchapp.prompts import add_prompt

Spans: TypeAlias = npt.NDArray[np.int64]

OVERLAP_SHARE = 8
"""Chunks share one token in so many of what the model sees, unless the call says otherwise.

Of 256 tokens that is 32, about a sentence: one that a cut goes through stands whole in one of the two chunks. It costs
a seventh more vectors; a quarter would cost a third more.
"""
LEEWAY = 4
"""A chunk may end before it is full, by one token in so many, where a sentence or a word ends there."""
STRETCH = 1 << 18
"""Characters that are tokenised at a time: a token with its place costs far more memory than its characters."""

_LAST_SPACES = 1 << 10
_LOOK_BACK = 8
_FULL_STOPS = ".!?…"
_WIDE_STOPS = "。！？｡"
"""Sentences end with these without a space after them."""


class Tokens(Protocol):
    """What must be known of a tokenizer to cut texts; nothing here is cut at max_seq_length."""

    def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text as they count against max_seq_length: with special tokens, if there are."""
        ...

    def spans(self, texts: Sequence[str]) -> list[Spans]:
        """Return where each text's tokens begin and end, characters, int64 (tokens, 2), without special tokens."""
        ...


@runtime_checkable
class CountsTokens(Protocol):
    """An encoder that has its tokenizer to show."""

    def token_counter(self) -> Tokens:
        """Return a tokenizer of its own that tells tokens as the encoder does; raise ModelError where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class Chunker:
    """Cuts documents; `prompt` is put before every chunk later, and counts."""

    tokens: Tokens
    limit: int
    """Tokens the model sees: its max_seq_length."""
    overlap: int
    """Tokens that neighbouring chunks share, at most: a chunk begins with a word where one begins in time."""
    prompt: str = ""

    def lengths(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text with its prompt, uncut."""
        prefixed, _ = add_prompt(self.prompt, texts)
        short = iter(self.tokens.count([text for text in prefixed if len(text) <= STRETCH]))
        around = self.tokens.count([""])[0]
        return [next(short) if len(text) <= STRETCH else around + len(self._spans(text)) for text in prefixed]

    def split(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the chunks of each text, one or more; a text that fits is its only chunk.

        Every chunk is a piece of its text, character for character, that is cut out where tokens begin and fits with
        its prompt; every character is in one, but for white space between them. Raises ModelError for a text that can't
        be cut so.
        """
        chunks = [[text] for text in texts]
        long = [row for row, tokens in enumerate(self.lengths(texts)) if tokens > self.limit]
        places = {row: self._spans(texts[row]) for row in long}
        rooms = dict.fromkeys(places, self.limit - self.tokens.count([self.prompt])[0])
        while rooms:
            for row, room in rooms.items():
                chunks[row] = _cut(texts[row], places[row], room, min(self.overlap, room // 2)) if room > 0 else []
            rooms = self._still_too_long(chunks, rooms)
        return chunks

    def _still_too_long(self, chunks: Sequence[Sequence[str]], rooms: dict[int, int]) -> dict[int, int]:
        """Return the rows with a chunk that has more tokens alone than it had in its text, with less room for them."""
        less = {}
        counts = iter(self.lengths([chunk for row in rooms for chunk in chunks[row]]))
        for row, room in rooms.items():
            most = max((next(counts) for _ in chunks[row]), default=self.limit + 1)
            if most > self.limit:
                less[row] = room - (most - self.limit)
                if room <= 0:
                    raise ModelError(
                        f"a text can't be cut into pieces of {self.limit} tokens, prompt included, such as "
                        f"{self.prompt!r}; type --on-truncate warn, or a shorter --document-prompt"
                    )
        return less

    def _spans(self, text: str) -> Spans:
        parts = [self.tokens.spans([text[begin:end]])[0] + begin for begin, end in _stretches(text)]
        return np.concatenate(parts)


def open_chunker(encoder: Encoder, overlap: int | None = None) -> Chunker | None:
    """Return what cuts an encoder's documents, or None where it sees all of any text.

    Raises ModelError where its tokenizer doesn't tell where tokens are, UsageError for an overlap that leaves no room.
    """
    card = encoder.card
    limit = card.max_seq_length
    if limit is None:
        return None
    if not isinstance(encoder, CountsTokens):
        raise ModelError(f"what runs in {card.runtime} doesn't show its tokens; type --on-truncate warn")
    tokens = encoder.token_counter()
    chosen = limit // OVERLAP_SHARE if overlap is None else overlap
    room = limit - tokens.count([card.prompts.document])[0]
    if not 0 <= chosen <= room // 2:
        raise UsageError(
            f"chunks can't share {chosen} tokens: {card.model} sees {limit}, {room} of them beside the document prompt "
            f"{card.prompts.document!r}; type --chunk-overlap with a number from 0 to {max(0, room // 2)}"
        )
    return Chunker(tokens, limit, chosen, card.prompts.document)


def _cut(text: str, spans: Spans, room: int, overlap: int) -> list[str]:
    """Cut a text into pieces of at most `room` tokens."""
    edges = _Edges(text, spans)
    chunks: list[str] = []
    begin = end = 0
    while end < edges.tokens:
        known, end = end, edges.choose_end(after=end, most=begin + room, leeway=room // LEEWAY)
        if edges.piece(known, end):
            chunks.append(edges.piece(begin, end))
        begin = edges.choose_begin(max(begin + 1, end - overlap), end)
    return chunks or [text]


class _Edges:
    """Where a text may be cut: edge j lies before its token j, unless a character has tokens on both sides of it."""

    def __init__(self, text: str, spans: Spans) -> None:
        self.tokens = len(spans)
        self._text = text
        self._starts = spans[:, 0]
        clean = np.append(self._starts[1:] >= np.maximum.accumulate(spans[:, 1])[:-1], [True])
        self._edges = np.flatnonzero(clean) + 1

    def piece(self, begin: int, end: int) -> str:
        """Return what lies between two edges, characters without a token at its end included, white space not."""
        last = len(self._text) if end == self.tokens else int(self._starts[end])
        if begin == 0:
            return self._text[:last].rstrip()
        return self._text[self._starts[begin] : last].strip()

    def choose_end(self, *, after: int, most: int, leeway: int) -> int:
        """Return the edge after `after` and up to `most` to end at, or the first beyond if there is none."""
        if most >= self.tokens:
            return self.tokens
        near = self._between(max(after + 1, most - leeway), most)[::-1]
        for good in (self._ends_sentence, self._ends_word):
            if (edge := next(filter(good, near), None)) is not None:
                return edge
        within = self._between(after + 1, most)
        return within[-1] if within else int(self._edges[np.searchsorted(self._edges, most, side="right")])

    def choose_begin(self, least: int, end: int) -> int:
        """Return the edge from `least` to `end` to begin at: a word's, if one begins in the first half."""
        edges = self._between(least, end)
        words = (edge for edge in edges if edge <= (least + end) // 2 and self._ends_word(edge))
        return next(words, edges[0])

    def _between(self, least: int, most: int) -> list[int]:
        first, last = np.searchsorted(self._edges, [least, most + 1])
        edges: list[int] = self._edges[first:last].tolist()
        return edges

    def _ends_word(self, edge: int) -> bool:
        start = int(self._starts[edge]) if edge < self.tokens else len(self._text)
        return any(character.isspace() for character in self._text[max(0, start - 1) : start + 1])

    def _ends_sentence(self, edge: int) -> bool:
        start = int(self._starts[edge])
        before = self._text[max(0, start - _LOOK_BACK) : start]
        last = before.rstrip()[-1:]
        gap = before[len(before.rstrip()) :]
        return bool(last) and (last in _WIDE_STOPS or "\n" in gap or (last in _FULL_STOPS and self._ends_word(edge)))


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Yield the beginnings and ends of what is tokenised at a time, which ends after white space where some is near."""
    begin = 0
    while len(text) - begin > STRETCH:
        end = begin + STRETCH
        near = range(end, end - _LAST_SPACES, -1)
        end = next((place for place in near if text[place - 1].isspace()), end)
        yield begin, end
        begin = end
    yield begin, len(text)
