"""`searchapp bench`: judge."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from searchapp.cli import options
from searchapp.cli.console import ProgressBar, console, guarded, note, print_json
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.bench import BenchOptions, Cell, Report
    from searchapp.corpus import Dataset
    from searchapp.encoders import EncoderOptions
    from searchapp.search import Searcher

PROTOCOLS = ("full-corpus", "judged-pool")
NO_RELEVANT = ("drop", "zero")
GAP = 2
LEAST = 5
SHOWN = ("nDCG", "nDCG@10", "RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100", "accuracy@10", "precision@10")
"""Measures of the table, what matters most first: those that a terminal has no room for are left to --json."""


@guarded
def bench(
    dataset: Annotated[str | None, typer.Argument(help="A BEIR, ESCI or TREC folder.", show_default=False)] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="Judge this index, with the model it was made with.")
    ] = None,
    model: options.Model = None,
    split: Annotated[str, typer.Option("--split", help="Which judgments.")] = "test",
    dims: Annotated[str | None, typer.Option("--dims", help="384,256,128: cut to each of these.")] = None,
    kinds: Annotated[str | None, typer.Option("--kinds", help="flat,ivf-pq: build each of these.")] = None,
    nprobe: Annotated[str | None, typer.Option("--nprobe", help="16,64: visit each number of lists.")] = None,
    rescore: Annotated[str | None, typer.Option("--rescore", help="0,200: rescore each number of hits.")] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", help="full-corpus, or judged-pool.", rich_help_panel=options.JUDGING)
    ] = "full-corpus",
    measures: Annotated[
        str | None, typer.Option("--measures", help="nDCG@10,RR@10,... Default: all.", rich_help_panel=options.JUDGING)
    ] = None,
    gains: Annotated[
        str | None,
        typer.Option(
            "--gains",
            help="linear, esci, esci-official-script-swapped, or 0,0.01,0.1,1.",
            rich_help_panel=options.JUDGING,
        ),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option(
            "--threshold", help="Smallest relevant grade (ESCI: E 3, S 2, C 1).", rich_help_panel=options.JUDGING
        ),
    ] = None,
    drop_self: Annotated[
        bool, typer.Option("--drop-self", help="Drop a hit with the query's own id.", rich_help_panel=options.JUDGING)
    ] = False,
    no_relevant: Annotated[
        str,
        typer.Option(
            "--no-relevant", help="Queries without a relevant document: drop, or zero.", rich_help_panel=options.JUDGING
        ),
    ] = "drop",
    allow_missing: Annotated[
        bool,
        typer.Option(
            "--allow-missing", help="Judged documents may be missing; counted.", rich_help_panel=options.JUDGING
        ),
    ] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Keep JSON, runs and per-query values here.")] = None,
    corpus: Annotated[
        str | None, typer.Option("--corpus", help="Instead of DATASET.", rich_help_panel=options.CORPUS)
    ] = None,
    queries: Annotated[
        str | None, typer.Option("--queries", help="With --corpus.", rich_help_panel=options.CORPUS)
    ] = None,
    qrels: Annotated[str | None, typer.Option("--qrels", help="With --corpus.", rich_help_panel=options.CORPUS)] = None,
    text: options.Text = None,
    id_column: options.Id = None,
    reader: options.Format = "auto",
    on_bad_row: options.OnBadRow = "error",
    locale: options.Locale = None,
    version: options.Version = None,
    revision: options.Revision = None,
    device: options.Device = None,
    dtype: options.DType = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    query_prompt: options.QueryPrompt = None,
    document_prompt: options.DocumentPrompt = None,
    as_json: options.Json = False,
) -> None:
    """Judge a model or an index on queries with graded judgments.

    The corpus is embedded once, whatever the number of dims and kinds.

    Examples:

        searchapp bench data/sample --index indexes/sample

        searchapp bench data/scifact --model minilm --dims 384,256,128 --kinds flat,ivf-pq

        searchapp bench data/esci --locale us --protocol judged-pool --json --out runs/esci
    """
    from searchapp.bench import BenchOptions, run_bench, write_report
    from searchapp.cli.assemble import EncoderOptions, ReadTexts, read_options
    from searchapp.corpus import DatasetParts, open_dataset
    from searchapp.layout import BENCH, check_free
    from searchapp.metrics import DEFAULT_MEASURES, Gains, Measure

    prompts = {"--query-prompt": query_prompt, "--document-prompt": document_prompt}
    if protocol not in PROTOCOLS:
        raise UsageError(f"--protocol is {protocol!r}; type --protocol {' or --protocol '.join(PROTOCOLS)}")
    if no_relevant not in NO_RELEVANT:
        raise UsageError(
            f"--no-relevant is {no_relevant!r}; type --no-relevant {' or --no-relevant '.join(NO_RELEVANT)}"
        )
    if index is not None:
        made = {"--text": text, "--id": id_column, "--revision": revision}
        options.refuse("--index, which was made with its own", {**made, **prompts})
    if out is not None:
        check_free(out, overwrite=True, made=BENCH)
    wanted = BenchOptions(
        dims=options.split_numbers("--dims", dims),
        kinds=options.split_kinds(kinds),
        nprobe=options.split_numbers("--nprobe", nprobe),
        rescore=options.split_numbers("--rescore", rescore),
        measures=tuple(map(Measure.parse, options.split_list(measures))) or DEFAULT_MEASURES,
        gains=Gains.parse(gains) if gains else None,
        threshold=threshold,
        protocol=cast(Literal["full-corpus", "judged-pool"], protocol),
        drop_self=drop_self,
        no_relevant=cast(Literal["drop", "zero"], no_relevant),
        allow_missing=allow_missing,
    )
    parts = None
    if corpus or queries or qrels:
        if not (corpus and queries and qrels):
            raise UsageError("--corpus, --queries and --qrels go together; type all three, or name one DATASET folder")
        parts = DatasetParts(corpus, queries, qrels)
    typed = ReadTexts(reader, text, id_column, None, on_bad_row, locale, version)
    opened = open_dataset(dataset, parts=parts, split=split, options=read_options(typed))
    encoder = EncoderOptions(revision, device, dtype, trust_remote_code, query_prompt, document_prompt)
    with ProgressBar() as progress, _searcher(opened, index, model, encoder, wanted, progress) as searcher:
        report = run_bench(opened, searcher, options=wanted, progress=progress)
    if as_json:
        print_json(report.to_json())
    else:
        _print(report)
    if out is not None:
        write_report(out, report)
        note(f"kept in {out}")


@contextlib.contextmanager
def _searcher(
    dataset: "Dataset",
    index: Path | None,
    model: str | None,
    encoder: "EncoderOptions",
    wanted: "BenchOptions",
    progress: ProgressBar,
) -> "Iterator[Searcher]":
    """Give a searcher over the index asked for, or over one built for the occasion, with every dim and kind in it."""
    from searchapp.bench.workspace import indexed, with_derived
    from searchapp.cli.assemble import describe_model
    from searchapp.encoders import load_encoder
    from searchapp.index import open_index
    from searchapp.search import Searcher, load_contract_encoder

    if index is not None:
        opened = open_index(index)
        loaded = load_contract_encoder(opened, options=encoder, model=model)
        with with_derived(opened, dims=wanted.dims, kinds=wanted.kinds) as complete:
            yield Searcher(complete, loaded)
        return
    loaded = load_encoder(model, encoder)
    note(describe_model(loaded.card, chosen=model is not None))
    dims, kinds = wanted.dims or (loaded.card.dim,), wanted.kinds or ("flat",)
    with indexed(dataset.corpus, loaded, dims=dims, kinds=kinds, progress=progress) as built:
        yield Searcher(built, loaded)


def _print(report: "Report") -> None:
    """Print the cells as a table, a row each, and what must be known to read it."""
    from rich.table import Table

    judged = report.queries
    typer.echo(
        f"{report.dataset} {report.split}, {report.protocol}: {judged['evaluated']:,} queries, "
        f"{report.documents:,} documents, {report.model}; gains {report.gains}, relevant: {report.relevant}"
    )
    rows = [_cells(cell) for cell in report.cells]
    width = console().width
    names = list(rows[0])
    while len(names) > LEAST and sum(_width(rows, name) + GAP for name in names) - GAP > width:
        names.remove(next(name for name in reversed(names) if name in report.cells[0].evaluation.measures))
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name in names:
        table.add_column(name, justify="left" if name == "kind" else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    console().print(table)
    if hidden := len(report.cells[0].evaluation.measures) - sum(name in SHOWN for name in names):
        typer.echo(f"{hidden} more measures with --json")
    for line in report.notes:
        typer.echo(f"note: {line}")


def _cells(cell: "Cell") -> dict[str, str]:
    """Return one row of the table, by column."""
    measures = cell.evaluation.measures
    shown = [name for name in SHOWN if name in measures] or list(measures)
    ties = {"ties@10": str(cell.ties[10])} if 10 in cell.ties else {}
    return {
        "dim": str(cell.dim),
        "kind": cell.label,
        **{name: f"{measures[name]:.4f}" for name in shown},
        **ties,
        "bytes": f"{cell.bytes_per_vector:,.0f}",
        "queries/s": f"{cell.queries_per_second:,.0f}",
    }


def _width(rows: "list[dict[str, str]]", name: str) -> int:
    return max(len(name), *(len(row[name]) for row in rows))
