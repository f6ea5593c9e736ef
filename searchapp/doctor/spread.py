"""Whether vectors are finite, of which length, and apart: collapse and anisotropy."""

from collections.abc import Iterator

import numpy as np

from searchapp.doctor.finding import Finding
from searchapp.doctor.vectors import COLLAPSING, CROWDED, Spread, measure_spread
from searchapp.encoders import CANARIES, Encoder, check_encoder
from searchapp.errors import BadVectorsError


def vectors(encoder: Encoder) -> Iterator[Finding]:
    """Say whether the vectors of unlike texts are finite, of which length, and apart."""
    found = encoder.encode_documents(CANARIES)
    spread = measure_spread(found)
    figures = describe_spread(spread)
    try:
        check_encoder(encoder)
    except BadVectorsError as error:
        text, _, advice = str(error).rpartition("; ")
        means = "nothing can be found with such vectors; index and bench refuse this model"
        yield Finding("model", "vectors", "problem", text, means, advice, figures)
        return
    yield judge_lengths("model", spread)
    yield judge_spread("model", spread, of=f"{len(CANARIES)} unlike texts")


def judge_lengths(part: str, spread: Spread) -> Finding:
    """Judge how long vectors are."""
    figures = describe_spread(spread)
    if spread.is_unit:
        return Finding(part, "norms", "ok", "vectors have length 1", "cosine and dot product rank alike", "", figures)
    return Finding(
        part,
        "norms",
        "note",
        f"vectors are {spread.shortest:.3g} to {spread.longest:.3g} long",
        "searchapp compares by cosine, so it makes no difference here; a dot product elsewhere ranks otherwise",
        "nothing here; make them unit length for a tool that takes dot products",
        figures,
    )


def judge_spread(part: str, spread: Spread, *, of: str) -> Finding:
    """Judge how far apart the vectors of unlike texts are: collapse and anisotropy."""
    figures = describe_spread(spread)
    found = f"mean cosine of {of}: {spread.mean_cosine:.3f}"
    if spread.mean_cosine >= COLLAPSING:
        return Finding(
            part,
            "spread",
            "warning",
            found,
            "nearly one vector for everything: the model has collapsed, or nearly, or never learned",
            "judge it beside another before you trust it: searchapp bench DATASET --models THIS,minilm",
            figures,
        )
    if spread.mean_cosine >= CROWDED:
        return Finding(
            part,
            "spread",
            "note",
            found,
            "all texts lie in a narrow cone (anisotropy, common with E5 and its like): order is fine, scores look high",
            "rank by scores; don't cut them off at a fixed number such as 0.5",
            figures,
        )
    return Finding(part, "spread", "ok", found, "unlike texts are told apart", "", figures)


def describe_spread(spread: Spread) -> dict[str, float | int]:
    """Return the figures of a spread for JSON."""
    names = ("count", "bad", "zero", "shortest", "longest", "mean_cosine")
    values = {name: getattr(spread, name) for name in names}
    return {name: round(value, 6) for name, value in values.items() if np.isfinite(value)}
