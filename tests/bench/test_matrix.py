"""The matrix: right numbers for every protocol, counts of what is left out, and one embedding for all cells."""

from dataclasses import replace
from pathlib import Path

import ir_measures
import numpy as np
import pytest

from searchapp.bench.report import Report
from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Dataset, DatasetParts, ReadOptions, open_dataset
from searchapp.encoders import CANARIES
from searchapp.errors import InputError, UsageError
from searchapp.index import open_index
from searchapp.index.exact import exact_search
from searchapp.metrics import ESCI_OFFICIAL_SCRIPT_SWAPPED, Measure
from tests.bench.benching import PLAIN, bench, bench_index, names
from tests.fakes import DIM, CuttingEncoder, HashEncoder

FOUR = replace(PLAIN, dims=(DIM, 16), kinds=("flat", "sq8"))
FLAT = replace(PLAIN, dims=(DIM,), kinds=("flat",))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def report(dataset: Dataset, cache: Path) -> Report:
    return bench(dataset, cache, HashEncoder(), options=FOUR)


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
            assert cell.measures[name] == pytest.approx(values[measure], abs=1e-6), name


def test_a_cell_ranks_as_the_oracle_does(dataset: Dataset, tmp_path: Path, report: Report) -> None:
    index = build_index(dataset.corpus, tmp_path / "mine", encoder=HashEncoder())
    vectors = HashEncoder().encode_queries([query.text for query in dataset.queries])
    stored = index.vectors.take(np.arange(len(index)))
    ids = index.documents.ids(np.arange(len(index)))
    for cell, dim in ((report.cells[0], DIM), (report.cells[2], 16)):
        expected = exact_search(stored, ids, vectors, 100, dim=dim)
        for query, rows in zip(dataset.queries, expected.rows, strict=True):
            assert [hit.doc_id for hit in cell.run[query.query_id]] == [ids[row] for row in rows]
        counted = np.array([query.query_id in cell.query_ids for query in dataset.queries])
        assert cell.ties[100] == int(expected.tied[counted].sum())
        assert cell.ties[1] == sum(scores[0] == scores[1] for scores in expected.scores[counted]) > 0


def test_what_is_left_out_is_counted_and_said(report: Report) -> None:
    assert report.counts == {"judged": 40, "evaluated": 39, "without_relevant": 1}
    assert any("1" in note and "left out of the means" in note for note in report.notes)
    assert report.relevant == "grade >= 1"
    assert report.protocol == "full-corpus"


def test_a_corpus_and_its_queries_are_embedded_once_whatever_the_cells(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    bench(dataset, tmp_path, encoder, options=FOUR)
    texts = [document.text for document in dataset.corpus.documents()]
    assert [text for text in encoder.seen if text in texts] == texts
    again = HashEncoder()
    bench(dataset, tmp_path, again, options=replace(FOUR, kinds=("flat", "sq8", "IVF4,Flat")))
    assert not set(again.seen) & set(texts)
    assert set(again.seen) <= {query.text for query in dataset.queries} | set(CANARIES)


def test_the_judged_pool_ranks_only_what_is_judged(dataset: Dataset, cache: Path) -> None:
    pooled = bench(dataset, cache, HashEncoder(), options=replace(FOUR, protocol="judged-pool"))
    for cell in pooled.cells:
        assert cell.measures["Judged@10"] == 1
        for query_id, hits in cell.run.items():
            assert {hit.doc_id for hit in hits} == set(dataset.qrels[query_id])
            assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert pooled.protocol == "judged-pool"
    full = bench(dataset, cache, HashEncoder(), options=FOUR).cells[0].measures
    measures = pooled.cells[0].measures
    assert measures["nDCG@10"] > full["nDCG@10"]
    assert "nDCG" in measures
    assert "nDCG" not in full


def test_search_parameters_are_cells_of_their_own(dataset: Dataset, cache: Path) -> None:
    options = replace(PLAIN, dims=(DIM,), kinds=("flat", "IVF4,Flat"), nprobe=(1, 4), rescore=(0, 240))
    report = bench(dataset, cache, HashEncoder(), options=options)
    rescored = [f"d48-ivf4-flat-nprobe{p}{r}" for p in (1, 4) for r in ("", "-rescore240")]
    assert names(report) == ["d48-flat", *rescored]
    measures = [cell.measures["recall@100"] for cell in report.cells]
    assert measures[1] < measures[0]
    assert measures[3] == measures[0]


def test_an_index_of_the_user_is_not_written_to(dataset: Dataset, tmp_path: Path, cache: Path) -> None:
    encoder = HashEncoder()
    index = build_index(dataset.corpus, tmp_path / "mine", encoder=encoder)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    report = bench_index(dataset, cache, index, encoder, replace(PLAIN, dims=(16, 8), kinds=("sq8", "auto")))
    assert names(report) == ["d16-sq8", "d16-flat", "d8-sq8", "d8-flat"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    held = bench_index(dataset, cache, open_index(tmp_path / "mine"), encoder)
    assert names(held) == ["d48-flat"]


def test_judged_documents_that_are_missing_are_an_error_unless_allowed(beir_folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few.jsonl"
    lines = (beir_folder / "corpus.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    few.write_text("".join(lines[:200]), encoding="utf-8")
    parts = DatasetParts(few, beir_folder / "queries.jsonl", beir_folder / "qrels/test.tsv")
    dataset = open_dataset(parts=parts)
    encoder = HashEncoder()
    with pytest.raises(InputError, match=r"40 of 240 judged documents are not in the index \(such as p200, p201"):
        bench(dataset, tmp_path, encoder)
    report = bench(dataset, tmp_path, encoder, options=replace(PLAIN, allow_missing=True))
    assert "40 of 240 judged documents are not in the index, counted as never found" in report.notes
    pooled = bench(dataset, tmp_path, encoder, options=replace(PLAIN, allow_missing=True, protocol="judged-pool"))
    assert all(not hit.doc_id > "p199" for hits in pooled.cells[0].run.values() for hit in hits)


def test_esci_labels_gains_and_thresholds(sample_data: Path, tmp_path: Path) -> None:
    dataset = open_dataset(sample_data)
    exact = bench(dataset, tmp_path, HashEncoder())
    lenient = bench(dataset, tmp_path, HashEncoder(), options=replace(PLAIN, threshold=2))
    swapped = bench(dataset, tmp_path, HashEncoder(), options=replace(PLAIN, gains=ESCI_OFFICIAL_SCRIPT_SWAPPED))
    assert (exact.judging.gains.name, exact.relevant) == ("esci", "grade >= 3 (E)")
    assert lenient.relevant == "grade >= 2 (E or S)"
    assert swapped.judging.gains.name == "esci-official-script-swapped"
    numbers = [report.cells[0].measures for report in (exact, lenient, swapped)]
    assert numbers[1]["accuracy@10"] > numbers[0]["accuracy@10"]
    assert numbers[2]["nDCG@10"] != numbers[0]["nDCG@10"]
    assert numbers[2]["accuracy@10"] == numbers[0]["accuracy@10"]


def test_a_measure_asked_for_is_the_one_that_is_given(dataset: Dataset, cache: Path) -> None:
    options = replace(FLAT, measures=(Measure.parse("RR(rel=2)@10"),))
    found = bench(dataset, cache, HashEncoder(), options=options)
    assert found.primary == "RR(rel=2)@10"
    assert list(found.cells[0].measures) == ["RR(rel=2)@10"]


def test_a_query_s_own_document_is_dropped_and_the_next_takes_its_place(dataset: Dataset, tmp_path: Path) -> None:
    lines = [f'{{"_id": "p{n}", "text": "red bag number {n}"}}\n' for n in range(30)]
    (tmp_path / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    (tmp_path / "queries.jsonl").write_text(lines[3], encoding="utf-8")
    (tmp_path / "qrels").write_text("p3 0 p3 1\np3 0 p4 1\n", encoding="utf-8")
    parts = DatasetParts(tmp_path / "corpus.jsonl", tmp_path / "queries.jsonl", tmp_path / "qrels")
    twins = open_dataset(parts=parts)
    options = replace(PLAIN, measures=(Measure.parse("precision@1"), Measure.parse("Judged@5")))
    kept = bench(twins, tmp_path / "cache", HashEncoder(), options=options).cells[0]
    dropped = bench(twins, tmp_path / "cache", HashEncoder(), options=replace(options, drop_self=True)).cells[0]
    assert kept.measures["precision@1"] == 1
    assert len(kept.run["p3"]) == 5
    assert len(dropped.run["p3"]) == 6
    assert dropped.measures["precision@1"] == float(dropped.run["p3"][1].doc_id == "p4")


def test_what_was_lost_on_the_way_is_in_the_notes(beir_folder: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus.jsonl"
    good = (beir_folder / "corpus.jsonl").read_text(encoding="utf-8")
    corpus.write_text(good + '{"_id": "", "title": "no id"}\n', encoding="utf-8")
    parts = DatasetParts(corpus, beir_folder / "queries.jsonl", beir_folder / "qrels/test.tsv")
    dataset = open_dataset(parts=parts, options=ReadOptions(on_bad_row="skip"))
    encoder = CuttingEncoder(limit=8)
    encoder.encode_documents(["a text too long before the build, which is not the index's loss"])
    index = build_index(dataset.corpus, tmp_path / "mine", encoder=encoder)
    report = bench_index(dataset, tmp_path / "cache", index, encoder)
    other = bench_index(open_dataset(beir_folder), tmp_path / "cache", index, encoder)
    texts = [document.text for document in dataset.corpus.documents()]
    long = [len(text) - 8 for text in texts if len(text) > 8]
    lost = f"documents longer than max_seq_length 8: {len(long):,}, which lost {sum(long):,} tokens"
    assert lost in report.notes
    assert "bad rows of the corpus that were skipped: 1" in report.notes
    assert not any("another corpus" in note for note in report.notes)
    assert not any("another corpus" in note for note in other.notes)
    few = replace(dataset, corpus=open_dataset(parts=_parts_of(tmp_path, good, beir_folder)).corpus)
    changed = bench_index(few, tmp_path / "cache", index, encoder)
    assert any(
        "made from another corpus" in note and "240 documents in the index, 239" in note for note in changed.notes
    )


def _parts_of(folder: Path, good: str, beir_folder: Path) -> DatasetParts:
    (folder / "fewer.jsonl").write_text("".join(good.splitlines(keepends=True)[:239]), encoding="utf-8")
    return DatasetParts(folder / "fewer.jsonl", beir_folder / "queries.jsonl", beir_folder / "qrels/test.tsv")


def test_rescoring_fewer_than_the_measures_look_at_is_refused(dataset: Dataset, cache: Path) -> None:
    options = replace(PLAIN, dims=(16,), kinds=("sq8",), rescore=(5,))
    with pytest.raises(UsageError, match="--rescore 5 is fewer than the 100 hits that the measures look at; type"):
        bench(dataset, cache, HashEncoder(), options=options)
    shallow = replace(
        PLAIN, dims=(16,), kinds=("sq8", "flat"), rescore=(0, 10, 240), measures=(Measure.parse("nDCG@10"),)
    )
    cells = bench(dataset, cache, HashEncoder(), options=shallow).cells
    assert [cell.rescore for cell in cells] == [0, 10, 240] * 2
    full = bench(dataset, cache, HashEncoder(), options=FLAT).cells[0]
    assert cells[2].measures["nDCG@10"] == full.measures["nDCG@10"]
    assert {hit.doc_id for hit in cells[1].run["q00"]} == {hit.doc_id for hit in cells[0].run["q00"]}


def test_queries_without_a_relevant_document_may_count_as_zero(dataset: Dataset, cache: Path) -> None:
    dropped = bench(dataset, cache, HashEncoder(), options=FLAT).cells[0]
    kept = bench(dataset, cache, HashEncoder(), options=replace(FLAT, no_relevant="zero")).cells[0]
    assert (len(dropped.query_ids), len(kept.query_ids)) == (39, 40)
    assert kept.measures["RR@10"] == pytest.approx(dropped.measures["RR@10"] * 39 / 40)


def test_every_derived_kind_can_be_made_again_at_another_dim(dataset: Dataset, tmp_path: Path) -> None:
    encoder = HashEncoder()
    options = BuildOptions(kinds=("flat", "IVF4,Flat"))
    index = build_index(dataset.corpus, tmp_path / "mine", encoder=encoder, options=options)
    report = bench_index(dataset, tmp_path / "cache", index, encoder, replace(PLAIN, dims=(24,)))
    assert [cell.label for cell in report.cells] == ["flat", "ivf4-flat nprobe1"]
