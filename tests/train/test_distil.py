"""A static model made of a small transformer: what each token's vector is, and how a training begins with it."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tokenizers import Tokenizer

from searchapp.encoders import load_encoder
from searchapp.errors import ModelError
from searchapp.train.distil import distil_static, token_rarity, token_states, token_vectors
from searchapp.train.recipe import DistilSpec
from searchapp.train.recipe_file import open_recipe
from searchapp.train.run import train_model
from tests.models_on_disk import SENTENCES, make_fifty, make_roberta, make_static
from tests.train.small import rows, weights, write_rows

pytest.importorskip("sentence_transformers", reason="training is not installed")


def open_small(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_fifty(tmp_path_factory.mktemp("fifty") / "model")


@pytest.fixture(scope="module")
def fifty(folder: Path) -> Any:
    return open_small(folder)


def tokenizer_of(base: Any) -> Tokenizer:
    made = Tokenizer.from_str(base.tokenizer.backend_tokenizer.to_str())
    made.no_padding()
    return made


SIXTEEN = DistilSpec(dim=16)
LENGTH = 8


def distil(base: Any, *, spec: DistilSpec = SIXTEEN) -> Any:
    return distil_static(base, spec, texts=SENTENCES, seed=3, max_seq_length=LENGTH)


def weights_of(model: Any) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = model[0].embedding.weight.detach().numpy().copy()
    return found


def test_rarity_counts_the_texts_that_hold_a_token(fifty: Any) -> None:
    tokenizer = tokenizer_of(fifty)
    texts = ["red red table", "red leather", "oak table", "red"]
    seen, rarity = token_rarity(tokenizer, iter(texts))
    red, oak, gold = (tokenizer.encode(word, add_special_tokens=False).ids for word in ("red", "oak", "gold"))
    assert seen[red].all() and seen[oak].all() and not seen[gold].all()
    assert rarity[red[0]] == pytest.approx(math.log(5 / 4))
    assert rarity[oak[0]] == pytest.approx(math.log(5 / 2))
    assert rarity[~seen].tolist() == pytest.approx([math.log(5)] * int((~seen).sum()))


def test_a_token_of_every_text_still_counts(fifty: Any) -> None:
    tokenizer = tokenizer_of(fifty)
    _, rarity = token_rarity(tokenizer, ["red"] * 4)
    assert rarity[tokenizer.encode("red", add_special_tokens=False).ids[0]] == pytest.approx(1e-3)


@pytest.mark.parametrize("make", [make_fifty, make_roberta], ids=["wordpiece", "bpe"])
def test_states_are_those_of_a_token_alone_between_the_special_ones(make: Any, tmp_path: Path) -> None:
    import torch

    base = open_small(make(tmp_path / "model"))
    tokenizer = tokenizer_of(base)
    states = token_states(base, tokenizer)
    assert states.shape == (tokenizer.get_vocab_size(), base.get_embedding_dimension())
    first, last = tokenizer.encode("a").ids[0], tokenizer.encode("a").ids[-1]
    for token in (7, 100, tokenizer.get_vocab_size() - 1):
        ids = torch.tensor([[first, token, last]])
        with torch.no_grad():
            alone = base[0].auto_model(input_ids=ids).last_hidden_state.mean(dim=1)[0].numpy()
        np.testing.assert_allclose(states[token], alone, atol=1e-5)


def test_a_tokenizer_that_pads_changes_nothing(fifty: Any, folder: Path) -> None:
    padding = open_small(folder)
    padding.tokenizer.backend_tokenizer.enable_padding(length=24)
    np.testing.assert_array_equal(weights_of(distil(padding)), weights_of(distil(fifty)))


def test_vectors_are_unit_principal_components() -> None:
    states = np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32) * np.arange(1, 13, dtype=np.float32)
    seen = np.arange(60) < 40
    found = token_vectors(states, seen=seen, dim=4, random=0.0, seed=0)
    unit = states / np.linalg.norm(states, axis=1, keepdims=True)
    centred = unit - unit.mean(axis=0)
    expected = centred @ np.linalg.svd(centred[seen])[2][:4].T
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    # A component's sign is anybody's choice.
    np.testing.assert_allclose(np.abs(found), np.abs(expected), atol=1e-4)


def test_the_random_part_is_of_the_length_asked_for_and_the_seeds() -> None:
    states = np.random.default_rng(0).normal(size=(60, 12)).astype(np.float32)
    seen = np.ones(60, dtype=bool)
    plain, one, other = (
        token_vectors(states, seen=seen, dim=4, random=random, seed=seed)
        for random, seed in ((0.0, 1), (0.5, 1), (0.5, 2))
    )
    np.testing.assert_allclose(np.linalg.norm(one - plain, axis=1), 0.5, rtol=1e-5)
    np.testing.assert_array_equal(one, token_vectors(states, seen=seen, dim=4, random=0.5, seed=1))
    assert not np.allclose(one, other)


def test_a_text_is_the_mean_of_its_first_tokens_and_rare_ones_weigh_more(fifty: Any) -> None:
    made = distil(fifty, spec=DistilSpec(dim=16, random=0.0, normalize=False))
    weights, tokenizer = weights_of(made), tokenizer_of(fifty)
    text = "red leather handbag with a gold zip and a long strap"
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert len(ids) > LENGTH
    np.testing.assert_allclose(made.encode(text), weights[ids[:LENGTH]].mean(axis=0), atol=1e-5)
    tokenizer.enable_truncation(LENGTH)
    _, rarity = token_rarity(tokenizer, SENTENCES)
    length = np.linalg.norm(weights, axis=1)
    np.testing.assert_allclose(length / length[0], rarity / rarity[0], rtol=1e-4)
    assert np.sqrt(np.mean(np.square(weights))) == pytest.approx(1.0, rel=1e-4)


def test_normalize_makes_vectors_unit_length(fifty: Any) -> None:
    assert np.linalg.norm(distil(fifty).encode("red table")) == pytest.approx(1.0, rel=1e-5)


def test_a_base_that_is_too_narrow_is_refused(fifty: Any) -> None:
    with pytest.raises(ModelError, match=r"50 dimensions and distil.dim is 64; type --set distil.dim=50"):
        distil(fifty, spec=DistilSpec(dim=64))


def test_a_base_that_is_no_transformer_is_refused(tmp_path: Path) -> None:
    static = open_small(make_static(tmp_path / "static"))
    with pytest.raises(ModelError, match=r"the base's tokenizer is a Tokenizer, and a static model needs"):
        distil(static)


def test_the_recipe_makes_a_static_model_that_needs_no_torch(tmp_path: Path) -> None:
    base = make_fifty(tmp_path / "base")
    recipe = open_recipe(
        "static-matryoshka",
        [
            f'model.base="{base.as_posix()}"',
            "distil.dim=16",
            "loss.matryoshka_dims=[16,8]",
            "loss.matryoshka_weights=[1.0,1.0]",
            "training.batch_size=4",
        ],
    )
    data = write_rows(tmp_path / "pairs.jsonl")
    train_model(recipe, data, tmp_path / "made")
    trained = load_encoder(str(tmp_path / "made"))
    assert (trained.card.runtime, trained.card.dim, trained.card.pooling) == ("static", 16, "mean+normalize")
    texts = [text for row in rows() for text in (row["anchor"], row["positive"])]
    begun = distil_static(open_small(base), recipe.distil, texts=texts, seed=recipe.training.seed, max_seq_length=512)
    moved = weights(tmp_path / "made")["./embedding.weight"] - weights_of(begun)
    # Six steps of Adam at a rate of .1 that rises and falls: more than nothing, at most their sum.
    assert 0.05 < np.abs(moved).max() < 0.6
