"""An index and the encoder its queries get: the contract, the canaries, and what a query needs."""

from collections.abc import Iterator
from pathlib import Path

from searchapp.doctor.finding import Finding
from searchapp.doctor.vectors import paired_cosines
from searchapp.encoders import Encoder
from searchapp.encoders.exported import open_exported
from searchapp.errors import BadVectorsError
from searchapp.index import Index
from searchapp.search import CANARY_COSINE, Searcher


def contract(index: Index, encoder: Encoder) -> Iterator[Finding]:
    """Hold an encoder against the contract and encode the canaries again. Raises ContractError, BadVectorsError."""
    made, card = index.manifest.encoder, encoder.card
    figures = compare(index, encoder)
    shown = f"{len(index.manifest.canary_texts)} texts encoded again: cosine with then at least "
    shown += f"{min(figures['query'], figures['document']):.6f}"
    if made["dtype"] != card.dtype:
        yield Finding(
            "index",
            "contract",
            "note",
            f"documents were encoded in {made['dtype']}, queries are in {card.dtype} here; {shown}",
            "scores are off by about as much as that cosine is off 1",
            "nothing; near ties may change places between machines",
            figures,
        )
        return
    yield Finding(
        "index",
        "contract",
        "ok",
        f"model, prompts, pooling and length are those it was made with; {shown}",
        "queries and documents fit together",
        "",
        figures,
    )


def compare(index: Index, encoder: Encoder) -> dict[str, float]:
    """Return the least cosine of the canaries as they are encoded now and as they were, by role.

    Raises ContractError and BadVectorsError as Searcher does.
    """
    Searcher(index, encoder)
    roles = (("query", encoder.encode_queries), ("document", encoder.encode_documents))
    figures = {}
    # Searcher looks at one role where both were alike; a check-up has the time for both.
    for (role, encode), stored in zip(roles, index.canaries, strict=True):
        least = float(paired_cosines(stored, encode(index.manifest.canary_texts)).min())
        if not least >= CANARY_COSINE:
            raise BadVectorsError(
                f"{encoder.card.model} on {encoder.card.runtime} gives a test text as {role} another vector than it "
                f"had (cosine {least:.3f}); try --dtype float32, or --device cpu"
            )
        figures[role] = round(least, 6)
    return {**figures, "least": CANARY_COSINE}


def readiness(index: Index) -> Iterator[Finding]:
    """Say what a query of this index needs on another machine; raises as `compare` and `open_exported` do."""
    if index.encoder_folder is None:
        yield _bare(index)
    else:
        yield _carried(index, index.encoder_folder)


def _bare(index: Index) -> Finding:
    made = index.manifest.encoder
    torch = made["runtime"] == "torch"
    return Finding(
        "index",
        "offline",
        "note",
        f"the folder carries no query encoder: a query needs the model {made['model']}"
        + (" and torch" if torch else ""),
        "a machine it is copied to needs them too",
        f"copy the model's folder along and type: searchapp query {index.folder} WORDS --model FOLDER",
        {"carries_encoder": False, "torch": torch},
    )


def _carried(index: Index, folder: Path) -> Finding:
    encoder = open_exported(folder)
    cosines = compare(index, encoder)
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Finding(
        "index",
        "offline",
        "ok",
        f"the folder carries its query encoder ({encoder.card.runtime}, {size / 1e6:,.1f} MB), whose canaries have "
        f"cosine {min(cosines['query'], cosines['document']):.6f} or more with the model's",
        "a query needs neither torch nor the model nor a hub, wherever the folder is copied to",
        "",
        {"carries_encoder": True, "torch": False, "bytes": size, **cosines},
    )
