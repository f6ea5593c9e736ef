"""Losses: the very ones of sentence-transformers that the recipe names, with its numbers, by value."""

from collections.abc import Iterator
from typing import Any

import pytest

from searchapp.encoders.folder import find_folder
from searchapp.errors import UsageError
from searchapp.prompts import Prompts
from searchapp.train.base import open_base
from searchapp.train.losses import make_loss
from searchapp.train.recipe import LossSpec, ModelSpec, Recipe
from tests.encoders.conftest import Build
from tests.models_on_disk import quiet

ANCHORS = ["red bag", "oak table", "kitchen tap"]
POSITIVES = ["a bag of red leather", "a table", "taps repaired"]


@pytest.fixture
def model(built: Build) -> Iterator[Any]:
    base = str(built("roberta"))
    with quiet():
        yield open_base(
            Recipe("r", "", ModelSpec(base), Prompts()), find_folder(base), device="cpu", trust=False
        ).eval()


def value(loss: Any, model: Any) -> float:
    import torch

    with torch.no_grad():
        return float(loss([model.preprocess(ANCHORS), model.preprocess(POSITIVES)], None))


def by_hand(model: Any, scale: float, dim: int, *, units: bool = True) -> float:
    """Cross entropy of every anchor's similarities to all positives, from NumPy alone."""
    import numpy as np

    left, right = (model.encode(texts, convert_to_numpy=True)[:, :dim] for texts in (ANCHORS, POSITIVES))
    if units:
        left, right = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (left, right))
    scores = scale * (left @ right.T).astype(np.float64)
    return float(np.mean(np.log(np.exp(scores - scores.max()).sum(axis=1)) + scores.max() - np.diag(scores)))


@pytest.mark.parametrize("name", ["MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"])
@pytest.mark.parametrize("scale", [20.0, 5.0])
def test_name_and_scale(model: Any, name: Any, scale: float) -> None:
    loss = make_loss(LossSpec(name, scale, mini_batch_size=2), model)
    assert type(loss).__name__ == name
    assert value(loss, model) == pytest.approx(by_hand(model, scale, 64), rel=1e-4)
    assert getattr(loss, "mini_batch_size", 2) == 2


def test_similarity(model: Any) -> None:
    loss = make_loss(LossSpec(scale=0.1, similarity="dot_score"), model)
    assert value(loss, model) == pytest.approx(by_hand(model, 0.1, 64, units=False), rel=1e-4)


@pytest.mark.parametrize("weights", [(), (1.0, 0.5, 0.25)])
def test_matryoshka_adds_up_every_dim_by_its_weight(model: Any, weights: tuple[float, ...]) -> None:
    dims = (64, 32, 8)
    parts = [by_hand(model, 20.0, dim) for dim in dims]
    loss = make_loss(LossSpec(matryoshka_dims=dims, matryoshka_weights=weights), model)
    expected = sum(weight * part for weight, part in zip(weights or (1, 1, 1), parts, strict=True))
    assert value(loss, model) == pytest.approx(expected, rel=1e-4)


def test_dims_the_model_lacks_are_refused_with_those_it_has(model: Any) -> None:
    with pytest.raises(UsageError, match=r"asks for 768 dims, and the model has 64; .*matryoshka_dims=64,32,16$"):
        make_loss(LossSpec(matryoshka_dims=(768, 512, 64, 32, 16)), model)
