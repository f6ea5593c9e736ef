"""`searchapp info`: the manifest, readable."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import guarded, print_json

if TYPE_CHECKING:
    from searchapp.index import Index


@guarded
def info(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="An index folder.")],
    as_json: options.Json = False,
) -> None:
    """Show what an index is and what it was made from.

    Examples:

        searchapp info indexes/shop

        searchapp info indexes/shop --json
    """
    from searchapp.index import open_index

    opened = open_index(folder)
    if as_json:
        print_json(summary(opened), indent=2)
        return
    for line in describe(opened):
        typer.echo(line)


def summary(opened: "Index") -> dict[str, object]:
    """Return the manifest with the folder's place and size, for `--json`."""
    manifest = opened.manifest
    return {
        "index": str(opened.folder),
        "documents": len(opened),
        "bytes": sum(entry.bytes for entry in manifest.files.values()),
        **manifest.to_json(),
    }


MANY_PARTS, MANY_DELETED = 8, 0.2
"""More parts than this, or a larger share of deleted documents, make compacting worth it."""


def compact_advice(opened: "Index") -> str:
    """Say that an index should be compacted, and why; nothing where it needn't."""
    manifest = opened.manifest
    parts = _most_parts(opened)
    deleted = manifest.counts["deleted"]
    share = deleted / max(1, deleted + len(opened))
    reasons = [f"{parts} parts"] * (parts > MANY_PARTS) + [f"{share:.0%} of its rows are deleted"] * (
        share > MANY_DELETED
    )
    if not reasons or not len(opened):
        return ""
    return f"{' and '.join(reasons)} slow searches down; type: searchapp compact {opened.folder}"


def _most_parts(opened: "Index") -> int:
    return max((len(derived.parts) for derived in opened.manifest.derived), default=1)


def describe(opened: "Index") -> Iterator[str]:
    """Yield the manifest in plain lines."""
    from searchapp.layout import ENCODER

    manifest = opened.manifest
    encoder, counts = manifest.encoder, manifest.counts
    size = sum(entry.bytes for entry in manifest.files.values())
    yield f"index {opened.folder}: {len(opened):,} documents, {size / 1e6:,.1f} MB"
    corpus = manifest.corpus
    yield f"  corpus    {corpus['name']} ({corpus['format']}), text {corpus['text_template']!r}"
    yield f"  model     {encoder['model']}, {manifest.dim} dims, {encoder['pooling']} pooling, {encoder['dtype']}"
    prompts = encoder["prompts"]
    if isinstance(prompts, dict):
        yield f"  prompts   query {prompts['query']!r}, document {prompts['document']!r} (from {prompts['source']})"
    if manifest.chunk_overlap is not None:
        yield (
            f"  chunks    {counts['vectors']:,} of at most {encoder['max_seq_length']} tokens, neighbours share "
            f"{manifest.chunk_overlap}"
        )
    if manifest.query_encoder is not None:
        stored = sum(entry.bytes for name, entry in manifest.files.items() if name.startswith(f"{ENCODER}/"))
        yield f"  carries   its query encoder ({manifest.query_encoder}), {stored / 1e6:,.1f} MB"
    for count, what in (
        (
            counts.get("truncated"),
            f"longer than {encoder['max_seq_length']} tokens; {counts['tokens_lost']:,} lost",
        ),
        (counts.get("already_prefixed"), "had the prompt already and were left as they are"),
        (counts.get("duplicates"), "have the text of an earlier document"),
        (counts.get("skipped"), "bad rows were skipped"),
    ):
        if count:
            yield f"  counted   {count:,} {what}"
    if manifest.generation:
        parts, gone = _most_parts(opened), counts["deleted"]
        yield f"  changed   {manifest.generation:,} times since it was built: {parts} parts, {gone:,} deleted"
    if advice := compact_advice(opened):
        yield f"  advice    {advice}"
    for derived in manifest.derived:
        each = manifest.bytes_of(derived) / max(1, manifest.rows)
        searched = "".join(
            f", {name} {value}" for name, value in (("nprobe", derived.nprobe), ("rescore", derived.rescore)) if value
        )
        trained = f", trained on {derived.trained_on:,}" if derived.trained_on else ""
        yield f"  {derived.name:<9} {derived.factory}: {each:,.0f} bytes a vector{trained}{searched}"
