"""The run that failed, on purpose: it is stopped, says why, and no model comes of it."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from searchapp.cli.main import app
from searchapp.encoders import check_encoder, load_encoder
from searchapp.errors import TrainingStoppedError
from searchapp.train.checkpoints import whole_checkpoints
from searchapp.train.log import read_rows
from searchapp.train.recipe import Recipe, Start
from searchapp.train.recipe_file import render_recipe
from searchapp.train.run import Listeners, train_model
from tests.models_on_disk import make_collapsed, make_fifty
from tests.train.small import held_out, small_recipe, weights, write_rows

ADVICE = (
    "the model tells no texts apart, or its weights don't change: try another rate (--set training.learning_rate=...), "
    "float32 (--set training.precision=fp32), a pretrained base, and check that the rows differ"
)
NONE_GOOD = "no checkpoint of this training is known to be good; any that was made before is kept"
TOO_HIGH = 1.0
"""A rate at which a 50-dim Bert from scratch gives all texts one vector within a few steps."""
ABSURD = 2e9
"""A rate at which the squares in a LayerNorm are beyond float32."""
ALIKE = r"the mean cosine of 8 unlike texts is [01]\.\d+, above 0\.999; it was 0\.\d+ at step \d+"
SAME = "8 unlike texts have one and the same vector"
KEPT = r"the last good checkpoint, of step (\d+) or before, is kept"
COLLAPSED = rf"training stopped at step (\d+): (?:{ALIKE}|{SAME}); {re.escape(ADVICE)}; {KEPT}"


def recipe_of(base: Path, *, rate: float, start: Start = "random", saved: int = 5) -> Recipe:
    """Return a recipe of 60 steps, judged every ten; its warm-up is over before the first of them."""
    recipe = small_recipe(base, start=start)
    training = replace(recipe.training, learning_rate=rate, warmup_ratio=0.1, epochs=10.0, checkpoint_every=saved)
    return replace(recipe, training=training, judge=replace(recipe.judge, every=10))


def stopped(recipe: Recipe, place: Path) -> tuple[TrainingStoppedError, list[str]]:
    """Train until a guard stops it; return what it says and what was noted on the way."""
    said: list[str] = []
    data, judged_on = write_rows(place / "rows.jsonl"), write_rows(place / "held-out.jsonl", held_out())
    with pytest.raises(TrainingStoppedError) as caught:
        train_model(recipe, data, place / "models" / "e", judged_on=judged_on, listeners=Listeners(note=said.append))
    assert not (place / "models" / "e").exists()
    return caught.value, said


def kept(place: Path) -> dict[int, Path]:
    """Return the whole checkpoints by their steps."""
    return whole_checkpoints(place / "models" / ".e.partial" / "checkpoints")


def test_a_model_that_collapses_is_stopped_where_it_did_and_its_last_good_checkpoint_is_kept(tmp_path: Path) -> None:
    error, said = stopped(recipe_of(make_fifty(tmp_path / "base"), rate=TOO_HIGH, saved=1), tmp_path)
    found = re.fullmatch(COLLAPSED, str(error))
    assert found is not None, error
    assert (int(found[1]), int(found[2])) == (error.step, error.last_good)
    # The first step of a warm-up has a rate of 0.
    assert 1 <= error.last_good == error.step - 1 < 10
    # The last surely good one may lie before it, and is kept beside it.
    assert max(kept(tmp_path)) == error.last_good
    good = kept(tmp_path)[error.last_good]
    assert said[-1] == f"the last good checkpoint, of step {error.last_good}, is a model's folder: {good}"
    check_encoder(load_encoder(str(good)))


def test_a_base_that_has_collapsed_before_never_becomes_a_model(tmp_path: Path) -> None:
    recipe = recipe_of(make_collapsed(tmp_path / "base"), rate=5e-5, start="pretrained", saved=1)
    error, said = stopped(recipe, tmp_path)
    assert str(error) == (
        f"training stopped at step 1: 8 unlike texts have one and the same vector; {ADVICE}; {NONE_GOOD}"
    )
    assert said[0].startswith("the base can't be judged as it comes: the model gives one vector to different texts: ")
    assert kept(tmp_path) == {}


def test_a_loss_that_does_not_move_is_stopped_at_the_third_evaluation(tmp_path: Path) -> None:
    base = make_fifty(tmp_path / "base")
    error, _ = stopped(recipe_of(base, rate=1e-12, start="pretrained"), tmp_path)
    losses = [row.eval_loss for row in read_rows(tmp_path / "models" / ".e.partial" / "log.jsonl") if row.eval_loss]
    assert str(error) == (
        f"training stopped at step 30: the loss has not moved since step 10 ({losses[0]:.4f} at 3 evaluations); "
        f"{ADVICE}; {NONE_GOOD}"
    )
    assert losses == [pytest.approx(losses[0], rel=1e-6)] * 3
    last, before = weights(kept(tmp_path)[25]), weights(base)
    assert all(np.abs(last[name] - before[name]).max() < 1e-9 for name in before)


def test_a_loss_that_is_nan_is_stopped_before_it_changes_a_weight(tmp_path: Path) -> None:
    error, _ = stopped(recipe_of(make_fifty(tmp_path / "base"), rate=ABSURD, saved=0), tmp_path)
    assert re.match(rf"training stopped at step {error.step}: the loss is nan, after \d+\.\d+ at step ", str(error))
    # The first step has a rate of 0; and a loss is of the weights after the step before.
    assert 3 <= error.step < 10
    assert (error.last_good, kept(tmp_path)) == (error.step - 2, {})


def test_the_command_ends_with_the_guards_words_and_exit_code_one(tmp_path: Path) -> None:
    recipe = tmp_path / "e.toml"
    recipe.write_text(render_recipe(recipe_of(make_fifty(tmp_path / "base"), rate=TOO_HIGH, saved=1)), encoding="utf-8")
    out = tmp_path / "models" / "e"
    call = ["train", "--recipe", str(recipe), "--data", str(write_rows(tmp_path / "rows.jsonl")), "--out", str(out)]
    done = CliRunner().invoke(app, [*call, "--eval", str(write_rows(tmp_path / "held-out.jsonl", held_out()))])
    assert done.exit_code == 1
    found = re.fullmatch(f"searchapp: {COLLAPSED}", done.stderr.splitlines()[-1])
    assert found is not None, done.stderr
    assert not out.exists()
    assert max(kept(tmp_path)) == int(found[2])


def test_a_sound_training_of_the_same_architecture_is_not_stopped(tmp_path: Path) -> None:
    recipe = recipe_of(make_fifty(tmp_path / "base"), rate=1e-3)
    data, judged_on = write_rows(tmp_path / "rows.jsonl"), write_rows(tmp_path / "held-out.jsonl", held_out())
    made = train_model(recipe, data, tmp_path / "models" / "e", judged_on=judged_on)
    losses = [row.loss for row in made.rows if row.loss is not None]
    assert losses[-1] < 0.8 * losses[0]
    assert (made.step, [row.step for row in made.rows if row.eval_loss]) == (60, [10, 20, 30, 40, 50, 60])
