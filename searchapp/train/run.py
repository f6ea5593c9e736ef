"""The way of a training: recipe, rows and base in; checkpoints on the way; a model folder at the end, whole or not."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from searchapp.build import Progress, library_versions, silent
from searchapp.corpus import ReadOptions
from searchapp.encoders import Encoder
from searchapp.encoders.base import EncoderCard
from searchapp.encoders.describe import describe_pooling
from searchapp.encoders.folder import ModelFolder, find_folder, fingerprint, hash_files
from searchapp.encoders.tokens import limit_of
from searchapp.encoders.torch_device import choose_devices
from searchapp.encoders.torch_load import wrap
from searchapp.errors import BadVectorsError, MeasureError, TrainingStoppedError, UsageError
from searchapp.layout import MODEL, check_free
from searchapp.train.base import distil_base, keep_prompts, open_base, rotate_base
from searchapp.train.batches import check_company
from searchapp.train.card import base_name
from searchapp.train.card_data import describe_lost
from searchapp.train.checkpoints import checkpoint_path, whole_checkpoints
from searchapp.train.data import read_training_data
from searchapp.train.examples import TrainingData
from searchapp.train.facts import describe_judge, gather_facts
from searchapp.train.fingerprint import fingerprint_rows
from searchapp.train.guards import SCALED, GuardOptions, Guards
from searchapp.train.judge import Judge
from searchapp.train.judges import open_judge
from searchapp.train.leaks import drop_leaks
from searchapp.train.learner import open_learner
from searchapp.train.log import LogRow, append_row, best_step, flatten, keep_rows, read_rows
from searchapp.train.model_folder import Made, place_model, read_report
from searchapp.train.processes import first_first, is_first
from searchapp.train.recipe import Recipe
from searchapp.train.recipe_checks import check_recipe
from searchapp.train.recipe_file import fields_of
from searchapp.train.trainer import Session, precision_of, run_trainer
from searchapp.train.watch import Watch
from searchapp.train.work import TrainingFolder, training_on

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """How a training is run; what it learns is the recipe's and the data's."""

    device: str | None = None
    """`cpu`, `cuda` or `mps`; None takes CUDA where there is some."""
    revision: str | None = None
    trust_remote_code: bool = False
    overwrite: bool = False
    restart: bool = False
    reading: ReadOptions = ReadOptions()


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what while a training goes on."""

    progress: Progress = silent
    note: Note = lambda _words: None
    report: Callable[[LogRow], None] = lambda _row: None


@dataclass(frozen=True, slots=True)
class _Plan:
    """A training that can begin: everything was read and found good."""

    recipe: Recipe
    source: ModelFolder
    model: "SentenceTransformer"
    data: TrainingData
    judge: Judge | None
    device: str
    contract: Mapping[str, str]


def train_model(
    recipe: Recipe,
    data: str | Path,
    out: Path,
    *,
    judged_on: str | Path | None = None,
    options: TrainOptions = TrainOptions(),
    listeners: Listeners = Listeners(),
) -> Made:
    """Train by a recipe on the rows of `data` and put the model at `out`, with its card, log and curve.

    `judged_on` is what the model is judged on before, on the way and at the end; see `open_judge`. A stopped call's
    checkpoints are gone on from, and the same call that has come to its end returns what it made.

    Raises InputError for bad data, UsageError for options or a recipe that don't fit it, ModelError for a base that
    can't be loaded, ContractError where another training was stopped there, IndexFolderError where `out` is in the way,
    TrainingStoppedError where a guard stops it; nothing that was finished is lost by any of them.
    """
    out = out.resolve()
    report = read_report(out)
    if report is None or options.overwrite:
        check_free(out, overwrite=options.overwrite, made=MODEL)
    plan = _prepare(recipe, data, judged_on, options, listeners)
    with training_on(out) as work:
        if report is not None and not options.overwrite:
            if report.contract != plan.contract:
                check_free(out, overwrite=False, made=MODEL)
            listeners.note(f"{out} is this very training's, and nothing is left to do")
            work.discard()
            return report
        began = time.monotonic()
        session = _train(plan, work, options, listeners)
        rows = read_rows(work.log)
        step = _kept_step(plan, rows, work.checkpoints)
        made = Made(
            folder=out,
            recipe=plan.recipe,
            base=base_name(plan.source.name),
            contract=plan.contract,
            about=plan.data.about,
            rows=tuple(rows),
            step=step,
            measure=None if plan.judge is None else plan.judge.measure,
            seconds=time.monotonic() - began,
        )
        if not is_first():
            return made
        weights = checkpoint_path(work.checkpoints, step)
        facts = gather_facts(made, session, judged=describe_judge(plan.judge, judged_on), weights=weights)
        place_model(made, weights, facts, overwrite=options.overwrite, trust=options.trust_remote_code)
        work.discard()
        return made


def _prepare(
    recipe: Recipe, path: str | Path, judged_on: str | Path | None, options: TrainOptions, listeners: Listeners
) -> _Plan:
    check_recipe(recipe)
    if judged_on is None and recipe.training.keep == "best":
        raise UsageError(
            "the recipe keeps the best model, and nothing says which that is; type --eval PATH, or "
            "--set training.keep=last"
        )
    progress, note = listeners.progress, listeners.note
    recipe = keep_prompts(recipe, revision=options.revision)
    data = read_training_data(
        path,
        spec=recipe.data,
        prompts=recipe.prompts,
        options=options.reading,
        progress=lambda done: progress("reading", done, None),
    )
    devices = choose_devices(options.device)
    if len(devices) > 1:
        raise UsageError("--device names several; for several GPUs type: accelerate launch -m searchapp train ...")
    device = devices[0]
    progress("loading the model", 0, None)
    source = find_folder(recipe.model.base, revision=options.revision)
    model = open_base(recipe, source, device=device, trust=options.trust_remote_code)
    if recipe.model.start == "rotate":
        model = rotate_base(model, recipe, source)
    static = recipe.model.start == "distil"
    width = recipe.distil.dim if static else _width(model)
    judge = None
    if judged_on is not None:
        judge = open_judge(judged_on, recipe=recipe, width=width, options=options.reading, progress=progress)
    if judge is not None:
        data = drop_leaks(data, judge, leakage=recipe.data.leakage, prompts=recipe.prompts)
    check_company(data)
    if lost := describe_lost(data):
        note(lost)
    if static:
        progress("distilling the base", 0, None)
        model = distil_base(model, recipe, (text for row in data.examples for text in (row.anchor, row.positive)))
    precision = precision_of(recipe.training, device)
    if precision != recipe.training.precision:
        note(f"{device} computes in {precision}, where the recipe says {recipe.training.precision}")
    contract = {
        **fields_of(recipe),
        "rows": data.fingerprint,
        "judged on": "nothing" if judge is None else judge.fingerprint,
        "weights of the base": fingerprint(hash_files(source.path)),
        "device": device.partition(":")[0],
        **library_versions(),
    }
    return _Plan(recipe, source, model, data, judge, device, contract)


def _train(plan: _Plan, work: TrainingFolder, options: TrainOptions, listeners: Listeners) -> Session:
    with first_first(plan.device):
        step = work.begin(plan.contract, restart=options.restart)
    if is_first():
        keep_rows(work.log, until=step)
    watch = Watch(
        recipe=plan.recipe,
        log=work.log,
        guards=Guards(_guard_options(plan)),
        judge=plan.judge,
        encoder=lambda: _encoder(plan),
        report=listeners.report,
    )
    if step:
        listeners.note(f"going on from step {step:,}")
    elif plan.judge is not None and is_first():
        _judge_base(plan, plan.judge, work.log, listeners)
    held_out = None if plan.judge is None or not plan.judge.examples else _held_out(plan.judge)
    session = Session(
        recipe=plan.recipe,
        model=plan.model,
        learner=_learner(plan, held_out, listeners),
        data=plan.data,
        held_out=held_out,
        folder=work.checkpoints,
        device=plan.device,
    )
    try:
        run_trainer(session, watch, progress=listeners.progress)
    except TrainingStoppedError as error:
        there = whole_checkpoints(work.checkpoints)
        good = max((at for at in there if at <= error.last_good), default=None)
        if good is not None:
            listeners.note(f"the last good checkpoint, of step {good:,}, is a model's folder: {there[good]}")
        raise
    return session


def _learner(plan: _Plan, held_out: TrainingData | None, listeners: Listeners) -> "SentenceTransformer":
    """Return what is trained. It starts anew; a checkpoint that is gone on from is loaded by the trainer."""
    if plan.recipe.model.start != "rotate":
        return plan.model
    return open_learner(plan.model, _encoder(plan), plan.data, held_out, progress=listeners.progress)


def _judge_base(plan: _Plan, judge: Judge, log: Path, listeners: Listeners) -> None:
    """Judge the base as it comes, for the row of step 0. One that can't be judged may still be trained."""
    listeners.progress("judging the base", 0, None)
    try:
        measures = flatten(judge.judge(_encoder(plan)))
    except (BadVectorsError, MeasureError) as error:
        listeners.note(f"the base can't be judged as it comes: {error}")
        return
    row = LogRow(epoch=0.0, step=0, loss=None, eval_loss=None, measures=measures, learning_rate=0.0, seconds=0.0)
    append_row(log, row)
    listeners.report(row)


def _kept_step(plan: _Plan, rows: list[LogRow], checkpoints: Path) -> int:
    last = max(whole_checkpoints(checkpoints))
    if plan.judge is None or plan.recipe.training.keep == "last":
        return last
    best = best_step(rows, plan.judge.measure)
    return last if best is None else best


def _encoder(plan: _Plan) -> Encoder:
    """Return the model as it is now as an encoder."""
    model = plan.model.eval()
    prompts = replace(plan.recipe.prompts, source="model")
    card = EncoderCard(
        model=plan.source.name,
        revision=plan.source.revision,
        fingerprint="",
        dim=_width(model),
        prompts=prompts,
        pooling=describe_pooling(list(model), assumed=False),
        max_seq_length=limit_of(model.max_seq_length),
        dtype="float32",
        runtime="torch",
    )
    return wrap(model, card)


def _width(model: "SentenceTransformer") -> int:
    return int(model.get_embedding_dimension() or 0)


def _guard_options(plan: _Plan) -> GuardOptions:
    spec = plan.recipe.training
    per_step = spec.batch_size * spec.accumulation
    steps = spec.max_steps or int(spec.epochs * len(plan.data.examples) / per_step)
    overflows = SCALED if precision_of(spec, plan.device) == "fp16" else 0
    return GuardOptions(overflows=overflows, warmup_steps=int(spec.warmup_ratio * steps))


def _held_out(judge: Judge) -> TrainingData:
    return TrainingData("held out", judge.examples, {}, fingerprint=fingerprint_rows(judge.examples))
