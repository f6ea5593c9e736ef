"""`searchapp doctor`: what is wrong, or will go wrong, and what to type next."""

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import FAILED, console, guarded, one_line, print_json
from searchapp.cli.progress import ProgressBar

if TYPE_CHECKING:
    from searchapp.doctor import Finding, Report

LEVEL, CHECK = 9, 12
"""Columns of the level and of what was looked at."""


@guarded
def doctor(
    corpus: Annotated[
        str | None, typer.Argument(help="File, folder or glob that an index would be made of.", show_default=False)
    ] = None,
    folder: Annotated[Path | None, typer.Option("--index", help="An index folder to look at.")] = None,
    model: options.Model = None,
    revision: options.Revision = None,
    device: options.Device = None,
    dtype: options.DType = "auto",
    runtime: options.Runtime = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    query_prompt: options.QueryPrompt = None,
    document_prompt: options.DocumentPrompt = None,
    text: options.Text = None,
    id_column: options.Id = None,
    store: options.Store = None,
    reader: options.Format = "auto",
    on_bad_row: options.OnBadRow = "error",
    locale: options.Locale = None,
    version: options.Version = None,
    as_json: options.Json = False,
) -> None:
    """Look for what is wrong with a model, an index, a corpus and this machine.

    Every finding is ok, a note, a warning or a problem, and says what to type next. Nothing is changed. Exit code 0
    where nothing is a problem, 1 where something is.

    Examples:

        searchapp doctor

        searchapp doctor products.jsonl --model intfloat/e5-small-v2 --text "{title}, {brand}"

        searchapp doctor --index indexes/shop --json
    """
    from searchapp.cli.assemble import EncoderOptions, ReadTexts, read_options
    from searchapp.doctor import Wanted, check_up
    from searchapp.encoders import RUNTIME_NAMES

    options.one_of("--runtime", runtime, RUNTIME_NAMES)
    if folder is not None:
        given: dict[str, object] = {"--query-prompt": query_prompt, "--document-prompt": document_prompt}
        options.refuse("--index, whose prompts are in its contract", given)
    if corpus is None:
        given = {"--text": text, "--id": id_column, "--store": store, "--locale": locale, "--version": version}
        options.refuse("a call without a CORPUS", given)
    typed = ReadTexts(reader, text, id_column, store, on_bad_row, locale, version)
    wanted = Wanted(
        model,
        EncoderOptions(revision, device, dtype, trust_remote_code, query_prompt, document_prompt, runtime=runtime),
        folder,
        corpus,
        read_options(typed),
    )
    with ProgressBar() as progress:
        report = check_up(wanted, progress=progress)
    if as_json:
        print_json(report.to_json(), indent=2)
    else:
        _print(report)
    if report.worst == "problem":
        raise typer.Exit(FAILED)


def _print(report: "Report") -> None:
    """Print the findings by part, what they mean under them, what to type behind an arrow."""
    width, part = console().width, ""
    for finding in report.findings:
        if finding.part != part:
            part = finding.part
            typer.echo(part)
        for line in _lines(finding, width):
            typer.echo(line)
    counts = report.counts
    typer.echo(
        f"{counts['problem']} problem{'s' * (counts['problem'] != 1)}, {counts['warning']} "
        f"warning{'s' * (counts['warning'] != 1)}, {counts['note']} note{'s' * (counts['note'] != 1)}, "
        f"{counts['ok']} ok"
    )


def _lines(finding: "Finding", width: int) -> list[str]:
    indent = " " * (2 + LEVEL + CHECK)
    first = f"  {finding.level:<{LEVEL}}{finding.check:<{CHECK - 1}} "
    lines = textwrap.wrap(
        one_line(finding.found).plain, width, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False
    )
    for mark, said in (("", finding.means), ("-> ", finding.advice)):
        if said and (mark or finding.level != "ok"):
            later = indent + " " * len(mark)
            lines += textwrap.wrap(
                one_line(said).plain,
                width,
                initial_indent=indent + mark,
                subsequent_indent=later,
                break_on_hyphens=False,
            )
    return lines
