"""An index that has changed is judged as one that never did and holds the same; chunks are judged as documents."""

from pathlib import Path

import pytest

from searchapp.bench.plan import BenchOptions
from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Dataset
from searchapp.index import Index
from searchapp.living import compact_index, delete_documents, rows_of, upsert_documents
from tests.bench.benching import bench_index
from tests.fakes import CuttingEncoder, HashEncoder

GONE = [f"p{number:03d}" for number in range(0, 240, 5)]


def judged(dataset: Dataset, cache: Path, index: Index, options: BenchOptions) -> dict[str, dict[str, float]]:
    """Return the measures of every row of a bench, baselines included."""
    report = bench_index(dataset, cache, index, HashEncoder(), options)
    return {cell.name: dict(cell.measures) for cell in report.cells}


@pytest.mark.parametrize("protocol", ["full-corpus", "judged-pool"])
def test_a_changed_index_is_judged_as_the_compacted_one(dataset: Dataset, tmp_path: Path, protocol: str) -> None:
    encoder = HashEncoder()
    options = BuildOptions(kinds=("flat",))
    built = build_index(dataset.corpus, tmp_path / "shop", encoder=encoder, options=options)
    deleted = delete_documents(built, rows_of(GONE), call="once")
    grown = upsert_documents(dataset.corpus, deleted.index, encoder=encoder)
    living = delete_documents(grown.index, rows_of(GONE[::2]), call="twice").index
    assert living.manifest.rows > len(living)
    wanted = BenchOptions(protocol=protocol, allow_missing=True, kinds=("flat",))
    found = judged(dataset, tmp_path / "cache", living, wanted)
    compacted = compact_index(living).index
    assert compacted.manifest.rows == len(compacted) == len(living)
    expected = judged(dataset, tmp_path / "cache", compacted, wanted)
    assert found.keys() == expected.keys() >= {"random", "bm25"}
    assert found == expected


def test_chunks_are_judged_as_their_documents(dataset: Dataset, tmp_path: Path) -> None:
    encoder = CuttingEncoder(8)
    options = BuildOptions(on_truncate="chunk", chunk_overlap=2)
    index = build_index(dataset.corpus, tmp_path / "shop", encoder=encoder, options=options)
    assert index.manifest.rows > len(index) == 240
    whole = build_index(dataset.corpus, tmp_path / "whole", encoder=HashEncoder())
    wanted = BenchOptions(kinds=("flat",))
    report = bench_index(dataset, tmp_path / "cache", index, encoder, wanted)
    plain = bench_index(dataset, tmp_path / "cache", whole, HashEncoder(), wanted)
    rows = {cell.name: cell.measures for cell in report.cells}
    others = {cell.name: cell.measures for cell in plain.cells}
    assert rows["bm25"] == others["bm25"]
    assert rows.keys() == others.keys()
    for cell in report.cells:
        for query_id in cell.run:
            doc_ids, _ = cell.run.scored(query_id)
            assert len(set(doc_ids)) == len(doc_ids)
