"""Losses by their names in sentence-transformers."""

from typing import TYPE_CHECKING, Any

from searchapp.errors import UsageError
from searchapp.optional import require
from searchapp.train.recipe import LossSpec

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def make_loss(spec: LossSpec, model: "SentenceTransformer") -> Any:
    """Return the loss of a recipe for a model, a torch module; raise UsageError for dims that the model doesn't have.

    In-batch negatives: the positives and hard negatives of all rows of a batch are candidates for every anchor, and
    the loss is cross entropy over scaled similarities. MatryoshkaLoss adds it up over cut, renormalised vectors.
    """
    losses = require("sentence_transformers.sentence_transformer.losses", extra="train")
    similarity = getattr(require("sentence_transformers.util", extra="train"), spec.similarity)
    if spec.name == "CachedMultipleNegativesRankingLoss":
        loss = losses.CachedMultipleNegativesRankingLoss(
            model, scale=spec.scale, similarity_fct=similarity, mini_batch_size=spec.mini_batch_size
        )
    else:
        loss = losses.MultipleNegativesRankingLoss(model, scale=spec.scale, similarity_fct=similarity)
    if not spec.matryoshka_dims:
        return loss
    width = model.get_embedding_dimension() or 0
    if max(spec.matryoshka_dims) > width:
        raise UsageError(
            f"loss.matryoshka_dims asks for {max(spec.matryoshka_dims)} dims, and the model has {width}; type "
            f"--set loss.matryoshka_dims={','.join(map(str, _fitting(spec.matryoshka_dims, width)))}"
        )
    weights = list(spec.matryoshka_weights) or None
    return losses.MatryoshkaLoss(model, loss, list(spec.matryoshka_dims), matryoshka_weights=weights)


def _fitting(dims: tuple[int, ...], width: int) -> list[int]:
    return [width, *(dim for dim in dims if dim < width)]
