"""From mine's options to triplets: which corpus, which judgments, which index; kept apart so that --help is quick."""

import tempfile
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from searchapp.build import BuildOptions, Progress, build_index
from searchapp.cli import options as asked
from searchapp.cli.assemble import describe_model
from searchapp.cli.console import note
from searchapp.corpus import (
    BadRows,
    Dataset,
    DatasetParts,
    ReadOptions,
    holds_judgments,
    open_dataset,
    read_qrels,
    read_queries,
)
from searchapp.corpus.dataset import keep_judged
from searchapp.corpus.rows import SKIP_ADVICE, Skipped
from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import UsageError
from searchapp.index import Index, open_index
from searchapp.layout import MANIFEST
from searchapp.search import Searcher, load_query_encoder
from searchapp.train.index_texts import corpus_texts, stored_texts
from searchapp.train.judgments import open_judgments, read_texts
from searchapp.train.mine import Judged, Mined, MineOptions, Texts, mine


@dataclass(frozen=True, slots=True)
class Job:
    """What to search and for what, as it was typed and checked."""

    place: str
    """A corpus, or an index."""
    corpus: str | None
    """What the index was made of."""
    judgments: tuple[str, str] | None
    """Queries and qrels; None where the corpus brings them."""
    split: str | None
    threshold: int | None
    """None takes the data set's own."""
    reading: ReadOptions
    model: str | None
    encoder: EncoderOptions


def mine_job(job: Job, options: MineOptions, progress: Progress) -> Mined:
    """Mine a corpus, embedded into an index that is gone at the end, or an index as it is.

    Raises UsageError for what doesn't go together, and what reading, embedding and searching raise.
    """
    if job.judgments is not None and job.split is not None:
        raise UsageError("--split goes with a folder's own judgments, and --qrels names others; leave one of them away")
    if (Path(job.place) / MANIFEST).is_file():
        return _mine_index(job, options, progress)
    if job.corpus is not None:
        raise UsageError(f"--corpus goes with an index, and {job.place} is none; leave it away")
    dataset = _open(job.place, job)
    judged = _judged(dataset, job)
    encoder = load_encoder(job.model, job.encoder)
    note(describe_model(encoder.card, chosen=job.model is not None))
    building = BuildOptions(kinds=("flat",), query_encoder=False)
    with tempfile.TemporaryDirectory(prefix="searchapp-mine-") as folder:
        made = build_index(
            dataset.corpus, Path(folder) / "index", encoder=encoder, options=building, progress=progress, note=note
        )
        _tell_skipped(dataset.skipped + dataset.corpus.skipped)
        texts = partial(read_texts, dataset)
        return mine(Searcher(made, encoder), judged, texts, options=options, progress=progress)


def _mine_index(job: Job, options: MineOptions, progress: Progress) -> Mined:
    prompts = {"--query-prompt": job.encoder.query_prompt, "--document-prompt": job.encoder.document_prompt}
    asked.refuse("an index, which was made with its own", {**prompts, "--revision": job.encoder.revision})
    index = open_index(job.place)
    dataset = None if job.corpus is None else _open_as(index, job.corpus, job)
    judged = _read_judged(job) if dataset is None else _judged(dataset, job)
    texts: Texts = partial(stored_texts, index) if dataset is None else partial(corpus_texts, index, dataset.corpus)
    encoder = load_query_encoder(index, options=job.encoder, model=job.model)
    mined = mine(Searcher(index, encoder), judged, texts, options=options, progress=progress)
    if dataset is not None:
        _tell_skipped(dataset.skipped + dataset.corpus.skipped)
    return mined


def _open_as(index: Index, corpus: str, job: Job) -> Dataset:
    """Open what an index was made of, with its template unless another is asked for."""
    dataset, template = _open(corpus, job), str(index.manifest.corpus["text_template"])
    if job.reading.text is not None or dataset.corpus.text_template == template:
        return dataset
    return _open(corpus, replace(job, reading=replace(job.reading, text=template)))


def _open(corpus: str, job: Job) -> Dataset:
    if job.judgments is not None:
        return open_dataset(parts=DatasetParts(corpus, *job.judgments), options=job.reading)
    if not holds_judgments(corpus):
        raise UsageError(
            f"{corpus} has no judgments of its own; type --queries FILE and --qrels FILE, or name a BEIR, ESCI or TREC"
            " folder"
        )
    return open_judgments(corpus, job.split, job.reading)


def _read_judged(job: Job) -> Judged:
    """Read queries and judgments alone, for an index that stores its texts."""
    if job.judgments is None:
        raise UsageError("an index has no judgments; type --queries FILE and --qrels FILE, or --corpus FOLDER")
    reading = job.reading
    given = {
        "--text": reading.text,
        "--id": reading.id_column,
        "--locale": reading.locale,
        "--version": reading.version,
    }
    asked.refuse("an index without --corpus", {**given, "--format": reading.format != "auto"})
    bad_rows = BadRows(reading.on_bad_row, advice=SKIP_ADVICE)
    queries, qrels = job.judgments
    found = read_qrels(qrels, bad_rows)
    judged = Judged(keep_judged(queries, read_queries(queries, bad_rows), found), found, job.threshold or 1)
    _tell_skipped(bad_rows.skipped)
    return judged


def _judged(dataset: Dataset, job: Job) -> Judged:
    return Judged(dataset.queries, dataset.qrels, job.threshold or dataset.threshold)


def _tell_skipped(skipped: Skipped) -> None:
    for where, reason in skipped.rows:
        note(f"skipped {where}: {reason}")
