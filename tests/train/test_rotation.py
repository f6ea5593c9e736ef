"""A rotation that is learnt behind a model: it stays one, full width stays as it is, what is cut gets better."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import polar

from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import UsageError
from searchapp.train.model_folder import Made
from searchapp.train.rotation import principal_axes, skew, take_turn
from tests.encoders.conftest import Build
from tests.models_on_disk import SENTENCES
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
    still = ordered.with_settings("training.learning_rate=1e-9", "training.max_steps=1")
    found = axes_of(train(still, tmp_path / "model").folder)
    encoder = load_encoder(str(ordered.base), EncoderOptions(device="cpu"))
    anchors = [f"query: {one['anchor']}" for one in (*rows(40), *held_out())]
    texts = [text for one in (*rows(40), *held_out()) for text in (one["positive"], one["negative"])]
    assert len({*anchors, *texts}) == len(anchors) + len(texts)
    vectors = encoder.encode_documents([*anchors, *texts])
    _, _, expected = np.linalg.svd(vectors.astype(np.float64))
    # Those of small weight are told apart by rounding alone.
    np.testing.assert_allclose(np.abs(np.sum(found[:8] * expected[:8], axis=1)), 1, atol=1e-4)


def test_stopped_and_gone_on_with_it_ends_with_the_same_bytes(ordered: Ordered, made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model"
    with pytest.raises(KeyboardInterrupt):
        train(ordered, out, told=Told(interrupted_at=17))
    told = Told()
    again = train(ordered, out, told=told)
    assert told.notes[-1] == "going on from step 10"
    assert np.array_equal(axes_of(again.folder), axes_of(made.folder))
    assert [replace(row, seconds=0.0) for row in again.rows] == [replace(row, seconds=0.0) for row in made.rows]


@pytest.mark.parametrize("loss", ["MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"])
def test_a_step_is_that_of_the_loss_over_the_whole_model(ordered: Ordered, tmp_path: Path, loss: str) -> None:
    """The loss of the first step is that of sentence-transformers over base and rotation, texts and all."""
    from datasets import Dataset
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss

    one = ordered.with_settings(
        f"loss.name={loss}", "training.max_steps=1", "training.batch_size=40", "training.learning_rate=1e-9"
    )
    done = train(one, tmp_path / "model")
    model = SentenceTransformer(str(done.folder), device="cpu")
    whole = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model), list(DIMS))
    columns = Dataset.from_list(rows(40)).to_dict()
    features = [
        model.preprocess(columns[name], prompt="query: " if name == "anchor" else None)
        for name in ("anchor", "positive", "negative")
    ]
    expected = float(whole(features, None).detach())
    assert [row.loss for row in done.rows if row.loss is not None] == pytest.approx([expected], rel=1e-4)


def test_a_turn_is_the_nearest_rotation_to_a_small_step() -> None:
    import torch

    drawn = np.random.default_rng(5)
    start = np.linalg.qr(drawn.standard_normal((24, 24)))[0]
    # As large as a step of a bold rate: 0.01 in each entry.
    step = 0.01 * np.sign(drawn.standard_normal((24, 24)))
    axes, turn = torch.from_numpy(start.copy()), torch.from_numpy(step.copy())
    take_turn(axes, turn)
    below = np.tril(step, -1)
    expected, _ = polar(start + (below - below.T) @ start)
    np.testing.assert_allclose(axes.numpy(), expected, atol=1e-9)
    assert not turn.any()
    assert np.array_equal(skew(torch.from_numpy(step)).numpy(), below - below.T)


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
    ("settings", "error", "message"),
    [
        ("loss.matryoshka_dims=", UsageError, r"loss\.matryoshka_dims is empty, and a rotation changes nothing"),
        ("loss.matryoshka_dims=64", UsageError, r"go down to 64, and the base has 64: a rotation changes nothing"),
        ("loss.matryoshka_dims=80,16", UsageError, r"80 dims: .* gives 64; type a number from 1 to 64"),
    ],
)
def test_dims_that_a_rotation_can_t_learn_are_refused(
    ordered: Ordered, tmp_path: Path, settings: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        train(ordered.with_settings(settings), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_the_card_says_what_was_learnt(made: Made) -> None:
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    assert "itself left as it is, by a rotation learnt on rows" in " ".join(card.split())
    assert "Dense(" in card
