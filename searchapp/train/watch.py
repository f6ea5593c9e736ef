"""What is done between the steps of a training: log, judge, guard, and say when a checkpoint is due. No torch here."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

from searchapp.encoders import Encoder
from searchapp.encoders.checks import CANARIES
from searchapp.errors import BadVectorsError, MeasureError, SearchappError
from searchapp.train.guards import Guards
from searchapp.train.judge import Judge, Measures
from searchapp.train.log import LogRow, append_row, best_step, flatten, read_rows
from searchapp.train.recipe import Recipe

Report = Callable[[LogRow], None]


@dataclass(frozen=True, slots=True)
class Moment:
    """Where a training is, right after a step."""

    step: int
    """Updates of the weights so far."""
    epoch: float
    last: bool
    rate: float
    """The learning rate after this step, as the trainer's own logs have it."""


@dataclass(frozen=True, slots=True)
class Due:
    """What is to be done at a moment."""

    judge: bool
    save: bool
    log: bool


@dataclass(slots=True)
class Watch:
    """Watches one training, step by step; `encoder` gives the model as it is now."""

    recipe: Recipe
    log: Path
    guards: Guards
    judge: Judge | None
    encoder: Callable[[], Encoder]
    report: Report
    _parts: Sequence[float] = ()
    """Losses of the batches of this step."""
    _unlogged: list[float] = field(default_factory=list)
    _began: float = field(default_factory=time.monotonic)

    def take_losses(self, losses: Sequence[float]) -> None:
        """Take the losses of the batches of a step, of which it has as many as are accumulated."""
        self._parts = losses

    def check_step(self, step: int, gradient: float) -> None:
        """Look at a step before it changes the weights; raises TrainingError where it would spoil them.

        gradient: the norm of all gradients.
        """
        self.guards.note_step(step, fmean(self._parts), gradient)

    def end_step(self, at: Moment) -> Due:
        """Take note of a step that is done, and say what is due."""
        self._unlogged.append(fmean(self._parts))
        training, every = self.recipe.training, self.recipe.judge.every
        judge = at.last or (at.epoch.is_integer() if every == "epoch" else at.step % every == 0)
        save = judge or (training.checkpoint_every > 0 and at.step % training.checkpoint_every == 0)
        return Due(judge, save, save or at.step % training.log_every == 0)

    def record(self, at: Moment, due: Due, *, eval_loss: float | None = None) -> LogRow:
        """Judge if that is due, look whether all is well, and write a row of the log.

        Raises TrainingError where the training is to stop; the row is written all the same.
        """
        measures: Measures = {}
        refused: SearchappError | None = None
        if due.judge and self.judge is not None:
            try:
                measures = self.judge.judge(self.encoder())
            except (BadVectorsError, MeasureError) as error:
                refused = error
        row = LogRow(
            epoch=at.epoch,
            step=at.step,
            loss=fmean(self._unlogged) if self._unlogged else None,
            eval_loss=eval_loss,
            measures=flatten(measures),
            learning_rate=at.rate,
            seconds=time.monotonic() - self._began,
        )
        append_row(self.log, row)
        self.report(row)
        self._unlogged.clear()
        if due.save:
            self.guards.note_vectors(at.step, self.encoder().encode_documents(CANARIES))
        if refused is not None:
            self.guards.note_refusal(at.step, refused)
        if due.judge:
            self.guards.note_evaluation(at.step, eval_loss, measures)
        return row

    def best_steps(self) -> list[int]:
        """Return the step whose weights the recipe keeps so far, if that is the best one's."""
        if self.judge is None or self.recipe.training.keep == "last":
            return []
        best = best_step(read_rows(self.log), self.judge.measure)
        return [] if best is None else [best]

    def steps_to_keep(self, there: Collection[int]) -> set[int]:
        """Return those of the steps with a checkpoint that may yet be needed, the last one aside.

        They are the best so far, and the last one that no guard can call into question any more: a loss that stands
        still shows only after some evaluations, and those before it are gone by then but for this.
        """
        sure = self.guards.sure_step()
        good = max((step for step in there if step <= sure), default=None)
        return {*self.best_steps(), *(() if good is None else (good,))}

    def state(self) -> dict[str, Any]:
        """Return what must survive a stop, as JSON takes it; to be asked for right after a row was written."""
        return {"guards": self.guards.state()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was."""
        self.guards.restore(state["guards"])
