"""Comparisons: every number against an oracle by hand, aligned by query, with slices and changed queries."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from searchapp.bench.compare import compare_results
from searchapp.bench.operands import Operand, RunOperand, judge_by
from searchapp.bench.report import Report
from searchapp.errors import UsageError
from searchapp.metrics import Judging
from searchapp.records import Hit
from tests.bench.comparisons import (
    FAIR,
    GOOD,
    POOR,
    QRELS,
    QUERIES,
    TITLES,
    make_cell,
    make_report,
    one_cell,
)


def naive_holm(p_values: Sequence[float]) -> list[float]:
    """Holm's procedure as it is told: the smallest times m, the next times m - 1, never falling, 1 at most."""
    left, found, last = sorted(set(range(len(p_values))), key=lambda n: p_values[n]), {}, 0.0
    for rank, n in enumerate(left):
        last = max(last, p_values[n] * (len(p_values) - rank))
        found[n] = min(last, 1.0)
    return [found[n] for n in range(len(p_values))]


def exact_p(differences: Sequence[float]) -> float:
    """Try every sign of every difference."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(differences))))
    sums = np.abs(signs @ np.array(differences))
    return float((sums >= abs(sum(differences)) - 1e-9).mean())


def test_every_number_of_the_table_is_the_oracle_s() -> None:
    before, after = one_cell(POOR), one_cell(GOOD)
    report = compare_results([Operand("old", before), Operand("new", after)])
    assert [row.measure for row in report.rows] == ["nDCG@10", "RR@10", "AP@100", "accuracy@1", "recall@100"]
    assert (report.primary, report.queries, report.notes) == ("nDCG@10", 11, ())
    p_values = []
    for row in report.rows:
        a, b = before.cells[0].per_query[row.measure].tolist(), after.cells[0].per_query[row.measure].tolist()
        found, differences = row.comparison, [y - x for x, y in zip(a, b, strict=True)]
        mean = sum(differences) / 11
        spread = math.sqrt(sum((d - mean) ** 2 for d in differences) / 10)
        assert (row.baseline, row.system) == ("old:d64-flat", "new:d64-flat")
        assert found.queries == 11
        assert found.mean_a == pytest.approx(sum(a) / 11)
        assert found.mean_b == pytest.approx(sum(b) / 11)
        assert found.difference == pytest.approx(mean)
        counts = [sum(sign * d > 1e-12 for d in differences) for sign in (1, -1)]
        assert [found.wins, found.losses, found.ties] == [*counts, 11 - sum(counts)]
        p_values.append(exact_p(differences))
        if spread == 0:
            assert (found.effect_size, found.detectable) == (0, 0)
            continue
        assert found.effect_size == pytest.approx(mean / spread)
        assert found.detectable == pytest.approx((1.959964 + 0.841621) * spread / math.sqrt(11), rel=1e-5)
        assert found.interval.low < mean < found.interval.high
    assert [row.comparison.p for row in report.rows] == pytest.approx(p_values)
    assert [row.p_holm for row in report.rows] == pytest.approx(naive_holm(p_values))
    assert report.rows[0].p_holm > report.rows[0].comparison.p
    assert report.rows[0].p_holm < 0.05


def test_p_is_corrected_over_all_systems_together() -> None:
    operands = [Operand(name, one_cell(run)) for name, run in (("old", POOR), ("new", GOOD), ("newer", FAIR))]
    report = compare_results(operands, measures=["ndcg_cut_10", "mrr@10"])
    assert [(row.system, row.measure) for row in report.rows] == [
        *(("new:d64-flat", "nDCG@10"), ("new:d64-flat", "RR@10")),
        *(("newer:d64-flat", "nDCG@10"), ("newer:d64-flat", "RR@10")),
    ]
    assert {row.baseline for row in report.rows} == {"old:d64-flat"}
    assert [row.p_holm for row in report.rows] == pytest.approx(naive_holm([row.comparison.p for row in report.rows]))


def test_queries_are_aligned_by_id() -> None:
    cell = make_cell("d64-flat", GOOD)
    turned = replace(
        cell,
        query_ids=cell.query_ids[::-1],
        per_query={name: values[::-1] for name, values in cell.per_query.items()},
    )
    report = compare_results([Operand("old", make_report(cell)), Operand("new", make_report(turned))])
    assert [(row.comparison.wins, row.comparison.losses, row.p_holm) for row in report.rows] == [(0, 0, 1.0)] * 5
    assert report.changed == ()


def test_the_queries_that_changed_most_come_with_both_hit_lists() -> None:
    before, after = one_cell(POOR), one_cell(GOOD)
    report = compare_results([Operand("old", before), Operand("new", after)], changed=3)
    old, new = (side.cells[0].per_query["nDCG@10"] for side in (before, after))
    ids = before.cells[0].query_ids
    expected = sorted(range(11), key=lambda n: -abs(new[n] - old[n]))[:3]
    assert [one.query_id for one in report.changed] == [ids[n] for n in expected]
    for one, n in zip(report.changed, expected, strict=True):
        assert (one.before, one.after, one.text) == (old[n], new[n], QUERIES[one.query_id])
        for shown, run in ((one.hits_before, POOR), (one.hits_after, GOOD)):
            assert [(hit.rank, hit.doc_id) for hit in shown] == [
                (rank, hit.doc_id) for rank, hit in enumerate(run[one.query_id][:10], 1)
            ]
            assert [hit.title for hit in shown] == [TITLES[hit.doc_id] for hit in shown]
            assert [hit.grade for hit in shown] == [QRELS[one.query_id].get(hit.doc_id) for hit in shown]
    assert compare_results([Operand("old", before), Operand("new", after)], changed=0).changed == ()


def test_hits_are_shown_as_deep_as_the_measure_looks_and_without_the_query_itself() -> None:
    judging = Judging(drop_self=True)
    own = {q: [Hit(1, q, 9.0), *(replace(hit, rank=hit.rank + 1) for hit in hits)] for q, hits in GOOD.items()}
    sides = [Operand(str(n), one_cell(run, judging=judging)) for n, run in enumerate((POOR, own))]
    report = compare_results(sides, measures=["precision@5"], changed=1)
    assert report.primary == "precision@5"
    one = report.changed[0]
    assert [hit.doc_id for hit in one.hits_after] == [hit.doc_id for hit in GOOD[one.query_id][:5]]
    assert [hit.rank for hit in one.hits_after] == [1, 2, 3, 4, 5]


def test_json_holds_every_row_and_no_infinity() -> None:
    report = compare_results([Operand("old", one_cell(POOR)), Operand("new", one_cell(GOOD))], changed=2)
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))
    assert (body["format"], body["dataset"], body["protocol"], body["gains"]) == (
        *("searchapp-comparison", "shop", "full-corpus", "linear"),
    )
    for row, found in zip(body["rows"], report.rows, strict=True):
        assert (row["baseline"], row["system"], row["measure"]) == (found.baseline, found.system, found.measure)
        assert row["p_holm"] == found.p_holm
        assert row["interval"] == list(found.comparison.interval)
        assert row["difference"] == found.comparison.difference
    assert [one["text"] for one in body["changed"]] == [one.text for one in report.changed]
    assert body["changed"][0]["hits_after"][0] == {
        **{"rank": 1, "doc_id": report.changed[0].hits_after[0].doc_id},
        **{"title": report.changed[0].hits_after[0].title, "grade": report.changed[0].hits_after[0].grade},
    }
    always = {name: values + 0.125 for name, values in make_cell("d64-flat", POOR).per_query.items()}
    better = make_report(replace(make_cell("d64-flat", POOR), per_query=always))
    report = compare_results([Operand("old", one_cell(POOR)), Operand("new", better)])
    assert report.rows[0].comparison.effect_size == math.inf
    assert json.loads(json.dumps(report.to_json(), allow_nan=False))["rows"][0]["effect_size"] is None


SLICES = {
    "locale": {"us": ("q10", "q01", "q00", "q09"), "jp": ("q02",), "(none)": ("q11",)},
    "length": {"1": ("q10", "q11"), "2": tuple(f"q{n:02d}" for n in range(1, 9))},
}


def sliced(report: Report) -> Report:
    return replace(report, evidence=replace(report.evidence, slices=SLICES))


def test_slices_of_the_baseline_are_the_oracle_s_and_none_is_hidden() -> None:
    before, others = one_cell(POOR), {"new": one_cell(GOOD), "newer": one_cell(FAIR)}
    operands = [Operand("old", sliced(before)), *(Operand(name, one) for name, one in others.items())]
    report = compare_results(operands, measures=["RR@10", "nDCG@10"])
    ids, old = before.cells[0].query_ids, before.cells[0].per_query["nDCG@10"]
    expected, p_values = [], []
    for name, other in others.items():
        new = other.cells[0].per_query["nDCG@10"]
        for by, values in SLICES.items():
            for value, members in values.items():
                rows = [ids.index(query_id) for query_id in members if query_id in ids]
                expected.append((f"{name}:d64-flat", by, value, [(old[n], new[n]) for n in rows]))
                if rows:
                    p_values.append(exact_p([new[n] - old[n] for n in rows]))
    assert [(row.system, row.by, row.value) for row in report.slices] == [one[:3] for one in expected]
    adjusted = iter(naive_holm(p_values))
    for row, (*_, values) in zip(report.slices, expected, strict=True):
        assert row.baseline == "old:d64-flat"
        if not values:
            assert (row.by, row.value, row.comparison, row.p_holm) == ("locale", "(none)", None, None)
            continue
        found, count = row.comparison, len(values)
        assert found is not None
        assert (found.queries, row.p_holm) == (count, pytest.approx(next(adjusted)))
        assert found.mean_a == pytest.approx(sum(a for a, _ in values) / count)
        assert found.mean_b == pytest.approx(sum(b for _, b in values) / count)
        assert found.difference == pytest.approx(sum(b - a for a, b in values) / count)
    assert [row.comparison.queries for row in report.slices if row.comparison] == [4, 1, 1, 8] * 2
    body = json.loads(json.dumps(report.to_json(), allow_nan=False))["slices"]
    assert [(one["by"], one["value"], one["queries"], one["measure"]) for one in body[:5]] == [
        *(("locale", "us", 4, "nDCG@10"), ("locale", "jp", 1, "nDCG@10"), ("locale", "(none)", 0, "nDCG@10")),
        *(("length", "1", 1, "nDCG@10"), ("length", "2", 8, "nDCG@10")),
    ]
    first = report.slices[0].comparison
    assert first is not None
    assert (body[0]["interval"], body[0]["difference"]) == (list(first.interval), first.difference)
    assert body[1]["interval"] is None
    assert body[1]["mean_a"] == old[ids.index("q02")]
    assert [body[2][name] for name in ("mean_a", "difference", "interval", "p", "p_holm")] == [None] * 5


def test_slices_are_aligned_by_query_and_those_of_a_file_come_on_top() -> None:
    cell = make_cell("d64-flat", GOOD)
    turned = replace(
        cell,
        query_ids=cell.query_ids[::-1],
        per_query={name: values[::-1] for name, values in cell.per_query.items()},
    )
    operands = [Operand("old", sliced(make_report(cell))), Operand("new", make_report(turned))]
    named = {"q01": "bags", "q05": "bags", "elsewhere": "bags"}
    report = compare_results(operands, named_slices=named)
    assert [(row.by, row.value) for row in report.slices[-2:]] == [("slice", "bags"), ("slice", "(none)")]
    found = [row.comparison for row in report.slices if row.comparison]
    assert [(one.queries, one.ties) for one in found[-2:]] == [(2, 2), (9, 9)]
    assert all(one.wins == one.losses == 0 for one in found)
    frame = judge_by("my.qrels", QRELS)
    alone = compare_results([RunOperand("a", POOR), RunOperand("b", GOOD)], judged_by=frame, named_slices=named)
    assert [(row.value, row.comparison.queries) for row in alone.slices if row.comparison] == [
        *(("bags", 2), ("(none)", 9))
    ]
    with pytest.raises(UsageError, match="the slice file names 1 quer"):
        compare_results(operands, named_slices={"elsewhere": "bags"})
    assert compare_results([Operand("old", one_cell()), operands[0]]).slices == ()
