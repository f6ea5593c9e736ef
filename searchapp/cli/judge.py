"""From a bench's options to its report: which data, which models, which cache; kept apart so that --help is quick."""

import contextlib
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from searchapp.bench.cache import Cache
from searchapp.bench.machine import describe_machine
from searchapp.bench.matrix import run_bench
from searchapp.bench.pairwise import run_pairs, run_triplets
from searchapp.bench.plan import BenchOptions
from searchapp.bench.report import PairwiseReport, Report
from searchapp.bench.workspace import Workspace, embedded, opened
from searchapp.build import Progress
from searchapp.cli.assemble import describe_model
from searchapp.cli.console import note
from searchapp.corpus import (
    BadRows,
    Dataset,
    DatasetParts,
    ReadOptions,
    open_dataset,
    read_run,
    read_scored_pairs,
    read_triplets,
)
from searchapp.corpus.rows import SKIP_ADVICE
from searchapp.corpus.sources import Source
from searchapp.encoders import Encoder, EncoderOptions, load_encoder
from searchapp.errors import UsageError
from searchapp.index import open_index
from searchapp.layout import BENCH, cache_folder, check_free
from searchapp.optional import require
from searchapp.records import Hit
from searchapp.search import Searcher, load_contract_encoder

Order = Literal["rank", "score", "trec_eval"]


@dataclass(frozen=True, slots=True)
class Job:
    """What to judge, as it was typed and checked."""

    path: str | None
    parts: DatasetParts | None
    split: str
    reading: ReadOptions
    index: Path | None
    models: tuple[str, ...]
    """None named means the default model, or no model at all where runs of other systems are judged."""
    encoder: EncoderOptions
    runs: tuple[str, ...]
    run_order: Order
    cache: Path | str | None
    """A folder, "default", or None for one that is gone at the end."""


def check_out(out: Path, *, pictures: bool) -> None:
    """Refuse what would fail at the end, before any work."""
    check_free(out, overwrite=True, made=BENCH)
    if pictures:
        require("resvg_py", extra="plots")


def judge_retrieval(job: Job, options: BenchOptions, progress: Progress) -> Report:
    """Judge models or an index, and runs of other systems, on queries with judgments."""
    dataset = open_dataset(job.path, parts=job.parts, split=job.split, options=job.reading)
    systems = dict(_read_run(text, job.run_order) for text in job.runs)
    with _cache(job) as cache:
        workspaces = _workspaces(job, dataset, cache, progress)
        return run_bench(dataset, workspaces, cache=cache, options=options, systems=systems, progress=progress)


def judge_pairwise(
    job: Job, task: Literal["triplets", "pairs"], options: BenchOptions, progress: Progress
) -> PairwiseReport:
    """Judge models on triplets or on scored sentence pairs."""
    if job.path is None or job.index is not None or job.runs:
        raise UsageError(f"{task} are judged with models alone; leave --index, --run, --corpus away, and name one file")
    encoders = (_load(name, job.encoder) for name in job.models or (None,))
    bad_rows = BadRows(job.reading.on_bad_row, advice=SKIP_ADVICE)
    name = Source(Path(job.path), job.path).stem()
    if task == "triplets":
        triplets = read_triplets(job.path, bad_rows)
        report = run_triplets(triplets, encoders, dataset=name, dims=options.dims, progress=progress)
    else:
        pairs = read_scored_pairs(job.path, bad_rows)
        report = run_pairs(pairs, encoders, dataset=name, dims=options.dims, progress=progress)
    count = bad_rows.skipped.count
    skipped = (f"{count:,} bad rows were skipped",) if count else ()
    return replace(report, notes=(*report.notes, *skipped), machine=describe_machine())


def _workspaces(
    job: Job, dataset: Dataset, cache: Cache, progress: Progress
) -> Iterator[AbstractContextManager[Workspace]]:
    """Give what to measure, one after the other: the user's index, or the corpus embedded by each model."""
    if job.index is not None:
        index = open_index(job.index)
        name = job.models[0] if job.models else None
        encoder = load_contract_encoder(index, options=job.encoder, model=name)
        yield opened(Searcher(index, encoder), cache=cache)
        return
    if job.runs and not job.models:
        return
    for named in job.models or (None,):
        yield embedded(dataset.corpus, _load(named, job.encoder), cache=cache, progress=progress)


def _load(name: str | None, options: EncoderOptions) -> Encoder:
    encoder = load_encoder(name, options)
    note(describe_model(encoder.card, chosen=name is not None))
    return encoder


@contextlib.contextmanager
def _cache(job: Job) -> Iterator[Cache]:
    if job.cache is None:
        with tempfile.TemporaryDirectory(prefix="searchapp-bench-") as folder:
            yield Cache(Path(folder))
        return
    yield Cache(cache_folder() / "bench" if job.cache == "default" else Path(job.cache))


def _read_run(text: str, order: Order) -> tuple[str, dict[str, list[Hit]]]:
    """Read NAME=FILE, or FILE, whose name is then the file's without its endings."""
    name, separator, file = text.partition("=")
    if not separator or Path(text).exists():
        name, file = Path(text).name.split(".")[0], text
    return name, read_run(file, order=order)
