"""`compare` on the command line: its table against the values per query, the gate's exit codes, runs and refusals."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from searchapp.bench.results import write_results
from searchapp.cli.compare import GATE, compare
from searchapp.corpus import write_run
from searchapp.metrics import ESCI, Judging, evaluate
from searchapp.metrics.comparison import compare_paired
from searchapp.records import Hit
from tests.bench.comparisons import FAIR, GOOD, POOR, QRELS, QUERIES, make_cell, make_report, one_cell

app = typer.Typer()
app.command()(compare)
SHOWN = ("nDCG@10", "RR@10", "AP@100", "accuracy@1", "recall@100")


def call(*arguments: object, code: int = 0, columns: int = 600) -> Result:
    result = CliRunner().invoke(app, [str(one) for one in arguments], env={"COLUMNS": str(columns)})
    assert result.exit_code == code, result.output
    return result


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    write_results(folder / "old", one_cell(GOOD))
    write_results(folder / "new", one_cell(POOR))
    write_results(folder / "both", make_report(make_cell("a", POOR), make_cell("b", FAIR)))
    write_results(folder / "pooled", replace(one_cell(GOOD), protocol="judged-pool"))
    write_results(folder / "cut", one_cell(POOR))
    cut = folder / "cut" / "runs" / "d64-flat.trec"
    cut.write_bytes(cut.read_bytes()[:500])
    write_run(folder / "fair.trec", FAIR, tag="t")
    write_run(folder / "poor.trec", POOR, tag="t")
    lines = [f"{q} 0 {d} {grade}\n" for q, grades in QRELS.items() for d, grade in grades.items()]
    (folder / "qrels.trec").write_text("".join(lines), encoding="utf-8")
    return folder


def ranked(run: "dict[str, list[Hit]]") -> dict[str, list[str]]:
    return {query_id: [hit.doc_id for hit in hits] for query_id, hits in run.items()}


def test_the_table_holds_what_the_values_per_query_say(runs: Path) -> None:
    # Wide enough for two folders' names, wherever they lie.
    lines = call(runs / "old", runs / "new", columns=400).stdout.splitlines()
    assert lines[0] == "shop test, full-corpus: 11 queries; gains linear, relevant: grade >= 1"
    assert re.split(r"\s{2,}", lines[1].strip()) == [
        *("baseline", "system", "measure", "A", "B", "difference", "95 % interval", "p (Holm)", "effect", "W/T/L"),
        "detectable",
    ]
    old, new = make_cell("x", GOOD).per_query, make_cell("x", POOR).per_query
    for line, name in zip(lines[2:7], SHOWN, strict=True):
        found = compare_paired(old[name], new[name])
        cells = re.split(r"\s{2,}", line.strip())
        assert cells[:3] == [f"{runs}/old:d64-flat", f"{runs}/new:d64-flat", name]
        assert cells[3:7] == [
            *(f"{found.mean_a:.4f}", f"{found.mean_b:.4f}", f"{found.difference:+.4f}"),
            f"{found.interval.low:+.4f} {found.interval.high:+.4f}",
        ]
        assert float(cells[7]) >= found.p - 5e-5
        assert cells[8:] == [
            *(f"{found.effect_size:+.2f}", f"{found.wins}/{found.ties}/{found.losses}", f"{found.detectable:.4f}")
        ]


def test_changed_queries_are_shown_side_by_side_whatever_their_script(runs: Path) -> None:
    shown = call(runs / "old", runs / "new", "--changed", "11", "--measures", "nDCG@10", columns=100).stdout
    before, after = (make_cell("x", run).per_query["nDCG@10"] for run in (GOOD, POOR))
    for row, query_id in enumerate(make_cell("x", GOOD).query_ids):
        assert f"{query_id}: {QUERIES[query_id]}  {before[row]:.4f} | {after[row]:.4f}" in shown
    block = shown.split("q02: 革のトートバッグ")[1].splitlines()[1:11]
    for rank, line in enumerate(block):
        cells = re.split(r"\s{2,}", line.strip())
        assert cells[0] == str(rank + 1)
        for cell, run in zip(cells[1:], (GOOD, POOR), strict=True):
            doc_id = run["q02"][rank].doc_id
            grade = QRELS["q02"].get(doc_id)
            assert cell.split()[:2] == ["-" if grade is None else "ICSE"[grade], doc_id]
    assert "changed most" not in call(runs / "old", runs / "new", "--changed", "0").stdout


@pytest.mark.parametrize("columns", [20, 40, 50, 60, 61, 72, 80, 100, 200])
def test_no_number_is_cut_however_narrow_the_terminal(runs: Path, tmp_path: Path, columns: int) -> None:
    """Every cell of a column that is shown is there in full, in the table and in the slices."""
    long = "a source whose name is longer than most terminals have room for beside the numbers"
    file = tmp_path / "slices.tsv"
    file.write_text("".join(f"{q}\t{long if q < 'q07' else 'short'}\n" for q in QUERIES), encoding="utf-8")
    asked = (runs / "old", runs / "new", "--slice-file", file, "--changed", "0")
    body = json.loads(call(*asked, "--json").stdout)
    lines = call(*asked, columns=columns).stdout.splitlines()
    assert not [line for line in lines if "…" in line]
    place = next(n for n, line in enumerate(lines) if line.startswith("slices, nDCG@10; p: Holm over the 2 rows of"))
    for part, rows in ((lines[:place], body["rows"]), (lines[place:], body["slices"])):
        head = next(n for n, line in enumerate(part) if "difference" in line.split())
        names = re.split(r"\s{2,}", part[head].strip())
        shown = [re.split(r"\s{2,}", line.strip()) for line in part[head + 1 :] if re.search(r"\d\.\d{4}", line)]
        assert len(shown) == len(rows)
        assert {"difference", "p (Holm)"} <= set(names)
        for cells, row in zip(shown, rows, strict=True):
            found = dict(zip(names, cells, strict=True))
            low, high = row["interval"]
            expected = {
                **{"baseline": row["baseline"], "system": row["system"], "measure": row["measure"]},
                **{"n": str(row["queries"]), "A": f"{row['mean_a']:.4f}", "B": f"{row['mean_b']:.4f}"},
                **{"difference": f"{row['difference']:+.4f}", "95 % interval": f"{low:+.4f} {high:+.4f}"},
                **{"p (Holm)": f"{row['p_holm']:.4f}", "effect": f"{row['effect_size']:+.2f}"},
                **{"W/T/L": f"{row['wins']}/{row['ties']}/{row['losses']}", "detectable": f"{row['detectable']:.4f}"},
            }
            assert {name: found[name] for name in names if name != "slice"} == {
                name: expected[name] for name in names if name != "slice"
            }
        if columns >= 40:
            assert all(len(line) <= columns for line in part[head : head + 1 + len(shown)])
    assert "".join(long.split()) in "".join(re.findall(r"[a-z]+", "".join(line[:90] for line in lines[place + 4 :])))


def test_a_pair_that_is_too_long_for_a_line_takes_two(runs: Path) -> None:
    names = [f"{runs}/old:d64-flat", f"{runs}/new:d64-flat"]
    asked = ("--changed", "1", runs / "old", runs / "new")
    lines = call(*asked, columns=max(map(len, names)) + 5).stdout.splitlines()
    assert [lines.count(f"{names[0]} |"), lines.count(names[1])] == [2, 2]
    assert f"{names[0]} | {names[1]}" in call(*asked, columns=sum(map(len, names)) + 3).stdout.splitlines()


def test_a_narrow_terminal_gets_what_it_has_room_for(runs: Path) -> None:
    lines = call("--changed", "0", runs / "old", runs / "new", columns=72).stdout.replace(" |\n", " | ").splitlines()
    assert lines[2] == f"{runs}/old:d64-flat | {runs}/new:d64-flat"
    assert re.split(r"\s{2,}", lines[3].strip()) == [
        "measure", "A", "B", "difference", "95 % interval", "p (Holm)",
    ]  # fmt: skip
    assert [line.split()[0] for line in lines[4:9]] == list(SHOWN)
    assert lines[9] == "no room for effect, W/T/L, detectable; see --json"
    assert all(len(line) <= 72 for line in lines[3:])


def test_json_goes_to_standard_output_alone(runs: Path) -> None:
    body = json.loads(call(runs / "both", runs / "fair.trec", "--json", "--changed", "1").stdout)
    assert [(row["baseline"], row["system"]) for row in body["rows"][::5]] == [
        *((f"{runs}/both:a", f"{runs}/fair.trec"), (f"{runs}/both:b", f"{runs}/fair.trec"))
    ]
    assert {row["difference"] for row in body["rows"][5:]} == {0.0}
    assert [one["baseline"] for one in body["changed"]] == [f"{runs}/both:a"]
    assert body["gate"] is None


@pytest.mark.parametrize(
    ("options", "code", "verdict"),
    [
        (["--fail-if", "nDCG@10 < -0.5%"], GATE, "gate: failed: nDCG@10 < -0.5%: "),
        (["--fail-if", "nDCG@10 < -0.05", "--fail-if", "accuracy@1 < -1%"], GATE, "gate: failed: nDCG@10 < -0.05: "),
        (["--fail-if", "recall@100 < -1%"], 0, "gate: passed: recall@100 < -1%"),
        (["--fail-if", "recall@100 < -1%", "--strict"], 0, "gate: passed: recall@100 < -1%"),
        (["--measures", "RR@10", "--fail-if", "P@5 < 0"], GATE, "gate: failed: precision@5 < 0: "),
    ],
)
def test_the_gate_decides_the_exit_code(runs: Path, options: Sequence[str], code: int, verdict: str) -> None:
    done = call(runs / "old", runs / "new", *options, code=code)
    assert any(line.startswith(verdict) for line in done.stdout.splitlines())


def test_what_chance_may_have_done_passes_unless_strict(tmp_path: Path) -> None:
    """One query of eleven falls: no test of eleven signs can tell that from chance."""
    write_results(tmp_path / "old", one_cell(GOOD))
    write_results(tmp_path / "new", one_cell({**GOOD, "q04": POOR["q04"]}))
    asked = (tmp_path / "old", tmp_path / "new", "--fail-if", "nDCG@10 < -0.5%")
    done = call(*asked)
    assert "not significant (p = 1.0000, Holm over the gate's 1 row); --strict would fail it" in done.stdout
    assert "note: nDCG@10 < -0.5%: a drop of 0.0048 is less than" in done.stderr
    strict = call(*asked, "--strict", code=GATE)
    assert "gate: failed: nDCG@10 < -0.5%:" in strict.stdout
    assert strict.stderr == ""
    gate = json.loads(call(*asked, "--strict", "--json", code=GATE).stdout)["gate"]
    assert (gate["conditions"], gate["strict"]) == (["nDCG@10 < -0.5%"], True)
    assert [one["significant"] for one in gate["failures"]] == [False]
    call(tmp_path / "new", tmp_path / "old", "--fail-if", "nDCG@10 < -0.5%", "--strict")


def test_a_gate_is_as_sharp_whatever_else_is_shown(tmp_path: Path) -> None:
    """Six queries of eleven fall, none rises: p is 2 / 64 for the gate's measure; for a table of five it is .05 up."""
    write_results(tmp_path / "old", one_cell(GOOD))
    write_results(tmp_path / "new", one_cell({**GOOD, **{f"q{n:02d}": POOR[f"q{n:02d}"] for n in range(6)}}))
    asked = (tmp_path / "old", tmp_path / "new", "--fail-if", "nDCG@10 < -1%", "--json")
    for shown in ((), ("--measures", "nDCG@10"), ("--measures", "nDCG@10,RR@10,AP@100,precision@5")):
        body = json.loads(call(*asked, *shown, code=GATE).stdout)
        row = body["rows"][0]
        assert (row["measure"], row["wins"], row["losses"], row["p"]) == ("nDCG@10", 0, 6, 2 / 64)
        assert (row["p_holm"] > 0.05) == (shown != ("--measures", "nDCG@10"))
        failure = body["gate"]["failures"][0]
        assert (failure["p_holm"], failure["tests"], failure["significant"]) == (2 / 64, 1, True)
    spoken = call(*asked[:-1], code=GATE).stdout
    assert "significant (p = 0.0312, Holm over the gate's 1 row)" in spoken


def test_runs_alone_may_be_judged_as_a_bench_would(runs: Path, tmp_path: Path) -> None:
    """Query q11 has nothing relevant; a hit with the query's own id takes the first place in one of the runs."""
    own = {q: [Hit(1, q, 99.0), *(replace(hit, rank=hit.rank + 1) for hit in hits)] for q, hits in GOOD.items()}
    write_run(tmp_path / "good.trec", GOOD, tag="t")
    write_run(tmp_path / "own.trec", own, tag="t")
    asked = (tmp_path / "good.trec", tmp_path / "own.trec", "--qrels", runs / "qrels.trec", "--measures", "RR@10")
    for typed, queries, difference, judging in (
        ((), 11, -0.5, Judging()),
        (("--drop-self",), 11, 0.0, Judging(drop_self=True)),
        (("--no-relevant", "drop"), 11, -0.5, Judging()),
        (("--no-relevant", "zero"), 12, -0.5 * 11 / 12, Judging(no_relevant="zero")),
    ):
        body = json.loads(call(*asked, *typed, "--json").stdout)
        assert (body["no_relevant"], body["drop_self"]) == (judging.no_relevant, judging.drop_self)
        row = body["rows"][0]
        assert (body["queries"], row["difference"]) == (queries, pytest.approx(difference))
        expected = evaluate(ranked(dict(GOOD)), QRELS, ["RR@10"], judging=judging)
        assert row["mean_a"] == pytest.approx(expected.measures["RR@10"])


def test_one_query_is_no_queries(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "one.qrels").write_text("q00 0 d01 1\n", encoding="utf-8")
    (tmp_path / "slices.tsv").write_text("q00\tonly\n", encoding="utf-8")
    asked = (runs / "poor.trec", runs / "fair.trec", "--qrels", tmp_path / "one.qrels")
    lines = call(*asked, "--slice-file", tmp_path / "slices.tsv", "--changed", "0").stdout.splitlines()
    assert ": 1 query; gains linear" in lines[0]
    assert "slices, nDCG@10; p: Holm over the 1 row of slices" in lines
    assert re.split(r"\s{2,}", lines[-1].strip())[::5] == ["slice: only", "-"]


def test_slices_are_shown_for_each_pair(tmp_path: Path) -> None:
    slices = {"locale": {"us": ("q00", "q01", "q04"), "日本": ("q02",), "[red]\x1b": ("q11",)}}
    for name, runs in (("old", (GOOD, FAIR)), ("new", (POOR, GOOD))):
        made = make_report(make_cell("a", runs[0]), make_cell("b", runs[1]))
        write_results(tmp_path / name, replace(made, evidence=replace(made.evidence, slices=slices)))
    shown = call(tmp_path / "old", tmp_path / "new", "--measures", "RR@10,nDCG@10", "--changed", "0").stdout
    lines = shown.split("slices, nDCG@10; p: Holm over the 4 rows of slices\n")[1].splitlines()
    assert [line for line in lines if " | " in line] == [
        f"{tmp_path}/old:{cell} | {tmp_path}/new:{cell}" for cell in "ab"
    ]
    assert "\x1b" not in shown
    for start, before, after in ((1, GOOD, POOR), (7, FAIR, GOOD)):
        old, new = (make_cell("x", run).per_query["nDCG@10"] for run in (before, after))
        table = [re.split(r"\s{2,}", line.strip()) for line in lines[start + 1 : start + 5]]
        assert table[0] == ["slice", "n", "A", "B", "difference", "95 % interval", "p (Holm)"]
        found = compare_paired(old[[0, 1, 4]], new[[0, 1, 4]])
        assert table[1][:6] == [
            *("locale: us", "3", f"{found.mean_a:.4f}", f"{found.mean_b:.4f}", f"{found.difference:+.4f}"),
            f"{found.interval.low:+.4f} {found.interval.high:+.4f}",
        ]
        assert table[2] == [
            *("locale: 日本", "1", f"{old[2]:.4f}", f"{new[2]:.4f}", f"{new[2] - old[2]:+.4f}", "-", "1.0000")
        ]
        assert table[3] == ["locale: [red]\ufffd", "0", *"-----"]


def test_runs_alone_are_judged_by_qrels_gains_and_threshold(runs: Path) -> None:
    asked = (
        "--qrels",
        runs / "qrels.trec",
        "--gains",
        "esci",
        "--threshold",
        "3",
        "--json",
        "--measures",
        "nDCG@10,RR",
    )
    body = json.loads(call(runs / "poor.trec", runs / "fair.trec", *asked).stdout)
    judging = Judging(gains=ESCI, threshold=3)
    poor, fair = (evaluate(ranked(dict(run)), QRELS, ["nDCG@10", "RR"], judging=judging) for run in (POOR, FAIR))
    for row in body["rows"]:
        assert row["mean_a"] == pytest.approx(poor.measures[row["measure"]])
        assert row["mean_b"] == pytest.approx(fair.measures[row["measure"]])
    assert (body["gains"], body["relevant"], body["queries"]) == ("esci", "grade >= 3", len(poor.query_ids))


def test_a_run_may_be_ordered_by_its_scores(runs: Path, tmp_path: Path) -> None:
    turned = {q: [Hit(n, h.doc_id, h.score) for n, h in enumerate(reversed(hits), 1)] for q, hits in GOOD.items()}
    write_run(tmp_path / "turned.trec", turned, tag="t")
    asked = (runs / "old", tmp_path / "turned.trec", "--json", "--changed", "0")
    by_rank, by_score = (json.loads(call(*asked, "--run-order", order).stdout) for order in ("rank", "score"))
    assert by_rank["rows"][0]["difference"] < -0.3
    assert by_score["rows"][0]["difference"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["{runs}/old"], 2, "found 1 to compare, expected a baseline and at least one other"),
        (["{runs}/old", "{runs}/nowhere"], 2, "there is nothing at {runs}/nowhere; name a folder"),
        (["{runs}/old", "{runs}/both:c"], 2, "{runs}/both:c: there is no cell 'c'; there are: a, b"),
        (["{runs}/old", "{runs}/both"], 2, "have no cell of the same name: the first has d64-flat, the second a, b"),
        (["{runs}/old", "{runs}/pooled"], 2, "{runs}/old and {runs}/pooled can't be compared: the protocol is full-"),
        (["{runs}/pooled", "{runs}/fair.trec"], 2, "ranks judged documents only, but {runs}/fair.trec ranks others"),
        (["{runs}/poor.trec", "{runs}/fair.trec"], 2, "nothing says what is relevant; add --qrels FILE"),
        (["{runs}/old", "{runs}/fair.trec", "--qrels", "{runs}/qrels.trec"], 2, "leave --qrels, --gains, --thres"),
        (["{runs}/old", "{runs}/new", "--threshold", "2"], 2, "--threshold doesn't go with a results folder"),
        (["{runs}/old", "{runs}/new", "--no-relevant", "zero"], 2, "--no-relevant doesn't go with a results folder"),
        (["{runs}/old", "{runs}/new", "--drop-self"], 2, "--drop-self doesn't go with a results folder, and a run"),
        (
            ["{runs}/fair.trec", "{runs}/poor.trec", "--qrels", "{runs}/qrels.trec", "--no-relevant", "none"],
            *(2, "--no-relevant is 'none'; type --no-relevant "),
        ),
        (["{runs}/old", "{runs}/new", "--slice-file", "{runs}/none.tsv"], 1, "none.tsv"),
        (["{runs}/old", "{runs}/cut"], 1, "{runs}/cut/runs/d64-flat.trec is not what the bench wrote; run the bench"),
        (["{runs}/old", "{runs}/new", "--strict"], 2, '--strict is part of a gate; add --fail-if "nDCG@10 < -0.5%"'),
        (["{runs}/old", "{runs}/new", "--changed", "-1"], 2, "--changed is -1; type 0 for none"),
        (["{runs}/old", "{runs}/new", "--run-order", "best"], 2, "--run-order is 'best'; type --run-order rank or"),
        (["{runs}/old", "{runs}/new", "--fail-if", "nDCG@10 < 5"], 2, "the bound is above 0"),
        (["{runs}/old", "{runs}/new", "--fail-if", "nDCG < -1%"], 1, "was not measured by nDCG, neither was the other"),
        (["{runs}/old", "{runs}/new", "--measures", "ndgc"], 1, "no measure is called 'ndgc'; did you mean nDCG?"),
        (["{runs}/old", "{runs}/qrels.trec"], 1, "qrels.trec:1: found 4 columns, expected 6"),
    ],
)
def test_refusals_are_one_line(runs: Path, arguments: Sequence[str], code: int, message: str) -> None:
    done = call(*(one.format(runs=runs) for one in arguments), code=code)
    assert done.stderr.startswith("searchapp: ")
    assert done.stderr.count("\n") == 1
    assert message.format(runs=runs) in done.stderr
    assert done.stdout == ""


def test_what_a_terminal_would_obey_is_not_printed(tmp_path: Path) -> None:
    evil = make_report(make_cell("a", POOR))
    texts = dict.fromkeys(QUERIES, "[red]\x1b[2J bag[/red]\nsecond line")
    evil = replace(evil, evidence=replace(evil.evidence, queries=texts, titles={"d00": "[bold]\x1b]0;x\x07"}))
    other = replace(evil, cells=(make_cell("a", GOOD),))
    for name, report in (("old", evil), ("new", other)):
        write_results(tmp_path / name, report)
    shown = call(tmp_path / "old", tmp_path / "new", "--changed", "11").stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "[red]\ufffd[2J bag[/red] second line" in shown
    assert "d00 [bold]\ufffd]0;x\ufffd" in shown


def test_help_shows_examples_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, typer; from searchapp.cli.compare import compare\n"
        "app = typer.Typer(); app.command()(compare)\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([name for name in ('numpy', 'pyarrow', 'torch', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "160"}
    )
    assert done.stdout.count("searchapp bench compare runs/") == 4
    assert done.stdout.rstrip().endswith("[]")


def test_of_several_pairs_the_one_that_lies_furthest_apart_shows_its_queries(runs: Path, tmp_path: Path) -> None:
    short = {query_id: hits[:3] for query_id, hits in GOOD.items()}
    write_run(tmp_path / "short.trec", short, tag="t")
    done = call(runs / "both", tmp_path / "short.trec", "--changed", "1", "--measures", "P@5")
    assert (
        f"changed most in precision@5 (grade or -, document, title):\n{runs}/both:a | {tmp_path}/short.trec\n"
        in done.stdout
    )
    assert done.stdout.count("changed most") == 1
    assert done.stdout.rstrip().endswith("those of the other pairs are in --json")
    rows = [re.split(r"\s{2,}", line.strip()) for line in done.stdout.splitlines() if re.match(r" ?\d+  ", line)]
    assert [len(cells) for cells in rows] == [3, 3, 3, 2, 2]
