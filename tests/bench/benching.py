"""Benches as tests run them: a fake encoder, a cache of their own."""

from collections.abc import Sequence
from pathlib import Path

from searchapp.bench.cache import Cache
from searchapp.bench.matrix import NO_SYSTEMS, Systems, run_bench
from searchapp.bench.plan import BenchOptions
from searchapp.bench.report import Report
from searchapp.bench.workspace import embedded, opened
from searchapp.build import Progress, silent
from searchapp.corpus import Dataset
from searchapp.encoders import Encoder
from searchapp.index import Index
from searchapp.search import Searcher

PLAIN = BenchOptions(baselines=())


def bench(
    dataset: Dataset,
    cache: Path,
    *encoders: Encoder,
    options: BenchOptions = PLAIN,
    systems: Systems = NO_SYSTEMS,
    progress: Progress = silent,
) -> Report:
    """Embed the corpus with each encoder, or find it in the cache, and measure what the options ask for."""
    kept = Cache(cache)
    spaces = (embedded(dataset.corpus, encoder, cache=kept, options=options, progress=progress) for encoder in encoders)
    return run_bench(dataset, spaces, cache=kept, options=options, systems=systems, progress=progress)


def bench_index(dataset: Dataset, cache: Path, index: Index, encoder: Encoder, options: BenchOptions = PLAIN) -> Report:
    """Measure an index that is there already."""
    kept = Cache(cache)
    return run_bench(dataset, [opened(Searcher(index, encoder), cache=kept)], cache=kept, options=options)


def names(report: Report) -> Sequence[str]:
    """Return the names of the cells."""
    return [cell.name for cell in report.cells]
