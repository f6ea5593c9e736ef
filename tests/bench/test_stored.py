"""What `--out` keeps is read back as it was."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.results import write_results
from searchapp.bench.stored import read_results
from searchapp.corpus import Dataset, read_run
from searchapp.errors import IndexFolderError, InputError
from searchapp.records import Hit
from tests.bench.benching import PLAIN, bench
from tests.fakes import DIM, HashEncoder

OPTIONS = replace(
    PLAIN, dims=(DIM, 16), kinds=("flat", "sq8"), baselines=("random", "bm25"), slices=("length",), threshold=2
)


@pytest.fixture(scope="module")
def kept(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kept")
    report = bench(dataset, folder / "cache", HashEncoder(), options=OPTIONS)
    write_results(folder / "out", report)
    return folder


def test_a_report_comes_back_as_it_was(dataset: Dataset, kept: Path) -> None:
    report = bench(dataset, kept / "cache", HashEncoder(), options=OPTIONS)
    found = read_results(kept / "out")
    for name in ("dataset", "split", "protocol", "judging", "relevant", "primary", "documents", "counts", "ship"):
        assert getattr(found, name) == getattr(report, name), name
    assert found.fingerprints == report.fingerprints
    assert found.evidence == report.evidence
    assert len(found.cells) == len(report.cells) == 6
    for ours, theirs in zip(found.cells, report.cells, strict=True):
        assert ours.measures == theirs.measures
        assert ours.intervals == theirs.intervals
        assert ours.slices == theirs.slices
        assert ours.ties == theirs.ties
        assert ours.loss == theirs.loss
        assert ours.query_ids == theirs.query_ids
        for name, values in theirs.per_query.items():
            np.testing.assert_array_equal(ours.per_query[name], values)
        assert list(ours.run) == [query_id for query_id, hits in theirs.run.items() if hits]
        for query_id, hits in ours.run.items():
            expected = theirs.run[query_id]
            assert [hit.doc_id for hit in hits] == [hit.doc_id for hit in expected]
            assert [np.float32(hit.score) for hit in hits] == [np.float32(hit.score) for hit in expected]


def test_the_files_are_those_the_results_name_and_say_the_same(kept: Path) -> None:
    body = json.loads((kept / "out/results.json").read_text(encoding="utf-8"))
    held = {str(path.relative_to(kept / "out")) for path in (kept / "out").rglob("*") if path.is_file()}
    assert held == {*body["files"], "results.json"}
    cell = next(cell for cell in body["cells"] if cell["name"] == "d16-flat")
    assert cell["bytes_per_vector"] == pytest.approx(4 * 16 + 45 / 240, abs=0.01)
    assert cell["index_bytes"] == 4 * 16 * 240 + 45
    assert cell["vectors_bytes"] == 4 * DIM * 240
    assert set(cell["latency_ms"]) == {"p50", "p95", "p99", "queries", "k", "threads"}
    assert cell["loss"]["measure"] == "nDCG@10"
    assert sum(part["queries"] for part in cell["slices"]) == body["queries"]["evaluated"]
    assert all(isinstance(value, float) for value in cell["measures"].values())
    run = read_run(kept / "out/runs/d16-flat.trec")
    assert all(isinstance(hit, Hit) for hit in run["q00"])


def test_results_of_an_earlier_bench_are_replaced_and_nothing_else_is(
    dataset: Dataset, kept: Path, tmp_path: Path
) -> None:
    report = bench(dataset, kept / "cache", HashEncoder())
    write_results(tmp_path / "out", report)
    write_results(tmp_path / "out", replace(report, dataset="again"))
    found = read_results(tmp_path / "out")
    assert found.dataset == "again"
    (tmp_path / "out" / "mine.txt").write_text("x", encoding="utf-8")
    with pytest.raises(IndexFolderError, match=r"mine\.txt"):
        write_results(tmp_path / "out", report)
    assert read_results(tmp_path / "out").dataset == "again"


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("results.json", "", "can't be read"),
        ("results.json", '{"format": "other"}', "holds no bench's results"),
        ("results.json", '{"format": "searchapp-bench", "format_version": 99}', "has format version 99"),
        ("results.json", '{"format": "searchapp-bench", "format_version": 1, "task": "retrieval"}', "is damaged"),
        ("qrels.trec", "no judgment", "qrels.trec"),
        ("per-query/d16-flat.parquet", "x", "is not what the bench wrote"),
    ],
)
def test_damage_is_told_in_one_line(kept: Path, tmp_path: Path, name: str, change: str, message: str) -> None:
    folder = tmp_path / "out"
    for path in (kept / "out").rglob("*"):
        if path.is_file():
            (folder / path.relative_to(kept / "out")).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(kept / "out")).write_bytes(path.read_bytes())
    (folder / name).write_text(change, encoding="utf-8")
    with pytest.raises(InputError, match=message) as error:
        read_results(folder)
    assert "\n" not in str(error.value)


def test_a_run_that_was_changed_since_is_not_taken_for_the_bench_s(
    dataset: Dataset, kept: Path, tmp_path: Path
) -> None:
    report = bench(dataset, kept / "cache", HashEncoder())
    write_results(tmp_path / "out", report)
    run = tmp_path / "out/runs/d48-flat.trec"
    run.write_bytes(run.read_bytes()[:2000])
    found = read_results(tmp_path / "out")
    with pytest.raises(InputError, match=r"d48-flat\.trec is not what the bench wrote"):
        next(iter(found.cells[0].run))
