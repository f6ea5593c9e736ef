"""What is done about documents longer than the model sees: `warn`, `error` or `chunk`."""

from collections.abc import Callable, Iterable

from searchapp.encoders import Encoder
from searchapp.encoders.chunks import Chunker, open_chunker
from searchapp.errors import InputError, UsageError
from searchapp.index import Manifest
from searchapp.records import Document
from searchapp.shards import cut_rows, cut_windows

WARN, ERROR, CHUNK = "warn", "error", "chunk"
ON_TRUNCATE: tuple[str, ...] = (WARN, ERROR, CHUNK)
"""Leave the ends out and say so, refuse the corpus, or index long documents in pieces."""


def choose_chunker(encoder: Encoder, on_truncate: str, overlap: int | None) -> Chunker | None:
    """Return what tells long documents and cuts them; None where nothing is to be done, or no text is too long.

    Raises UsageError for options that make no sense, ModelError where the model's tokens can't be told.
    """
    if on_truncate not in ON_TRUNCATE:
        raise UsageError(f"--on-truncate is {on_truncate!r}; type one of {', '.join(ON_TRUNCATE)}")
    if overlap is not None and on_truncate != CHUNK:
        raise UsageError(
            f"--chunk-overlap goes with --on-truncate chunk, and it is {on_truncate}; leave one of them away"
        )
    return None if on_truncate == WARN else open_chunker(encoder, overlap)


def refuse_long(documents: Iterable[Document], chunker: Chunker, progress: Callable[[int], None]) -> None:
    """Raise InputError naming the first document with more tokens than the model sees; a pass of the tokenizer alone.

    `progress` is called with the number of documents looked at so far.
    """
    done = 0
    for window in cut_windows(documents):
        for document, tokens in zip(window, chunker.lengths([one.text for one in window]), strict=True):
            if tokens > chunker.limit:
                raise InputError(
                    f"{document.where}: the text of {document.doc_id!r} has {tokens:,} tokens, prompt included, and "
                    f"the model sees {chunker.limit:,}; shorten it, or type --on-truncate chunk to index it in pieces, "
                    "--on-truncate warn to leave its end out"
                )
        done += len(window)
        progress(done)


def count_rows(documents: Iterable[Document], chunker: Chunker) -> int:
    """Return how many rows documents become, by a pass of the tokenizer alone."""
    return sum(len(cut_rows(window, chunker)) for window in cut_windows(documents))


def describe_loss(manifest: Manifest) -> str | None:
    """Say in one line how much of an index's documents can't be found; None where nothing was cut off."""
    cut, lost = manifest.counts["truncated"], manifest.counts["tokens_lost"]
    if not cut:
        return None
    return (
        f"{cut:,} of {manifest.documents:,} documents are longer than the {manifest.encoder['max_seq_length']} tokens "
        f"the model sees: {lost:,} tokens at their ends are in no vector; type --on-truncate chunk to index such "
        "documents in pieces, --on-truncate error to refuse them"
    )
