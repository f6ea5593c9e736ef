"""An index: counts, stored vectors, derived indexes and versions. Needs no model."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from searchapp.build import library_versions
from searchapp.doctor.finding import Figure, Finding, Level, examine
from searchapp.doctor.spread import describe_spread, judge_lengths, judge_spread
from searchapp.doctor.vectors import measure_spread
from searchapp.errors import IndexFolderError
from searchapp.index import Index, Setting, open_index
from searchapp.index.manifest import Derived

SAMPLE = 4_096
"""Stored vectors that are looked at."""
SEED = 1234
MISLEADS, REBUILD = "hits would name the wrong documents", "build the index again"
CUT_SHARE = 0.1
"""From this share of cut documents on, it is worth a warning."""


def opened(folder: Path) -> Iterator[Finding]:
    """Say whether an index opens. Raises IndexFolderError if it doesn't."""
    index = open_index(folder)
    manifest = index.manifest
    size = sum(entry.bytes for entry in manifest.files.values())
    encoder = manifest.encoder
    yield Finding(
        "index",
        "opens",
        "ok",
        f"{folder}: {len(index):,} documents, {manifest.dim} dims, {size / 1e6:,.1f} MB, made with {encoder['model']}",
        "the manifest can be read and all sizes are as it says",
        "",
        {"folder": str(folder), "documents": len(index), "dim": manifest.dim, "bytes": size},
    )


def counts(index: Index) -> Iterator[Finding]:
    """Say whether documents and vectors are as many as the manifest says, and what was lost on their way in."""
    said, vectors, documents = index.manifest.rows, len(index.vectors), len(index.documents)
    figures: dict[str, Figure] = {"rows": said, "vectors": vectors, "document_rows": documents, **index.manifest.counts}
    if not said == vectors == documents:
        found = f"the manifest says {said:,} rows; there are {vectors:,} vectors and {documents:,} rows of documents"
        yield Finding("index", "counts", "problem", found, MISLEADS, REBUILD, figures)
        return
    counted = index.documents.counts()
    wrong = [
        f"{name} {index.manifest.counts[name]:,}, counted {count:,}"
        for name, count in counted.items()
        if index.manifest.counts[name] != count
    ]
    if wrong:
        found = f"the manifest's counts are not those of its documents: {', '.join(wrong)}"
        yield Finding("index", "counts", "problem", found, "its numbers can't be believed", REBUILD, figures)
        return
    shown = f"{len(index):,} documents, {counted['vectors']:,} vectors"
    yield Finding("index", "counts", "ok", shown, "counted again, as the manifest says", "", figures)
    if gone := counted["deleted"]:
        yield Finding(
            "index",
            "deleted",
            "note",
            f"{gone:,} documents are deleted; {said - counted['vectors']:,} of {said:,} rows are still stored for them",
            "no search shows them; they take disk and a little time",
            f"nothing has to be done; searchapp compact {index.folder} gives the disk back",
            {"deleted": gone, "rows": said - counted["vectors"]},
        )
    yield from _judge_losses(index)


def _judge_losses(index: Index) -> Iterator[Finding]:
    counted, limit, total = index.manifest.counts, index.manifest.encoder["max_seq_length"], len(index)
    if cut := counted["truncated"]:
        level: Level = "warning" if cut >= CUT_SHARE * total else "note"
        yield Finding(
            "index",
            "cut",
            level,
            f"{cut:,} of {total:,} documents ({cut / total:.1%}) are longer than {limit} tokens and lost "
            f"{counted['tokens_lost']:,} of them",
            "what stands behind the cut can't be found",
            "index again with --on-truncate chunk, what matters most first in --text, or a model that reads more",
            {"share": round(cut / total, 6), "tokens_lost": counted["tokens_lost"]},
        )
    for name, what in (
        ("duplicates", "have the text of an earlier document"),
        ("skipped", "bad rows were left out when it was built"),
    ):
        if counted[name]:
            yield Finding(
                "index",
                name,
                "note",
                f"{counted[name]:,} {what}",
                "duplicates take places among the hits" if name == "duplicates" else "nobody can find them",
                "searchapp doctor CORPUS lists them",
                {name: counted[name]},
            )


def vectors(index: Index) -> Iterator[Finding]:
    """Look at a seeded sample of the stored vectors."""
    total = len(index.vectors)
    drawn = np.sort(np.random.default_rng(SEED).choice(total, size=min(total, SAMPLE), replace=False))
    spread = measure_spread(index.vectors.take(drawn.astype(np.int64)))
    if spread.bad or spread.zero:
        yield Finding(
            "index",
            "vectors",
            "problem",
            f"of {spread.count:,} stored vectors {spread.bad:,} hold NaN or infinite numbers and {spread.zero:,} only "
            "zeros",
            "their documents can't be found, or are found for everything",
            "build the index again with --dtype float32, and check the model: searchapp doctor --model M",
            describe_spread(spread),
        )
        return
    yield judge_lengths("index", spread)
    if spread.count > 1:
        yield judge_spread("index", spread, of=f"{spread.count:,} stored documents, all pairs")


def derived(index: Index) -> Iterator[Finding]:
    """Search every derived index once."""
    if not index.manifest.derived:
        yield Finding(
            "index",
            "kinds",
            "problem",
            "no derived index is left",
            "nothing can be searched",
            f"searchapp index --from {index.folder} makes one, without the model",
        )
    for one in index.manifest.derived:
        look = partial(_search, index, one)
        yield from examine("index", "kind", look, means="searches of this kind fail")


def _search(index: Index, one: Derived) -> Iterator[Finding]:
    size = index.manifest.bytes_of(one)
    each = size / max(1, index.manifest.rows)
    figures: dict[str, Figure] = {
        "name": one.name,
        "bytes": size,
        "bytes_a_vector": round(each, 1),
        "trained_on": one.trained_on,
        "nprobe": one.nprobe,
    }
    shown = f"{one.name}: {size / 1e6:,.1f} MB, {each:,.0f} bytes a vector"
    shown += f", trained on {one.trained_on:,}" if one.trained_on else ""
    shown += f", {len(one.parts)} parts" if len(one.parts) > 1 else ""
    row = index.vectors.take(np.zeros(1, np.int64))
    ranking = index.search(row, max(1, min(10, len(index))), Setting(one.dim, one.kind))
    if not np.isfinite(ranking.scores).all():
        raise IndexFolderError(f"{one.name} gives scores that are no numbers; build it again")
    yield Finding("index", "kind", "ok", shown, "opens and answers", "", figures)


def versions(index: Index) -> Iterator[Finding]:
    """Compare the libraries an index was made with and those that are here."""
    then, now = index.manifest.versions, library_versions()
    changed = {name: (was, now.get(name, "none")) for name, was in then.items() if now.get(name) != was}
    if not changed:
        yield Finding("index", "versions", "ok", "made with the versions that are installed here", "", "")
        return
    shown = ", ".join(f"{name} {was} (here {here})" for name, (was, here) in changed.items())
    yield Finding(
        "index",
        "versions",
        "note",
        f"made with other versions: {shown}",
        "vectors may differ in the last digits; the canaries below tell whether it matters",
        "nothing as long as the contract holds; adding documents later is best done with the versions it was made with",
        {name: {"then": was, "now": here} for name, (was, here) in changed.items()},
    )
