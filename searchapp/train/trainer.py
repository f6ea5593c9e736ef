"""The door to sentence-transformers' trainer: a recipe becomes its arguments, and it is run to the end."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchapp.build import Progress, silent
from searchapp.encoders.quiet import collecting_reports
from searchapp.optional import require
from searchapp.train.checkpoints import last_checkpoint
from searchapp.train.examples import TrainingData
from searchapp.train.follow import Follower, make_callback
from searchapp.train.learner import make_turner
from searchapp.train.losses import make_loss
from searchapp.train.recipe import Recipe, TrainingSpec
from searchapp.train.sampler import make_sampler, to_dataset
from searchapp.train.watch import Watch

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer, SentenceTransformerTrainer
    from torch.utils.data import BatchSampler


_STATE = "trainer_state.json"
"""What the trainer writes of itself into a checkpoint."""


@dataclass(frozen=True, slots=True)
class Session:
    """What one run of the trainer works with."""

    recipe: Recipe
    model: "SentenceTransformer"
    """What is saved and judged."""
    learner: "SentenceTransformer"
    """What is trained: the model, or a rotation that it shares with it."""
    data: TrainingData
    held_out: TrainingData | None
    """Rows to compute the same loss on whenever the model is judged."""
    folder: Path
    """Where checkpoints go."""
    device: str


def run_trainer(session: Session, watch: Watch, *, progress: Progress = silent) -> None:
    """Train to the end, from the last whole checkpoint in the folder if there is one.

    Raises TrainingError where a guard stops it; checkpoints up to there stay.
    """
    resumed = last_checkpoint(session.folder)
    if resumed is not None and _is_done(resumed):
        # The trainer would make one step more of a training that ends amid an epoch.
        return
    with collecting_reports():
        trainer = _make(session, watch, progress)
        trainer.train(resume_from_checkpoint=None if resumed is None else str(resumed))


def _is_done(checkpoint: Path) -> bool:
    """Tell whether a checkpoint is that of the last step."""
    state = json.loads((checkpoint / _STATE).read_text(encoding="utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def precision_of(spec: TrainingSpec, device: str) -> str:
    """Return the precision that a training runs in: what the recipe asks for where the device has it, else fp32."""
    cuda = require("torch", extra="train").cuda
    if device != "cuda" or spec.precision == "fp32":
        return "fp32"
    return spec.precision if spec.precision == "fp16" or cuda.is_bf16_supported(including_emulation=False) else "fp32"


def trainer_arguments(session: Session) -> Any:
    """Return sentence-transformers' arguments for a recipe; what is logged, judged and saved when is the watch's."""
    spec, prompts = session.recipe.training, session.recipe.prompts
    make = require("sentence_transformers", extra="train").SentenceTransformerTrainingArguments
    precision = precision_of(spec, session.device)
    columns = [*session.data.columns, *(() if session.held_out is None else session.held_out.columns)]
    texts = {name: prompts.query if name == "anchor" else prompts.document for name in columns}
    return make(
        output_dir=str(session.folder),
        per_device_train_batch_size=spec.batch_size,
        per_device_eval_batch_size=spec.batch_size,
        gradient_accumulation_steps=spec.accumulation,
        learning_rate=spec.learning_rate,
        lr_scheduler_type=spec.schedule,
        warmup_steps=spec.warmup_ratio,
        num_train_epochs=spec.epochs,
        max_steps=spec.max_steps or -1,
        weight_decay=spec.weight_decay,
        max_grad_norm=spec.max_grad_norm,
        optim=spec.optimizer,
        fp16=precision == "fp16",
        bf16=precision == "bf16",
        tf32=spec.tf32 if session.device == "cuda" else None,
        seed=spec.seed,
        batch_sampler=spec.sampler,
        prompts={name: prompt for name, prompt in texts.items() if prompt},
        use_cpu=session.device == "cpu",
        dataloader_pin_memory=session.device == "cuda",
        logging_strategy="no",
        eval_strategy="no",
        save_strategy="no",
        logging_nan_inf_filter=False,
        report_to="none",
        disable_tqdm=True,
    )


def _make(session: Session, watch: Watch, progress: Progress) -> "SentenceTransformerTrainer":
    """Return the trainer; its class is made here, as the libraries may not be imported before they are needed."""
    require("accelerate", extra="train")
    require("datasets", extra="train")
    from sentence_transformers import SentenceTransformerTrainer
    from transformers import PrinterCallback

    without_drawing = require("torch", extra="train").random.fork_rng
    damaged = require("safetensors", extra="train").SafetensorError
    rows, saved, learner = to_dataset(session.data), session.model, session.learner
    sampler = make_sampler(session.data) if session.recipe.training.sampler == "no_duplicates" else None

    class Trainer(SentenceTransformerTrainer):
        """The trainer with our batches, and checkpoints that hold a model without a card or pickled arguments."""

        def get_batch_sampler(
            self,
            dataset: Any,
            batch_size: int,
            drop_last: bool,
            valid_label_columns: list[str] | None = None,
            generator: "torch.Generator | None" = None,
            seed: int = 0,
        ) -> "BatchSampler | None":
            make = super().get_batch_sampler if sampler is None or dataset is not rows else sampler
            return make(dataset, batch_size, drop_last, valid_label_columns, generator, seed)

        def evaluate(
            self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
        ) -> dict[str, float]:
            """Evaluate without drawing random numbers: how often a model is judged must not change what it learns."""
            with without_drawing(devices=[]):
                return super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)

        def add_model_card_callback(self, default_args_dict: dict[str, Any]) -> None:
            """Leave it out: the card is ours to write, and gathering what it says takes a while."""

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
            # What was saved is the whole model; what it shares with what is trained is filled by that.
            self.model = saved
            super()._load_from_checkpoint(resume_from_checkpoint)
            self.model = learner

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            try:
                saved.save_pretrained(output_dir or str(session.folder), create_model_card=False)
            except damaged as error:
                # What the system says against writing a file, in that library's own class.
                raise OSError(str(error)) from error

    arguments = trainer_arguments(session)
    saved.to(arguments.device)  # where the trainer moves what it is given
    loss = make_loss(session.recipe.loss, learner)
    trainer = Trainer(
        model=learner,
        args=arguments,
        train_dataset=rows,
        eval_dataset=None if session.held_out is None else to_dataset(session.held_out),
        loss=loss,
    )
    trainer.remove_callback(PrinterCallback)
    follower = Follower(watch, loss, held_out=session.held_out is not None, progress=progress)
    trainer.add_callback(make_callback(follower))
    if learner is not saved:
        trainer.add_callback(make_turner(saved, learner))
    return trainer
