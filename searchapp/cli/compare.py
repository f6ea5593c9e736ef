"""`searchapp bench compare`: hold systems against a baseline."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, Annotated, cast

import typer

from searchapp.cli import options
from searchapp.cli.console import console, guarded, note, print_json
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.bench.compare import Changed, ComparedRow, ComparisonReport, ShownHit
    from searchapp.bench.gate import Condition, Failure
    from searchapp.bench.report import Report
    from searchapp.corpus.runs import Order

GATE = 3
"""The exit code where --fail-if doesn't let a system pass."""

ORDERS = ("rank", "score", "trec_eval")
SPARED = ("detectable", "effect", "W/T/L")
"""Columns that a narrow terminal goes without, the first to go first."""
PAIR = ("baseline", "system")
GAP = 2
RANK = 4
"""Columns of a rank and the gap after it."""


@guarded
def compare(
    operands: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C]...",
            help="The baseline, then what is held against it: folders of bench --out, FOLDER:CELL, TREC run files.",
            show_default=False,
        ),
    ],
    measures: Annotated[
        str | None, typer.Option("--measures", help="nDCG@10,RR@10,... Default: those that matter most.")
    ] = None,
    changed: Annotated[int, typer.Option("--changed", help="Show this many of the queries that changed most.")] = 5,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            "--fail-if", help='"nDCG@10 < -0.5%": exit 3 where the drop is larger and significant. Repeatable.'
        ),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="With --fail-if: also where it isn't significant.")] = False,
    qrels: Annotated[
        str | None,
        typer.Option("--qrels", help="Judgments of runs, without a results folder.", rich_help_panel=options.JUDGING),
    ] = None,
    gains: Annotated[
        str | None,
        typer.Option("--gains", help="With --qrels: linear, esci, 0,0.01,0.1,1.", rich_help_panel=options.JUDGING),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option("--threshold", help="With --qrels: smallest relevant grade.", rich_help_panel=options.JUDGING),
    ] = None,
    run_order: Annotated[
        str, typer.Option("--run-order", help="Of runs: rank, score, trec_eval.", rich_help_panel=options.JUDGING)
    ] = "rank",
    as_json: options.Json = False,
) -> None:
    """Compare stored results or TREC runs, query by query.

    Each difference has a 95 % interval, a paired randomisation test (p after
    Holm's correction for the whole table: fewer measures, sharper tests), an
    effect size, wins, ties and losses, and the smallest difference that the
    queries would have shown four times in five. Other protocols, gains,
    queries or judgments are refused.

    Examples:

        searchapp bench compare runs/before runs/after

        searchapp bench compare runs/scifact:d384-flat runs/scifact:d128-sq8 --measures nDCG@10

        searchapp bench compare runs/before other-system.trec --run-order score

        searchapp bench compare runs/before runs/after --fail-if "nDCG@10 < -0.5%"
    """
    from searchapp.bench.compare import compare_results
    from searchapp.bench.gate import Condition, gate_notes, judge_gate
    from searchapp.bench.operands import open_operand

    if changed < 0:
        raise UsageError(f"--changed is {changed}; type 0 for none, or how many queries to show")
    if strict and not fail_if:
        raise UsageError('--strict is part of a gate; add --fail-if "nDCG@10 < -0.5%", or leave it away')
    if run_order not in ORDERS:
        raise UsageError(f"--run-order is {run_order!r}; type --run-order {' or --run-order '.join(ORDERS)}")
    conditions = [Condition.parse(text) for text in fail_if or ()]
    judged_by = _judgments(qrels, gains, threshold)
    opened = [open_operand(text, order=cast("Order", run_order)) for text in operands]
    report = compare_results(
        opened,
        measures=options.split_list(measures),
        also=[condition.measure for condition in conditions],
        judged_by=judged_by,
        changed=changed,
    )
    failures = judge_gate(report, conditions, strict=strict)
    passed = [] if strict else [one for one in conditions if one not in {failure.condition for failure in failures}]
    for line in (*report.notes, *gate_notes(report, passed)):
        note(f"note: {line}")
    if as_json:
        gate = {
            "conditions": [str(condition) for condition in conditions],
            "strict": strict,
            "failures": [failure.to_json() for failure in failures],
        }
        print_json({**report.to_json(), "gate": gate if conditions else None})
    else:
        _print(report)
        for line in _verdict(report, conditions, failures):
            typer.echo(line)
    if failures:
        raise typer.Exit(GATE)


def _judgments(qrels: str | None, gains: str | None, threshold: int | None) -> "Report | None":
    """Return what runs are judged by where no results folder says it."""
    from searchapp.bench.operands import judge_by
    from searchapp.corpus import read_qrels
    from searchapp.metrics import LINEAR, Gains, Judging

    if qrels is None:
        options.refuse("a results folder, and a run alone needs --qrels", {"--gains": gains, "--threshold": threshold})
        return None
    judging = Judging(Gains.parse(gains) if gains else LINEAR, 1 if threshold is None else threshold)
    return judge_by(qrels, read_qrels(qrels), judging)


def _print(report: "ComparisonReport") -> None:
    """Print the tests as a table, then the queries that changed most with both hit lists."""
    frame = report.frame
    typer.echo(
        f"{frame.dataset} {frame.split}".strip() + f", {frame.protocol}: {report.queries:,} queries; "
        f"gains {frame.judging.gains}, relevant: {frame.relevant}"
    )
    cells = [_cells(row) for row in report.rows]
    if _width(cells) <= console().width:
        _print_table(cells)
    else:
        _print_by_pair(cells)
    pairs = list(dict.fromkeys((one.baseline, one.system) for one in report.changed))
    if not pairs:
        return
    shown = max(pairs, key=lambda pair: _size(report, pair))
    typer.echo(f"\nchanged most in {report.primary} (grade or -, document, title), {shown[0]} | {shown[1]}:")
    for one in report.changed:
        if (one.baseline, one.system) == shown:
            _print_changed(one, report.frame.evidence.labels)
    if len(pairs) > 1:
        typer.echo("\nthose of the other pairs are in --json")


def _size(report: "ComparisonReport", pair: tuple[str, str]) -> float:
    """Return how far a pair lies apart in the primary measure."""
    found = [
        row.comparison for row in report.rows if (*pair, report.primary) == (row.baseline, row.system, row.measure)
    ]
    size: float = max(abs(comparison.difference) for comparison in found)
    return size


def _cells(row: "ComparedRow") -> dict[str, str]:
    """Return one row of the table, by column."""
    found = row.comparison
    return {
        "baseline": _plain(row.baseline),
        "system": _plain(row.system),
        "measure": row.measure,
        "A": f"{found.mean_a:.4f}",
        "B": f"{found.mean_b:.4f}",
        "difference": f"{found.difference:+.4f}",
        "95 % interval": f"{found.interval.low:+.4f} {found.interval.high:+.4f}",
        "p (Holm)": "<.0001" if row.p_holm < 0.0001 else f"{row.p_holm:.4f}",
        "effect": f"{found.effect_size:+.2f}",
        "W/T/L": f"{found.wins}/{found.ties}/{found.losses}",
        "detectable": f"{found.detectable:.4f}",
    }


def _print_by_pair(cells: "Sequence[dict[str, str]]") -> None:
    """Print a table for each pair, its names above it, without the columns that the terminal has no room for."""
    names = [name for name in cells[0] if name not in PAIR]
    spared = []
    for name in SPARED:
        if _width([{name: row[name] for name in names} for row in cells]) > console().width:
            names.remove(name)
            spared.append(name)
    for pair in dict.fromkeys((row["baseline"], row["system"]) for row in cells):
        typer.echo(f"\n{pair[0]} | {pair[1]}")
        _print_table([{name: row[name] for name in names} for row in cells if (row["baseline"], row["system"]) == pair])
    if spared:
        typer.echo(f"no room for {', '.join(reversed(spared))}; see --json")


def _print_table(cells: "Sequence[dict[str, str]]") -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name in cells[0]:
        table.add_column(name, justify="left" if name in (*PAIR, "measure") else "right", no_wrap=True)
    for row in cells:
        table.add_row(*map(Text, row.values()))
    console().print(table)


def _width(cells: "Sequence[dict[str, str]]") -> int:
    from rich.cells import cell_len

    return sum(max(cell_len(name), *(cell_len(row[name]) for row in cells)) + GAP for name in cells[0])


def _print_changed(one: "Changed", labels: "Sequence[str]") -> None:
    """Print a query and both its hit lists side by side: grade, document, title."""
    from rich.table import Table
    from rich.text import Text

    typer.echo(f"\n{_plain(one.query_id)}: {_plain(one.text)}  {one.before:.4f} | {one.after:.4f}")
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    for _ in ("before", "after"):
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=(console().width - RANK) // 2 - GAP)
    for rank, pair in enumerate(zip_longest(one.hits_before, one.hits_after), 1):
        table.add_row(str(rank), *(Text(_hit(hit, labels)) for hit in pair))
    console().print(table)


def _hit(hit: "ShownHit | None", labels: "Sequence[str]") -> str:
    """Return a hit in one line; its grade by name, or `-` where nobody judged it."""
    if hit is None:
        return ""
    grade = "-" if hit.grade is None else labels[hit.grade] if 0 <= hit.grade < len(labels) else str(hit.grade)
    return _plain(f"{grade} {hit.doc_id} {hit.title}")


def _verdict(report: "ComparisonReport", conditions: "Sequence[Condition]", failures: "Sequence[Failure]") -> list[str]:
    """Return what the gate says, a line for each drop, or one line if there is none."""
    from searchapp.bench.gate import judge_gate

    spared = [drop for drop in judge_gate(report, conditions, strict=True) if drop not in failures]
    lines = [f"gate: failed: {failure}" for failure in failures]
    lines += [f"gate: passed: {drop}; --strict would fail it" for drop in spared]
    if conditions and not lines:
        lines = [f"gate: passed: {', '.join(map(str, conditions))}"]
    return ["", *lines] if lines else []


def _plain(text: str) -> str:
    """Return a text in one line, with nothing in it that a terminal would obey."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))
