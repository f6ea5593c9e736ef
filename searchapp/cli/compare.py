"""`searchapp bench compare`: hold systems against a baseline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from searchapp.cli import options
from searchapp.cli.compared import plain, print_comparison, tell_gate
from searchapp.cli.console import guarded, note, print_json
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.bench.report import Report
    from searchapp.corpus.runs import Order

GATE = 3
"""The exit code where --fail-if doesn't let a system pass."""

NO_RELEVANT = ("drop", "zero")


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
        note(f"note: {plain(line)}")
    if as_json:
        gate = {
            "conditions": [str(condition) for condition in conditions],
            "strict": strict,
            "failures": [failure.to_json() for failure in failures],
        }
        print_json({**report.to_json(), "gate": gate if conditions else None})
    else:
        print_comparison(report)
        for line in tell_gate(report, conditions, failures):
            typer.echo(plain(line))
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
