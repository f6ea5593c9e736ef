"""Operands: folders, cells and runs, judged alike; what was cut or is none is refused."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.bench.compare import compare_results
from searchapp.bench.operands import Operand, RunOperand, judge_by, open_operand
from searchapp.bench.report import PairwiseReport, PairwiseRow
from searchapp.bench.results import write_results
from searchapp.corpus import write_run
from searchapp.errors import InputError, MeasureError, UsageError
from searchapp.metrics import ESCI, Interval, Judging, evaluate
from searchapp.records import Hit
from tests.bench.comparisons import FAIR, GOOD, MEASURES, POOR, QRELS, make_cell, make_report, one_cell


def test_a_run_is_judged_as_the_folder_is() -> None:
    judging = Judging(gains=ESCI, threshold=2)
    folder = one_cell(POOR, judging=judging)
    kept = {**{q: hits for q, hits in GOOD.items() if q != "q03"}, "elsewhere": [Hit(1, "x", 1.0)]}
    for operands in (
        [Operand("old", folder), RunOperand("x.trec", kept)],
        [RunOperand("x.trec", kept), Operand("old", folder)],
    ):
        report = compare_results(operands, measures=["nDCG@10", "accuracy@1"])
        run = evaluate({q: [hit.doc_id for hit in h] for q, h in kept.items()}, QRELS, MEASURES, judging=judging)
        for row in report.rows:
            mean = row.comparison.mean_b if row.system == "x.trec" else row.comparison.mean_a
            assert mean == pytest.approx(run.measures[row.measure])
        assert [note for note in report.notes if "x.trec" in note] == [f"x.trec: {note}" for note in run.notes]
        assert "x.trec: judged queries that the run lacks, counted as 0 (as under trec_eval -c): 1" in report.notes


def test_runs_alone_are_judged_by_qrels() -> None:
    frame = judge_by("qrels.trec", QRELS, Judging(gains=ESCI, threshold=3))
    report = compare_results([RunOperand("a", POOR), RunOperand("b", GOOD)], measures=["P@7"], judged_by=frame)
    measures = [
        evaluate({q: [h.doc_id for h in hits] for q, hits in run.items()}, QRELS, ["P@7"], judging=frame.judging)
        for run in (POOR, GOOD)
    ]
    assert [row.measure for row in report.rows] == ["precision@7"]
    found = report.rows[0].comparison
    assert [found.mean_a, found.mean_b] == pytest.approx([one.measures["precision@7"] for one in measures])
    default = compare_results([RunOperand("a", POOR), RunOperand("b", GOOD)], also=["P@7"], judged_by=frame)
    assert [row.measure for row in default.rows] == [
        *("nDCG@10", "RR@10", "AP@100", "accuracy@1", "recall@100", "precision@7")
    ]


def test_a_run_needs_judgments_and_a_folder_brings_its_own() -> None:
    frame = judge_by("my.qrels", QRELS)
    with pytest.raises(UsageError, match=r"^a is a run, and nothing says what is relevant; add --qrels"):
        compare_results([RunOperand("a", GOOD), RunOperand("b", POOR)])
    with pytest.raises(UsageError, match=r"^my\.qrels was given .* but old has judgments of its own"):
        compare_results([Operand("old", one_cell()), RunOperand("b", POOR)], judged_by=frame)
    with pytest.raises(MeasureError, match="none of the run's 1 queries"):
        compare_results([Operand("old", one_cell()), RunOperand("b", {"x": [Hit(1, "d", 1.0)]})])


def test_protocols_are_not_mixed_by_way_of_a_run() -> None:
    pool = {q: [h for h in hits if h.doc_id in QRELS[q]] for q, hits in GOOD.items()}
    pooled = replace(one_cell(pool), protocol="judged-pool")
    with pytest.raises(UsageError, match=r"ranks judged documents only, but x\.trec ranks others too \(such as 'd"):
        compare_results([Operand("old", pooled), RunOperand("x.trec", POOR)])
    assert compare_results([Operand("old", pooled), RunOperand("x.trec", pool)]).rows[0].comparison.difference == 0
    report = compare_results([Operand("old", one_cell()), RunOperand("x.trec", pool)])
    assert (
        "x.trec: every hit is judged; if it ranks judged documents only, its numbers are too high here" in report.notes
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("compare")
    cells = (make_cell("bm25", POOR, dim=None), make_cell("d64-flat", FAIR), make_cell("d32-flat", GOOD))
    write_results(folder / "old", make_report(*cells))
    write_results(folder / "a:b", one_cell())
    write_run(folder / "good.trec", GOOD, tag="t")
    yield folder


def test_operands_are_folders_cells_and_runs(stored: Path) -> None:
    whole = open_operand(f"{stored}/old/")
    assert isinstance(whole, Operand)
    assert (whole.text, whole.cell) == (f"{stored}/old", None)
    assert [cell.name for cell in whole.cells] == ["bm25", "d64-flat", "d32-flat"]
    one = open_operand(f"{stored}/old:d32-flat")
    assert isinstance(one, Operand)
    assert [one.name(cell) for cell in one.cells] == [f"{stored}/old:d32-flat"]
    for text in (f"{stored}/a:b", f"{stored}/a:b:d64-flat", f"{stored}/a:b/results.json"):
        odd = open_operand(text)
        assert isinstance(odd, Operand)
        assert [cell.name for cell in odd.cells] == ["d64-flat"]
    run = open_operand(f"{stored}/good.trec")
    assert isinstance(run, RunOperand)
    assert {q: [hit.doc_id for hit in hits] for q, hits in run.run.items()} == {
        q: [hit.doc_id for hit in hits] for q, hits in GOOD.items()
    }


def test_a_run_is_read_in_the_order_asked_for(tmp_path: Path) -> None:
    (tmp_path / "x.trec").write_text("q00 Q0 d01 1 0.1 t\nq00 Q0 d02 2 0.9 t\nq00 Q0 d03 3 0.9 t\n", encoding="utf-8")
    found = {}
    for order in ("rank", "score", "trec_eval"):
        run = open_operand(str(tmp_path / "x.trec"), order=order)  # type: ignore[arg-type]
        assert isinstance(run, RunOperand)
        found[order] = [hit.doc_id for hit in run.run["q00"]]
    assert found == {"rank": ["d01", "d02", "d03"], "score": ["d02", "d03", "d01"], "trec_eval": ["d03", "d02", "d01"]}


def test_what_is_stored_compares_as_what_was_measured(stored: Path) -> None:
    fresh = make_report(make_cell("d64-flat", FAIR), make_cell("d32-flat", GOOD))
    read = compare_results([open_operand(f"{stored}/old:d64-flat"), open_operand(f"{stored}/old:d32-flat")])
    expected = compare_results([Operand("x", fresh, "d64-flat"), Operand("x", fresh, "d32-flat")])
    assert [row.comparison for row in read.rows] == [row.comparison for row in expected.rows]
    assert [(one.query_id, one.hits_after) for one in read.changed] == [
        (one.query_id, one.hits_after) for one in expected.changed
    ]
    run = compare_results([open_operand(f"{stored}/old:d32-flat"), open_operand(f"{stored}/good.trec")])
    assert {row.comparison.difference for row in run.rows} == {0.0}
    assert {row.p_holm for row in run.rows} == {1.0}


def test_what_is_no_operand_is_refused(stored: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is nothing at .*/nowhere; name a folder that searchapp bench --out"):
        open_operand(f"{stored}/nowhere")
    with pytest.raises(UsageError, match="there is nothing at nowhere:d64-flat"):
        open_operand("nowhere:d64-flat")
    with pytest.raises(InputError, match=r"results\.json can't be read"):
        open_operand(str(tmp_path))
    row = PairwiseRow("d64", "minilm", 64, {"max_accuracy": 0.5}, {"max_accuracy": Interval(0.0, 1.0)})
    write_results(tmp_path, PairwiseReport("triplets", "sts", 3, "max_accuracy", (), (row,), "f0"))
    with pytest.raises(InputError, match="holds triplets, not queries with hits; name the results of a bench of retr"):
        open_operand(str(tmp_path))


@pytest.mark.parametrize("kept", ["runs/d64-flat.trec", "per-query/d64-flat.parquet"])
@pytest.mark.parametrize("share", [0, 2])
def test_results_that_were_cut_since_are_refused(tmp_path: Path, kept: str, share: int) -> None:
    write_results(tmp_path / "old", one_cell(GOOD))
    write_results(tmp_path / "new", one_cell(POOR))
    held = (tmp_path / "new" / kept).read_bytes()
    (tmp_path / "new" / kept).write_bytes(held[: len(held) // share if share else 0])
    with pytest.raises(InputError, match=f"new/{kept} is not what the bench wrote; run the bench again"):
        compare_results([open_operand(f"{tmp_path}/old"), open_operand(f"{tmp_path}/new")])
