"""The write path: corpus + encoder + kinds + engine -> an index folder, whole or not at all.

Everything that can be refused is refused before the first text is embedded: the corpus is read once to be checked and
counted, the encoder is shown a few canary texts, every kind is planned. Then the corpus is cut into numbered shards;
each becomes a file of vectors and a file of documents; derived indexes are made from the stored vectors; the manifest
comes last and the folder is put in place in one step.
"""

import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from searchapp import __version__
from searchapp.corpus import Corpus, CorpusSurvey
from searchapp.encoders import CANARIES, EncodeCounts, Encoder, check_encoder, check_vectors
from searchapp.engine import Engine, LocalEngine
from searchapp.errors import InputError
from searchapp.index import Index, Manifest, open_index
from searchapp.index.derive import Target, build_derived, describe_file, plan_targets
from searchapp.index.documents import write_documents
from searchapp.index.manifest import CANARY_FILE, Derived, FileEntry, Shard, write_manifest
from searchapp.index.vectors import Vectors, VectorStore, write_shard
from searchapp.layout import check_free, committing_folder
from searchapp.records import Document

SHARD_DOCUMENTS = 16_384
SHARD_CHARACTERS = 1 << 26
"""A shard ends at this many documents or characters, whichever comes first."""
WINDOW_DOCUMENTS = 2_048
WINDOW_CHARACTERS = 1 << 18
"""A window is what the encoder sorts by length and batches; it is also how often progress is told."""

_LIBRARIES = ("numpy", "pyarrow", "tokenizers", "torch", "transformers", "sentence-transformers")


class Progress(Protocol):
    """Told how far a stage is; `total` is None where nobody knows."""

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """Take note."""
        ...


def silent(stage: str, done: int, total: int | None, /) -> None:
    """Take no note: the default of everything that reports progress."""
    del stage, done, total


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to build. No dims means the model's full width."""

    dims: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ("auto",)
    layer_norm: bool = False
    overwrite: bool = False


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """A checked build: nothing in it can be refused any more."""

    corpus: Corpus
    survey: CorpusSurvey
    encoder: Encoder
    options: BuildOptions
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class _Slice:
    """One numbered slice of the corpus, on its way to becoming a shard."""

    number: int
    documents: list[Document]


@dataclass(frozen=True, slots=True)
class _Receipt:
    """A written shard."""

    shard: Shard
    text_hashes: npt.NDArray[np.uint64]


def plan_build(corpus: Corpus, survey: CorpusSurvey, *, encoder: Encoder, options: BuildOptions) -> BuildPlan:
    """Check that a build can be done and fill in its numbers.

    Raises UsageError for dims and kinds that don't fit, BadVectorsError for a model whose vectors can't be
    searched with.
    """
    dims = options.dims or (encoder.card.dim,)
    targets = plan_targets(dims, options.kinds, rows=survey.count, width=encoder.card.dim)
    check_encoder(encoder)
    return BuildPlan(corpus, survey, encoder, options, targets)


def build_index(
    corpus: Corpus,
    out: str | Path,
    *,
    encoder: Encoder,
    options: BuildOptions = BuildOptions(),
    progress: Progress = silent,
) -> Index:
    r"""Embed a corpus and write an index folder at `out`; return it opened.

    Raises InputError for a bad corpus, UsageError for what can't be built of it, BadVectorsError for a model that
    gives NaN, zero or collapsed vectors, IndexFolderError where `out` is in the way or can't be written. After an error
    `out` is what it was before.

    >>> import tempfile
    >>> from searchapp import build_index, load_encoder, open_corpus
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "shop.csv").write_text("id,text\nb1,red leather bag\nk1,kettle\n")
    >>> index = build_index(open_corpus(folder / "shop.csv"), folder / "shop", encoder=load_encoder("minilm"))
    >>> len(index), index.manifest.derived[0].name
    (2, 'd384-flat')
    """
    check_free(Path(out), overwrite=options.overwrite)
    survey = corpus.survey(lambda done: progress("reading", done, None))
    plan = plan_build(corpus, survey, encoder=encoder, options=options)
    return write_index(plan, out, progress=progress)


def write_index(
    plan: BuildPlan, out: str | Path, *, engine: Engine | None = None, progress: Progress = silent
) -> Index:
    """Carry out a planned build; see `build_index`."""
    out = Path(out)
    engine = engine or LocalEngine()
    before = dataclasses.replace(plan.encoder.counts)
    with committing_folder(out, overwrite=plan.options.overwrite) as folder:
        (folder / "vectors").mkdir()
        (folder / "documents").mkdir()
        progress("embedding", 0, plan.survey.count)
        writer = _ShardWriter(folder, plan, progress)
        receipts = list(engine.map(writer.write, _slices(plan.corpus.documents())))
        _expect_unchanged(plan, sum(receipt.shard.rows for receipt in receipts))
        counts = _counts(plan, receipts, before)
        canaries = np.stack([plan.encoder.encode_queries(CANARIES), plan.encoder.encode_documents(CANARIES)])
        np.save(folder / CANARY_FILE, canaries, allow_pickle=False)
        shards = tuple(receipt.shard for receipt in receipts)
        files = {name: describe_file(folder / name) for name in (CANARY_FILE, *_shard_files(shards))}
        derived = _derive(folder, plan, shards, files, progress)
        write_manifest(folder, _manifest(plan, counts, shards, derived=derived, files=files))
    return open_index(out)


class _ShardWriter:
    """The task that an engine maps: a slice of documents in, two committed files out."""

    def __init__(self, folder: Path, plan: BuildPlan, progress: Progress) -> None:
        self._folder = folder
        self._plan = plan
        self._progress = progress
        self._done = 0

    def write(self, part: _Slice) -> _Receipt:
        """Embed one slice and write its vectors and documents."""
        rows = len(part.documents)
        shard = Shard(rows, f"vectors/{part.number:05d}.npy", f"documents/{part.number:05d}.arrow")
        blocks = (self._embed(window) for window in _windows(part.documents))
        write_shard(self._folder / shard.vectors, blocks, rows=rows, dim=self._plan.encoder.card.dim)
        write_documents(self._folder / shard.documents, part.documents)
        hashes = np.array([_text_hash(document.text) for document in part.documents], dtype=np.uint64)
        return _Receipt(shard, hashes)

    def _embed(self, window: list[Document]) -> Vectors:
        texts = [document.text for document in window]
        vectors: Vectors = self._plan.encoder.encode_documents(texts)
        check_vectors(vectors, texts, [f"{document.doc_id} ({document.where})" for document in window])
        self._done += len(window)
        self._progress("embedding", self._done, self._plan.survey.count)
        return vectors


def _slices(documents: Iterable[Document]) -> Iterator[_Slice]:
    for number, part in enumerate(_cut(documents, SHARD_DOCUMENTS, SHARD_CHARACTERS)):
        yield _Slice(number, part)


def _windows(documents: Iterable[Document]) -> Iterator[list[Document]]:
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


def _expect_unchanged(plan: BuildPlan, rows: int) -> None:
    if rows != plan.survey.count:
        raise InputError(
            f"{plan.corpus.name} changed while it was read: {plan.survey.count:,} documents at first, {rows:,} then; "
            "run the same command again once nothing writes to it"
        )


def _text_hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def _counts(plan: BuildPlan, receipts: list[_Receipt], before: EncodeCounts) -> dict[str, int]:
    """Count what happened to the documents; `duplicates` are those whose text an earlier one has already."""
    hashes = np.concatenate([receipt.text_hashes for receipt in receipts])
    after = plan.encoder.counts
    return {
        "documents": len(hashes),
        "skipped": plan.survey.skipped.count,
        "duplicates": len(hashes) - len(np.unique(hashes)),
        "truncated": after.truncated - before.truncated,
        "tokens_lost": after.tokens_lost - before.tokens_lost,
        "already_prefixed": after.already_prefixed - before.already_prefixed,
    }


def _shard_files(shards: Iterable[Shard]) -> Iterator[str]:
    for shard in shards:
        yield shard.vectors
        yield shard.documents


def _derive(
    folder: Path, plan: BuildPlan, shards: tuple[Shard, ...], files: dict[str, FileEntry], progress: Progress
) -> tuple[Derived, ...]:
    """Build every target from the vectors just written; enter its file in `files`."""
    vectors = VectorStore([folder / shard.vectors for shard in shards], plan.encoder.card.dim)
    derived = []
    for done, target in enumerate(plan.targets):
        progress(f"building {target.name}", done, len(plan.targets))
        made, files[made.file] = build_derived(folder, vectors, target, layer_norm=plan.options.layer_norm)
        derived.append(made)
    return tuple(derived)


def _manifest(
    plan: BuildPlan,
    counts: dict[str, int],
    shards: tuple[Shard, ...],
    *,
    derived: tuple[Derived, ...],
    files: dict[str, FileEntry],
) -> Manifest:
    card = plan.encoder.card
    return Manifest(
        encoder=dataclasses.asdict(card),
        corpus={
            "name": plan.corpus.name,
            "format": plan.corpus.format,
            "text_template": plan.corpus.text_template,
            "fingerprint": plan.survey.fingerprint,
        },
        counts=counts,
        dim=card.dim,
        layer_norm=plan.options.layer_norm,
        shards=shards,
        derived=derived,
        files=files,
        versions=library_versions(),
        canary_texts=CANARIES,
    )


def library_versions() -> dict[str, str]:
    """Return the versions of searchapp and the libraries that decide vectors and files, where installed."""
    versions = {"searchapp": __version__}
    for name in (*_LIBRARIES, "faiss-cpu", "faiss-gpu"):
        for found in importlib.metadata.distributions(name=name):
            versions[name] = found.version
    return versions
