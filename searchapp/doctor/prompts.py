"""Prompts: which there are, whether they are applied, and what difference they make."""

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from searchapp.doctor.finding import Finding, Level
from searchapp.doctor.vectors import paired_cosines
from searchapp.encoders import CANARIES, Encoder

SAME = 1e-4
"""Cosines this near to 1 are of one vector, batches and half precision aside."""


class _Said(Protocol):
    """Makes a finding of one check."""

    def __call__(self, level: Level, found: str, means: str, advice: str = "", /) -> Finding: ...


def prompts(encoder: Encoder, *, packaged: bool, source: str | None = None) -> Iterator[Finding]:
    """Say which prompts there are, whether they are applied, and what difference they make to one text.

    `packaged` is for a model that is known to take what it is given; `source` says where the prompts of a contract
    came from when it was made.
    """
    given, text = encoder.card.prompts, CANARIES[0]
    source = source or given.source
    query = encoder.encode_queries([text, given.query + text])
    document = encoder.encode_documents([text, given.document + text])
    between = float(paired_cosines(query[:1], document[:1])[0])
    applied = [float(paired_cosines(rows[:1], rows[1:])[0]) for rows in (query, document)]
    figures = {
        "query": given.query,
        "document": given.document,
        "source": source,
        "cosine_query_document": round(between, 6) if np.isfinite(between) else None,
    }
    shown = f"query {given.query!r}, document {given.document!r} (from {source})"
    cosine = f"; one text as query and as document: cosine {between:.3f}"

    def said(level: Level, found: str, means: str, advice: str = "") -> Finding:
        return Finding("model", "prompts", level, found, means, advice, figures)

    if not given.query and not given.document:
        yield from _without_prompts(said, source, cosine, packaged=packaged)
    elif not min(applied) >= 1 - SAME:
        yield said(
            "problem",
            f"{shown}, but typed in front of a text it gives another vector (cosine {min(applied):.3f}) than unasked",
            "the prompt is not applied, or twice: rankings are worth little",
            "report it with the model's name; till then give both with --query-prompt and --document-prompt",
        )
    elif given.query != given.document and between >= 1 - 1e-6:
        yield said(
            "warning",
            f"{shown}{cosine}",
            "the prompts make no difference: the model can't read them",
            'judge it without: searchapp bench DATASET --query-prompt "" --document-prompt ""',
        )
    else:
        yield said("ok", f"{shown}{cosine}", "applied unasked, once, by index, query and bench")


def _without_prompts(said: "_Said", source: str, cosine: str, *, packaged: bool) -> Iterator[Finding]:
    """Judge a model for which no prompts are known."""
    if ", though its base" in source:
        yield said(
            "warning",
            f"prompts: {source}{cosine}",
            "who trained it may have trained with them; then search without them is much worse",
            "read its card; if it was trained with them, type --query-prompt and --document-prompt",
        )
    elif source == "none" and not packaged:
        yield said(
            "note",
            f"no prompts are known for this model{cosine}",
            "right if it was trained without; if not, search is much worse (embeddinggemma .306 instead of .715)",
            "read its card; if it names some, type --query-prompt and --document-prompt",
        )
    else:
        by_option = " by option" if source == "option" else ""
        yield said("ok", f"no prompts{by_option}{cosine}", "" if by_option else "this model takes none")
