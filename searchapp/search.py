"""The read path: Searcher(index, encoder).search(texts, k) -> hits. What `query` serves is what `bench` measures."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from searchapp.encoders.base import Encoder
from searchapp.encoders.exported import open_exported
from searchapp.encoders.options import EncoderOptions
from searchapp.errors import BadVectorsError, ContractError, MissingExtraError, ModelError
from searchapp.index.folder import Index, Setting
from searchapp.index.opening import open_index
from searchapp.index.ranking import NO_ROW, Ranking
from searchapp.records import Hit

CANARY_COSINE = 0.99
"""A runtime in half precision stays well above this; another model, prompt or pooling falls far below."""


class Searcher:
    """An index and the encoder its queries need, checked against each other when they meet.

    Raises ContractError where the encoder is not the one the index was made with, BadVectorsError where it gives NaN.
    """

    def __init__(self, index: Index, encoder: Encoder) -> None:
        _check_contract(index, encoder)
        _check_canaries(index, encoder)
        self.index = index
        self.encoder = encoder

    def search(self, texts: Sequence[str], k: int = 10, *, setting: Setting = Setting()) -> list[list[Hit]]:
        r"""Return the best k hits of every text, best first: score descending, then doc_id ascending.

        >>> import tempfile
        >>> from searchapp import Searcher, build_index, load_encoder, open_corpus
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "shop.csv").write_text("id,text\nb1,red leather bag\nk1,kettle\n")
        >>> encoder = load_encoder("minilm")
        >>> index = build_index(open_corpus(folder / "shop.csv"), folder / "shop", encoder=encoder)
        >>> [hit.doc_id for hit in Searcher(index, encoder).search(["boil water"], 2)[0]]
        ['k1', 'b1']
        """
        vectors = self.encoder.encode_queries(texts)
        found = self.hits(self.index.search(vectors, k, setting))
        return [hits if vector.any() else [] for hits, vector in zip(found, vectors, strict=True)]

    def hits(self, ranking: Ranking) -> list[list[Hit]]:
        """Return the hits a ranking stands for, with their stored fields."""
        documents = self.index.documents
        found = []
        for rows, scores in zip(ranking.rows, ranking.scores, strict=True):
            real = rows != NO_ROW
            rows, scores = rows[real], scores[real]
            hits = zip(documents.ids(rows), scores.tolist(), rows.tolist(), strict=True)
            found.append(
                [Hit(rank, doc_id, score, documents.fields(row)) for rank, (doc_id, score, row) in enumerate(hits, 1)]
            )
        return found


def open_searcher(
    folder: str | Path, *, options: EncoderOptions = EncoderOptions(), model: str | None = None
) -> Searcher:
    """Open an index with the query encoder it carries, or with the one its contract names.

    `model` says where that model lies now, if not where it was; `options` may choose the device. Prompts are those of
    the contract. Raises as `open_index`, `load_query_encoder` and `Searcher` do.
    """
    index = open_index(folder)
    return Searcher(index, load_query_encoder(index, options=options, model=model))


def load_query_encoder(
    index: Index, *, options: EncoderOptions = EncoderOptions(), model: str | None = None
) -> Encoder:
    """Open the encoder an index carries; load the model where it carries none, or something else is asked for.

    Raises ModelError where what it carries is damaged, MissingExtraError where neither that nor the model can run here,
    and as `load_encoder` does.
    """
    folder = index.encoder_folder
    if folder is None or not _suits(index, options, model):
        return load_contract_encoder(index, options=options, model=model)
    try:
        return open_exported(folder)
    except MissingExtraError as missing:
        try:
            return load_contract_encoder(index, options=options)
        except (ModelError, MissingExtraError) as error:
            raise MissingExtraError(f"{missing}; the model itself can't be had instead: {error}") from error


def _suits(index: Index, options: EncoderOptions, model: str | None) -> bool:
    """Tell whether what an index carries, float32 on the CPU, is what is asked for."""
    return (
        model is None
        and options.device in (None, "cpu")
        and options.dtype in ("auto", "float32")
        and options.precision in ("auto", "int8" if index.manifest.encoder["dtype"] == "int8" else "float32")
        and options.runtime in ("auto", index.manifest.query_encoder)
    )


def load_contract_encoder(
    index: Index, *, options: EncoderOptions = EncoderOptions(), model: str | None = None
) -> Encoder:
    """Load the encoder an index was made with, with the prompts it was made with."""
    from searchapp.encoders.load import load_encoder

    made = index.manifest.encoder
    prompts = _mapping(made["prompts"])
    revision = made["revision"]
    precision = "int8" if made["dtype"] == "int8" and options.precision == "auto" else options.precision
    wanted = dataclasses.replace(
        options,
        precision=precision,
        revision=options.revision or (str(revision) if revision and model is None else None),
        query_prompt=str(prompts["query"]),
        document_prompt=str(prompts["document"]),
    )
    try:
        return load_encoder(model or str(made["model"]), wanted)
    except ModelError as error:
        if model is not None:
            raise
        raise ModelError(f"{error}; if the index's model lies elsewhere now, type --model with its folder") from error


def _check_contract(index: Index, encoder: Encoder) -> None:
    """Compare what decides the vectors, name by name, and name both sides where they differ."""
    made, card = index.manifest.encoder, encoder.card
    prompts = _mapping(made["prompts"])
    pairs: list[tuple[str, object, object]] = [
        ("weights", made["fingerprint"], card.fingerprint),
        ("dim", made["dim"], card.dim),
        ("query prompt", prompts["query"], card.prompts.query),
        ("document prompt", prompts["document"], card.prompts.document),
        ("pooling", made["pooling"], card.pooling),
        ("max_seq_length", made["max_seq_length"], card.max_seq_length),
    ]
    for name, stored, found in pairs:
        if stored != found:
            raise ContractError(
                f"{index.folder} was made with {made['model']} ({name} {_short(stored)}), this is {card.model} "
                f"({name} {_short(found)}); use the model it was made with, or index again with this one"
            )


def _check_canaries(index: Index, encoder: Encoder) -> None:
    """Encode the manifest's canary texts again and compare them with the stored vectors."""
    texts = index.manifest.canary_texts
    queries, documents = index.canaries
    checks = [("query", queries, encoder.encode_queries), ("document", documents, encoder.encode_documents)]
    prompts = encoder.card.prompts
    # An encoder that treats both roles alike has said all with one of them; a query should not wait for the other.
    one_function = getattr(encoder, "roles_are_prompts", False)
    alike = one_function and prompts.query == prompts.document and np.array_equal(queries, documents)
    for role, stored, encode in checks[: 1 if alike else 2]:
        found = encode(texts)
        if not np.isfinite(found).all():
            raise BadVectorsError(
                f"{encoder.card.model} on {encoder.card.runtime} gives NaN for the {role} {texts[0]!r}; "
                "try --dtype float32, or --device cpu"
            )
        lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(found, axis=1)
        cosines = np.einsum("nd,nd->n", stored, found) / np.where(lengths == 0, 1, lengths)
        if cosines.min() < CANARY_COSINE:
            text = texts[int(cosines.argmin())]
            raise ContractError(
                f"{index.folder} was made where {index.manifest.encoder['model']} gave the {role} {text!r} another "
                f"vector (cosine {cosines.min():.3f} between then and now); check the model's files, its versions in "
                f"`searchapp info {index.folder}` against yours, and the device"
            )


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ContractError(f"the manifest's prompts are {value!r} where a query and a document prompt were expected")
    return value


def _short(value: object) -> str:
    text = repr(value) if value == "" or not isinstance(value, str) else value
    return text if len(text) <= 60 else f"{text[:12]}..."
