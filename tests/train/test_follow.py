"""What a watch is told of the trainer's events, and what is let go of once a checkpoint is saved."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from searchapp.train.checkpoints import WATCH, checkpoint_path, seal, whole_checkpoints
from searchapp.train.follow import Follower, make_callback
from searchapp.train.watch import Due, Moment

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

NOTHING, LOG, SAVE, ALL = (
    Due(*which) for which in ((False,) * 3, (False, False, True), (False, True, True), (True,) * 3)
)


class Noting:
    """A watch that writes down what it is told, for which the same is due at every step."""

    def __init__(self, due: Due = NOTHING, keep: Collection[int] = ()) -> None:
        self.told: list[object] = []
        self._due = due
        self._keep = keep

    def take_losses(self, losses: Sequence[float]) -> None:
        self.told.append(list(losses))

    def check_step(self, step: int, gradient: float) -> None:
        self.told.append((step, gradient))

    def end_step(self, at: Moment) -> Due:
        self.told.append(at)
        return self._due

    def record(self, at: Moment, due: Due, *, eval_loss: float | None = None) -> None:
        self.told.append((at, due, eval_loss))

    def steps_to_keep(self, there: Collection[int]) -> set[int]:
        self.told.append(sorted(there))
        return set(self._keep)

    def state(self) -> dict[str, Any]:
        return {"guards": {"known": "this"}}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.told.append(dict(state))


class Halving(torch.nn.Module):
    """A loss: half the sum of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.tensor(0.5))
        self.unused = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, values: Any) -> Any:
        return self.weight * values.sum()


def following(watch: Noting, loss: Any = None, *, held_out: bool = False) -> tuple[Follower, list[tuple]]:
    heard: list[tuple] = []

    def progress(*words: object) -> None:
        heard.append(words)

    return Follower(watch, loss or Halving(), held_out=held_out, progress=progress), heard


def state_at(step: int, *, first: bool = True, epoch: float | None = 0.5) -> Any:
    return transformers.TrainerState(global_step=step, max_steps=9, epoch=epoch, is_world_process_zero=first)


def test_losses_of_a_step_are_those_of_its_batches_in_training_alone() -> None:
    watch, loss = Noting(), Halving()
    follower, _ = following(watch, loss)
    for values in ([2.0], [4.0, 2.0]):
        loss(torch.tensor(values)).backward()
    loss.eval()
    loss(torch.tensor([100.0]))
    loss.train()
    with torch.no_grad():
        loss(torch.tensor([200.0]))
    follower.look(loss, 5)
    loss(torch.tensor([-2.0])).backward()
    follower.look(loss, 6)
    assert watch.told == [[1.0, 3.0], (5, 8.0), [-1.0], (6, 6.0)]


def test_a_loss_that_is_kept_holds_no_graph() -> None:
    loss = Halving()
    follower, _ = following(Noting(), loss)
    loss(torch.tensor([2.0]))
    assert [one.requires_grad for one in follower._losses] == [False]


def test_the_trainer_s_events_are_passed_on(tmp_path: Path) -> None:
    watch, loss = Noting(ALL), Halving()
    follower, heard = following(watch, loss, held_out=True)
    callback, place = make_callback(follower), SimpleNamespace(output_dir=tmp_path)
    checkpoint_path(tmp_path, 6).mkdir()
    control = transformers.TrainerControl()
    callback.on_train_begin(place, state_at(5), control)
    assert heard == [("training", 5, 9)]
    loss(torch.tensor([2.0])).backward()
    callback.on_pre_optimizer_step(place, state_at(5), control, model=loss)
    rates = SimpleNamespace(get_last_lr=lambda: [0.25, 0.125])
    done = callback.on_step_end(place, state_at(6), control, lr_scheduler=rates)
    assert (done.should_evaluate, done.should_save) == (True, True)
    callback.on_evaluate(place, state_at(6), control, metrics={"eval_loss": 1.5})
    callback.on_save(place, state_at(6), control)
    at = Moment(6, 0.5, last=False, rate=0.25)
    assert watch.told == [[1.0], (6, 2.0), at, (at, ALL, 1.5), [6]]
    callback.on_train_begin(place, state_at(6), control)
    assert watch.told[5:] == [watch.state()]


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("due", [NOTHING, LOG, SAVE, ALL])
def test_after_a_step_what_is_due_is_asked_for_and_logged_unless_an_evaluation_comes(
    due: Due, first: bool, held_out: bool
) -> None:
    watch = Noting(due)
    follower, heard = following(watch, held_out=held_out)
    control = follower.after(state_at(3, first=first), transformers.TrainerControl(), 0.25)
    at = Moment(3, 0.5, last=False, rate=0.25)
    evaluates = due.judge and held_out
    assert (control.should_evaluate, control.should_save) == (evaluates, due.save)
    recorded = [(at, due, None)] if first and due.log and not evaluates else []
    assert watch.told == [at, *recorded]
    assert heard == [("training", 3, 9)]
    follower.evaluated(state_at(3, first=first), 1.5)
    assert watch.told[1 + len(recorded) :] == ([(at, due, 1.5)] if first else [])


def test_the_last_step_is_known_by_its_number() -> None:
    watch = Noting()
    follower, _ = following(watch)
    for step in (8, 9, 10):
        follower.after(state_at(step, epoch=None), transformers.TrainerControl(), 0.25)
    assert watch.told == [Moment(step, 0.0, last=step > 8, rate=0.25) for step in (8, 9, 10)]


def test_beside_a_checkpoint_lies_the_watch_s_state_and_it_is_whole_then(tmp_path: Path) -> None:
    watch = Noting(keep=[2])
    follower, _ = following(watch)
    for step in (2, 4, 6):
        checkpoint_path(tmp_path, step).mkdir()
        if step != 6:
            seal(checkpoint_path(tmp_path, step))
    follower.saved(tmp_path, state_at(6, first=False))
    assert list(whole_checkpoints(tmp_path)) == [2, 4]
    follower.saved(tmp_path, state_at(6))
    assert watch.told == [[2, 4, 6]]
    assert list(whole_checkpoints(tmp_path)) == [2, 6]
    known = json.loads((checkpoint_path(tmp_path, 6) / WATCH).read_text(encoding="utf-8"))
    assert known == watch.state()

    following(watch)[0].begin(tmp_path, state_at(6))
    assert watch.told[1:] == [known]
    anew, heard = following(Noting())
    anew.begin(tmp_path / "none", state_at(0))
    assert heard == [("training", 0, 9)]
