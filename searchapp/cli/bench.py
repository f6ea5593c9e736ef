"""`searchapp bench`: judge."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer
from typer.core import TyperCommand, TyperGroup

from searchapp.cli import options
from searchapp.cli.compare import compare
from searchapp.cli.console import guarded, note, print_json
from searchapp.cli.options import JUDGING
from searchapp.cli.progress import ProgressBar
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.bench.report import PairwiseReport, Report

PROTOCOLS = ("full-corpus", "judged-pool")
NO_RELEVANT = ("drop", "zero")
TASKS = ("auto", "retrieval", "triplets", "pairs")
DEFAULT = "run"
REPORTING = "Reporting"


class Judging(TyperGroup):
    """`searchapp bench DATASET` judges; `searchapp bench compare A B` holds what was judged against each other."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take the default command where none is named."""
        named = bool(args) and args[0] in self.commands
        completing = ctx.resilient_parsing and not args  # the next word may name a command
        return super().parse_args(ctx, args if named or completing else [DEFAULT, *args])

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        """Offer the commands, and the options of the one that need not be named."""
        offered = super().shell_complete(ctx, incomplete)
        return offered + self.commands[DEFAULT].shell_complete(ctx, incomplete) * incomplete.startswith("-")


class Unnamed(TyperCommand):
    """The command that need not be named."""

    def get_usage(self, ctx: Any) -> str:
        """Return the usage as it is typed."""
        return super().get_usage(ctx).replace(f" {DEFAULT} ", " ", 1)


app = typer.Typer(cls=Judging, help="Judge models, dims and kinds; `bench compare` holds results against each other.")


@app.command(DEFAULT, cls=Unnamed, hidden=True)
@guarded
def bench(
    dataset: Annotated[
        str | None,
        typer.Argument(
            help="A BEIR, ESCI or TREC folder, irds:NAME, or a file of triplets or scored pairs.", show_default=False
        ),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", help="Judge this index, with the model it was made with.")
    ] = None,
    model: options.Model = None,
    models: Annotated[
        str | None, typer.Option("--models", help="a,b: judge each of these.", rich_help_panel=options.MODEL)
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Which judgments.")] = "test",
    task: Annotated[str, typer.Option("--task", help="auto, retrieval, triplets, pairs.")] = "auto",
    dims: Annotated[str | None, typer.Option("--dims", "--dim", help="384,256,128: cut to each of these.")] = None,
    kinds: Annotated[str | None, typer.Option("--kinds", "--kind", help="flat,ivf-pq: build each of these.")] = None,
    nprobe: Annotated[str | None, typer.Option("--nprobe", help="16,64: visit each number of lists.")] = None,
    rescore: Annotated[str | None, typer.Option("--rescore", help="0,200: rescore each number of hits.")] = None,
    protocol: Annotated[
        str, typer.Option("--protocol", help="full-corpus, or judged-pool.", rich_help_panel=JUDGING)
    ] = "full-corpus",
    measures: Annotated[
        str | None, typer.Option("--measures", help="nDCG@10,RR@10,... Default: all.", rich_help_panel=JUDGING)
    ] = None,
    primary: Annotated[
        str | None,
        typer.Option("--primary", help="The measure to ship by. Default: nDCG@10.", rich_help_panel=JUDGING),
    ] = None,
    gains: Annotated[
        str | None,
        typer.Option(
            "--gains", help="linear, esci, esci-official-script-swapped, or 0,0.01,0.1,1.", rich_help_panel=JUDGING
        ),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option("--threshold", help="Smallest relevant grade (ESCI: E 3, S 2, C 1).", rich_help_panel=JUDGING),
    ] = None,
    drop_self: Annotated[
        bool, typer.Option("--drop-self", help="Drop a hit with the query's own id.", rich_help_panel=JUDGING)
    ] = False,
    no_relevant: Annotated[
        str,
        typer.Option(
            "--no-relevant", help="Queries without a relevant document: drop, or zero.", rich_help_panel=JUDGING
        ),
    ] = "drop",
    allow_missing: Annotated[
        bool,
        typer.Option("--allow-missing", help="Judged documents may be missing; counted.", rich_help_panel=JUDGING),
    ] = False,
    baselines: Annotated[
        str, typer.Option("--baselines", help="random,bm25, or none.", rich_help_panel=JUDGING)
    ] = "random,bm25",
    language: Annotated[
        str, typer.Option("--language", help="BM25's: auto, english, japanese, ... none.", rich_help_panel=JUDGING)
    ] = "auto",
    run: Annotated[
        list[str] | None,
        typer.Option("--run", help="Judge another system's TREC run (NAME=FILE).", rich_help_panel=JUDGING),
    ] = None,
    run_order: Annotated[
        str,
        typer.Option("--run-order", help="Order of --run: rank, score, trec_eval.", rich_help_panel=JUDGING),
    ] = "rank",
    slices: Annotated[
        str | None,
        typer.Option("--slices", help="source,locale,length,COLUMN: measure parts too.", rich_help_panel=JUDGING),
    ] = None,
    slice_file: Annotated[
        Path | None,
        typer.Option("--slice-file", help="Lines of query_id, tab, slice.", rich_help_panel=JUDGING),
    ] = None,
    tolerance: Annotated[
        str, typer.Option("--tolerance", help="What a smaller index may lose.", rich_help_panel=REPORTING)
    ] = "1%",
    budget_bytes: Annotated[
        str | None,
        typer.Option("--budget-bytes", help="Largest index file to ship: 50000000, 50MB.", rich_help_panel=REPORTING),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Keep a page, tables, runs, values here.", rich_help_panel=REPORTING),
    ] = None,
    png: Annotated[
        bool, typer.Option("--png", help="With --out: plots as PNG too.", rich_help_panel=REPORTING)
    ] = False,
    cache: Annotated[
        Path | None,
        typer.Option("--cache", help="Where embedded corpora and cells are kept.", rich_help_panel=REPORTING),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Keep nothing, measure all.", rich_help_panel=REPORTING)
    ] = False,
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
    runtime: options.Runtime = "auto",
    precision: options.Precision = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    query_prompt: options.QueryPrompt = None,
    document_prompt: options.DocumentPrompt = None,
    as_json: options.Json = False,
) -> None:
    """Judge models and indexes: on graded judgments, triplets or scored pairs.

    A corpus is embedded once per model; every dim, kind and setting is derived.
    What was measured is kept: an interrupted bench goes on where it was.
    To hold results against each other: searchapp bench compare --help

    Examples:

        searchapp bench data/sample --index indexes/sample

        searchapp bench data/scifact --dims 384,256,128 --kinds flat,ivf-pq

        searchapp bench data/esci --protocol judged-pool --out runs/esci

        searchapp bench data/stsb/sts-test.csv --dims 384,128 --json

        searchapp bench data/scifact --run theirs=bm25.trec
    """
    from searchapp.bench.plan import BASELINES, BenchOptions
    from searchapp.bench.tokens import name_language
    from searchapp.cli.assemble import EncoderOptions, ReadTexts, read_options
    from searchapp.cli.judge import Job, check_out, judge_pairwise, judge_retrieval
    from searchapp.corpus import DatasetParts, read_slices, recognise_task
    from searchapp.encoders import PRECISIONS, RUNTIME_NAMES
    from searchapp.metrics import DEFAULT_MEASURES, Gains, Measure

    options.one_of("--protocol", protocol, PROTOCOLS)
    options.one_of("--no-relevant", no_relevant, NO_RELEVANT)
    options.one_of("--task", task, TASKS)
    options.one_of("--run-order", run_order, options.ORDERS)
    options.one_of("--runtime", runtime, RUNTIME_NAMES)
    options.one_of("--precision", precision, PRECISIONS)
    prompts = {"--query-prompt": query_prompt, "--document-prompt": document_prompt}
    names = _models(model, models)
    made = {"--text": text, "--id": id_column, "--revision": revision, "--models": models, **prompts}
    of_a_model = (index, names, dims, kinds, nprobe, rescore)
    apart: list[tuple[bool, str, dict[str, object]]] = [
        (index is not None, "--index, which was made with its own", {**made}),
        (len(names) > 1, "several --models, which have prompts of their own", {**prompts, "--revision": revision}),
        (
            bool(run) and not any(of_a_model),
            "--run alone, for which no model is loaded; name one with --model",
            {**prompts, "--revision": revision, "--device": device},
        ),
        (out is None, "no --out, where pictures would lie", {"--png": png}),
        (no_cache, "--no-cache", {"--cache": cache}),
    ]
    for holds, reason, given in apart:
        if holds:
            options.refuse(reason, given)
    if out is not None:
        check_out(out, pictures=png)
    parts = None if (three := _three(corpus, queries, qrels)) is None else DatasetParts(*three)
    wanted = BenchOptions(
        dims=options.split_numbers("--dims", dims),
        kinds=options.split_kinds(kinds),
        nprobe=options.split_numbers("--nprobe", nprobe),
        rescore=options.split_numbers("--rescore", rescore),
        measures=tuple(map(Measure.parse, options.split_list(measures, "--measures"))) or DEFAULT_MEASURES,
        primary=Measure.parse(primary) if primary else None,
        gains=Gains.parse(gains) if gains else None,
        threshold=threshold,
        protocol=cast(Literal["full-corpus", "judged-pool"], protocol),
        drop_self=drop_self,
        no_relevant=cast(Literal["drop", "zero"], no_relevant),
        allow_missing=allow_missing,
        baselines=_baselines(baselines, BASELINES),
        language=name_language(language),
        slices=options.split_list(slices, "--slices"),
        named_slices={} if slice_file is None else read_slices(slice_file),
        tolerance=options.share("--tolerance", tolerance),
        budget_bytes=options.size("--budget-bytes", budget_bytes),
    )
    typed = ReadTexts(reader, text, id_column, None, on_bad_row, locale, version)
    job = Job(
        path=dataset,
        parts=parts,
        split=split,
        reading=read_options(typed),
        index=index,
        models=names,
        encoder=EncoderOptions(
            revision,
            device,
            dtype,
            trust_remote_code,
            query_prompt,
            document_prompt,
            runtime=runtime,
            precision=precision,
        ),
        runs=tuple(run or ()),
        run_order=cast(Literal["rank", "score", "trec_eval"], run_order),
        cache=None if no_cache else cache or "default",
        keeps=out is not None,
    )
    if task == "auto":
        task = "retrieval" if parts is not None or dataset is None else recognise_task(dataset)
    if task != "retrieval":
        asked: dict[str, object] = {
            "--kinds": kinds,
            "--nprobe": nprobe,
            "--rescore": rescore,
            "--measures": measures,
            "--gains": gains,
        }
        asked |= {"--slices": slices, "--slice-file": slice_file, "--primary": primary, "--threshold": threshold}
        pool = {"--protocol": protocol if protocol != PROTOCOLS[0] else None, "--drop-self": drop_self}
        options.refuse(f"{task}, which are judged by their own measures at every dim", {**asked, **pool})
    report: Report | PairwiseReport
    with ProgressBar() as progress:
        if task == "retrieval":
            report = judge_retrieval(job, wanted, progress)
        else:
            report = judge_pairwise(job, cast(Literal["triplets", "pairs"], task), wanted, progress)
    _show(report, as_json=as_json)
    if out is not None:
        from searchapp.bench.results import write_results

        write_results(out, report, pictures=png)
        note(f"kept in {out}; open {out / 'report.html'} in a browser")


def _models(model: str | None, models: str | None) -> tuple[str, ...]:
    """Return the models that are named, each once."""
    if model is not None and models is not None:
        raise UsageError("--model and --models name models twice; type one of them")
    names = options.split_list(models, "--models") or ((model,) if model else ())
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"--models names {twice[0]} twice; name each model once")
    return names


def _three(corpus: str | None, queries: str | None, qrels: str | None) -> tuple[str, str, str] | None:
    """Return all three or none of them; raise UsageError for less."""
    if corpus and queries and qrels:
        return corpus, queries, qrels
    if corpus or queries or qrels:
        raise UsageError("--corpus, --queries and --qrels go together; type all three, or name one DATASET folder")
    return None


def _baselines(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Cut the list of baselines; "none" is the empty one."""
    if text == "none":
        return ()
    chosen = options.split_list(text, "--baselines")
    for name in chosen:
        options.one_of("--baselines", name, known if len(chosen) > 1 else (*known, "none"))
    return chosen


def _show(report: "Report | PairwiseReport", *, as_json: bool) -> None:
    from searchapp.bench.as_json import pairwise_to_json, report_to_json
    from searchapp.bench.report import Report
    from searchapp.cli.tables import print_pairwise, print_report

    if isinstance(report, Report):
        print_json(report_to_json(report)) if as_json else print_report(report)
    else:
        print_json(pairwise_to_json(report)) if as_json else print_pairwise(report)


app.command("compare")(compare)
