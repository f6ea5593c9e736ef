"""What a card tells of a training, asked of the model, the loss and the trainer's arguments."""

import platform
from collections.abc import Mapping
from pathlib import Path

from searchapp.build import library_versions
from searchapp.encoders.lengths import open_token_counter
from searchapp.encoders.quiet import collecting_reports
from searchapp.encoders.tokens import limit_of
from searchapp.optional import require
from searchapp.train.card import CardFacts, JudgedFacts
from searchapp.train.card_data import describe_columns
from searchapp.train.card_settings import describe_arguments, describe_losses
from searchapp.train.judge import Judge
from searchapp.train.losses import make_loss
from searchapp.train.model_folder import Made
from searchapp.train.trainer import Session, trainer_arguments


def gather_facts(made: Made, session: Session, *, judged: JudgedFacts | None, weights: Path) -> CardFacts:
    """Return what the card of a model tells; `weights` is the folder of the checkpoint that is kept."""
    counter = open_token_counter(weights)
    with collecting_reports():
        usual = require("sentence_transformers", extra="train").SentenceTransformerTrainingArguments("unused")
        settings, changed = describe_arguments(trainer_arguments(session), usual)
        losses = describe_losses(make_loss(made.recipe.loss, session.model))
    return CardFacts(
        name=made.folder.name,
        base=made.base,
        recipe=made.recipe,
        modules=str(session.model),
        dim=int(session.model.get_embedding_dimension() or 0),
        max_seq_length=limit_of(session.model.max_seq_length),
        data=session.data,
        columns=() if counter is None else describe_columns(session.data, counter.count),
        judged=judged,
        rows=made.rows,
        step=made.step,
        losses=losses,
        settings=settings,
        changed=changed,
        versions=_versions(),
        device=session.device,
        seconds=made.seconds,
    )


def describe_judge(judge: Judge | None, path: str | Path | None) -> JudgedFacts | None:
    """Return what a card tells of the judge; the data it judges on is called by its last part."""
    if judge is None or path is None:
        return None
    return JudgedFacts(Path(path).name, judge.task, judge.measure, len(judge.queries), len(judge.documents))


def _versions() -> Mapping[str, str]:
    trained = {name: str(require(name, extra="train").__version__) for name in ("accelerate", "datasets")}
    return {"Python": platform.python_version(), **library_versions(), **trained}
