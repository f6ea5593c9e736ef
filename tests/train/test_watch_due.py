"""When a training is logged, judged and saved, and what a row of its log is made of."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.encoders import Encoder
from searchapp.encoders.checks import CANARIES
from searchapp.errors import TrainingStoppedError
from searchapp.prompts import Prompts
from searchapp.records import Triplet
from searchapp.train.guards import Guards
from searchapp.train.judge import Measures
from searchapp.train.log import LogRow, read_rows
from searchapp.train.pairwise_judges import TripletJudge
from searchapp.train.recipe import JudgeSpec, ModelSpec, Recipe, TrainingSpec
from searchapp.train.watch import Due, Moment, Watch
from tests.fakes import HashEncoder, PoisonedEncoder

RECIPE = Recipe(
    "r",
    "",
    ModelSpec("base"),
    Prompts(),
    training=TrainingSpec(log_every=2, checkpoint_every=4),
    judge=JudgeSpec(task="triplets", name="shop", every=6),
)
TRIPLETS = (Triplet("red bag", "a red bag", ("an oak table",)), Triplet("oak table", "a table of oak", ("bags",)))
NOTHING, LOG, SAVE, ALL = (
    Due(*which) for which in ((False,) * 3, (False, False, True), (False, True, True), (True,) * 3)
)


class Rising:
    """A judge whose values are given beforehand."""

    task = "triplets"
    measure = "shop_cosine_accuracy"
    queries = documents = examples = ()
    fingerprint = ""

    def __init__(self, values: Sequence[float]) -> None:
        self._values = iter(values)

    def judge(self, encoder: Encoder) -> Measures:
        return {"shop": {"cosine_accuracy": next(self._values)}}


def watching(tmp_path: Path, recipe: Recipe = RECIPE, judge: Rising | TripletJudge | None = None) -> Watch:
    told: list[LogRow] = []
    return Watch(recipe, tmp_path / "log.jsonl", Guards(), judge, HashEncoder, told.append)


def step(watch: Watch, number: int, losses: Sequence[float], *, of: int = 100, epoch_steps: int = 10) -> Due:
    """Let a step pass, and do what is due; return what was."""
    watch.take_losses(losses)
    watch.check_step(number, 1.0)
    at = Moment(number, number / epoch_steps, last=number == of, rate=0.5)
    due = watch.end_step(at)
    if due.log:
        watch.record(at, due)
    return due


def test_what_is_due_when(tmp_path: Path) -> None:
    watch = watching(tmp_path)
    due = {number: step(watch, number, [1 / number], of=13) for number in range(1, 14)}
    assert [number for number in due if due[number] == ALL] == [6, 12, 13]
    assert [number for number in due if due[number] == SAVE] == [4, 8]
    assert [number for number in due if due[number] == LOG] == [2, 10]
    assert [number for number in due if due[number] == NOTHING] == [1, 3, 5, 7, 9, 11]


def test_a_checkpoint_at_every_step(tmp_path: Path) -> None:
    watch = watching(tmp_path, replace(RECIPE, training=replace(RECIPE.training, checkpoint_every=1)))
    assert [step(watch, number, [1 / number]) for number in range(1, 5)] == [SAVE] * 4


def test_what_is_saved_is_looked_at_first(tmp_path: Path) -> None:
    """Vectors are made of the canaries where a checkpoint is due, and nowhere else: NaN in one of them ends it."""
    watch = Watch(
        RECIPE, tmp_path / "log.jsonl", Guards(), None, lambda: PoisonedEncoder(CANARIES[0]), lambda _row: None
    )
    with pytest.raises(TrainingStoppedError, match="step 4"):
        for number in range(1, 7):
            step(watch, number, [1 / number])
    assert [row.step for row in read_rows(watch.log)] == [2, 4]


def test_a_row_says_how_long_the_call_has_taken(tmp_path: Path) -> None:
    began = time.monotonic()
    watch = watching(tmp_path)
    for number in (1, 2):
        step(watch, number, [1 / number])
    [row] = read_rows(watch.log)
    assert 0 < row.seconds < time.monotonic() - began


def test_epochs_are_judged_at_their_ends_and_checkpoints_may_be_those_alone(tmp_path: Path) -> None:
    training, judge = TrainingSpec(log_every=100, checkpoint_every=0), JudgeSpec(every="epoch")
    watch = watching(tmp_path, replace(RECIPE, training=training, judge=judge))
    due = {number: step(watch, number, [1 / number], of=8, epoch_steps=3) for number in range(1, 9)}
    assert {number: one for number, one in due.items() if one != NOTHING} == {3: ALL, 6: ALL, 8: ALL}


def test_a_row_has_the_mean_loss_of_the_steps_since_the_row_before(tmp_path: Path) -> None:
    watch = watching(tmp_path)
    # Accumulated batches are one step each, however many they are.
    losses = [[4.0, 2.0], [5.0], [1.0], [2.0, 2.0, 5.0], [8.0], [1.0]]
    for number, parts in enumerate(losses, 1):
        step(watch, number, parts)
    rows = read_rows(watch.log)
    assert [(row.step, row.loss, row.epoch, row.learning_rate) for row in rows] == [
        (2, 4.0, 0.2, 0.5),
        (4, 2.0, 0.4, 0.5),
        (6, 4.5, 0.6, 0.5),
    ]


def test_only_rows_that_are_due_are_judged(tmp_path: Path) -> None:
    judge = TripletJudge(TRIPLETS, spec=RECIPE.judge, dims=[48])
    watch = watching(tmp_path, judge=judge)
    for number in range(1, 7):
        step(watch, number, [1 / number])
    expected = {f"shop_{key}": value for key, value in judge.judge(HashEncoder())["shop"].items()}
    assert [dict(row.measures) for row in read_rows(watch.log)] == [{}, {}, expected]
    row = watch.record(Moment(7, 0.7, last=False, rate=0.5), LOG, eval_loss=2.5)
    assert (row.loss, row.eval_loss, row.measures) == (None, 2.5, {})


def test_the_best_step_is_kept_only_where_the_recipe_says_best(tmp_path: Path) -> None:
    best = replace(RECIPE, training=replace(RECIPE.training, keep="best"))
    watch = watching(tmp_path, best, Rising([0.5, 0.75, 0.25]))
    assert watch.best_steps() == []
    for number in range(1, 19):
        step(watch, number, [1 / number])
    assert watch.best_steps() == [12]
    assert watching(tmp_path, RECIPE, Rising([])).best_steps() == []
    assert watching(tmp_path, best, None).best_steps() == []


def test_a_loss_that_is_nan_stops_before_the_weights_change_and_no_row_is_written(tmp_path: Path) -> None:
    watch = watching(tmp_path)
    step(watch, 1, [1.0])
    with pytest.raises(TrainingStoppedError, match="training stopped at step 2: the loss is nan"):
        step(watch, 2, [1.0, math.nan])
    assert read_rows(watch.log) == []


def test_a_watch_that_goes_on_knows_what_the_stopped_one_knew(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    watch, other = watching(tmp_path), watching(tmp_path / "other")
    for number in range(1, 7):
        step(watch, number, [1 / number])
    state = json.dumps(watch.state())
    other.restore(json.loads(state))
    assert json.dumps(other.state()) == state != json.dumps(watching(tmp_path).state())
    with pytest.raises(TrainingStoppedError, match=r"after 0\.1667 at step 6"):
        step(other, 7, [math.inf])


def test_the_last_surely_good_checkpoint_is_kept_beside_the_best(tmp_path: Path) -> None:
    best = replace(RECIPE, training=replace(RECIPE.training, keep="best"))
    watch = watching(tmp_path, best, Rising([0.75, 0.5, 0.25, 0.25]))
    assert watch.steps_to_keep([]) == set()
    for number in range(1, 24):
        step(watch, number, [1 / number])
    # Judged at 6, 12 and 18: should the loss stand still from 18 on, the weights of 12 are the last good ones.
    assert watch.steps_to_keep([4, 6, 8, 12, 16, 18, 20]) == {6, 12}
    assert watch.steps_to_keep([6, 8, 18, 20]) == {6, 8}
