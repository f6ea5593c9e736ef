"""Numbered shards of a corpus on their way to disk: cut, embedded, written, each finished once and for all."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchapp.corpus.fingerprint import Fingerprint
from searchapp.encoders import Encoder, check_vectors
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


def cut_slices(documents: Iterable[Document], most: int) -> Iterator[Slice]:
    """Cut a corpus into slices of at most `most` documents."""
    fingerprint = Fingerprint()
    for number, part in enumerate(_cut(documents, most, SHARD_CHARACTERS)):
        for document in part:
            fingerprint.add(document)
        yield Slice(number, part, fingerprint.hexdigest())


class ShardWriter:
    """The task that an engine maps: a slice of documents in, two committed files out.

    A slice whose shard was finished by an earlier call is not embedded again. `progress` is called with the number of
    documents done so far.
    """

    def __init__(self, steps: Steps, encoder: Encoder, progress: Callable[[int], None]) -> None:
        self._steps = steps
        self._encoder = encoder
        self._progress = progress
        self._done = 0

    def write(self, part: Slice) -> Written:
        """Embed one slice and commit its vectors and documents, unless they are there."""
        shard = Shard(len(part.documents), f"vectors/{part.number:05d}.npy", f"documents/{part.number:05d}.arrow")
        step = Step(f"{STEP}{part.number:05d}", part.fingerprint, (shard.vectors, shard.documents))

        def make(paths: Sequence[Path]) -> dict[str, int]:
            lost: list[int] = []
            prefixed: list[bool] = []

            def blocks() -> Iterator[Vectors]:
                for window in cut_windows(part.documents):
                    yield self._embed(window)
                    lost.extend(self._encoder.counts.last_lost)
                    prefixed.extend(self._encoder.counts.last_prefixed)

            write_shard(paths[0], blocks(), rows=shard.rows, dim=self._encoder.card.dim)
            write_documents(paths[1], part.documents, _facts(part.documents, lost, prefixed))
            return {"texts": shard.rows}

        start = self._done
        receipt = self._steps.finish(step, make)
        if self._done == start:
            self._tell(len(part.documents))
        return Written(shard, receipt.files, part.fingerprint)

    def _embed(self, window: list[Document]) -> Vectors:
        texts = [document.text for document in window]
        vectors: Vectors = self._encoder.encode_documents(texts)
        check_vectors(vectors, texts, [f"{document.doc_id} ({document.where})" for document in window])
        self._tell(len(window))
        return vectors

    def _tell(self, more: int) -> None:
        self._done += more
        self._progress(self._done)


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


def _facts(documents: Sequence[Document], lost: Sequence[int], prefixed: Sequence[bool]) -> RowFacts:
    return RowFacts(
        chunk=np.zeros(len(documents), dtype=np.int32),
        text_hash=np.array([_text_hash(document.text) for document in documents], dtype=np.uint64),
        tokens_lost=np.array(lost, dtype=np.int32),
        prefixed=np.array(prefixed, dtype=np.bool_),
    )


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
