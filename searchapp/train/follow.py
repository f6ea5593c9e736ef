"""How a watch sees what the trainer does: a hook on the loss, and a callback between the steps."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchapp.build import Progress
from searchapp.layout import replacing_file
from searchapp.optional import require
from searchapp.train.checkpoints import (
    WATCH,
    checkpoint_path,
    keep_checkpoints,
    last_checkpoint,
    seal,
    whole_checkpoints,
)
from searchapp.train.watch import Due, Moment, Watch

if TYPE_CHECKING:
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


class Follower:
    """What is to be done at each of the trainer's events; `held_out` says that there is a loss to evaluate.

    Of several processes the first alone judges, logs and saves.
    """

    def __init__(self, watch: Watch, loss: Any, *, held_out: bool, progress: Progress) -> None:
        self._watch = watch
        self._held_out = held_out
        self._progress = progress
        self._torch = require("torch", extra="train")
        self._losses: list[Any] = []
        self._moment = Moment(0, 0.0, last=False, rate=0.0)
        self._due = Due(judge=False, save=False, log=False)
        loss.register_forward_hook(self._keep)

    def begin(self, root: Path, state: "TrainerState") -> None:
        """Take up what the watch knew when the checkpoint that is gone on from was made."""
        resumed = last_checkpoint(root)
        if resumed is not None:
            self._watch.restore(json.loads((resumed / WATCH).read_text(encoding="utf-8")))
        self._progress("training", state.global_step, state.max_steps)

    def look(self, model: Any, step: int) -> None:
        """Look at the loss and the gradient of a step before it changes the weights."""
        self._watch.take_losses([float(loss) for loss in self._losses])
        self._losses.clear()
        gradients = [one.grad for one in model.parameters() if one.grad is not None]
        self._watch.check_step(step, float(self._torch.nn.utils.get_total_norm(gradients)))

    def after(self, state: "TrainerState", control: "TrainerControl", rate: float) -> "TrainerControl":
        """Say what is due after a step, and do what needs no evaluation."""
        self._progress("training", state.global_step, state.max_steps)
        at = self._moment = Moment(
            step=state.global_step, epoch=float(state.epoch or 0), last=state.global_step >= state.max_steps, rate=rate
        )
        due = self._due = self._watch.end_step(at)
        control.should_evaluate = due.judge and self._held_out
        control.should_save = due.save
        if due.log and not control.should_evaluate and state.is_world_process_zero:
            self._watch.record(at, due)
        return control

    def evaluated(self, state: "TrainerState", loss: float) -> None:
        """Take the loss on the rows that are held out."""
        if state.is_world_process_zero:
            self._watch.record(self._moment, self._due, eval_loss=loss)

    def saved(self, root: Path, state: "TrainerState") -> None:
        """Put the watch's state beside what the trainer saved, and let go of checkpoints that nobody needs any more."""
        if not state.is_world_process_zero:
            return
        folder = checkpoint_path(root, state.global_step)
        with replacing_file(folder / WATCH) as temporary:
            temporary.write_text(json.dumps(self._watch.state()) + "\n", encoding="utf-8")
        seal(folder)
        keep_checkpoints(root, {state.global_step, *self._watch.steps_to_keep(whole_checkpoints(root))})

    def _keep(self, module: Any, _inputs: Any, output: Any) -> None:
        # They are read between the steps alone: asking a GPU for a number is waiting for it.
        if self._torch.is_grad_enabled() and module.training:
            self._losses.append(output.detach())


def make_callback(follower: Follower) -> "TrainerCallback":
    """Return the trainer's callback that passes its events on."""
    from transformers import TrainerCallback

    class Callback(TrainerCallback):
        """Passes events on."""

        def on_train_begin(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            follower.begin(Path(str(args.output_dir)), state)

        def on_pre_optimizer_step(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            follower.look(others["model"], state.global_step + 1)

        def on_step_end(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> "TrainerControl":
            return follower.after(state, control, float(others["lr_scheduler"].get_last_lr()[0]))

        def on_evaluate(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            follower.evaluated(state, others["metrics"]["eval_loss"])

        def on_save(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            follower.saved(Path(str(args.output_dir)), state)

    return Callback()
