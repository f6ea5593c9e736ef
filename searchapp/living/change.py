"""What a change of an index is asked with and what it did; the corpus and the encoder it takes, as the index's are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from searchapp.corpus import Corpus, ReadOptions, open_corpus
from searchapp.encoders import Encoder, EncoderOptions
from searchapp.encoders.exported import open_exported
from searchapp.errors import ContractError, InputError
from searchapp.index import Index, Manifest
from searchapp.index.changing import sum_up
from searchapp.search import load_contract_encoder
from searchapp.shards import SHARD_DOCUMENTS


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an index, opened as it is now, and of how many documents."""

    index: Index
    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    """Left alone: the index has them with the same text and fields."""
    deleted: int = 0
    already_done: bool = False
    """The same call had been finished before and was killed after that."""


@dataclass(frozen=True, slots=True)
class GrowOptions:
    """How documents are added."""

    encoder: EncoderOptions = EncoderOptions()
    model: str | None = None
    """Where the index's model lies now, if not where it was."""
    restart: bool = False
    """Throw away what a stopped call has left, instead of going on with it."""
    shard_documents: int = SHARD_DOCUMENTS


def open_more(path: str | Path, index: Index, options: ReadOptions = ReadOptions()) -> Corpus:
    """Open a corpus to be added to an index, read with the index's text template.

    Raises as `open_corpus` does, and ContractError for another template than the index's.
    """
    template = str(index.manifest.corpus["text_template"])
    if options.text is None and str(path) != "-":
        try:
            plain = open_corpus(path, options)
        except InputError:
            plain = None  # what is wrong is told below, about the template that counts
        if plain is not None and plain.text_template == template:
            return plain
    corpus = open_corpus(path, replace(options, text=template if options.text is None else options.text))
    check_template(corpus, index)
    return corpus


def check_template(corpus: Corpus, index: Index) -> None:
    """Raise ContractError unless a corpus is read with the text template of an index."""
    template = index.manifest.corpus["text_template"]
    if corpus.text_template != template:
        raise ContractError(
            f"{index.folder} was made with the text template {template!r}, {corpus.name} is read with "
            f"{corpus.text_template!r}; leave --text away to read it with the index's, or index all of it again"
        )


def load_document_encoder(index: Index, options: GrowOptions) -> Encoder:
    """Load the encoder an index was made with, to embed more documents.

    The one that the index carries serves where it is the very runtime the index was made with; raises as
    `load_contract_encoder` does.
    """
    carried, folder = index.manifest.query_encoder, index.encoder_folder
    wanted = options.encoder
    plain = options.model is None and wanted.device in (None, "cpu") and wanted.dtype in ("auto", "float32")
    if folder is not None and plain and carried == index.manifest.encoder["runtime"] in (wanted.runtime, carried):
        return open_exported(folder)
    return load_contract_encoder(index, options=wanted, model=options.model)


def changed_corpus(manifest: Manifest, operation: str, fingerprint: str) -> Mapping[str, Any]:
    """Return what the manifest says of the corpus after a change: the first one's fingerprint is no longer its own."""
    chained = sum_up([manifest.corpus["fingerprint"], operation, fingerprint])
    return {**manifest.corpus, "fingerprint": chained}
