"""The same judgments by sentence-transformers' own evaluators, at a cut width."""

import warnings
from collections.abc import Sequence
from typing import Any

from searchapp.metrics import SIMILARITIES
from searchapp.prompts import Prompts
from searchapp.records import ScoredPair, Triplet
from searchapp.train.retrieval_judge import Asked

PEER_NAMES = list(SIMILARITIES)


def load_peer(path: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import torch
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(path, device="cpu", model_kwargs={"dtype": torch.float32})


def peer_triplets(model: Any, triplets: Sequence[Triplet], dim: int) -> dict[str, float]:
    from sentence_transformers.sentence_transformer.evaluation import TripletEvaluator

    evaluator = TripletEvaluator(
        [one.anchor for one in triplets],
        [one.positive for one in triplets],
        [one.negatives[0] for one in triplets],
        similarity_fn_names=PEER_NAMES,  # type: ignore[arg-type]
        truncate_dim=dim,
        write_csv=False,
    )
    return call(evaluator, model)


def peer_pairs(model: Any, pairs: Sequence[ScoredPair], dim: int) -> dict[str, float]:
    from sentence_transformers.sentence_transformer.evaluation import EmbeddingSimilarityEvaluator

    evaluator = EmbeddingSimilarityEvaluator(
        [one.sentence1 for one in pairs],
        [one.sentence2 for one in pairs],
        [one.score for one in pairs],
        similarity_fn_names=PEER_NAMES,  # type: ignore[arg-type]
        truncate_dim=dim,
        write_csv=False,
    )
    return call(evaluator, model)


def call(evaluator: Any, model: Any) -> dict[str, float]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return {name: float(value) for name, value in evaluator(model).items()}


def peer_retrieval(model: Any, asked: Asked, prompts: Prompts, dim: int) -> dict[str, float]:
    """Judge with these prompts: of a model without a `document` prompt the peer would take none for documents."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    evaluator = InformationRetrievalEvaluator(
        {query.query_id: query.text for query in asked.queries},
        {document.doc_id: document.text for document in asked.documents},
        {query_id: {doc_id for doc_id, grade in judged.items() if grade} for query_id, judged in asked.qrels.items()},
        truncate_dim=dim,
        write_csv=False,
        query_prompt=prompts.query,
        corpus_prompt=prompts.document,
    )
    return call(evaluator, model)
