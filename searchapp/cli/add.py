"""`searchapp add`: more documents for an index that stands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import guarded, note, print_json
from searchapp.cli.progress import ProgressBar

if TYPE_CHECKING:
    from searchapp.cli.assemble import EncoderOptions, ReadTexts
    from searchapp.living import Change

Folder = Annotated[Path, typer.Argument(metavar="INDEX", help="An index folder.")]
CorpusPath = Annotated[
    str, typer.Argument(help="File, folder, glob, or - for JSON lines on standard input.", show_default=False)
]
Restart = Annotated[bool, typer.Option("--restart", help="Start over instead of going on where a stopped call was.")]
Template = Annotated[
    str | None,
    typer.Option(
        "--text", help="Template of the text. Default, and only choice: the index's.", rich_help_panel="Reading"
    ),
]
ModelPlace = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Where the index's model lies now.", rich_help_panel="Model"),
]


@guarded
def add(
    folder: Folder,
    corpus: CorpusPath,
    text: Template = None,
    id_column: options.Id = None,
    store: options.Store = None,
    reader: options.Format = "auto",
    on_bad_row: options.OnBadRow = "error",
    locale: options.Locale = None,
    version: options.Version = None,
    model: ModelPlace = None,
    device: options.Device = None,
    dtype: options.DType = "auto",
    runtime: options.Runtime = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    restart: Restart = False,
    as_json: options.Json = False,
) -> None:
    """Add the documents of a corpus to an index.

    They are read and embedded as the index's own were: the same template, model and prompts, or nothing. Ids that the
    index has are refused before anything is embedded. The index changes in one step; who has it open keeps what was
    opened. Stopped or killed, the same call goes on where it was.

    Examples:

        searchapp add indexes/shop new-products.jsonl

        searchapp add indexes/shop new-products.csv --id sku --json
    """
    from searchapp.cli.assemble import EncoderOptions, ReadTexts

    typed = ReadTexts(reader, text, id_column, store, on_bad_row, locale, version)
    wanted = EncoderOptions(device=device, dtype=dtype, trust_remote_code=trust_remote_code, runtime=runtime)
    grow("add", folder, corpus, typed=typed, model=(model, wanted), restart=restart, as_json=as_json)


def grow(
    operation: str,
    folder: Path,
    corpus: str,
    *,
    typed: "ReadTexts",
    model: "tuple[str | None, EncoderOptions]",
    restart: bool,
    as_json: bool,
) -> None:
    """Carry out add or upsert, and print what it did."""
    from searchapp.cli.assemble import read_options
    from searchapp.encoders import RUNTIME_NAMES
    from searchapp.index import open_index
    from searchapp.living import GrowOptions, add_documents, open_more, upsert_documents

    options.one_of("--runtime", model[1].runtime, RUNTIME_NAMES)
    index = open_index(folder)
    opened = open_more(corpus, index, read_options(typed))
    wanted = GrowOptions(encoder=model[1], model=model[0], restart=restart)
    change_by = add_documents if operation == "add" else upsert_documents
    with ProgressBar() as progress:
        change = change_by(opened, index, options=wanted, progress=progress, note=note)
    for where, reason in opened.skipped.rows:
        note(f"skipped {where}: {reason}")
    report(operation, change, as_json=as_json)


def report(operation: str, change: "Change", *, as_json: bool) -> None:
    """Print what a change did, and when compacting is due."""
    from searchapp.cli.info import compact_advice

    manifest = change.index.manifest
    counts = {name: getattr(change, name) for name in ("added", "replaced", "unchanged", "deleted")}
    if as_json:
        body = {"index": str(change.index.folder), "operation": operation, **counts}
        print_json({**body, "documents": len(change.index), "generation": manifest.generation})
        return
    done = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing to do"
    if change.already_done:
        done = "done already"
    typer.echo(f"{operation}: {done}; {change.index.folder} holds {len(change.index):,} documents")
    if advice := compact_advice(change.index):
        note(advice)
