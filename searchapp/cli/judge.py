"""From a bench's options to its report: which data, which models, which cache; kept apart so that --help is quick."""

import contextlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from searchapp.bench.cache import Cache
from searchapp.bench.kept_encoder import KeptEncoder
from searchapp.bench.machine import describe_machine
from searchapp.bench.matrix import run_bench
from searchapp.bench.pairwise import run_pairs, run_triplets
from searchapp.bench.plan import BenchOptions
from searchapp.bench.report import PairwiseReport, Report
from searchapp.bench.results import check_ids
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
from searchapp.search import Searcher, load_query_encoder

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
    keeps: bool = False
    """Whether results are kept in files, which not every id fits into."""


def check_out(out: Path, *, pictures: bool) -> None:
    """Refuse what would fail at the end, before any work."""
    check_free(out, overwrite=True, made=BENCH)
    if pictures:
        require("resvg_py", extra="plots")


def judge_retrieval(job: Job, options: BenchOptions, progress: Progress) -> Report:
    """Judge models or an index, and runs of other systems, on queries with judgments."""
    dataset = open_dataset(job.path, parts=job.parts, split=job.split, options=job.reading)
    if job.keeps:
        check_ids(dataset.qrels)
    systems = _read_runs(job)
    with _cache(job) as cache:
        workspaces = _workspaces(job, dataset, (cache, options), progress)
        return run_bench(dataset, workspaces, cache=cache, options=options, systems=systems, progress=progress)


def judge_pairwise(
    job: Job, task: Literal["triplets", "pairs"], options: BenchOptions, progress: Progress
) -> PairwiseReport:
    """Judge models on triplets or on scored sentence pairs."""
    if job.path is None or job.index is not None or job.runs:
        raise UsageError(f"{task} are judged with models alone; leave --index, --run, --corpus away, and name one file")
    bad_rows = BadRows(job.reading.on_bad_row, advice=SKIP_ADVICE)
    name = Source(Path(job.path), job.path).stem()
    with _cache(job) as cache:
        encoders = (KeptEncoder(_load(model, job.encoder), cache) for model in job.models or (None,))
        if task == "triplets":
            triplets = read_triplets(job.path, bad_rows)
            report = run_triplets(triplets, encoders, dataset=name, dims=options.dims, progress=progress)
        else:
            pairs = read_scored_pairs(job.path, bad_rows)
            report = run_pairs(pairs, encoders, dataset=name, dims=options.dims, progress=progress)
    count = bad_rows.skipped.count
    skipped = (f"bad rows skipped: {count:,}",) if count else ()
    return replace(report, notes=(*report.notes, *skipped), machine=describe_machine())


def _workspaces(
    job: Job, dataset: Dataset, tools: tuple[Cache, BenchOptions], progress: Progress
) -> Iterator[AbstractContextManager[Workspace]]:
    """Give what to measure, one after the other: the user's index, or the corpus embedded by each model."""
    cache, options = tools
    if job.index is not None:
        index = open_index(job.index)
        name = job.models[0] if job.models else None
        encoder = load_query_encoder(index, options=job.encoder, model=name)
        yield opened(Searcher(index, encoder), cache=cache)
        return
    if job.runs and not job.models and not asks_for_cells(options):
        return
    for named in job.models or (None,):
        yield embedded(dataset.corpus, _load(named, job.encoder), cache=cache, options=options, progress=progress)


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


def asks_for_cells(options: BenchOptions) -> bool:
    """Tell whether dims, kinds or search parameters are asked for: there must be a model then."""
    return bool(options.dims or options.kinds or options.nprobe or options.rescore)


def _read_runs(job: Job) -> dict[str, dict[str, list[Hit]]]:
    """Read every NAME=FILE, or FILE, whose name is then the file's without its endings."""
    runs: dict[str, dict[str, list[Hit]]] = {}
    for text in job.runs:
        name, separator, file = text.partition("=")
        if not separator or Path(text).exists():
            name, file = re.sub(r"[^\w.+-]", "-", Path(text).name.split(".")[0]), text
        if not re.fullmatch(r"[\w+-][\w.+-]*", name):
            raise UsageError(
                f"--run {text!r} gives the run the name {name!r}; type --run NAME=FILE with a name of letters, digits, "
                "dots, plus and minus signs"
            )
        if name in runs:
            raise UsageError(f"two runs are called {name}; type --run OTHER={file} for one of them")
        runs[name] = read_run(file, order=job.run_order)
    return runs
