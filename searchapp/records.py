"""The records that travel through searchapp, and nothing else.

Every reader turns its file into these, every writer takes these; they are small, typed and immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

Value: TypeAlias = str | int | float | bool | None
"""What a stored field of a document may hold."""


@dataclass(frozen=True, slots=True)
class Document:
    """One thing that can be found.

    `text` is what the encoder sees (the template already applied, no prompt yet), `fields` what is kept
    for display, `where` the `path:line` it was read from, for error messages.
    """

    doc_id: str
    text: str
    fields: Mapping[str, Value] = field(default_factory=dict)
    where: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """One thing that is asked. `fields` holds what queries may be sliced by (locale, source, ...)."""

    query_id: str
    text: str
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Qrel:
    """A judgment: how relevant one document is to one query. A larger `grade` is better, 0 is irrelevant."""

    query_id: str
    doc_id: str
    grade: int


@dataclass(frozen=True, slots=True)
class Hit:
    """A document found. `rank` starts at 1; a larger `score` is better."""

    rank: int
    doc_id: str
    score: float
    fields: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Triplet:
    """An anchor that should lie nearer to `positive` than to any of `negatives`."""

    anchor: str
    positive: str
    negatives: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two sentences and the similarity people gave them."""

    sentence1: str
    sentence2: str
    score: float
