"""The cache: an interrupted bench goes on, and nothing stale is ever met."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.cache import Cache, make_key
from searchapp.bench.report import Report
from searchapp.corpus import Dataset, DatasetParts, open_dataset
from searchapp.metrics import Measure
from searchapp.prompts import Prompts
from tests.bench.benching import PLAIN, bench, names
from tests.fakes import DIM, DriftedEncoder, HashEncoder

OPTIONS = replace(PLAIN, dims=(DIM, 16), kinds=("flat", "IVF4,Flat"), nprobe=(1, 2))


class Interrupted:
    """Progress that is stopped, as by Ctrl-C, before a given cell is measured."""

    def __init__(self, before: str) -> None:
        self._before = before

    def __call__(self, stage: str, done: int, total: int | None, /) -> None:
        if stage == f"measuring {self._before}":
            raise KeyboardInterrupt


def _cells(cache: Path) -> set[str]:
    return {item.name for item in (cache / "cells").iterdir()} if (cache / "cells").is_dir() else set()


def _reused(report: Report) -> int:
    return next((int(note.split(": ")[1].split()[0]) for note in report.notes if "in the cache" in note), 0)


def test_an_interrupted_bench_goes_on_where_it_was(dataset: Dataset, tmp_path: Path) -> None:
    whole = bench(dataset, tmp_path / "whole", HashEncoder(), options=OPTIONS)
    assert len(whole.cells) == 6
    with pytest.raises(KeyboardInterrupt):
        bench(dataset, tmp_path / "cut", HashEncoder(), options=OPTIONS, progress=Interrupted(names(whole)[3]))
    kept = _cells(tmp_path / "cut")
    assert len(kept) == 3
    encoder = HashEncoder()
    goes_on = bench(dataset, tmp_path / "cut", encoder, options=OPTIONS)
    assert _reused(goes_on) == 3
    assert kept < _cells(tmp_path / "cut")
    assert not any(document.text in encoder.seen for document in dataset.corpus.documents())
    for ours, theirs in zip(goes_on.cells, whole.cells, strict=True):
        assert ours.name == theirs.name
        assert ours.measures == theirs.measures
        assert ours.intervals == theirs.intervals
        assert ours.loss == theirs.loss
        assert ours.ties == theirs.ties
        assert {q: list(hits) for q, hits in ours.run.items()} == {q: list(hits) for q, hits in theirs.run.items()}
        for name, values in theirs.per_query.items():
            np.testing.assert_array_equal(ours.per_query[name], values)


def _without_last(dataset: Dataset, folder: Path, beir: Path) -> Dataset:
    lines = (beir / "corpus.jsonl").read_text(encoding="utf-8").replace("red bag", "crimson bag")
    (folder / "other.jsonl").write_text(lines, encoding="utf-8")
    parts = DatasetParts(folder / "other.jsonl", beir / "queries.jsonl", beir / "qrels/test.tsv")
    return open_dataset(parts=parts)


def test_whatever_changes_is_measured_anew(dataset: Dataset, beir_folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    options = replace(PLAIN, dims=(16,), kinds=("sq8",))
    first = bench(dataset, cache, HashEncoder(), options=options)
    assert _reused(bench(dataset, cache, HashEncoder(), options=options)) == 1
    qrels = {query: dict(judged) for query, judged in dataset.qrels.items()}
    some = next(iter(qrels["q00"]))
    qrels["q00"][some] += 1
    renamed = tuple(replace(query, text=query.text.upper() + "!") for query in dataset.queries)
    changed = {
        "a model": (dataset, HashEncoder(salt=2), options),
        "a prompt": (dataset, HashEncoder(Prompts("find: ", "item: ", "test")), options),
        "the corpus": (_without_last(dataset, tmp_path, beir_folder), HashEncoder(), options),
        "the judgments": (replace(dataset, qrels=qrels), HashEncoder(), options),
        "the queries": (replace(dataset, queries=renamed), HashEncoder(), options),
        "the threshold": (dataset, HashEncoder(), replace(options, threshold=2)),
        "the protocol": (dataset, HashEncoder(), replace(options, protocol="judged-pool")),
        "the measures": (dataset, HashEncoder(), replace(options, measures=(Measure.parse("nDCG@10"),))),
    }
    for what, (data, encoder, wanted) in changed.items():
        fresh = bench(data, tmp_path / what.replace(" ", "-"), encoder, options=wanted)
        with_cache = bench(data, cache, encoder, options=wanted)
        assert _reused(with_cache) == 0, what
        assert with_cache.cells[0].measures == fresh.cells[0].measures, what
    assert _reused(bench(dataset, cache, HashEncoder(), options=options)) == 1
    assert first.cells[0].measures != bench(dataset, cache, HashEncoder(salt=2), options=options).cells[0].measures


def test_a_runtime_that_drifted_does_not_meet_the_vectors_it_gave_before(dataset: Dataset, tmp_path: Path) -> None:
    bench(dataset, tmp_path, HashEncoder())
    drifted = DriftedEncoder()
    bench(dataset, tmp_path, drifted)
    assert all(document.text in drifted.seen for document in dataset.corpus.documents())
    assert all(query.text in drifted.seen for query in dataset.queries)


@pytest.mark.parametrize("name", ["cell.json", "hits.parquet", "per-query.parquet"])
def test_a_damaged_cell_is_measured_again(dataset: Dataset, tmp_path: Path, name: str) -> None:
    first = bench(dataset, tmp_path, HashEncoder())
    (folder,) = (tmp_path / "cells").iterdir()
    (folder / name).write_bytes((folder / name).read_bytes()[:40])
    again = bench(dataset, tmp_path, HashEncoder())
    assert _reused(again) == 0
    assert again.cells[0].measures == first.cells[0].measures
    assert _reused(bench(dataset, tmp_path, HashEncoder())) == 1


def test_a_cell_of_another_key_is_not_taken(dataset: Dataset, tmp_path: Path) -> None:
    bench(dataset, tmp_path, HashEncoder())
    (folder,) = (tmp_path / "cells").iterdir()
    other = make_key({"some": "thing"})
    folder.rename(folder.with_name(other))
    assert Cache(tmp_path).load_cell(other) is None
    body = json.loads((folder.with_name(other) / "cell.json").read_text(encoding="utf-8"))
    changed = {**body, "key": other}
    (folder.with_name(other) / "cell.json").write_text(json.dumps(changed), encoding="utf-8")
    assert Cache(tmp_path).load_cell(other) is None
    del changed["checksum"]
    changed["checksum"] = make_key(changed)
    (folder.with_name(other) / "cell.json").write_text(json.dumps(changed), encoding="utf-8")
    assert Cache(tmp_path).load_cell(other) is not None


def _flip(path: Path, place: int = 4000) -> None:
    """Change some bytes in the middle of a file, and not its size."""
    data = bytearray(path.read_bytes())
    start = min(place, len(data) // 2)
    for at in range(start, min(start + 600, len(data))):
        data[at] ^= 0x80
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(
    "pattern",
    [
        "indexes/*/vectors/00000.npy",
        "indexes/*/documents/00000.arrow",
        "indexes/*/d48-flat.faiss",
        "indexes/*/manifest.json",
        "indexes/*/canaries.npy",
        "texts/*.npy",
        "cells/*/cell.json",
        "cells/*/hits.parquet",
    ],
)
def test_bytes_that_changed_in_the_cache_never_reach_a_number(dataset: Dataset, tmp_path: Path, pattern: str) -> None:
    options = replace(PLAIN, dims=(DIM, 16), kinds=("flat",))
    first = bench(dataset, tmp_path, HashEncoder(), options=options)
    if "cells" not in pattern:
        for cell in (tmp_path / "cells").iterdir():
            (cell / "cell.json").unlink()
    for path in tmp_path.glob(pattern):
        _flip(path)
    again = bench(dataset, tmp_path, HashEncoder(), options=options)
    assert [cell.measures for cell in again.cells] == [cell.measures for cell in first.cells]
    assert [cell.cost.index_bytes for cell in again.cells] == [cell.cost.index_bytes for cell in first.cells]
    assert _reused(again) == 0
