"""Comparisons: every number against an oracle by hand, what is paired with what, and what is refused."""

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.bench.compare import compare_results
from searchapp.bench.fingerprint import fingerprint
from searchapp.bench.operands import Operand, RunOperand, judge_by, open_operand
from searchapp.bench.report import Cell, Evidence, PairwiseReport, PairwiseRow, Report
from searchapp.bench.results import write_results
from searchapp.corpus import write_run
from searchapp.errors import InputError, MeasureError, UsageError
from searchapp.metrics import ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, Interval, Judging, evaluate
from searchapp.records import Hit

TEXTS = (
    *("red leather bag", "steel kettle", "革のトートバッグ", "赤い靴", "가죽 지갑", "빨간 가방", "bolso de cuero"),
    *("zapatos rojos", "mfuko wa ngozi", "viatu vyekundu", "lamp", "drill"),
)
QUERIES = {f"q{n:02d}": text for n, text in enumerate(TEXTS)}
DOCUMENTS = [f"d{n:02d}" for n in range(30)]
TITLES = {doc_id: f"{('Bag', '鞄', '가방', 'bolso', 'mfuko')[n % 5]} {n}" for n, doc_id in enumerate(DOCUMENTS)}
MEASURES = ("accuracy@1", "recall@100", "nDCG@10", "RR@10", "AP@100", "precision@5")
Run = Mapping[str, Sequence[Hit]]


def make_qrels() -> dict[str, dict[str, int]]:
    """Six judged documents a query, grades 0 to 3; the last query has nothing relevant."""
    rng = np.random.default_rng(5)
    chosen = {query_id: rng.permutation(len(DOCUMENTS))[:6].tolist() for query_id in QUERIES}
    qrels = {q: {DOCUMENTS[d]: (0, 1, 3, 2, 0, 1)[n] for n, d in enumerate(found)} for q, found in chosen.items()}
    return {**qrels, "q11": dict.fromkeys(qrels["q11"], 0)}


QRELS = make_qrels()


def make_run(seed: int, *, skill: float, queries: Sequence[str] = tuple(QUERIES)) -> dict[str, list[Hit]]:
    """Rank all documents by grade with noise; the more skill, the less noise counts."""
    rng = np.random.default_rng(seed)
    run = {}
    for query_id in queries:
        scores = np.array([skill * QRELS[query_id].get(doc_id, 0) for doc_id in DOCUMENTS]) + rng.normal(size=30)
        order = np.argsort(-scores)
        run[query_id] = [Hit(rank, DOCUMENTS[d], float(scores[d])) for rank, d in enumerate(order, 1)]
    return run


def make_cell(
    name: str, run: Run, *, measures: Sequence[str] = MEASURES, judging: Judging = Judging(), dim: int | None = 64
) -> Cell:
    result = evaluate({q: [hit.doc_id for hit in hits] for q, hits in run.items()}, QRELS, measures, judging=judging)
    return Cell(
        name=name,
        model=None if dim is None else "minilm",
        dim=dim,
        kind="flat",
        nprobe=None,
        rescore=0,
        query_ids=result.query_ids,
        per_query=result.per_query,
        intervals={},
        run=run,
        ties={10: 0},
    )


def make_report(*cells: Cell, judging: Judging = Judging()) -> Report:
    judged = [(q, d, grade) for q, grades in QRELS.items() for d, grade in grades.items()]
    return Report(
        dataset="shop",
        split="test",
        protocol="full-corpus",
        judging=judging,
        relevant="grade >= 1",
        primary="nDCG@10",
        documents=30,
        counts={"judged": 12, "evaluated": 11, "without_relevant": 1},
        fingerprints={"corpus": "c0", "queries": fingerprint(QUERIES.items()), "qrels": fingerprint(judged)},
        models=(),
        cells=cells,
        evidence=Evidence(QUERIES, QRELS, TITLES, ("I", "C", "S", "E")),
    )


GOOD, POOR, FAIR = make_run(1, skill=2), make_run(2, skill=0.2), make_run(3, skill=1)


def one_cell(run: Run = GOOD, name: str = "d64-flat", *, judging: Judging = Judging()) -> Report:
    return make_report(make_cell(name, run, judging=judging), judging=judging)


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


def test_another_corpus_is_said() -> None:
    other = changed_report(fingerprints={**one_cell().fingerprints, "corpus": "c1"})
    report = compare_results([Operand("old", one_cell()), Operand("new", other)])
    assert report.notes == ("old and new searched different corpora: other documents, or another --text",)


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
