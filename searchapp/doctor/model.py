"""A model: where it lies, whether it needs a hub, and how long a text it takes."""

from collections.abc import Iterator

from searchapp.doctor.finding import Finding, Level
from searchapp.encoders import Encoder
from searchapp.encoders.folder import ModelFolder

LONGEST = 2_048
"""Words of the longest text that is tried: attention over more takes a minute on two cores."""


def place(source: ModelFolder, *, was_here: bool, trusted: bool, offline: bool) -> Iterator[Finding]:
    """Say where a model lies, and whether it would be found without a network.

    `was_here` is for a model that was not fetched just now, `offline` for an environment that forbids to.
    """
    figures = {"path": str(source.path), "revision": source.revision, "was_here": was_here, "HF_HUB_OFFLINE": offline}

    def said(level: Level, found: str, means: str, advice: str) -> Finding:
        return Finding("model", "offline", level, found, means, advice, figures)

    if trusted:
        yield said(
            "warning",
            f"{source.name} is loaded with --trust-remote-code",
            "its code may lie in another repository and is asked for at each start, offline or not",
            "leave --trust-remote-code out if the model loads without it",
        )
    elif source.packaged:
        yield said("ok", f"{source.name} is a Python package in {source.path}", "no hub is ever asked", "")
    elif source.revision is None:
        yield said("ok", f"{source.name} is a folder", "no hub is ever asked", "")
    elif not was_here:
        yield said(
            "note",
            f"{source.name} was not on this machine and has just been fetched, at {source.revision}",
            "a machine without a network would have stopped here",
            f"copy {source.path} there and name it with --model, or fetch the model there once",
        )
    elif offline:
        yield said("ok", f"{source.name} is in the hub cache, at {source.revision}", "HF_HUB_OFFLINE is set", "")
    else:
        yield said(
            "note",
            f"{source.name} is in the hub cache, at {source.revision}",
            "the hub is asked at each start whether there is a newer one",
            f"set HF_HUB_OFFLINE=1, or pin it with --revision {source.revision}",
        )


def length(encoder: Encoder) -> Iterator[Finding]:
    """Try a text longer than the model takes, and say where texts are cut."""
    limit = encoder.card.max_seq_length
    figures = {"max_seq_length": limit}
    words = min(2 * limit, LONGEST) if limit else LONGEST
    before = encoder.counts.truncated
    encoder.encode_documents([" ".join(["table"] * words)])
    if limit is None:
        yield Finding("model", "length", "ok", "texts of any length are read whole", "", "", figures)
    elif words > limit and encoder.counts.truncated == before:
        yield Finding(
            "model",
            "length",
            "warning",
            f"texts are cut at {limit} tokens, and one of {words} words was not counted as cut",
            "lost text is not counted, so no number here speaks of it",
            "cut long texts yourself before you index them",
            figures,
        )
    else:
        yield Finding(
            "model",
            "length",
            "ok",
            f"texts are cut at {limit} tokens (max_seq_length)",
            "name a corpus to see how many of its texts that is",
            "",
            figures,
        )
