"""The process that times searches: it searches what it is asked to, and says so when it can't."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.probe import HITS, Probe, time_searches
from searchapp.errors import SearchappError
from searchapp.index import Index, Setting
from tests.index.folders import WIDTH, make_index, random_vectors


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("probe") / "index"
    return make_index(folder, random_vectors(3000), dims=(WIDTH, 8), kinds=("flat", "IVF16,Flat"))


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queries") / "queries.npy"
    np.save(path, random_vectors(50, seed=9))
    return path


class CountingIndex:
    """Notes what is searched for, and searches."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self.documents = index.documents
        self.asked: list[tuple[int, int, Setting]] = []

    def __len__(self) -> int:
        return len(self._index)

    def search(self, queries: np.ndarray, k: int, setting: Setting) -> object:
        self.asked.append((len(queries), k, setting))
        return self._index.search(queries, k, setting)


def test_queries_are_timed_one_by_one_and_then_all_at_once(index: Index, queries: Path) -> None:
    counting = CountingIndex(index)
    setting = Setting(8, "IVF16,Flat", 4, 0)
    served = time_searches(counting, np.load(queries), setting)
    singly = [asked for asked in counting.asked if asked[0] == 1]
    together = [asked for asked in counting.asked if asked[0] == 50]
    assert len(singly) == served.latency.queries + 20
    assert counting.asked == singly + together
    assert {asked[1:] for asked in counting.asked} == {(HITS, setting)}
    assert served.latency.queries >= 200
    assert 0 < served.latency.p50 <= served.latency.p95 <= served.latency.p99
    assert served.latency.k == HITS


def test_a_cell_is_measured_in_a_process_of_its_own_with_a_peak_of_its_own(index: Index, queries: Path) -> None:
    with Probe() as probe:
        first = probe.measure(index.folder, queries, Setting(WIDTH, "flat", None, 0))
        second = probe.measure(index.folder, queries, Setting(8, "IVF16,Flat", 4, 20))
    assert first.latency.queries >= 200
    assert second.queries_per_second > 0
    for served in (first, second):
        # The libraries alone take tens of megabytes; torch would take hundreds more.
        assert 20e6 < served.peak_memory_bytes < 300e6


def test_a_probe_loads_neither_torch_nor_the_command_line() -> None:
    code = (
        "import sys, searchapp.bench.probe; print([m for m in ('torch', 'typer', 'rich', 'bm25s') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_went_wrong_in_the_process_is_told(index: Index, queries: Path, tmp_path: Path) -> None:
    with Probe() as probe:
        with pytest.raises(SearchappError, match=r"timing searches in a process of its own failed: .* not an index"):
            probe.measure(tmp_path, queries, Setting(WIDTH, "flat", None, 0))
        with pytest.raises(SearchappError, match="a probe needs a dim and a kind"):
            probe.measure(index.folder, queries, Setting())
        assert probe.measure(index.folder, queries, Setting(8, "flat", None, 0)).queries_per_second > 0
