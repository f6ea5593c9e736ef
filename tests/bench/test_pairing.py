"""Pairing: which cells are held against which, by which measures, and what is refused."""

from dataclasses import replace

import pytest

from searchapp.bench.compare import compare_results
from searchapp.bench.operands import Operand
from searchapp.bench.report import Report
from searchapp.errors import MeasureError, UsageError
from searchapp.metrics import ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, Judging
from tests.bench.comparisons import FAIR, GOOD, POOR, QRELS, make_cell, make_report, one_cell


def pairs(report: object) -> list[tuple[str, str]]:
    return list(dict.fromkeys((row.baseline, row.system) for row in report.rows))  # type: ignore[attr-defined]


def test_cells_are_paired_by_name_and_what_is_left_is_said() -> None:
    bm25 = make_cell("bm25", POOR, dim=None)
    old = make_report(bm25, make_cell("d64-flat", GOOD), make_cell("d32-flat", FAIR), make_cell("d16-flat", POOR))
    new = make_report(bm25, make_cell("d32-flat", GOOD), make_cell("d64-flat", FAIR), make_cell("d8-flat", POOR))
    report = compare_results([Operand("old", old), Operand("new", new)])
    assert pairs(report) == [("old:d64-flat", "new:d64-flat"), ("old:d32-flat", "new:d32-flat")]
    assert report.notes == (
        "compared only where it is named (old:bm25): bm25",
        "compared only where it is named (new:bm25): bm25",
        "only in old, so not compared: d16-flat",
        "only in new, so not compared: d8-flat",
    )


def test_one_cell_each_is_a_pair_whatever_they_are_called() -> None:
    bm25 = make_cell("bm25", POOR, dim=None)
    old, new = make_report(bm25, make_cell("a-flat", GOOD)), make_report(make_cell("b-flat", FAIR), bm25)
    assert pairs(compare_results([Operand("old", old), Operand("new", new)])) == [("old:a-flat", "new:b-flat")]


def test_a_named_cell_is_held_against_what_it_is_told() -> None:
    old = make_report(make_cell("bm25", POOR, dim=None), make_cell("a", GOOD), make_cell("b", FAIR))
    both = [Operand("old:bm25", old, "bm25"), Operand("old:b", old, "b")]
    assert pairs(compare_results(both)) == [("old:bm25", "old:b")]
    report = compare_results([Operand("old:bm25", old, "bm25"), Operand("new", old)])
    assert pairs(report) == [("old:bm25", "new:a"), ("old:bm25", "new:b")]
    only = make_report(make_cell("bm25", POOR, dim=None), make_cell("random", FAIR, dim=None))
    assert pairs(compare_results([Operand("old:b", old, "b"), Operand("peer", only)])) == [
        *(("old:b", "peer:bm25"), ("old:b", "peer:random"))
    ]


def changed_report(**values: object) -> Report:
    return replace(one_cell(), **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (changed_report(protocol="judged-pool"), "the protocol is full-corpus in the first and judged-pool in the"),
        (
            one_cell(judging=Judging(gains=ESCI)),
            r"the gains is linear in the first and 0, 0\.01, 0\.1, 1 in the second; .* --gains",
        ),
        (one_cell(judging=Judging(threshold=2)), "the relevance threshold is 1 in the first and 2 in the second"),
        (one_cell(judging=Judging(no_relevant="zero")), "without a relevant document is drop .* --no-relevant"),
        (one_cell(judging=Judging(drop_self=True)), "own id is False in the first and True in the second"),
        (
            changed_report(fingerprints={"qrels": "else"}, dataset="other", split="dev"),
            r"the judgments of shop test \(12 queries\) and other dev \(12 queries\) are not the same",
        ),
        (changed_report(fingerprints={"queries": "else"}), "the queries of shop test"),
    ],
)
def test_sides_that_count_other_things_are_refused_by_name(other: Report, message: str) -> None:
    for middle in ([], [Operand("between", one_cell(FAIR))]):
        with pytest.raises(UsageError, match=rf"^old and new can't be compared: .*{message}"):
            compare_results([Operand("old", one_cell()), *middle, Operand("new", other)])


def test_swapped_gains_are_other_gains_and_the_same_table_by_another_name_is_not() -> None:
    esci, swapped = (one_cell(judging=Judging(gains=gains)) for gains in (ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED))
    with pytest.raises(UsageError, match=r"0, 0\.01, 0\.1, 1 in the first and 0, 0\.1, 0\.01, 1 in the second"):
        compare_results([Operand("old", esci), Operand("new", swapped)])
    listed = one_cell(judging=Judging(gains=ESCI.parse("0,0.01,0.1,1")))
    assert compare_results([Operand("old", esci), Operand("new", listed)]).rows[0].p_holm == 1


def test_other_queries_in_the_means_are_refused() -> None:
    cell = make_cell("d64-flat", GOOD)
    fewer = replace(
        cell, query_ids=cell.query_ids[2:], per_query={name: values[2:] for name, values in cell.per_query.items()}
    )
    with pytest.raises(
        UsageError, match=r"old:d64-flat has 11 queries in its means, new:d64-flat 9, and 2 .* q00, q01\)"
    ):
        compare_results([Operand("old", make_report(cell)), Operand("new", make_report(fewer))])


def test_one_is_told_as_one() -> None:
    cell = make_cell("d64-flat", GOOD)
    one = replace(
        cell, query_ids=cell.query_ids[:1], per_query={name: values[:1] for name, values in cell.per_query.items()}
    )
    two = replace(
        cell, query_ids=cell.query_ids[:2], per_query={name: values[:2] for name, values in cell.per_query.items()}
    )
    with pytest.raises(UsageError, match="old:d64-flat has 1 query in its means, new:d64-flat 2, and 1 is in one only"):
        compare_results([Operand("old", make_report(one)), Operand("new", make_report(two))])
    other = one_cell()
    few = replace(other, evidence=replace(other.evidence, qrels={"q00": QRELS["q00"]}), fingerprints={"qrels": "else"})
    with pytest.raises(
        UsageError, match=r"the judgments of shop test \(12 queries\) and shop test \(1 query\) are not"
    ):
        compare_results([Operand("old", other), Operand("new", few)])


def test_a_measure_that_one_side_lacks_is_refused() -> None:
    old = make_report(make_cell("a", POOR, measures=["nDCG@10", "RR@10"]))
    new = make_report(make_cell("a", GOOD, measures=["nDCG@10", "AP@100", "precision@5"]))
    both = [Operand("old", old), Operand("new", new)]
    assert [row.measure for row in compare_results(both).rows] == ["nDCG@10"]
    with pytest.raises(MeasureError, match=r"^old:a was not measured by AP@100, new:a was; .*\(nDCG@10\)"):
        compare_results(both, measures=["MAP@100"])
    with pytest.raises(MeasureError, match=r"^new:a was not measured by RR@10, old:a was"):
        compare_results(both, also=["RR@10"])
    with pytest.raises(MeasureError, match=r"^old:a was not measured by RR@5, neither was the other"):
        compare_results(both, measures=["RR@5"])
    other = make_report(make_cell("a", GOOD, measures=["precision@5"]))
    with pytest.raises(MeasureError, match="old:a and new:a have no measure in common"):
        compare_results([Operand("old", old), Operand("new", other)])
    with pytest.raises(MeasureError, match="no measure is called 'ndgc'"):
        compare_results(both, measures=["ndgc"])


def test_the_primary_measure_comes_first_even_if_it_is_no_usual_one() -> None:
    pooled = replace(make_report(make_cell("a", GOOD, measures=["nDCG@10", "nDCG", "RR@10"])), primary="nDCG")
    report = compare_results([Operand("old", pooled), Operand("new", pooled)])
    assert [row.measure for row in report.rows] == ["nDCG", "RR@10"]
    other = replace(make_report(make_cell("a", GOOD)), primary="precision@5")
    report = compare_results([Operand("old", other), Operand("new", other)])
    assert [row.measure for row in report.rows] == [
        *("precision@5", "nDCG@10", "RR@10", "AP@100", "accuracy@1", "recall@100")
    ]


def test_what_cannot_be_paired_is_refused() -> None:
    old, new = (make_report(*(make_cell(name, GOOD) for name in names)) for names in (("a", "b"), ("c", "d")))
    with pytest.raises(UsageError, match=r"the first has a, b, the second c, d; name one of each: old:a new:c$"):
        compare_results([Operand("old", old), Operand("new", new)])
    with pytest.raises(UsageError, match="old:x: there is no cell 'x'; there are: a, b"):
        compare_results([Operand("old:x", old, "x"), Operand("new", new)])
    with pytest.raises(UsageError, match="found 1 to compare, expected a baseline and at least one other"):
        compare_results([Operand("old", old)])


def test_another_corpus_is_said() -> None:
    other = changed_report(fingerprints={**one_cell().fingerprints, "corpus": "c1"})
    report = compare_results([Operand("old", one_cell()), Operand("new", other)])
    assert report.notes == ("old and new searched different corpora: other documents, or another --text",)
