"""`searchapp bench compare`: hold systems against a baseline."""

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from searchapp.cli import options
from searchapp.cli.console import console, guarded, note, one_line, print_json
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.bench.compare import Changed, ComparedRow, ComparisonReport, ShownHit, SliceRow
    from searchapp.bench.gate import Condition, Failure
    from searchapp.bench.report import Report
    from searchapp.corpus.runs import Order
    from searchapp.metrics.comparison import Comparison

GATE = 3
"""The exit code where --fail-if doesn't let a system pass."""

NO_RELEVANT = ("drop", "zero")
SPARED = ("detectable", "effect", "W/T/L", "A", "B", "95 % interval")
"""Columns that a narrow terminal goes without, the first to go first."""
PAIR = ("baseline", "system")
NAMES = ("measure", "slice")
NAME = 12
"""Columns that a name has at the least, if it is so long; it goes on in the next line."""
NONE = "-"
"""Stands where there is nothing to count."""
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
            "--fail-if",
            help='"nDCG@10 < -0.5%": exit 3 where the drop is larger and significant (the gate\'s own p). Repeatable.',
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
    no_relevant: Annotated[
        str | None,
        typer.Option(
            "--no-relevant",
            help="With --qrels: queries without a relevant document, drop or zero.",
            rich_help_panel=options.JUDGING,
        ),
    ] = None,
    drop_self: Annotated[
        bool,
        typer.Option(
            "--drop-self",
            help="With --qrels: drop a hit with the query's own id.",
            rich_help_panel=options.JUDGING,
        ),
    ] = False,
    run_order: Annotated[
        str, typer.Option("--run-order", help="Of runs: rank, score, trec_eval.", rich_help_panel=options.JUDGING)
    ] = "rank",
    slice_file: Annotated[
        Path | None,
        typer.Option(
            "--slice-file",
            help="Lines of query_id, tab, slice; beside the baseline's own --slices.",
            rich_help_panel=options.JUDGING,
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compare stored results or TREC runs, query by query.

    Each difference has a 95 % interval, a paired randomisation test (p after
    Holm's correction for the whole table: fewer measures, sharper tests), an
    effect size, wins, ties and losses, and the smallest difference that the
    queries would have shown four times in five. Other protocols, gains,
    queries or judgments are refused.

    The p of --fail-if is another one: corrected for the measures it names and
    all systems, whatever else the table shows. Slices (what the baseline was
    benched with, or --slice-file) have theirs: corrected for all slice rows.

    Examples:

        searchapp bench compare runs/before runs/after

        searchapp bench compare runs/scifact:d384-flat runs/scifact:d128-sq8 --measures nDCG@10

        searchapp bench compare runs/before other-system.trec --run-order score

        searchapp bench compare runs/before runs/after --fail-if "nDCG@10 < -0.5%"
    """
    from searchapp.bench.compare import compare_results
    from searchapp.bench.gate import Condition, gate_notes, judge_gate
    from searchapp.bench.operands import open_operand
    from searchapp.corpus import read_slices

    if changed < 0:
        raise UsageError(f"--changed is {changed}; type 0 for none, or how many queries to show")
    if strict and not fail_if:
        raise UsageError('--strict is part of a gate; add --fail-if "nDCG@10 < -0.5%", or leave it away')
    options.one_of("--run-order", run_order, options.ORDERS)
    conditions = [Condition.parse(text) for text in fail_if or ()]
    judged_by = _judgments(qrels, gains, threshold, no_relevant=no_relevant, drop_self=drop_self)
    opened = [open_operand(text, order=cast("Order", run_order)) for text in operands]
    report = compare_results(
        opened,
        measures=options.split_list(measures),
        also=[condition.measure for condition in conditions],
        judged_by=judged_by,
        changed=changed,
        named_slices=None if slice_file is None else read_slices(slice_file),
    )
    failures = judge_gate(report, conditions, strict=strict)
    passed = [] if strict else [one for one in conditions if one not in {failure.condition for failure in failures}]
    for line in (*report.notes, *gate_notes(report, passed)):
        note(f"note: {_plain(line)}")
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
            typer.echo(_plain(line))
    if failures:
        raise typer.Exit(GATE)


def _judgments(
    qrels: str | None, gains: str | None, threshold: int | None, *, no_relevant: str | None, drop_self: bool
) -> "Report | None":
    """Return what runs are judged by where no results folder says it."""
    from searchapp.bench.operands import judge_by
    from searchapp.corpus import read_qrels
    from searchapp.metrics import LINEAR, Gains, Judging

    if qrels is None:
        given = {"--gains": gains, "--threshold": threshold, "--no-relevant": no_relevant, "--drop-self": drop_self}
        options.refuse("a results folder, and a run alone needs --qrels", given)
        return None
    no_relevant = no_relevant or "drop"
    options.one_of("--no-relevant", no_relevant, NO_RELEVANT)
    judging = Judging(
        Gains.parse(gains) if gains else LINEAR,
        threshold=1 if threshold is None else threshold,
        drop_self=drop_self,
        no_relevant=cast("Literal['drop', 'zero']", no_relevant),
    )
    return judge_by(qrels, read_qrels(qrels), judging)


def _print(report: "ComparisonReport") -> None:
    """Print the tests as a table, then the slices, then the queries that changed most with both hit lists."""
    from searchapp.bench.operands import counted

    frame = report.frame
    typer.echo(
        f"{_plain(f'{frame.dataset} {frame.split}')}, {frame.protocol}: {counted(report.queries, 'query', 'queries')}; "
        f"gains {frame.judging.gains}, relevant: {frame.relevant}"
    )
    cells = [_cells(row) for row in report.rows]
    if _width(cells) <= console().width:
        _print_table(cells)
    else:
        _print_by_pair(cells)
    if report.slices:
        tests = counted(sum(row.comparison is not None for row in report.slices), "row", "rows")
        typer.echo(f"\nslices, {report.primary}; p: Holm over the {tests} of slices")
        _print_by_pair([_slice_cells(row) for row in report.slices])
    pairs = list(dict.fromkeys((one.baseline, one.system) for one in report.changed))
    if not pairs:
        return
    shown = max(pairs, key=lambda pair: _size(report, pair))
    typer.echo(f"\nchanged most in {report.primary} (grade or -, document, title):\n{_heading(shown)}")
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
        **_numbers(found),
        "p (Holm)": _p(row.p_holm),
        "effect": f"{found.effect_size:+.2f}",
        "W/T/L": f"{found.wins}/{found.ties}/{found.losses}",
        "detectable": f"{found.detectable:.4f}",
    }


def _slice_cells(row: "SliceRow") -> dict[str, str]:
    """Return one row of the slices' table, by column; one query has no interval."""
    names = {"baseline": _plain(row.baseline), "system": _plain(row.system), "slice": _plain(f"{row.by}: {row.value}")}
    found = row.comparison
    if found is None or row.p_holm is None:
        return {**names, "n": "0", **dict.fromkeys(("A", "B", "difference", "95 % interval", "p (Holm)"), NONE)}
    numbers = _numbers(found) | ({"95 % interval": NONE} if found.queries < 2 else {})
    return {**names, "n": f"{found.queries:,}", **numbers, "p (Holm)": _p(row.p_holm)}


def _numbers(found: "Comparison") -> dict[str, str]:
    """Return the columns that all tables have."""
    return {
        "A": f"{found.mean_a:.4f}",
        "B": f"{found.mean_b:.4f}",
        "difference": f"{found.difference:+.4f}",
        "95 % interval": f"{found.interval.low:+.4f} {found.interval.high:+.4f}",
    }


def _p(value: float) -> str:
    return "<.0001" if value < 0.0001 else f"{value:.4f}"


def _print_by_pair(cells: "Sequence[dict[str, str]]") -> None:
    """Print a table for each pair, its names above it, without the columns that the terminal has no room for."""
    names = [name for name in cells[0] if name not in PAIR]
    spared = []
    for name in SPARED:
        if name in names and _width([{name: row[name] for name in names} for row in cells]) > console().width:
            names.remove(name)
            spared.append(name)
    for pair in dict.fromkeys((row["baseline"], row["system"]) for row in cells):
        typer.echo(f"\n{_heading(pair)}")
        _print_table([{name: row[name] for name in names} for row in cells if (row["baseline"], row["system"]) == pair])
    if spared:
        typer.echo(f"no room for {', '.join(name for name in cells[0] if name in spared)}; see --json")


def _heading(pair: tuple[str, str]) -> str:
    """Return the names of a pair, in two lines where one is too short for both."""
    from rich.cells import cell_len

    one, other = map(_plain, pair)
    line = f"{one} | {other}"
    return line if cell_len(line) <= console().width else f"{one} |\n{other}"


def _print_table(cells: "Sequence[dict[str, str]]") -> None:
    """Print a table, wider than the terminal rather than with a number cut; only names go on in the next line."""
    from rich.table import Table
    from rich.text import Text

    out, widths = console(), _widths(cells)
    out.width = max(out.width, _width(cells))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name, width in widths.items():
        rest = sum(widths.values()) - width + GAP * (len(widths) - 1)
        width = min(width, out.width - rest) if name in NAMES else width
        justify: Literal["left", "right"] = "left" if name in (*PAIR, *NAMES) else "right"
        table.add_column(name, justify=justify, no_wrap=name not in NAMES, overflow="fold", width=width)
    for row in cells:
        table.add_row(*map(Text, row.values()))
    out.print(table)


def _widths(cells: "Sequence[dict[str, str]]") -> dict[str, int]:
    """Return how wide each column is if nothing in it goes on in the next line."""
    from rich.cells import cell_len

    return {name: max(cell_len(name), *(cell_len(row[name]) for row in cells)) for name in cells[0]}


def _width(cells: "Sequence[dict[str, str]]") -> int:
    """Return the least width of a table without a number cut."""
    widths = _widths(cells)
    folded = [width if name not in NAMES else min(width, NAME) for name, width in widths.items()]
    return sum(folded) + GAP * (len(folded) - 1)


def _print_changed(one: "Changed", labels: "Sequence[str]") -> None:
    """Print a query and both its hit lists side by side: grade, document, title."""
    from rich.table import Table
    from rich.text import Text

    typer.echo(f"\n{_plain(one.query_id)}: {_plain(one.text)}  {one.before:.4f} | {one.after:.4f}")
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=False)
    table.add_column(justify="right", no_wrap=True)
    for _ in ("before", "after"):
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max((console().width - RANK) // 2 - GAP, 1))
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
    return one_line(text).plain
