"""The write path: corpus + encoder + kinds + engine -> an index folder, whole or not at all.

Everything that can be refused is refused before the first text is embedded: the corpus is read once to be checked and
counted, the encoder is shown a few canary texts, every kind is planned. Then the corpus is cut into numbered shards;
each becomes a file of vectors and a file of documents; derived indexes are made from the stored vectors; the manifest
comes last and the folder is put in place in one step. Each of these is a step that is finished once: a call that is
killed at any moment is gone on with by typing it again.
"""

import dataclasses
import hashlib
import importlib.metadata
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from searchapp import __version__
from searchapp.carried import NOTHING, Carried, plan_carried, write_carried
from searchapp.corpus import Corpus, CorpusSurvey
from searchapp.encoders import CANARIES, Encoder, check_encoder
from searchapp.encoders.chunks import Chunker
from searchapp.engine import Engine, LocalEngine
from searchapp.errors import InputError, MissingExtraError, ModelError, UsageError
from searchapp.index import Index, Manifest, open_index
from searchapp.index.derive import Origin, Target, build_derived, plan_targets
from searchapp.index.documents import DocumentStore
from searchapp.index.manifest import CANARY_FILE, Derived, FileEntry, Shard, write_manifest
from searchapp.index.pinned import allow_open
from searchapp.index.steps import Step, writing_in
from searchapp.index.vectors import VectorStore
from searchapp.index.work import WorkFolder, check_target, working_on
from searchapp.layout import check_free
from searchapp.shards import SHARD_DOCUMENTS, STEP, ShardWriter, Written, cut_slices
from searchapp.truncation import ERROR, WARN, choose_chunker, count_rows, describe_loss, refuse_long

_LIBRARIES = ("numpy", "pyarrow", "tokenizers", "torch", "transformers", "sentence-transformers")


class Progress(Protocol):
    """Told how far a stage is; `total` is None where nobody knows."""

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        """Take note."""
        ...


def silent(stage: str, done: int, total: int | None, /) -> None:
    """Take no note: the default of everything that reports progress."""
    del stage, done, total


def unheard(message: str, /) -> None:
    """Drop a message: the default of what may be said along the way."""
    del message


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What to build. No dims means the model's full width."""

    dims: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ("auto",)
    layer_norm: bool = False
    overwrite: bool = False
    """Replace the index that is there."""
    restart: bool = False
    """Throw away what a stopped call has left, instead of going on with it."""
    shard_documents: int = SHARD_DOCUMENTS
    query_encoder: bool = True
    """Store the query encoder in the index, so that a query needs neither the model nor what it runs in."""
    on_truncate: str = WARN
    """What to do about documents longer than the model sees: one of ON_TRUNCATE."""
    chunk_overlap: int | None = None
    """Tokens that neighbouring chunks share; None takes an eighth of what the model sees."""


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """A checked build: nothing in it can be refused any more."""

    corpus: Corpus
    survey: CorpusSurvey
    encoder: Encoder
    options: BuildOptions
    targets: tuple[Target, ...]
    """With a chunker, planned for as many rows as there are documents: how many there are is known once all are cut."""
    carried: Carried = NOTHING
    chunker: Chunker | None = None
    """What cuts long documents into chunks; None where each is a row."""


def plan_build(
    corpus: Corpus, survey: CorpusSurvey, *, encoder: Encoder, options: BuildOptions, progress: Progress = silent
) -> BuildPlan:
    """Check that a build can be done and fill in its numbers.

    Raises UsageError for options, dims and kinds that don't fit, BadVectorsError for a model whose vectors can't be
    searched with, InputError for a document longer than the model sees where that is to be an error, ModelError for a
    model whose tokens can't be told where they matter.
    """
    chunker = choose_chunker(encoder, options.on_truncate, options.chunk_overlap)
    refused, chunker = (chunker, None) if options.on_truncate == ERROR else (None, chunker)
    targets = _plan_targets(corpus, survey, encoder, options, chunker)
    check_encoder(encoder)
    if refused is not None:
        total = survey.count
        refuse_long(corpus.documents(), refused, lambda done: progress("measuring", done, total))
    carried = plan_carried(encoder, wanted=options.query_encoder)
    return BuildPlan(corpus, survey, encoder, options, targets, carried, chunker)


def _plan_targets(
    corpus: Corpus, survey: CorpusSurvey, encoder: Encoder, options: BuildOptions, chunker: Chunker | None
) -> tuple[Target, ...]:
    width = encoder.card.dim
    dims = options.dims or (width,)
    try:
        return plan_targets(dims, options.kinds, rows=survey.count, width=width)
    except UsageError:
        if chunker is None:
            raise
    # Documents are too few, perhaps; their chunks may be enough, and there can't be many of them to count.
    return plan_targets(dims, options.kinds, rows=count_rows(corpus.documents(), chunker), width=width)


def build_index(
    corpus: Corpus,
    out: str | Path,
    *,
    encoder: Encoder,
    options: BuildOptions = BuildOptions(),
    progress: Progress = silent,
    note: Callable[[str], None] = unheard,
) -> Index:
    r"""Embed a corpus and write an index folder at `out`; return it opened.

    What was finished before a stop, whatever stopped it, lies in `.NAME.partial` beside `out`; the same call goes on
    with it, says so through `note`, and gives the bytes that an uninterrupted call would have given.

    Raises InputError for a bad corpus, UsageError for what can't be built of it, BadVectorsError for a model that
    gives NaN, zero or collapsed vectors, IndexFolderError where `out` is in the way, can't be written or is being
    written by another process, ContractError where a stopped call's work is of another model, prompt, template or
    corpus. After an error `out` is what it was before.

    >>> import tempfile
    >>> from searchapp import build_index, load_encoder, open_corpus
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "shop.csv").write_text("id,text\nb1,red leather bag\nk1,kettle\n")
    >>> index = build_index(open_corpus(folder / "shop.csv"), folder / "shop", encoder=load_encoder("minilm"))
    >>> len(index), index.manifest.derived[0].name
    (2, 'd384-flat')
    """
    check_target(Path(out), overwrite=options.overwrite)
    survey = corpus.survey(lambda done: progress("reading", done, None))
    plan = plan_build(corpus, survey, encoder=encoder, options=options, progress=progress)
    return write_index(plan, out, progress=progress, note=note)


def write_index(
    plan: BuildPlan,
    out: str | Path,
    *,
    engine: Engine | None = None,
    progress: Progress = silent,
    note: Callable[[str], None] = unheard,
) -> Index:
    """Carry out a planned build, or what is left of it; see `build_index`."""
    out = Path(out)
    contract = _contract(plan)
    call = _call(contract, plan)
    with working_on(out) as work:
        if work.was_placed(call):
            note(f"{out} was finished by the call before")
            return open_index(out)
        check_free(out, overwrite=plan.options.overwrite)
        if work.begin(contract, restart=plan.options.restart):
            _take_stock(work, plan, progress, note)
        carried = _carry(work, plan, progress, note)
        manifest = _write(work, plan, engine or LocalEngine(), progress, note)
        if carried:
            files = {**manifest.files, **carried}
            manifest = dataclasses.replace(manifest, files=files, query_encoder=plan.carried.runtime)
        progress("putting in place", 0, None)
        with writing_in(work.path):
            work.keep_only(set(manifest.files))
            write_manifest(work.folder, manifest)
        work.place(call, overwrite=plan.options.overwrite)
    if loss := describe_loss(manifest):
        note(loss)
    return open_index(out)


def _carry(
    work: WorkFolder, plan: BuildPlan, progress: Progress, note: Callable[[str], None]
) -> Mapping[str, FileEntry]:
    """Write the query encoder down; where that can't be, say why and go on without."""
    export, reason = plan.carried.export, plan.carried.reason
    if export is not None:
        progress("writing the query encoder", 0, None)
        try:
            return write_carried(work.steps, plan.encoder, export)
        except (ModelError, MissingExtraError) as error:
            reason = str(error)
    if reason:
        note(f"the index will carry no query encoder, so queries will load the model: {reason}")
    return {}


def _write(
    work: WorkFolder, plan: BuildPlan, engine: Engine, progress: Progress, note: Callable[[str], None]
) -> Manifest:
    """Finish every step and return the manifest that vouches for them."""
    total = plan.survey.count
    progress("embedding", 0, total)
    writer = ShardWriter(work.steps, plan.encoder, lambda done: progress("embedding", done, total), plan.chunker)
    slices = cut_slices(plan.corpus.documents(), plan.options.shard_documents)
    written = list(engine.map(writer.write, slices))
    if not written or written[-1].fingerprint != plan.survey.fingerprint:
        work.discard()
        found = sum(part.documents for part in written)
        raise InputError(
            f"{plan.corpus.name} changed while it was read: {total:,} documents at first, {found:,} then; "
            "run the same command again once nothing writes to it"
        )

    def encode_canaries(paths: Sequence[Path]) -> dict[str, int]:
        canaries = np.stack([plan.encoder.encode_queries(CANARIES), plan.encoder.encode_documents(CANARIES)])
        body = io.BytesIO()
        np.save(body, canaries, allow_pickle=False)
        paths[0].write_bytes(body.getvalue())
        return {}

    files = dict(work.steps.finish(Step("canaries", "", (CANARY_FILE,)), encode_canaries).files)
    for part in written:
        files |= part.files
    plan = _with_rows(plan, sum(part.shard.rows for part in written), note)
    derived = _derive(work, plan, tuple(part.shard for part in written), files, progress)
    paths = [work.folder / part.shard.documents for part in written]
    allow_open(len(paths))
    documents = DocumentStore(paths, chunked=plan.chunker is not None)
    counts = {**documents.counts(), "skipped": plan.survey.skipped.count}
    return _manifest(plan, written, counts=counts, derived=derived, files=files)


def _with_rows(plan: BuildPlan, rows: int, note: Callable[[str], None]) -> BuildPlan:
    """Plan the derived indexes again for the chunks there turned out to be."""
    if plan.chunker is None:
        return plan
    width = plan.encoder.card.dim
    targets = plan_targets(plan.options.dims or (width,), plan.options.kinds, rows=rows, width=width)
    note(
        f"{plan.survey.count:,} documents became {rows:,} chunks of at most {plan.chunker.limit} tokens; "
        f"will build {', '.join(target.describe() for target in targets)}"
    )
    return dataclasses.replace(plan, targets=targets)


def _take_stock(work: WorkFolder, plan: BuildPlan, progress: Progress, note: Callable[[str], None]) -> None:
    """Verify what a call before has finished and say what was found."""
    damaged = [
        *work.steps.verify(lambda done, total: progress("checking what is there", done, total)),
        *work.trained.verify(lambda done, total: progress("checking what is there", done, total)),
    ]
    for name in damaged:
        note(f"{work.path}: {name} is damaged and will be made again")
    finished = [receipt for receipt in work.steps.finished if receipt.name.startswith(STEP)]
    rows = sum(receipt.notes["texts"] for receipt in finished)
    note(
        f"going on: {len(finished)} shards with {rows:,} of {plan.survey.count:,} documents are embedded already"
        f"{''.join(f', {target.name} built' for target in plan.targets if _is_finished(work, target))}"
    )


def _is_finished(work: WorkFolder, target: Target) -> bool:
    return any(receipt.name == target.name for receipt in work.steps.finished)


def _contract(plan: BuildPlan) -> dict[str, Any]:
    """Return everything that decides the bytes of vectors and documents."""
    return {
        "operation": "index",
        "encoder": dataclasses.asdict(plan.encoder.card),
        "corpus": {"text_template": plan.corpus.text_template, "fingerprint": plan.survey.fingerprint},
        "shard_documents": plan.options.shard_documents,
        "chunk_overlap": _overlap(plan),
        "versions": {name: found for name, found in library_versions().items() if not name.startswith("faiss")},
    }


def _overlap(plan: BuildPlan) -> int | None:
    return None if plan.chunker is None else plan.chunker.overlap


def _call(contract: dict[str, Any], plan: BuildPlan) -> str:
    """Return the sha256 of all that this call asks for."""
    targets = [dataclasses.asdict(target) for target in plan.targets]
    asked = [contract, targets, plan.options.layer_norm, plan.carried.runtime]
    text = json.dumps(asked, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _derive(
    work: WorkFolder, plan: BuildPlan, shards: tuple[Shard, ...], files: dict[str, FileEntry], progress: Progress
) -> tuple[Derived, ...]:
    """Build every target from the stored vectors; enter its file in `files`."""
    vectors = VectorStore([work.folder / shard.vectors for shard in shards], plan.encoder.card.dim)
    checksums = tuple(files[shard.vectors].sha256 for shard in shards)
    origin = Origin(vectors, checksums, plan.options.layer_norm)
    derived = []
    for target in plan.targets:
        made, entry = build_derived(origin, target, files=work.steps, trained=work.trained, progress=progress)
        files |= dict.fromkeys(made.files, entry)
        derived.append(made)
    return tuple(derived)


def _manifest(
    plan: BuildPlan,
    written: Sequence[Written],
    *,
    counts: Mapping[str, int],
    derived: tuple[Derived, ...],
    files: Mapping[str, FileEntry],
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
        shards=tuple(part.shard for part in written),
        derived=derived,
        files=files,
        versions=library_versions(),
        canary_texts=CANARIES,
        chunk_overlap=_overlap(plan),
    )


def library_versions() -> dict[str, str]:
    """Return the versions of searchapp and the libraries that decide vectors and files, where installed."""
    versions = {"searchapp": __version__}
    for name in (*_LIBRARIES, "faiss-cpu", "faiss-gpu"):
        for found in importlib.metadata.distributions(name=name):
            versions[name] = found.version
    return versions
