"""Numbered shards of a corpus on their way to disk: cut, embedded, written, each finished once and for all."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from searchapp.corpus.fingerprint import Fingerprint
from searchapp.encoders import Encoder, check_vectors
from searchapp.encoders.chunks import Chunker
from searchapp.errors import ModelError
from searchapp.index.documents import RowFacts, write_documents
from searchapp.index.manifest import FileEntry, Shard
from searchapp.index.steps import Step, Steps
from searchapp.index.vectors import Vectors, write_shard
from searchapp.records import Document

SHARD_DOCUMENTS = 16_384
SHARD_CHARACTERS = 1 << 26
"""A shard ends at this many documents or characters, whichever comes first."""
WINDOW_DOCUMENTS = 2_048
WINDOW_CHARACTERS = 1 << 18
"""A window is what the encoder sorts by length and batches; it is also how often progress is told."""

STEP = "shard-"
"""What the names of the steps of shards begin with; their numbers follow."""


@dataclass(frozen=True, slots=True)
class Slice:
    """One numbered slice of the corpus, on its way to becoming a shard."""

    number: int
    documents: list[Document]
    fingerprint: str
    """That of the corpus from its first document to the last of this slice."""


@dataclass(frozen=True, slots=True)
class Written:
    """A shard on disk."""

    shard: Shard
    files: Mapping[str, FileEntry]
    fingerprint: str
    documents: int


def cut_slices(documents: Iterable[Document], most: int, *, first: int = 0) -> Iterator[Slice]:
    """Cut a corpus into slices of at most `most` documents, numbered from `first`."""
    fingerprint = Fingerprint()
    for number, part in enumerate(_cut(documents, most, SHARD_CHARACTERS), first):
        for document in part:
            fingerprint.add(document)
        yield Slice(number, part, fingerprint.hexdigest())


class ShardWriter:
    """The task that an engine maps: a slice of documents in, two committed files out.

    A slice whose shard was finished by an earlier call is not embedded again. `progress` is called with the number of
    documents done so far. With a chunker, a document that the model would cut becomes several rows.
    """

    def __init__(
        self, steps: Steps, encoder: Encoder, progress: Callable[[int], None], chunker: Chunker | None = None
    ) -> None:
        self._steps = steps
        self._encoder = encoder
        self._progress = progress
        self._chunker = chunker
        self._done = 0

    def write(self, part: Slice) -> Written:
        """Embed one slice and commit its vectors and documents, unless they are there."""
        planned = Shard.numbered(part.number, len(part.documents))
        step = Step(f"{STEP}{part.number:05d}", part.fingerprint, (planned.vectors, planned.documents))

        def make(paths: Sequence[Path]) -> dict[str, int]:
            rows = cut_rows(part.documents, self._chunker)
            lost: list[int] = []
            prefixed: list[bool] = []

            def blocks() -> Iterator[Vectors]:
                for window in cut_windows(row.document for row in rows):
                    begin = len(lost)
                    yield self._embed(window)
                    lost.extend(self._encoder.counts.last_lost)
                    prefixed.extend(self._encoder.counts.last_prefixed)
                    self._check_whole(window, lost[begin:])
                    self._tell(sum(row.chunk == 0 for row in rows[begin : len(lost)]))

            write_shard(paths[0], blocks(), rows=len(rows), dim=self._encoder.card.dim)
            write_documents(paths[1], [row.document for row in rows], _facts(rows, lost, prefixed))
            return {"texts": len(part.documents), "rows": len(rows)}

        start = self._done
        receipt = self._steps.finish(step, make)
        if self._done == start:
            self._tell(len(part.documents))
        shard = Shard.numbered(part.number, receipt.notes["rows"])
        return Written(shard, receipt.files, part.fingerprint, len(part.documents))

    def _embed(self, window: list[Document]) -> Vectors:
        texts = [document.text for document in window]
        vectors: Vectors = self._encoder.encode_documents(texts)
        check_vectors(vectors, texts, [f"{document.doc_id} ({document.where})" for document in window])
        return vectors

    def _check_whole(self, window: Sequence[Document], lost: Sequence[int]) -> None:
        """Refuse an encoder that sees less than its tokenizer promised."""
        if self._chunker is not None and any(lost):
            document, tokens = next((document, tokens) for document, tokens in zip(window, lost, strict=True) if tokens)
            raise ModelError(
                f"{self._encoder.card.model} lost {tokens} tokens of a chunk of {document.doc_id} ({document.where}) "
                f"that was cut to fit its {self._chunker.limit}: it reads texts otherwise than its tokenizer says; "
                "type --on-truncate warn"
            )

    def _tell(self, more: int) -> None:
        self._done += more
        self._progress(self._done)


@dataclass(frozen=True, slots=True)
class Row:
    """What becomes a row: a document, or a chunk of one with its number and, if it isn't the first, no fields."""

    document: Document
    chunk: int
    text_hash: int
    """64 bits of the whole document's text."""


def cut_rows(documents: Iterable[Document], chunker: Chunker | None) -> list[Row]:
    """Return the rows of some documents, those of each on end."""
    rows: list[Row] = []
    for window in cut_windows(documents):
        texts = [document.text for document in window]
        chunks = [[text] for text in texts] if chunker is None else chunker.split(texts)
        for document, pieces in zip(window, chunks, strict=True):
            text_hash = hash_text(document.text)
            rows.append(Row(replace(document, text=pieces[0]), 0, text_hash))
            further = replace(document, fields={})
            rows += [Row(replace(further, text=text), number, text_hash) for number, text in enumerate(pieces[1:], 1)]
    return rows


def cut_windows(documents: Iterable[Document]) -> Iterator[list[Document]]:
    """Cut documents into what an encoder gets at a time."""
    return _cut(documents, WINDOW_DOCUMENTS, WINDOW_CHARACTERS)


def _cut(documents: Iterable[Document], most: int, characters: int) -> Iterator[list[Document]]:
    """Cut a stream into lists of at most `most` documents, ending one as soon as it holds `characters`."""
    part: list[Document] = []
    size = 0
    for document in documents:
        part.append(document)
        size += len(document.text)
        if len(part) == most or size >= characters:
            yield part
            part, size = [], 0
    if part:
        yield part


def _facts(rows: Sequence[Row], lost: Sequence[int], prefixed: Sequence[bool]) -> RowFacts:
    return RowFacts(
        chunk=np.array([row.chunk for row in rows], dtype=np.int32),
        text_hash=np.array([row.text_hash for row in rows], dtype=np.uint64),
        tokens_lost=np.array(lost, dtype=np.int32),
        prefixed=np.array(prefixed, dtype=np.bool_),
    )


def hash_text(text: str) -> int:
    """Return the 64 bits that equal texts are known by."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
