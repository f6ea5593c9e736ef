"""`searchapp mine`: hard negatives for training, from what a search finds."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import guarded, note, print_json
from searchapp.cli.progress import ProgressBar
from searchapp.errors import UsageError

MINING = "Mining"


@guarded
def mine(
    corpus: Annotated[
        str | None,
        typer.Argument(
            help="A file, folder or glob; a BEIR, ESCI or TREC folder or irds:NAME, which brings its judgments; or an"
            " index, which is searched as it is.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="File to write: triplets.jsonl.")] = None,
    queries: Annotated[str | None, typer.Option("--queries", help="Queries, with ids.")] = None,
    qrels: Annotated[str | None, typer.Option("--qrels", help="Their judgments: TREC or BEIR.")] = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Judgments of a BEIR or ESCI folder.", show_default="train")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option("--corpus", help="With an index: what it was made of, for texts it doesn't store, and judgments."),
    ] = None,
    negatives: Annotated[int, typer.Option("--negatives", help="Of a triplet, at most.", rich_help_panel=MINING)] = 1,
    depth: Annotated[int, typer.Option("--depth", help="Hits looked at.", rich_help_panel=MINING)] = 100,
    skip_top: Annotated[
        int, typer.Option("--skip-top", help="Leave out unjudged documents of the first ranks.", rich_help_panel=MINING)
    ] = 0,
    max_score_ratio: Annotated[
        float,
        typer.Option(
            "--max-score-ratio",
            help="Leave out unjudged documents that score more than this share of the positive's score.",
            rich_help_panel=MINING,
        ),
    ] = 0.95,
    threshold: Annotated[
        int | None,
        typer.Option(
            "--threshold",
            help="Relevant from this grade on. Default: 1; ESCI: exact.",
            min=1,
            show_default=False,
            rich_help_panel=MINING,
        ),
    ] = None,
    judged_only: Annotated[
        bool, typer.Option("--judged-only", help="Only documents judged below the threshold.", rich_help_panel=MINING)
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file that is there.")] = False,
    text: options.Text = None,
    id_column: options.Id = None,
    reader: options.Format = "auto",
    on_bad_row: options.OnBadRow = "error",
    locale: options.Locale = None,
    version: options.Version = None,
    model: options.Model = None,
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
    """Write triplets with hard negatives: near a query, and not relevant.

    Documents judged below the threshold come first, then those nobody judged, unless they score nearly as much as what
    is relevant: those may be relevant themselves.

    Examples:

        searchapp mine ../data/home_depot --threshold 5 --out triplets.jsonl

        searchapp mine products.jsonl --queries queries.jsonl --qrels qrels.tsv --negatives 3 --out triplets.jsonl

        searchapp mine indexes/shop --queries queries.jsonl --qrels qrels.tsv --out triplets.jsonl
    """
    if corpus is None or out is None:
        raise UsageError("a corpus and a place are needed; type: searchapp mine CORPUS --out triplets.jsonl")
    if (queries is None) != (qrels is None):
        raise UsageError("--queries and --qrels go together; type both, or name a folder that holds them")
    _check_out(out, overwrite=overwrite)

    from searchapp.cli.assemble import EncoderOptions, ReadTexts, read_options
    from searchapp.cli.mined import Job, mine_job
    from searchapp.encoders import PRECISIONS, RUNTIME_NAMES
    from searchapp.train.mine import MineOptions

    options.one_of("--runtime", runtime, RUNTIME_NAMES)
    options.one_of("--precision", precision, PRECISIONS)
    encoder = EncoderOptions(
        revision,
        device,
        dtype,
        trust_remote_code,
        query_prompt,
        document_prompt,
        runtime=runtime,
        precision=precision,
    )
    job = Job(
        corpus,
        source,
        None if queries is None or qrels is None else (queries, qrels),
        split,
        threshold,
        read_options(ReadTexts(reader, text, id_column, "", on_bad_row, locale, version)),
        model,
        encoder,
    )
    mining = MineOptions(negatives, depth, skip_top, max_score_ratio, judged_only)
    with ProgressBar() as progress:
        mined = mine_job(job, mining, progress)
    from searchapp.corpus import write_triplets

    write_triplets(out, mined.triplets)
    _report(mined.counts, out, as_json=as_json)


def _check_out(out: Path, *, overwrite: bool) -> None:
    """Refuse a place that can't be written to, before any work."""
    if out.is_dir() or (out.exists() and not overwrite):
        advice = "name a file" if out.is_dir() else "type the same call with --overwrite to replace it"
        raise UsageError(f"{out} is there already; {advice}")
    if not out.parent.is_dir():
        raise UsageError(f"there is no folder {out.parent}; make it, or name another place")
    try:
        tempfile.TemporaryFile(dir=out.parent).close()
    except OSError as error:
        raise UsageError(f"{out.parent} can't be written to ({error.strerror}); name another place") from None


def _report(counts: Mapping[str, int], out: Path, *, as_json: bool) -> None:
    if as_json:
        print_json({"out": str(out), **counts})
    said = {name: f"{count:,}" for name, count in counts.items()}
    note(
        f"{said['queries']} queries, {said['queries_without_positives']} of them without a relevant document;"
        f" {said['pairs']} pairs of a query and a relevant document, {said['positives_missing']} more whose document is"
        " not there"
    )
    note(
        f"of {said['hits']} hits {said['hits_relevant']} are relevant, {said['hits_skipped']} were skipped as first,"
        f" {said['hits_unjudged']} as unjudged; {said['hits_too_near']} times one was too near to a pair's document"
    )
    note(
        f"wrote {said['triplets']} triplets to {out} with {said['negatives']} negatives, {said['negatives_judged']} of"
        f" them judged; {said['pairs_without_negatives']} pairs have none and are left out"
    )
