"""A step, and an epoch, of our training gives the very weights of a plain script of sentence-transformers."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.train.recipe import LossSpec, Recipe
from searchapp.train.run import train_model
from tests.models_on_disk import make_bge, make_roberta, quiet
from tests.train.small import held_out, rows, small_recipe, weights, write_rows

DIMS = (64, 32, 16)
MATRYOSHKA = LossSpec(matryoshka_dims=DIMS)
CACHED = LossSpec(name="CachedMultipleNegativesRankingLoss", scale=30.0, mini_batch_size=2)


def plain_script(recipe: Recipe, out: Path) -> Path:
    """Train as the library's documentation shows, with nothing of ours; return the model's folder."""
    with quiet():
        from datasets import Dataset
        from sentence_transformers import (
            SentenceTransformer,
            SentenceTransformerTrainer,
            SentenceTransformerTrainingArguments,
        )
        from sentence_transformers.base.sampler import BatchSamplers
        from sentence_transformers.sentence_transformer.losses import (
            CachedMultipleNegativesRankingLoss,
            MatryoshkaLoss,
            MultipleNegativesRankingLoss,
        )

        model = SentenceTransformer(recipe.model.base, device="cpu")
        model.max_seq_length = 32
        if recipe.loss == CACHED:
            loss = CachedMultipleNegativesRankingLoss(model, scale=30.0, mini_batch_size=2)
        else:
            loss = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model, scale=20.0), list(DIMS))
        arguments = SentenceTransformerTrainingArguments(
            output_dir=str(out / "trainer"),
            num_train_epochs=1,
            max_steps=recipe.training.max_steps or -1,
            per_device_train_batch_size=4,
            gradient_accumulation_steps=recipe.training.accumulation,
            learning_rate=1e-3,
            lr_scheduler_type="cosine",
            warmup_steps=recipe.training.warmup_ratio,
            optim="adamw_torch",
            seed=42,
            batch_sampler=BatchSamplers.NO_DUPLICATES,
            prompts={"anchor": "query: ", "positive": "passage: ", "negative": "passage: "},
            report_to="none",
            save_strategy="no",
            use_cpu=True,
            disable_tqdm=True,
        )
        data = Dataset.from_list(rows())
        SentenceTransformerTrainer(model=model, args=arguments, train_dataset=data, loss=loss).train()
        model.save_pretrained(str(out / "plain"), create_model_card=False)
    return out / "plain"


@pytest.mark.parametrize("steps", [1, 0], ids=["one step", "one epoch"])
@pytest.mark.parametrize(
    ("make", "loss", "accumulation"),
    [(make_roberta, MATRYOSHKA, 1), (make_bge, MATRYOSHKA, 2), (make_roberta, CACHED, 1)],
    ids=["roberta", "bge, accumulated", "roberta, cached"],
)
def test_our_weights_are_those_of_a_plain_script(
    tmp_path: Path, make: Callable[[Path], Path], loss: LossSpec, accumulation: int, steps: int
) -> None:
    base = make(tmp_path / "base")
    recipe = replace(small_recipe(base), loss=loss)
    # The first step of a warm-up has a rate of 0, and would prove nothing.
    warmup = 0.0 if steps == 1 else 0.25
    training = replace(recipe.training, max_steps=steps, accumulation=accumulation, warmup_ratio=warmup)
    recipe = replace(recipe, training=training)
    data = write_rows(tmp_path / "rows.jsonl")
    # Judging on the way must not change what is learned.
    train_model(recipe, data, tmp_path / "ours", judged_on=write_rows(tmp_path / "held-out.jsonl", held_out()))
    ours, plain, before = weights(tmp_path / "ours"), weights(plain_script(recipe, tmp_path)), weights(base)
    assert ours.keys() == plain.keys()
    assert {name for name in ours if not np.array_equal(ours[name], plain[name])} == set()
    assert sum(not np.array_equal(ours[name], before[name]) for name in ours) > len(ours) / 2
