"""The packaged recipes, value by value, against the published models they follow."""

import tomllib
from importlib import resources

import pytest

from searchapp.prompts import Prompts
from searchapp.train.recipe_fields import get_field, hints, tree_of
from searchapp.train.recipe_file import open_recipe, recipe_names

NOMIC = {
    "model.base": "nomic-ai/nomic-embed-text-v1.5",
    "model.start": "pretrained",
    "model.pooling": "mean",
    "model.normalize": False,
    "model.max_seq_length": 8192,
    "prompts.query": "search_query: ",
    "prompts.document": "search_document: ",
    "data.text": "{product_title}, {product_brand}, {product_color}",
    "loss.name": "CachedMultipleNegativesRankingLoss",
    "loss.scale": 20.0,
    "loss.similarity": "cos_sim",
    "loss.matryoshka_dims": (),
    "training.batch_size": 4,
    "training.accumulation": 2,
    "training.learning_rate": 1e-6,
    "training.schedule": "cosine",
    "training.warmup_ratio": 0.1,
    "training.epochs": 3.0,
    "training.weight_decay": 0.0,
    "training.precision": "fp32",
    "training.tf32": False,
    "training.optimizer": "adamw_torch",
    "training.sampler": "no_duplicates",
    "training.keep": "best",
    "judge.task": "triplets",
    "judge.name": "triplet-esci",
    "judge.every": 1000,
    "judge.measure": "cosine_accuracy",
}
ROBERTA = {
    "model.base": "distilroberta-base",
    "model.start": "pretrained",
    "model.pooling": "mean",
    "model.normalize": False,
    "model.max_seq_length": 512,
    "prompts.query": "",
    "prompts.document": "",
    "data.text": "",
    "loss.name": "MultipleNegativesRankingLoss",
    "loss.scale": 20.0,
    "loss.similarity": "cos_sim",
    "loss.matryoshka_dims": (768, 512, 256, 128, 64, 32, 16),
    "training.batch_size": 128,
    "training.accumulation": 1,
    "training.learning_rate": 5e-5,
    "training.schedule": "linear",
    "training.warmup_ratio": 0.1,
    "training.epochs": 1.0,
    "training.weight_decay": 0.0,
    "training.precision": "fp16",
    "training.tf32": False,
    "training.optimizer": "adamw_torch",
    "training.sampler": "no_duplicates",
    "training.keep": "last",
    "judge.task": "pairs",
    "judge.name": "sts-dev",
    "judge.every": 100,
    "judge.measure": "spearman_cosine",
}
BGE = {
    "model.base": "BAAI/bge-base-en-v1.5",
    "model.start": "pretrained",
    "model.pooling": "cls",
    "model.normalize": True,
    "model.max_seq_length": 512,
    "prompts.query": "",
    "prompts.document": "",
    "data.text": "",
    "loss.name": "MultipleNegativesRankingLoss",
    "loss.scale": 20.0,
    "loss.similarity": "cos_sim",
    "loss.matryoshka_dims": (768, 512, 256, 128, 64),
    "training.batch_size": 32,
    "training.accumulation": 16,
    "training.learning_rate": 2e-5,
    "training.schedule": "cosine",
    "training.warmup_ratio": 0.1,
    "training.epochs": 4.0,
    "training.weight_decay": 0.0,
    "training.precision": "bf16",
    "training.tf32": True,
    "training.optimizer": "adamw_torch_fused",
    "training.sampler": "no_duplicates",
    "training.keep": "best",
    "judge.task": "retrieval",
    "judge.name": "dim",
    "judge.every": "epoch",
    "judge.measure": "cosine_map@100",
}
E5 = {
    "model.base": "intfloat/multilingual-e5-large",
    "model.start": "pretrained",
    "model.pooling": "mean",
    "model.normalize": True,
    "model.max_seq_length": 256,
    "prompts.query": "query: ",
    "prompts.document": "passage: ",
    "data.text": "",
    "loss.name": "MultipleNegativesRankingLoss",
    "loss.scale": 20.0,
    "loss.similarity": "cos_sim",
    "loss.matryoshka_dims": (),
    "training.batch_size": 64,
    "training.accumulation": 1,
    "training.learning_rate": 1e-5,
    "training.schedule": "cosine",
    "training.warmup_ratio": 0.1,
    "training.epochs": 3.0,
    "training.weight_decay": 0.01,
    "training.precision": "bf16",
    "training.tf32": False,
    "training.optimizer": "adamw_torch_fused",
    "training.sampler": "no_duplicates",
    "training.keep": "last",
    "judge.task": "retrieval",
    "judge.name": "e5-eval-real",
    "judge.every": 200,
    "judge.measure": "cosine_ndcg@10",
}
# What is tuned by measuring is not fixed here: rate, batch, sampler, clipping and how often it is judged.
STATIC = {
    "model.base": "minilm",
    "model.start": "distil",
    "distil.dim": 256,
    "prompts.query": "",
    "prompts.document": "",
    "loss.name": "MultipleNegativesRankingLoss",
    "loss.matryoshka_dims": (256, 128, 64, 32),
    "training.sampler": "batch_sampler",
    "training.keep": "last",
    "judge.task": "retrieval",
}
TABLE = {
    "esci": NOMIC,
    "allnli-matryoshka": ROBERTA,
    "swahili-matryoshka": BGE,
    "e5-acronyms": E5,
    "static-matryoshka": STATIC,
}


def test_the_packaged_recipes_are_the_four_models_that_work_a_static_one_and_two_for_one_s_own() -> None:
    assert recipe_names() == tuple(sorted([*TABLE, "judgments", "rotation"]))


def test_the_recipe_of_a_rotation_leaves_out_the_full_width_and_chooses_nothing_by_what_it_is_judged_on() -> None:
    recipe = open_recipe("rotation")
    assert (recipe.model.base, recipe.model.start, recipe.dims) == ("minilm", "rotate", (256, 128, 64, 32))
    assert (recipe.training.keep, recipe.training.max_steps, recipe.training.weight_decay) == ("last", 400, 0.0)


def test_the_recipe_for_judgments_fits_the_packaged_model_and_chooses_nothing_by_what_it_is_judged_on() -> None:
    recipe = open_recipe("judgments")
    assert (recipe.model.base, recipe.dims) == ("minilm", (384, 256, 128, 64, 32))
    assert (recipe.training.keep, recipe.judge.task, recipe.data.negatives) == ("last", "retrieval", 1)


@pytest.mark.parametrize("name", TABLE)
def test_a_recipe_has_the_values_of_its_published_model(name: str) -> None:
    tree = tree_of(open_recipe(name))
    assert {key: get_field(tree, key) for key in TABLE[name]} == TABLE[name]
    assert tree["name"] == name


@pytest.mark.parametrize("name", [name for name in TABLE if name != "static-matryoshka"])
def test_every_weight_is_one_and_common_settings_are_the_trainers_own(name: str) -> None:
    recipe = open_recipe(name)
    assert recipe.loss.matryoshka_weights == ()
    assert (recipe.training.seed, recipe.training.max_steps) == (42, 0)
    assert recipe.training.max_grad_norm == 1.0 or TABLE[name] is STATIC
    assert (recipe.data.split, recipe.data.leakage, recipe.data.positive_grade) == ("train", "drop", 0)


@pytest.mark.parametrize("name", recipe_names())
def test_a_file_spells_out_every_field_in_the_order_of_the_dataclasses(name: str) -> None:
    tree = tomllib.loads((resources.files("searchapp.train") / "recipes" / f"{name}.toml").read_text(encoding="utf-8"))
    spelled = [
        f"{section}.{key}" if isinstance(held, dict) else section
        for section, held in tree.items()
        for key in (held if isinstance(held, dict) else ("",))
    ]
    assert spelled == list(hints())


@pytest.mark.parametrize(
    ("name", "dims"),
    [
        ("esci", ()),
        ("allnli-matryoshka", (768, 512, 256, 128, 64, 32, 16)),
        ("swahili-matryoshka", (768, 512, 256, 128, 64)),
        ("e5-acronyms", ()),
        ("static-matryoshka", (256, 128, 64, 32)),
    ],
)
def test_it_is_judged_at_every_dim_it_trains(name: str, dims: tuple[int, ...]) -> None:
    assert open_recipe(name).dims == dims


def test_prompts_say_that_they_come_from_the_recipe() -> None:
    assert open_recipe("e5-acronyms").prompts == Prompts("query: ", "passage: ", "recipe")
    assert open_recipe("swahili-matryoshka").prompts == Prompts("", "", "none")


def test_substitutes_complements_and_the_irrelevant_are_hard_negatives_of_products() -> None:
    assert (open_recipe("esci").data.negative_grade, open_recipe("esci").data.negatives) == (2, 1)
