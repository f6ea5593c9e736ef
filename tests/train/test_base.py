"""What a training starts from: the base's weights or fresh ones, the recipe's prompts and length."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from searchapp.encoders.folder import find_folder
from searchapp.errors import ModelError
from searchapp.prompts import Prompts
from searchapp.train.base import open_base
from searchapp.train.recipe import ModelSpec, Recipe, TrainingSpec
from tests.encoders.conftest import Build, oracle
from tests.models_on_disk import BGE, make_model, make_static, quiet

TEXTS = ["red leather handbag", "Watoto wanacheza mpira shuleni kila siku", "garden table"]


def opened(base: Path, spec: ModelSpec | None = None, *, prompts: Prompts = Prompts(), seed: int = 42) -> Any:
    spec = replace(spec or ModelSpec(""), base=str(base))
    recipe = Recipe("r", "", spec, prompts, training=TrainingSpec(seed=seed))
    with quiet():
        return open_base(recipe, find_folder(str(base)), device="cpu", trust=False)


def vectors(model: Any) -> np.ndarray:
    return np.asarray(model.encode(TEXTS, prompt="", batch_size=1))


@pytest.mark.parametrize("name", ["nomic", "roberta", "bge", "e5"])
def test_a_base_is_opened_as_it_is(built: Build, name: str) -> None:
    np.testing.assert_allclose(vectors(opened(built(name))), oracle(built(name), TEXTS), atol=1e-6)


def test_a_mere_transformer_gets_the_recipe_s_pooling_and_normalize(built: Build) -> None:
    raw = built("bge").with_name("bge-raw")
    whole = opened(raw, ModelSpec("", pooling="cls", normalize=True))
    np.testing.assert_allclose(vectors(whole), oracle(built("bge"), TEXTS), atol=1e-6)
    bare = vectors(opened(raw, ModelSpec("", pooling="cls")))
    lengths = np.linalg.norm(bare, axis=1, keepdims=True)
    assert (np.abs(lengths - 1) > 0.1).all()
    np.testing.assert_allclose(bare / lengths, vectors(whole), atol=1e-6)
    mean = vectors(opened(raw, ModelSpec("", normalize=True)))
    assert np.abs(mean - vectors(whole)).max() > 0.01


@pytest.mark.parametrize("raw", ["half", "half-raw"])
def test_half_precision_is_lifted_without_a_change_of_values(tmp_path: Path, raw: str) -> None:
    import torch

    made = make_model(tmp_path / "half", BGE, dtype="float16").with_name(raw)
    model = opened(made, ModelSpec("", pooling="cls", normalize=True))
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    np.testing.assert_allclose(vectors(model), oracle(tmp_path / "half", TEXTS), atol=1e-6)


def test_a_random_start_is_the_seed_s_and_none_of_the_base_s(built: Build) -> None:
    import torch

    spec, before = ModelSpec("", start="random"), torch.random.get_rng_state()
    one, same, other = (opened(built("e5"), spec, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    base = dict(opened(built("e5")).named_parameters())
    for name, weight in one.named_parameters():
        if weight.ndim == 2:  # Biases and norms begin with zeros and ones, whatever the seed.
            assert torch.equal(weight, dict(same.named_parameters())[name])
            assert not torch.equal(weight, dict(other.named_parameters())[name])
            assert not torch.equal(weight, base[name])


def test_the_base_s_own_prompts_give_way_to_the_recipe_s(built: Build) -> None:
    assert opened(built("e5"), prompts=Prompts("ask: ", "told: ")).prompts == {"query": "ask: ", "document": "told: "}
    model = opened(built("nomic"))
    assert (model.prompts, model.default_prompt_name) == ({"query": "", "document": ""}, None)


@pytest.mark.parametrize(("asked", "read"), [(16, 16), (8192, 128)])
def test_the_length_is_the_recipe_s_where_the_base_reads_as_much(built: Build, asked: int, read: int) -> None:
    assert opened(built("nomic"), ModelSpec("", max_seq_length=asked)).max_seq_length == read


def test_a_base_that_lacks_weights_is_refused_unless_it_starts_at_random(built: Build, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    torn = shutil.copytree(built("roberta"), tmp_path / "torn")
    tensors = load_file(torn / "model.safetensors")
    del tensors["encoder.layer.1.output.dense.weight"]
    save_file(tensors, torn / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks 1 of the weights .*encoder\.layer\.1\.output\.dense\.weight.*random"):
        opened(torn)
    assert opened(torn, ModelSpec("", start="random")).get_embedding_dimension() == 64


def test_a_static_base_reads_all_of_a_text_whatever_the_recipe_says(tmp_path: Path) -> None:
    base = make_static(tmp_path / "static")
    model = opened(base, ModelSpec("", max_seq_length=2))
    np.testing.assert_allclose(vectors(model), oracle(base, TEXTS), atol=1e-6)


@pytest.mark.parametrize("name", ["bge", "bge-raw"])
def test_a_base_without_its_tokenizer_is_refused(built: Build, tmp_path: Path, name: str) -> None:
    torn = shutil.copytree(built("bge").with_name(name), tmp_path / "torn")
    for path in torn.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(ModelError, match=r"torn has no words: its tokenizer's files are missing"):
        opened(torn)
