"""`searchapp index`: make an index folder, or add a dim or kind to one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import guarded, note, print_json
from searchapp.cli.progress import ProgressBar
from searchapp.errors import UsageError

if TYPE_CHECKING:
    from searchapp.index import Index


@guarded
def index(
    corpus: Annotated[
        str | None,
        typer.Argument(help="File, folder, glob, or - for JSON lines on standard input.", show_default=False),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Folder to make: indexes/NAME.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Add to this index from its stored vectors; needs no model.")
    ] = None,
    dim: Annotated[
        str | None, typer.Option("--dim", help="Cut vectors to this many dims; a list makes several. Default: all.")
    ] = None,
    kind: Annotated[
        str,
        typer.Option(
            "--kind", help="auto, flat, sq8, pq4, ivf-flat, ivf-pq, or a FAISS factory string; a list makes several."
        ),
    ] = "auto",
    layer_norm: Annotated[
        bool, typer.Option("--layer-norm", help="Layer-normalise before cutting (nomic-embed-text-v1.5).")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the index that is there.")] = False,
    restart: Annotated[
        bool, typer.Option("--restart", help="Start over instead of going on where a stopped call was.")
    ] = False,
    no_encoder: Annotated[
        bool, typer.Option("--no-encoder", help="Leave the query encoder out; a query will load the model.")
    ] = False,
    text: options.Text = None,
    id_column: options.Id = None,
    store: options.Store = None,
    reader: options.Format = "auto",
    on_bad_row: options.OnBadRow = "error",
    on_truncate: options.OnTruncate = "warn",
    chunk_overlap: options.ChunkOverlap = None,
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
    """Embed a corpus and write an index folder.

    The corpus is read and checked before the model sees a word of it; the folder appears whole or not at all.
    Stopped or killed, the same call goes on where it was.

    Examples:

        searchapp index products.jsonl --out indexes/shop --text "{title}, {brand}"

        searchapp index ../data/scifact --out indexes/scifact --dim 384,128 --kind flat,ivf-pq

        searchapp index articles.jsonl --out indexes/articles --on-truncate chunk

        searchapp index --from indexes/shop --dim 128 --kind sq8
    """
    from searchapp.cli.assemble import EncoderOptions, ReadTexts, describe_model, read_options

    dims = options.split_numbers("--dim", dim)
    kinds = options.split_kinds(kind)
    if source is not None:
        if corpus is not None or out is not None:
            raise UsageError("--from adds to an index that is there; leave CORPUS and --out away, or leave --from away")
        given: dict[str, object] = {"--model": model, "--revision": revision, "--text": text, "--id": id_column}
        given |= {"--store": store, "--locale": locale, "--version": version, "--layer-norm": layer_norm}
        given |= {"--query-prompt": query_prompt, "--document-prompt": document_prompt, "--overwrite": overwrite}
        given |= {"--restart": restart, "--no-encoder": no_encoder, "--chunk-overlap": chunk_overlap}
        given |= {"--device": device, "--trust-remote-code": trust_remote_code, "--on-truncate": on_truncate != "warn"}
        given |= {"--dtype": dtype != "auto", "--runtime": runtime != "auto", "--precision": precision != "auto"}
        given |= {"--format": reader != "auto", "--on-bad-row": on_bad_row != "error"}
        options.refuse("--from, which takes the vectors as they are stored", given)
        _derive(source, dims, kinds, as_json=as_json)
        return
    if corpus is None or out is None:
        raise UsageError("a corpus and a place are needed; type: searchapp index CORPUS --out indexes/NAME")

    from searchapp.build import BuildOptions, plan_build, write_index
    from searchapp.corpus import open_corpus
    from searchapp.encoders import PRECISIONS, RUNTIME_NAMES, load_encoder
    from searchapp.index.work import check_target
    from searchapp.truncation import ON_TRUNCATE

    options.one_of("--runtime", runtime, RUNTIME_NAMES)
    options.one_of("--precision", precision, PRECISIONS)
    options.one_of("--on-truncate", on_truncate, ON_TRUNCATE)
    check_target(out, overwrite=overwrite)
    typed = ReadTexts(reader, text, id_column, store, on_bad_row, locale, version)
    opened = open_corpus(corpus, read_options(typed))
    with ProgressBar() as progress:
        survey = opened.survey(lambda done: progress("reading", done, None))
        progress("loading the model", 0, None)
        encoder = load_encoder(
            model,
            EncoderOptions(
                revision,
                device,
                dtype,
                trust_remote_code,
                query_prompt,
                document_prompt,
                runtime=runtime,
                precision=precision,
            ),
        )
        plan = plan_build(
            opened,
            survey,
            encoder=encoder,
            options=BuildOptions(
                dims=dims,
                kinds=kinds,
                layer_norm=layer_norm,
                overwrite=overwrite,
                restart=restart,
                query_encoder=not no_encoder,
                on_truncate=on_truncate,
                chunk_overlap=chunk_overlap,
            ),
            progress=progress,
        )
        note(f"corpus {opened.name}: {survey.count:,} documents, {opened.format}, text {survey.text_template!r}")
        for where, reason in survey.skipped.rows:
            note(f"skipped {where}: {reason}")
        note(describe_model(encoder.card, chosen=model is not None))
        for target in () if plan.chunker is not None else plan.targets:
            note(f"will build {target.describe()}")
        made = write_index(plan, out, progress=progress, note=note)
    _report(made, as_json=as_json)


def _derive(folder: Path, dims: tuple[int, ...], kinds: tuple[str, ...], *, as_json: bool) -> None:
    from searchapp.index import derive, open_index

    opened = open_index(folder)
    with ProgressBar() as progress:
        made = derive(opened, dims or (opened.manifest.dim,), kinds, progress=progress)
    new = [derived.name for derived in made.manifest.derived if derived not in opened.manifest.derived]
    note(f"added {', '.join(new)}" if new else "nothing to add: the index holds all of it already")
    _report(made, as_json=as_json)


def _report(made: "Index", *, as_json: bool) -> None:
    from searchapp.cli.info import describe, summary

    if as_json:
        print_json(summary(made))
        return
    for line in describe(made):
        typer.echo(line)
    typer.echo(f'try it: searchapp query {made.folder} "your words"')
