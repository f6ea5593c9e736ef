"""One pass over a corpus that keeps counts and a seeded sample."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from searchapp.corpus import Corpus, Skipped
from searchapp.corpus.fingerprint import Fingerprint
from searchapp.corpus.seen import SeenIds
from searchapp.records import Document

SAMPLE = 5_000
"""Documents that are kept, drawn evenly from the whole corpus."""
SEED = 1234
WINDOW = 8_192
SHOWN = 3
TICK = 1_000


@dataclass(frozen=True, slots=True)
class CorpusFacts:
    """What one pass over a corpus found."""

    name: str
    format: str
    text_template: str
    count: int
    characters: int
    skipped: Skipped
    duplicates: int
    """Documents whose text an earlier one has already."""
    examples: tuple[str, ...]
    """Places of the first of those."""
    sample: tuple[Document, ...]
    """In random order, so that any beginning of it is a sample too."""
    fingerprint: str


def read_facts(corpus: Corpus, *, sample: int = SAMPLE, progress: Callable[[int], None] | None = None) -> CorpusFacts:
    """Read a corpus once, which must leave out bad rows instead of stopping at them.

    Memory: the sample, a window of texts, and 16 bytes a document to notice texts that are there twice. Raises
    InputError where a file can't be read on.
    """
    draw = np.random.default_rng(SEED)
    kept: list[Document] = []
    fingerprint, texts = Fingerprint(), _Texts()
    count = characters = 0
    for document in corpus.documents():
        if count < sample:
            kept.append(document)
        elif (place := int(draw.integers(count + 1))) < sample:
            kept[place] = document
        count += 1
        characters += len(document.text)
        fingerprint.add(document)
        texts.add(document)
        if progress is not None and count % TICK == 0:
            progress(count)
    texts.flush()
    return CorpusFacts(
        name=corpus.name,
        format=corpus.format,
        text_template=corpus.text_template,
        count=count,
        characters=characters,
        skipped=corpus.skipped,
        duplicates=texts.duplicates,
        examples=tuple(texts.examples),
        sample=tuple(kept[place] for place in draw.permutation(len(kept))),
        fingerprint=fingerprint.hexdigest(),
    )


class _Texts:
    """Counts texts that were there before, a window at a time."""

    def __init__(self) -> None:
        self.duplicates = 0
        self.examples: list[str] = []
        self._seen = SeenIds()
        self._window: list[Document] = []
        self._start = 0

    def add(self, document: Document) -> None:
        self._window.append(document)
        if len(self._window) == WINDOW:
            self.flush()

    def flush(self) -> None:
        places = list(range(self._start, self._start + len(self._window)))
        known = self._seen.add([one.text for one in self._window], places)
        self.duplicates += len(known)
        self.examples += [self._window[row].where for row in sorted(known)][: SHOWN - len(self.examples)]
        self._start += len(self._window)
        self._window = []
