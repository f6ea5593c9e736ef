"""Adding documents to an index: new shards, one more part of every derived index, all in one change."""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from searchapp.build import Progress, library_versions, silent, unheard
from searchapp.corpus import Corpus, CorpusSurvey
from searchapp.corpus.fingerprint import Fingerprint
from searchapp.encoders import Encoder
from searchapp.errors import InputError
from searchapp.index import Index, Manifest, open_index
from searchapp.index.changing import Held, add_part, holding, sum_up, write_deleted
from searchapp.index.documents import DocumentStore
from searchapp.index.manifest import FileEntry, Shard
from searchapp.index.vectors import Rows, VectorStore
from searchapp.living.change import Change, GrowOptions, changed_corpus, check_template, load_document_encoder
from searchapp.records import Document
from searchapp.search import Searcher
from searchapp.shards import STEP, ShardWriter, Written, cut_slices, hash_text
from searchapp.truncation import CHUNK, choose_chunker

BLOCK = 16_384
"""Documents whose rows are looked up at a time."""
NAMED = 3
"""How many ids an error names."""

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Sifted:
    """What one pass over a corpus found beside an index."""

    fresh: int
    """Documents to embed, those that replace others included."""
    replaced: Rows
    """The first rows of the documents that are replaced, int64, ascending."""
    unchanged: int
    fingerprint: str
    """Of the documents to embed."""


def add_documents(
    corpus: Corpus,
    index: Index,
    *,
    encoder: Encoder | None = None,
    options: GrowOptions = GrowOptions(),
    progress: Progress = silent,
    note: Note = unheard,
) -> Change:
    """Add a corpus to an index; ids that it holds already are refused before anything is embedded.

    Unless it holds all of the corpus as it is: then there is nothing to do.

    encoder: that of the index; None loads it, once it is needed. What a stopped call has finished lies in
    `.NAME.partial` beside the index; the same call goes on with it and gives the same bytes. Readers that have the
    index open keep their version.

    Raises InputError for a bad corpus or ids that the index holds, ContractError for another model, prompt or template
    than the index's or a stopped call's work of something else, IndexFolderError where somebody else is writing.
    """
    return _grow("add", corpus, index, encoder=encoder, options=options, tell=_Tell(progress, note))


def upsert_documents(
    corpus: Corpus,
    index: Index,
    *,
    encoder: Encoder | None = None,
    options: GrowOptions = GrowOptions(),
    progress: Progress = silent,
    note: Note = unheard,
) -> Change:
    """Add a corpus to an index in place of the documents of the same ids; see `add_documents`.

    Those with the same text and fields are left alone. Old rows go and new ones come in one change.
    """
    return _grow("upsert", corpus, index, encoder=encoder, options=options, tell=_Tell(progress, note))


@dataclass(frozen=True, slots=True)
class _Tell:
    progress: Progress
    note: Note


def _grow(
    operation: str, corpus: Corpus, index: Index, *, encoder: Encoder | None, options: GrowOptions, tell: _Tell
) -> Change:
    check_template(corpus, index)
    survey = corpus.survey(lambda done: tell.progress("reading", done, None))
    call = sum_up([operation, survey.fingerprint, survey.text_template])
    with holding(index.folder) as work:
        if work.was_placed(call):
            tell.note(f"{index.folder}: this was finished by the call before")
            return Change(open_index(index.folder), already_done=True)
        held = Held(open_index(index.folder), work)
        sifted = _sift(corpus, held.index, operation, tell.progress)
        if not sifted.fresh:
            return Change(held.index, unchanged=sifted.unchanged)
        if encoder is None:
            tell.progress("loading the model", 0, None)
            encoder = load_document_encoder(held.index, options)
        Searcher(held.index, encoder)  # compares the encoder with the contract
        going_on = held.begin(_contract(operation, survey, encoder, options), restart=options.restart)
        if going_on:
            shards = [receipt for receipt in held.steps.finished if receipt.name.startswith(STEP)]
            texts = sum(receipt.notes["texts"] for receipt in shards)
            tell.note(f"going on: {texts:,} of {sifted.fresh:,} documents are embedded already")
        written = _embed(held, _fresh(corpus, held.index), sifted, encoder, options, tell.progress)
        manifest = _describe(held, written, sifted, survey, operation, tell.progress)
        tell.progress("putting in place", 0, None)
        changed = held.commit(manifest, call)
    replaced = len(sifted.replaced)
    return Change(changed, sifted.fresh - replaced, replaced, sifted.unchanged)


def _contract(operation: str, survey: CorpusSurvey, encoder: Encoder, options: GrowOptions) -> dict[str, Any]:
    return {
        "operation": operation,
        "encoder": dataclasses.asdict(encoder.card),
        "corpus": {"text_template": survey.text_template, "fingerprint": survey.fingerprint},
        "shard_documents": options.shard_documents,
        "versions": {name: found for name, found in library_versions().items() if not name.startswith("faiss")},
    }


def _matched(documents: Iterable[Document], index: Index) -> Iterator[tuple[Document, int | None]]:
    """Yield every document with the first row of the one that the index holds by that id."""
    stream = iter(documents)
    while block := list(itertools.islice(stream, BLOCK)):
        rows = index.documents.rows(document.doc_id for document in block)
        for document in block:
            yield document, rows.get(document.doc_id)


def _sift(corpus: Corpus, index: Index, operation: str, progress: Progress) -> Sifted:
    """Compare a corpus with an index; raise InputError where it holds ids that are there and mustn't be."""
    fingerprint, unchanged = Fingerprint(), 0
    fresh, replaced = 0, list[int]()
    names: list[str] = []
    hashes = index.documents.fact("text_hash")
    for number, (document, row) in enumerate(_matched(corpus.documents(), index), 1):
        if number % BLOCK == 0:
            progress("comparing", number, None)
        if row is not None and _is_same(document, index, row, int(hashes[row])):
            unchanged += 1
        else:
            fresh += 1
            fingerprint.add(document)
            replaced += [] if row is None else [row]
        if row is not None and len(names) < NAMED:
            names.append(f"{document.doc_id} ({document.where})")
    # A call that was killed at its very end and is typed again finds all of its documents there.
    if operation == "add" and fresh and names:
        raise InputError(
            f"{index.folder} has {len(replaced) + unchanged:,} of these ids already, such as {', '.join(names)}; to "
            "replace them, type searchapp upsert with the same words, or leave them out"
        )
    rows = np.sort(np.array(replaced, dtype=np.int64))
    return Sifted(fresh, rows, unchanged, fingerprint.hexdigest())


def _fresh(corpus: Corpus, index: Index) -> Iterator[Document]:
    """Yield the documents of a corpus that an index doesn't hold as they are."""
    hashes = index.documents.fact("text_hash")
    for document, row in _matched(corpus.documents(), index):
        if row is None or not _is_same(document, index, row, int(hashes[row])):
            yield document


def _is_same(document: Document, index: Index, row: int, text_hash: int) -> bool:
    if hash_text(document.text) != text_hash:
        return False
    stored = index.documents.fields(row)
    # 1, 1.0 and True are equal to Python, and NaN isn't to itself.
    given = {name: repr(value) for name, value in document.fields.items() if value is not None}
    return given == {name: repr(value) for name, value in stored.items()}


def _embed(
    held: Held,
    documents: Iterable[Document],
    sifted: Sifted,
    encoder: Encoder,
    options: GrowOptions,
    progress: Progress,
) -> list[Written]:
    progress("embedding", 0, sifted.fresh)
    base = held.index.manifest
    chunker = None if base.chunk_overlap is None else choose_chunker(encoder, CHUNK, base.chunk_overlap)
    writer = ShardWriter(held.steps, encoder, lambda done: progress("embedding", done, sifted.fresh), chunker)
    first = len(base.shards)
    written = [writer.write(part) for part in cut_slices(documents, options.shard_documents, first=first)]
    if written[-1].fingerprint != sifted.fingerprint:
        held.work.discard()
        raise InputError("the corpus changed while it was read; run the same command again once nothing writes to it")
    return written


def _describe(
    held: Held, written: list[Written], sifted: Sifted, survey: CorpusSurvey, operation: str, progress: Progress
) -> Manifest:
    """Finish what is made from the new shards and return the manifest of the index with them."""
    index, base = held.index, held.index.manifest
    shards = [part.shard for part in written]
    files = dict(base.files)
    for part in written:
        files |= part.files
    vectors = VectorStore([held.steps.folder / shard.vectors for shard in shards], base.dim)
    checksums = [files[shard.vectors].sha256 for shard in shards]
    derived = []
    for one in base.derived:
        grown, entry = add_part(held, one, vectors, checksums, progress)
        files[grown.parts[-1].file] = entry
        derived.append(grown)
    deleted, gone = base.deleted, index.deleted
    if len(sifted.replaced):
        gone = np.union1d(gone, index.documents.sieve.spread(sifted.replaced))
        deleted = replace_deleted(held, gone, files)
    return dataclasses.replace(
        base,
        corpus=changed_corpus(base, operation, survey.fingerprint),
        counts={**_count(held, shards, gone), "skipped": base.counts["skipped"] + survey.skipped.count},
        shards=(*base.shards, *shards),
        derived=tuple(derived),
        files=files,
        deleted=deleted,
        generation=held.generation,
    )


def replace_deleted(held: Held, rows: Rows, files: dict[str, FileEntry]) -> str:
    """Write the rows that are deleted now, enter their file in `files` in place of the one before; return its name."""
    name, entry = write_deleted(held, rows)
    files.pop(held.index.manifest.deleted or "", None)
    files[name] = entry
    return name


def _count(held: Held, new: list[Shard], deleted: Rows) -> dict[str, int]:
    base = held.index.manifest
    paths = [held.work.target / shard.documents for shard in base.shards]
    paths += [held.steps.folder / shard.documents for shard in new]
    return DocumentStore(paths, deleted=deleted, chunked=base.chunk_overlap is not None).counts()
