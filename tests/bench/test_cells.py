"""Cells: right numbers for every protocol, counts of what is left out, and one embedding for all of them."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ir_measures
import numpy as np
import pyarrow.parquet as pq
import pytest

from searchapp.bench import BenchOptions, Report, indexed, run_bench, write_report
from searchapp.bench.workspace import with_derived
from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Dataset, DatasetParts, ReadOptions, open_dataset, read_run
from searchapp.errors import InputError, UsageError
from searchapp.index import Index
from searchapp.index.exact import exact_search
from searchapp.metrics import ESCI_OFFICIAL_SCRIPT_SWAPPED, Measure
from searchapp.search import Searcher
from tests.fakes import DIM, CuttingEncoder, HashEncoder


@pytest.fixture(scope="module")
def searcher(dataset: Dataset) -> Iterator[Searcher]:
    encoder = HashEncoder()
    with indexed(dataset.corpus, encoder, dims=(DIM, 16), kinds=("flat", "sq8")) as index:
        yield Searcher(index, encoder)


@pytest.fixture(scope="module")
def report(dataset: Dataset, searcher: Searcher) -> Report:
    return run_bench(dataset, searcher)


def test_every_cell_has_the_numbers_ir_measures_gives_for_its_run(dataset: Dataset, report: Report) -> None:
    qrels = {query_id: judged for query_id, judged in dataset.qrels.items() if any(judged.values())}
    assert [cell.name for cell in report.cells] == ["d48-flat", "d48-sq8", "d16-flat", "d16-sq8"]
    for cell in report.cells:
        # Scores that fall with the rank, so that the peer keeps our order of ties.
        run = {q: {hit.doc_id: -float(hit.rank) for hit in hits} for q, hits in cell.run.items()}
        peer = {"nDCG@10": "nDCG@10", "RR@10": "RR@10", "AP(denominator=R)@100": "AP@100", "recall@100": "R@100"}
        peer |= {"precision@5": "P@5", "accuracy@3": "Success@3", "Judged@10": "Judged@10"}
        wanted = {name: ir_measures.parse_measure(theirs) for name, theirs in peer.items()}
        values = ir_measures.calc_aggregate(list(wanted.values()), qrels, run)
        for name, measure in wanted.items():
            assert cell.evaluation.measures[name] == pytest.approx(values[measure], abs=1e-6), name


def test_a_cell_ranks_as_the_oracle_does(dataset: Dataset, searcher: Searcher, report: Report) -> None:
    index = searcher.index
    vectors = searcher.encoder.encode_queries([query.text for query in dataset.queries])
    stored = index.vectors.take(np.arange(len(index)))
    ids = index.documents.ids(np.arange(len(index)))
    for cell, dim in ((report.cells[0], DIM), (report.cells[2], 16)):
        expected = exact_search(stored, ids, vectors, 100, dim=dim)
        for query, rows in zip(dataset.queries, expected.rows, strict=True):
            assert [hit.doc_id for hit in cell.run[query.query_id]] == [ids[row] for row in rows]
        counted = np.array([query.query_id in cell.evaluation.query_ids for query in dataset.queries])
        assert cell.ties[100] == int(expected.tied[counted].sum())
        assert cell.ties[1] == sum(scores[0] == scores[1] for scores in expected.scores[counted]) > 0


def test_what_is_left_out_is_counted_and_said(report: Report) -> None:
    assert report.queries == {"judged": 40, "evaluated": 39, "without_relevant": 1}
    assert any("1" in note and "left out of the means" in note for note in report.notes)
    assert report.relevant == "grade >= 1"
    assert report.protocol == "full-corpus"


def test_queries_are_embedded_once_and_documents_once(dataset: Dataset, searcher: Searcher) -> None:
    before = searcher.encoder.counts.texts
    run_bench(dataset, searcher)
    assert searcher.encoder.counts.texts - before == len(dataset.queries)


def test_the_judged_pool_ranks_only_what_is_judged(dataset: Dataset, searcher: Searcher) -> None:
    pooled = run_bench(dataset, searcher, options=BenchOptions(protocol="judged-pool"))
    for cell in pooled.cells:
        assert cell.evaluation.measures["Judged@10"] == 1
        for query_id, hits in cell.run.items():
            assert {hit.doc_id for hit in hits} == set(dataset.qrels[query_id])
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert pooled.protocol == "judged-pool"
    full = run_bench(dataset, searcher).cells[0].evaluation.measures
    measures = pooled.cells[0].evaluation.measures
    assert measures["nDCG@10"] > full["nDCG@10"]
    assert "nDCG" in measures
    assert "nDCG" not in full


def test_search_parameters_are_cells_of_their_own(dataset: Dataset) -> None:
    encoder = HashEncoder()
    with indexed(dataset.corpus, encoder, dims=(DIM,), kinds=("flat", "IVF4,Flat")) as index:
        options = BenchOptions(nprobe=(1, 4), rescore=(0, 240))
        report = run_bench(dataset, Searcher(index, encoder), options=options)
    names = [cell.name for cell in report.cells]
    rescored = [f"d48-ivf4-flat-nprobe{p}{r}" for p in (1, 4) for r in ("", "-rescore240")]
    assert names == ["d48-flat", *rescored]
    measures = [cell.evaluation.measures["recall@100"] for cell in report.cells]
    assert measures[1] < measures[0]
    assert measures[3] == measures[0]


def test_an_index_of_the_user_is_not_written_to(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    index = build_index(dataset.corpus, tmp_path / "mine", encoder=encoder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with with_derived(index, dims=(16, 8), kinds=("flat", "auto")) as complete:
        assert isinstance(complete, Index)
        report = run_bench(dataset, Searcher(complete, encoder), options=BenchOptions(dims=(16, 8)))
    assert [cell.name for cell in report.cells] == ["d16-flat", "d8-flat"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_judged_documents_that_are_missing_are_an_error_unless_allowed(beir_folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    lines = (beir_folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    few.write_text("".join(lines[:200]), encoding="utf-8")
    parts = DatasetParts(few, beir_folder / "queries.jsonl", beir_folder / "qrels/test.tsv")
    dataset = open_dataset(parts=parts)
    encoder = HashEncoder()
    with indexed(dataset.corpus, encoder, dims=(DIM,), kinds=("flat",)) as index:
        searcher = Searcher(index, encoder)
        with pytest.raises(InputError, match=r"40 of 240 judged documents are not in the index \(such as p200, p201"):
            run_bench(dataset, searcher)
        report = run_bench(dataset, searcher, options=BenchOptions(allow_missing=True))
        assert "40 of 240 judged documents are not in the index, counted as never found" in report.notes
        pooled = run_bench(dataset, searcher, options=BenchOptions(allow_missing=True, protocol="judged-pool"))
        assert all(not hit.doc_id > "p199" for hits in pooled.cells[0].run.values() for hit in hits)


def test_esci_labels_gains_and_thresholds(sample_data: Path) -> None:
    dataset = open_dataset(sample_data)
    encoder = HashEncoder()
    with indexed(dataset.corpus, encoder, dims=(DIM,), kinds=("flat",)) as index:
        searcher = Searcher(index, encoder)
        exact = run_bench(dataset, searcher)
        lenient = run_bench(dataset, searcher, options=BenchOptions(threshold=2))
        swapped = run_bench(dataset, searcher, options=BenchOptions(gains=ESCI_OFFICIAL_SCRIPT_SWAPPED))
    assert (exact.gains, exact.relevant) == ("esci", "grade >= 3 (E)")
    assert lenient.relevant == "grade >= 2 (E or S)"
    assert swapped.gains == "esci-official-script-swapped"
    numbers = [report.cells[0].evaluation.measures for report in (exact, lenient, swapped)]
    assert numbers[1]["accuracy@10"] > numbers[0]["accuracy@10"]
    assert numbers[2]["nDCG@10"] != numbers[0]["nDCG@10"]
    assert numbers[2]["accuracy@10"] == numbers[0]["accuracy@10"]


def test_what_is_kept_can_be_read_back(report: Report, tmp_path: Path) -> None:
    write_report(tmp_path / "out", report)
    body = json.loads((tmp_path / "out/results.json").read_text(encoding="utf-8"))
    kept = json.loads(json.dumps(report.to_json()))
    assert {name: body[name] for name in kept} == kept
    assert set(body["files"]) == {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").glob("*/*")}
    assert body["cells"][0]["measures"]["nDCG@10"] == report.cells[0].evaluation.measures["nDCG@10"]
    assert re.fullmatch(r"[\d.]+", str(body["cells"][0]["queries_per_second"]))
    assert body["cells"][0]["bytes_per_vector"] == pytest.approx(4 * DIM + 45 / 240, abs=0.01)
    run = read_run(tmp_path / "out/runs/d16-flat.trec")
    ours = report.cells[2].run
    assert {q: [hit.doc_id for hit in hits] for q, hits in run.items()} == {
        q: [hit.doc_id for hit in hits] for q, hits in ours.items()
    }
    assert np.float32(run["q00"][0].score) == np.float32(ours["q00"][0].score)
    table = pq.read_table(tmp_path / "out/per-query/d16-flat.parquet")
    assert table.num_rows == 39
    assert np.mean(table["nDCG@10"].to_pylist()) == pytest.approx(report.cells[2].evaluation.measures["nDCG@10"])


def test_asking_for_what_the_index_does_not_hold_is_refused(dataset: Dataset, searcher: Searcher) -> None:
    with pytest.raises(UsageError, match=r"holds d48-flat, d48-sq8, d16-flat, d16-sq8; none of it was asked for"):
        run_bench(dataset, searcher, options=BenchOptions(dims=(7,)))


def test_a_measure_asked_for_is_the_one_that_is_given(dataset: Dataset, searcher: Searcher) -> None:
    options = BenchOptions(measures=(Measure.parse("RR(rel=2)@10"),), dims=(DIM,), kinds=("flat",))
    found = run_bench(dataset, searcher, options=options)
    assert list(found.cells[0].evaluation.measures) == ["RR(rel=2)@10"]


def test_a_query_s_own_document_is_dropped_and_the_next_takes_its_place(dataset: Dataset, tmp_path: Path) -> None:
    lines = [f'{{"_id": "p{n}", "text": "red bag number {n}"}}\n' for n in range(30)]
    (tmp_path / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text(lines[3], encoding="utf-8")
    (tmp_path / "qrels").write_text("p3 0 p3 1\np3 0 p4 1\n", encoding="utf-8")
    parts = DatasetParts(tmp_path / "corpus.jsonl", tmp_path / "queries.jsonl", tmp_path / "qrels")
    twins = open_dataset(parts=parts)
    encoder = HashEncoder()
    with indexed(twins.corpus, encoder, dims=(DIM,), kinds=("flat",)) as index:
        options = BenchOptions(measures=(Measure.parse("precision@1"), Measure.parse("Judged@5")))
        kept = run_bench(twins, Searcher(index, encoder), options=options).cells[0]
        dropped = run_bench(twins, Searcher(index, encoder), options=replace(options, drop_self=True)).cells[0]
    assert kept.evaluation.measures["precision@1"] == 1
    assert len(kept.run["p3"]) == 5
    assert len(dropped.run["p3"]) == 6
    assert dropped.evaluation.measures["precision@1"] == float(dropped.run["p3"][1].doc_id == "p4")


def test_what_was_lost_on_the_way_is_in_the_notes(beir_folder: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    good = (beir_folder / "corpus.jsonl").read_text(encoding="utf-8")
    corpus.write_text(good + '{"_id": "", "title": "no id"}\n', encoding="utf-8")
    parts = DatasetParts(corpus, beir_folder / "queries.jsonl", beir_folder / "qrels/test.tsv")
    dataset = open_dataset(parts=parts, options=ReadOptions(on_bad_row="skip"))
    encoder = CuttingEncoder(limit=8)
    encoder.encode_documents(["a text too long before the build, which is not the index's loss"])
    with indexed(dataset.corpus, encoder, dims=(DIM,), kinds=("flat",)) as index:
        report = run_bench(dataset, Searcher(index, encoder))
        other = run_bench(open_dataset(beir_folder), Searcher(index, encoder))
    texts = [document.text for document in dataset.corpus.documents()]
    long = [len(text) - 8 for text in texts if len(text) > 8]
    lost = f"{len(long):,} documents were longer than max_seq_length 8 and lost {sum(long):,} tokens"
    assert lost in report.notes
    assert "1 bad rows of the corpus were skipped" in report.notes
    assert not any("another corpus" in note for note in report.notes)
    assert not any("another corpus" in note for note in other.notes)
    with indexed(dataset.corpus, encoder, dims=(DIM,), kinds=("flat",)) as index:
        few = replace(dataset, corpus=open_dataset(parts=_parts_of(tmp_path, good, beir_folder)).corpus)
        changed = run_bench(few, Searcher(index, encoder))
    assert any(
        "made from another corpus" in note and "240 documents in the index, 239" in note for note in changed.notes
    )


def _parts_of(folder: Path, good: str, beir_folder: Path) -> DatasetParts:
    (folder / "fewer.jsonl").write_text("".join(good.splitlines(keepends=True)[:239]), encoding="utf-8")
    return DatasetParts(folder / "fewer.jsonl", beir_folder / "queries.jsonl", beir_folder / "qrels/test.tsv")


def test_rescoring_fewer_than_the_measures_look_at_is_refused(dataset: Dataset, searcher: Searcher) -> None:
    options = BenchOptions(dims=(16,), kinds=("sq8",), rescore=(5,))
    with pytest.raises(
        UsageError, match="--rescore 5 is fewer than the 100 hits asked for; type --rescore 100 or more"
    ):
        run_bench(dataset, searcher, options=options)
    shallow = BenchOptions(
        dims=(16,), kinds=("sq8", "flat"), rescore=(0, 10, 240), measures=(Measure.parse("nDCG@10"),)
    )
    cells = run_bench(dataset, searcher, options=shallow).cells
    assert [cell.rescore for cell in cells] == [0, 10, 240] * 2
    full = run_bench(dataset, searcher, options=BenchOptions(dims=(DIM,), kinds=("flat",))).cells[0]
    assert cells[2].evaluation.measures["nDCG@10"] == full.evaluation.measures["nDCG@10"]
    assert {hit.doc_id for hit in cells[1].run["q00"]} == {hit.doc_id for hit in cells[0].run["q00"]}


def test_queries_without_a_relevant_document_may_count_as_zero(dataset: Dataset, searcher: Searcher) -> None:
    options = BenchOptions(dims=(DIM,), kinds=("flat",))
    dropped = run_bench(dataset, searcher, options=options).cells[0].evaluation
    kept = run_bench(dataset, searcher, options=replace(options, no_relevant="zero")).cells[0].evaluation
    assert (len(dropped.query_ids), len(kept.query_ids)) == (39, 40)
    assert kept.measures["RR@10"] == pytest.approx(dropped.measures["RR@10"] * 39 / 40)


def test_every_derived_kind_can_be_made_again_at_another_dim(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    options = BuildOptions(kinds=("flat", "IVF4,Flat"))
    index = build_index(dataset.corpus, tmp_path / "mine", encoder=encoder, options=options)
    with with_derived(index, dims=(24,), kinds=()) as complete:
        report = run_bench(dataset, Searcher(complete, encoder), options=BenchOptions(dims=(24,)))
    assert [cell.label for cell in report.cells] == ["flat", "ivf4-flat nprobe1"]
