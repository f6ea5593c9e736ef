"""A rotation that is learnt behind a model: it stays one, full width stays as it is, what is cut gets better."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import ModelError, UsageError
from searchapp.train.learner import _learner
from searchapp.train.model_folder import Made, read_report
from searchapp.train.rotation import add_rotation, principal_axes, skew, take_turn
from tests.encoders.conftest import Build
from tests.models_on_disk import SENTENCES, make_static, quiet
from tests.train.runs import Ordered, Told, train, weights
from tests.train.small import held_out, rows, write_rows

pytest.importorskip("sentence_transformers", reason="training is not installed")

STEPS = 30
DIMS = (32, 16, 8)
TEXTS = [*SENTENCES, "a red handbag", "木のベンチ"]


@pytest.fixture(scope="module")
def ordered(built: Build, tmp_path_factory: pytest.TempPathFactory) -> Ordered:
    folder = tmp_path_factory.mktemp("rotation")
    data = write_rows(folder / "rows.jsonl", rows(40))
    judged = write_rows(folder / "judged.jsonl", held_out())
    settings = (
        *("loss.matryoshka_dims=32,16,8", "judge.task=triplets", "judge.measure=cosine_accuracy", "judge.every=10"),
        *(
            "training.batch_size=20",
            f"training.max_steps={STEPS}",
            "training.learning_rate=1e-2",
            "prompts.query=query: ",
        ),
    )
    return Ordered("rotation", built("bge"), data, judged, settings)


@pytest.fixture(scope="module")
def made(ordered: Ordered, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return train(ordered, tmp_path_factory.mktemp("made") / "model")


def axes_of(folder: Path) -> npt.NDArray[np.float32]:
    from safetensors.numpy import load_file

    (path,) = folder.glob("*_Dense/model.safetensors")
    found: npt.NDArray[np.float32] = load_file(path)["linear.weight"]
    return found


def unit(vectors: npt.NDArray[Any], dim: int) -> npt.NDArray[Any]:
    cut: npt.NDArray[Any] = vectors[:, :dim] / np.linalg.norm(vectors[:, :dim], axis=1, keepdims=True)
    return cut


def embed(folder: Path, *, dim: int = 64) -> npt.NDArray[Any]:
    return unit(load_encoder(str(folder), EncoderOptions(device="cpu")).encode_documents(TEXTS), dim)


def test_the_base_is_as_it_was_and_full_width_too(ordered: Ordered, made: Made) -> None:
    before, after = weights(ordered.base), weights(made.folder)
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    base, turned = embed(ordered.base), embed(made.folder)
    np.testing.assert_allclose(turned @ turned.T, base @ base.T, atol=5e-6)
    np.testing.assert_allclose(turned, base @ axes_of(made.folder).T, atol=5e-6)
    narrow, was = embed(made.folder, dim=16), embed(ordered.base, dim=16)
    assert np.abs(narrow @ narrow.T - was @ was.T).max() > 0.05


def test_it_is_a_rotation_after_any_number_of_steps(made: Made) -> None:
    axes = axes_of(made.folder)
    np.testing.assert_allclose(axes @ axes.T, np.eye(64), atol=2e-6)


def test_cut_vectors_learn(made: Made) -> None:
    losses = [row.loss for row in made.rows if row.loss is not None]
    assert len(losses) == STEPS
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.3
    # What it is judged by on the way is what it gives in the end; step 0 is the base as it comes.
    judged = {row.step: dict(row.measures) for row in made.rows if row.measures}
    assert list(judged) == [0, 10, 20, 30]
    assert len({tuple(one.items()) for one in judged.values()}) > 1


def test_it_begins_with_the_principal_axes_of_what_it_is_trained_on(ordered: Ordered, tmp_path: Path) -> None:
    still = ordered.with_settings("training.learning_rate=1e-9", "training.max_steps=1", "training.keep=last")
    found = axes_of(train(still, tmp_path / "model").folder)
    encoder = load_encoder(str(ordered.base), EncoderOptions(device="cpu"))
    anchors = [f"query: {one['anchor']}" for one in rows(40)]
    texts = [text for one in rows(40) for text in (one["positive"], one["negative"])]
    assert len({*anchors, *texts}) == len(anchors) + len(texts)
    vectors = encoder.encode_documents([*anchors, *texts])
    _, _, expected = np.linalg.svd(vectors.astype(np.float64))
    # Those of small weight are told apart by rounding alone.
    np.testing.assert_allclose(np.abs(np.sum(found[:8] * expected[:8], axis=1)), 1, atol=1e-4)
    # What it is judged on has no part in it.
    unjudged = train(replace(still, judged_on=None), tmp_path / "unjudged")
    assert np.array_equal(axes_of(unjudged.folder), found)


def test_stopped_and_gone_on_with_it_ends_with_the_same_bytes(ordered: Ordered, made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(ordered, out, told=Told(interrupted_at=17))
    told = Told()
    again = train(ordered, out, told=told)
    assert told.notes[-1] == "going on from step 10"
    assert np.array_equal(axes_of(again.folder), axes_of(made.folder))
    assert [replace(row, seconds=0.0) for row in again.rows] == [replace(row, seconds=0.0) for row in made.rows]


def loss_of(folder: Path, examples: list[dict[str, str]]) -> float:
    """Return the loss of sentence-transformers over base and rotation, texts and all."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    model = SentenceTransformer(str(folder), device="cpu")
    features = [
        model.preprocess([one[name] for one in examples], prompt="query: " if name == "anchor" else None)
        for name in ("anchor", "positive", "negative")
    ]
    whole = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), list(DIMS))
    return float(whole(features, None).detach())


def test_rows_that_are_judged_on_have_the_loss_of_the_whole_model(made: Made) -> None:
    assert made.rows[-1].eval_loss == pytest.approx(loss_of(made.folder, held_out()), rel=1e-4)


@pytest.mark.parametrize("loss", ["MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"])
def test_a_step_is_that_of_the_loss_over_the_whole_model(ordered: Ordered, tmp_path: Path, loss: str) -> None:
    one = ordered.with_settings(
        f"loss.name={loss}", "training.max_steps=1", "training.batch_size=40", "training.learning_rate=1e-9"
    )
    done = train(one, tmp_path / "model")
    assert [row.loss for row in done.rows if row.loss is not None] == pytest.approx(
        [loss_of(done.folder, rows(40))], rel=1e-4
    )


def test_a_turn_is_cayley_s_transform_of_it() -> None:
    import torch

    drawn = np.random.default_rng(5)
    start = np.linalg.qr(drawn.standard_normal((24, 24)))[0]
    step = 0.01 * np.sign(drawn.standard_normal((24, 24)))
    axes, turn = torch.from_numpy(start.copy()), torch.from_numpy(step.copy())
    take_turn(axes, turn)
    half, one = (np.tril(step, -1) - np.tril(step, -1).T) / 2, np.eye(24)
    np.testing.assert_allclose(axes.numpy(), np.linalg.inv(one - half) @ (one + half) @ start, atol=1e-12)
    # The first order of it is what the loss was told.
    np.testing.assert_allclose(axes.numpy(), start + 2 * half @ start, atol=0.02)
    assert not turn.any()
    assert np.array_equal(2 * half, skew(torch.from_numpy(step)).numpy())


@pytest.mark.parametrize("size", [1e-3, 1.0, 100.0])
def test_it_stays_a_rotation_however_large_the_turns(size: float) -> None:
    import torch

    drawn = torch.Generator().manual_seed(4)
    axes = torch.eye(96)
    for _ in range(20):
        take_turn(axes, size * torch.randn(96, 96, generator=drawn))
    np.testing.assert_allclose((axes @ axes.T).numpy(), np.eye(96), atol=2e-6)


def test_axes_are_sorted_by_what_lies_in_them() -> None:
    drawn = np.random.default_rng(6)
    vectors = (drawn.standard_normal((500, 6)) * [1, 9, 3, 0.5, 7, 2] + [0, 0, 0, 0, 0, 8]).astype(np.float32)
    axes = principal_axes(vectors)
    np.testing.assert_allclose(axes @ axes.T, np.eye(6), atol=1e-6)
    energy = np.square(vectors @ axes.T).mean(axis=0)
    assert energy.tolist() == sorted(energy.tolist(), reverse=True)
    # By length from zero, not from the mean: the last column's mean counts.
    assert [int(np.abs(axis).argmax()) for axis in axes[:2]] == [1, 5]


@pytest.mark.parametrize(
    ("dims", "message"),
    [
        ("", r"loss\.matryoshka_dims is empty, and a rotation changes nothing at full width"),
        ("64", r"are 64, and .* has 64: a rotation serves narrower ones; type --set loss\.matryoshka_dims=32,16,8"),
        ("80,16", r"are 80, 16, and .* has 64: a rotation serves narrower ones"),
    ],
)
def test_dims_that_a_rotation_can_t_learn_are_refused(
    ordered: Ordered, tmp_path: Path, dims: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        train(ordered.with_settings(f"loss.matryoshka_dims={dims}"), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_base_without_a_transformer_is_refused(ordered: Ordered, tmp_path: Path) -> None:
    static = replace(ordered, base=make_static(tmp_path / "static"))
    with pytest.raises(ModelError, match=r"static begins with StaticEmbedding, and a rotation is put behind one trans"):
        train(static.with_settings("loss.matryoshka_dims=8,4"), tmp_path / "model")


def test_a_base_with_a_way_for_each_role_is_refused(built: Build) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Router

    with quiet():
        ways = [list(SentenceTransformer(str(built("bge")), device="cpu")) for _ in range(2)]
        model = SentenceTransformer(modules=[Router.for_query_document(*ways)], device="cpu")
    with pytest.raises(ModelError, match=r"both begins with Router, and a rotation is put behind one transformer"):
        add_rotation(model, name="both")


@pytest.mark.parametrize(
    ("changed", "added"),
    [
        ({}, 0),
        ({"bias": True}, 1),
        ({"use_residual": True}, 1),
        ({"out_features": 16}, 1),
        ({"activation_function": None}, 1),
        ({"module_output_name": "token_embeddings"}, 1),
        ({"init_weight": 1.1}, 1),
    ],
)
def test_nothing_but_a_rotation_is_taken_for_one(built: Build, changed: dict[str, Any], added: int) -> None:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    options = {"out_features": 64, "bias": False, "activation_function": torch.nn.Identity(), **changed}
    options["init_weight"] = torch.eye(64)[: options["out_features"]] * changed.get("init_weight", 1.0)
    if "activation_function" in changed:
        options["activation_function"] = torch.nn.Tanh()
    with quiet():
        model = SentenceTransformer(str(built("bge")), device="cpu")
    model.append(Dense(64, **options))
    before = len(model)
    assert len(add_rotation(model, name="model")) == before + added
    assert model.get_embedding_dimension() == options["out_features"]


def test_the_base_s_own_prompts_stay(built: Build, ordered: Ordered, tmp_path: Path) -> None:
    """The e5 model says `query: ` and `passage: ` itself; rows that begin with them lose them first."""
    made = train(
        replace(ordered, base=built("e5")).with_settings("prompts.query=", "training.max_steps=2"), tmp_path / "model"
    )
    base = load_encoder(str(built("e5")), EncoderOptions(device="cpu"))
    turned = load_encoder(str(made.folder), EncoderOptions(device="cpu"))
    assert base.card.prompts.query == turned.card.prompts.query == "query: "
    assert base.card.prompts.document == turned.card.prompts.document == "passage: "
    before = base.encode_queries(TEXTS) @ base.encode_documents(TEXTS).T
    np.testing.assert_allclose(turned.encode_queries(TEXTS) @ turned.encode_documents(TEXTS).T, before, atol=1e-4)
    assert read_report(made.folder) == made


def test_rows_to_judge_on_may_have_other_columns_and_texts_may_be_both(ordered: Ordered, tmp_path: Path) -> None:
    both = [{"anchor": one["anchor"], "positive": one["positive"]} for one in rows(20)]
    both += [{"anchor": one["positive"], "positive": one["anchor"]} for one in rows(20)]
    pairs = replace(ordered, data=write_rows(tmp_path / "pairs.jsonl", both))
    settings = ("prompts.document=passage: ", "training.max_steps=2", "training.batch_size=8")
    for number, prompt in enumerate(("query: ", "passage: ")):
        made = train(pairs.with_settings(*settings, f"prompts.query={prompt}"), tmp_path / f"model{number}")
        assert all(row.eval_loss is not None for row in made.rows if row.measures and row.step)


def test_a_rotation_that_is_there_is_gone_on_with(ordered: Ordered, made: Made, tmp_path: Path) -> None:
    again = train(replace(ordered, base=made.folder), tmp_path / "model")
    (there,) = again.folder.glob("*_Dense")
    assert there.name == "3_Dense"
    base, turned = embed(ordered.base), embed(again.folder)
    np.testing.assert_allclose(turned, base @ axes_of(again.folder).T, atol=5e-6)
    assert again.rows[-1].eval_loss == pytest.approx(loss_of(again.folder, held_out()), rel=1e-4)
    # It begins with the principal axes of the same vectors.
    first, was = (next(row.loss for row in one.rows if row.loss is not None) for one in (again, made))
    assert first == pytest.approx(was, rel=1e-3)
    judged = [row.measures for row in again.rows if row.measures]
    assert judged[0] == pytest.approx(dict(made.measures_at(STEPS)))


def test_nothing_is_told_but_the_training(ordered: Ordered, tmp_path: Path) -> None:
    sets = [word for one in (*ordered.settings, "training.max_steps=1") for word in ("--set", one)]
    call = ["train", "--recipe", "rotation", "--model", str(ordered.base), "--data", str(ordered.data), *sets]
    done = subprocess.run(
        [sys.executable, "-m", "searchapp", *call, "--out", "model", "--device", "cpu", "--set", "judge.measure="],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    (step,) = done.stderr.splitlines()
    assert step.startswith("step 1  epoch 0.50  loss ")


def test_the_card_says_what_was_learnt(made: Made) -> None:
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "itself left as it is, by a rotation learnt on rows" in " ".join(card.split())
    assert "Dense(" in card


def test_a_learner_can_t_be_saved_in_place_of_its_model(tmp_path: Path) -> None:
    import torch

    learner = _learner({"a": 0}, torch.ones(1, 4), torch.eye(4))
    with pytest.raises(TypeError, match=r"save the model whose rotation it learns"):
        learner.save(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
