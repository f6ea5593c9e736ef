"""`searchapp query`: retrieve."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import console, guarded, note, one_line, print_json
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.index import Index
    from searchapp.records import Hit, Query

SHOWN_FIELDS = 3
ID_WIDTH = 40


@guarded
def query(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="An index folder.")],
    text: Annotated[str | None, typer.Argument(help="What to look for.", show_default=False)] = None,
    queries: Annotated[
        str | None, typer.Option("--queries", help="Many: JSON lines, TSV or TREC topics, with ids; - for a pipe.")
    ] = None,
    run: Annotated[Path | None, typer.Option("--run", help="Write a TREC run here instead of printing.")] = None,
    k: Annotated[int, typer.Option("-k", help="Hits a query.")] = 10,
    dim: Annotated[int | None, typer.Option("--dim", help="Search the index of this dim.")] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="Search the index of this kind.")] = None,
    nprobe: Annotated[int | None, typer.Option("--nprobe", help="Lists to visit (ivf kinds).", min=1)] = None,
    rescore: Annotated[
        int | None, typer.Option("--rescore", help="Rescore this many against the full vectors; 0 for none.", min=0)
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Where the index's model lies now, if it moved.")
    ] = None,
    device: options.Device = None,
    dtype: options.DType = "auto",
    runtime: options.Runtime = "auto",
    precision: options.Precision = "auto",
    trust_remote_code: options.TrustRemoteCode = False,
    as_json: options.Json = False,
) -> None:
    """Search an index with the model and prompts it was made with.

    Examples:

        searchapp query indexes/shop "red leather bag"

        searchapp query indexes/shop "red leather bag" -k 3 --json

        searchapp query indexes/scifact --queries queries.jsonl --run out.trec
    """
    if (text is None) == (queries is None):
        raise UsageError('one of the two is needed: searchapp query INDEX "words", or --queries FILE')
    if as_json and run is not None:
        raise UsageError("--run writes the hits to a file and --json prints them; choose one")
    if k < 1:
        raise UsageError(f"-k is {k}; at least 1 hit must be asked for")

    # Only what this call needs: most of the time of one query is the importing.
    from searchapp.encoders.options import EncoderOptions
    from searchapp.index.folder import Setting
    from searchapp.records import Query
    from searchapp.search import open_searcher

    if (runtime, precision) != ("auto", "auto"):
        from searchapp.encoders import PRECISIONS, RUNTIME_NAMES

        options.one_of("--runtime", runtime, RUNTIME_NAMES)
        options.one_of("--precision", precision, PRECISIONS)
    asked = [Query("1", _checked(text))] if text is not None else _read(queries or "")
    wanted = EncoderOptions(
        device=device, dtype=dtype, trust_remote_code=trust_remote_code, runtime=runtime, precision=precision
    )
    searcher = open_searcher(folder, options=wanted, model=model)
    setting = Setting(dim, kind, nprobe, rescore)
    found = searcher.search([one.text for one in asked], k, setting=setting)
    if run is not None:
        by_query = {one.query_id: hits for one, hits in zip(asked, found, strict=True)}
        from searchapp.corpus import write_run

        write_run(run, by_query, tag=f"searchapp-{searcher.index.choose(setting).name}")
        note(f"wrote {sum(map(len, found)):,} hits of {len(asked):,} queries to {run}")
        return
    shown = _shown_fields(searcher.index, found)
    for one, hits in zip(asked, found, strict=True):
        if as_json:
            _print_lines(one, hits)
        else:
            _print_table(one, hits, shown, titled=queries is not None)


def _read(queries: str) -> "list[Query]":
    from searchapp.corpus import read_queries

    return list(read_queries(queries))


def _checked(text: str) -> str:
    if not text.strip():
        raise UsageError("the query is empty; type some words")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in text):
        raise UsageError(
            "the query holds bytes that are no text in UTF-8; type it again, or check the terminal's encoding"
        )
    return text


def _print_lines(asked: "Query", hits: "Sequence[Hit]") -> None:
    for hit in hits:
        print_json(
            {
                "query_id": asked.query_id,
                "query": asked.text,
                "rank": hit.rank,
                "doc_id": hit.doc_id,
                "score": round(hit.score, 6),
                "fields": dict(hit.fields),
            }
        )


def _print_table(asked: "Query", hits: "Sequence[Hit]", names: "Sequence[str]", *, titled: bool) -> None:
    """Print one query's hits: the columns its text was made of, cut to what the terminal has room for."""
    from rich.table import Table

    names = [name for name in names if any(name in hit.fields for hit in hits)]
    table = Table(box=None, pad_edge=False, expand=True, title_justify="left")
    if titled:
        table.title = one_line(f"{asked.query_id}: {asked.text}")
    ids = [one_line(hit.doc_id) for hit in hits]
    table.add_column("rank", justify="right", no_wrap=True, min_width=4)
    table.add_column("score", justify="right", no_wrap=True, min_width=7)
    widest = min(ID_WIDTH, max((text.cell_len for text in ids), default=0))
    table.add_column("doc_id", no_wrap=True, overflow="ellipsis", min_width=max(6, widest), max_width=ID_WIDTH)
    for number, name in enumerate(names):
        table.add_column(one_line(name), no_wrap=True, overflow="ellipsis", ratio=4 if number == 0 else 1)
    for hit, doc_id in zip(hits, ids, strict=True):
        cells = [one_line(hit.fields.get(name)) for name in names]
        table.add_row(str(hit.rank), f"{hit.score:.4f}", doc_id, *cells)
    console().print(table)


def _shown_fields(index: "Index", hits: "Sequence[Sequence[Hit]]") -> list[str]:
    """Choose the stored fields to show: those the text was made of, in its order, else the first there are."""
    import re

    stored = dict.fromkeys(name for found in hits for hit in found for name in hit.fields)
    used = [name for name in re.findall(r"\{([^{}]+)\}", str(index.manifest.corpus["text_template"])) if name in stored]
    return (used or list(stored))[:SHOWN_FIELDS]
