"""What a training keeps, lifts, refuses and goes on from; its recipes are run in test_recipes_run.py."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.corpus import ReadOptions
from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import ContractError, IndexFolderError, InputError, UsageError
from searchapp.layout import work_path
from searchapp.train.checkpoints import whole_checkpoints
from searchapp.train.log import LogRow, best_step, read_rows
from searchapp.train.model_folder import Made, read_report
from searchapp.train.recipe_file import open_recipe
from searchapp.train.run import Listeners, TrainOptions, train_model
from tests.encoders.conftest import Build
from tests.models_on_disk import ROBERTA, make_model
from tests.train.files import write_beir, write_rows
from tests.train.runs import QUICK, Ordered, Told, same_weights, train, weights

COLOURS, THINGS = ("red", "blue", "green", "black", "white", "yellow"), ("bag", "table", "tap", "chair", "strap", "zip")
ROWS = [
    {"anchor": f"{colour} {thing}", "positive": f"a {thing} that is {colour}", "negative": f"a {other} of {colour} oak"}
    for colour in COLOURS[:4]
    for thing, other in zip(THINGS, reversed(THINGS), strict=True)
]
JUDGED = [
    {"anchor": f"{colour} {thing}", "positive": f"one {thing} in {colour}", "negative": f"one {other} in {colour}"}
    for colour in COLOURS[4:]
    for thing, other in zip(THINGS, reversed(THINGS), strict=True)
]
STEPS = ("training.batch_size=6", "training.max_steps=4", "judge.every=1", "judge.name=shop")


@pytest.fixture
def ordered(built: Build, tmp_path: Path) -> Ordered:
    """A training of four steps, each of them judged, on triplets."""
    rows, judged = write_rows(tmp_path / "rows.jsonl", *ROWS), write_rows(tmp_path / "judged.jsonl", *JUDGED)
    dims = ("loss.matryoshka_dims=64,16", "judge.task=triplets", "judge.measure=cosine_accuracy")
    return Ordered("allnli-matryoshka", built("roberta"), rows, judged, (*STEPS, *dims))


def test_best_and_last_keep_the_weights_of_their_step(ordered: Ordered, tmp_path: Path) -> None:
    def kept(name: str, scores: Sequence[float], *settings: str) -> Made:
        pairs = [{"sentence1": row["anchor"], "sentence2": row["positive"]} for row in JUDGED]
        scored = [{**pair, "score": score} for pair, score in zip(pairs, scores, strict=True)]
        judged = write_rows(tmp_path / f"{name}.jsonl", *scored)
        judging = ("judge.task=pairs", "judge.measure=spearman_cosine", "training.schedule=constant", *settings)
        return train(replace(ordered, judged_on=judged).with_settings(*judging), tmp_path / name)

    up = [float(at) for at in range(len(JUDGED))]
    last, down = kept("last", up), up[::-1]
    values = [row.measures["shop-64_spearman_cosine"] for row in last.rows if row.step]
    # What is best by scores turned around is what was worst by the scores: one of the two is not the last step.
    scores, step = (
        (up, 1 + values.index(max(values))) if max(values) > values[-1] else (down, 1 + values.index(min(values)))
    )
    best = kept("best", scores, "training.keep=best")
    assert (last.step, best.step, best.measure) == (4, step, "shop-64_spearman_cosine")
    assert step < 4
    assert same_weights(best.folder, kept("first", scores, f"training.max_steps={step}").folder)
    assert not same_weights(best.folder, last.folder)
    assert not work_path(best.folder).exists()


def test_half_precision_is_lifted(ordered: Ordered, tmp_path: Path) -> None:
    half = make_model(tmp_path / "half", ROBERTA, dtype="float16")
    assert {tensor.dtype for tensor in weights(half).values()} == {np.dtype(np.float16)}
    made = train(replace(ordered, base=half), tmp_path / "made")
    assert {tensor.dtype for tensor in weights(made.folder).values()} == {np.dtype(np.float32)}
    before, after = weights(half), weights(made.folder)
    # A rate of 1e-3 moves weights by less than a half type of their size could hold.
    assert any((np.float16(after[name]) != after[name]).any() for name in before)
    assert load_encoder(str(made.folder), EncoderOptions(device="cpu")).card.dtype == "float32"


def test_the_same_call_again_finds_nothing_to_do(ordered: Ordered, tmp_path: Path) -> None:
    made, told = train(ordered, tmp_path / "made"), Told()
    before = {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")}
    assert train(ordered, tmp_path / "made", told=told) == made
    assert told.notes[-1] == f"{made.folder} is this very training's, and nothing is left to do"
    assert told.rows == []
    assert {path: path.stat().st_mtime_ns for path in made.folder.rglob("*")} == before
    assert not work_path(made.folder).exists()


def test_another_training_does_not_replace_a_model_unasked(ordered: Ordered, tmp_path: Path) -> None:
    made = train(ordered, tmp_path / "made")
    other = ordered.with_settings("loss.scale=5")
    with pytest.raises(IndexFolderError, match=r"holds a trained model already; .*--overwrite"):
        train(other, made.folder)
    assert read_report(made.folder) == made
    assert not work_path(made.folder).exists()
    anew = train(other, made.folder, options=TrainOptions(device="cpu", overwrite=True))
    assert (anew.recipe.loss.scale, read_report(made.folder)) == (5, anew)


@pytest.mark.parametrize("full", [True, False])
def test_what_is_not_ours_is_left_alone(ordered: Ordered, tmp_path: Path, full: bool) -> None:
    made = tmp_path / "made"
    if full:
        train(ordered, made)
    else:
        made.mkdir()
    (made / "notes.txt").write_text("mine")
    with pytest.raises(IndexFolderError, match=r"notes\.txt|is not a trained model"):
        train(ordered, made, options=TrainOptions(device="cpu", overwrite=True))
    assert (made / "notes.txt").read_text() == "mine"


def test_an_interrupt_keeps_the_last_checkpoint_and_the_next_call_goes_on(ordered: Ordered, tmp_path: Path) -> None:
    whole = train(ordered, tmp_path / "whole")
    out, told = tmp_path / "made", Told(interrupted_at=3)
    with pytest.raises(KeyboardInterrupt):
        train(ordered, out, told=told)
    assert not out.exists()
    # Only the loss of a step shows that the weights before it are good: those of step 1 are kept until step 2's are.
    assert list(whole_checkpoints(work_path(out) / "checkpoints")) == [1, 2]
    names = [path.name for path in sorted((work_path(out) / "checkpoints").iterdir())]
    assert names == ["checkpoint-1", "checkpoint-2"]
    again = Told()
    made = train(ordered, out, told=again)
    assert "going on from step 2" in again.notes
    assert [row.step for row in again.rows] == [3, 4]
    assert same_weights(made.folder, whole.folder)
    assert [(row.step, row.loss, row.measures) for row in made.rows] == [
        (row.step, row.loss, row.measures) for row in whole.rows
    ]
    assert not work_path(out).exists()


def test_a_call_that_was_stopped_after_its_last_step_makes_no_step_more(ordered: Ordered, tmp_path: Path) -> None:
    """Four steps end amid the second epoch, where the trainer would go on."""
    ordered = ordered.with_settings("training.batch_size=10")
    whole, out = train(ordered, tmp_path / "whole"), tmp_path / "made"

    def unplaced(_row: LogRow) -> None:
        out.mkdir(exist_ok=True)
        (out / "notes.txt").write_text("mine")

    recipe = open_recipe(ordered.recipe, [f"model.base={ordered.base}", *QUICK, *ordered.settings])
    with pytest.raises(IndexFolderError, match="is not a trained model and is not empty"):
        train_model(recipe, ordered.data, out, judged_on=ordered.judged_on, listeners=Listeners(report=unplaced))
    assert max(whole_checkpoints(work_path(out) / "checkpoints")) == 4
    shutil.rmtree(out)
    again = Told()
    made = train(ordered, out, told=again)
    assert ("going on from step 4" in again.notes, again.rows) == (True, [])
    assert (made.step, same_weights(made.folder, whole.folder)) == (4, True)


def test_an_interrupt_before_any_checkpoint_leaves_nothing(ordered: Ordered, tmp_path: Path) -> None:
    for at in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            train(ordered, tmp_path / "made", told=Told(interrupted_at=at))
        assert not (tmp_path / "made").exists()
        assert not work_path(tmp_path / "made").exists()


def test_another_call_does_not_go_on_from_a_stopped_one_unless_it_starts_over(ordered: Ordered, tmp_path: Path) -> None:
    out = tmp_path / "made"
    with pytest.raises(KeyboardInterrupt):
        train(ordered, out, told=Told(interrupted_at=3))
    other = ordered.with_settings("training.seed=7")
    with pytest.raises(ContractError, match=r"with training\.seed 42, and this call has 7; .*--restart"):
        train(other, out)
    assert list(whole_checkpoints(work_path(out) / "checkpoints")) == [1, 2]
    told = Told()
    made = train(other, out, told=told, options=TrainOptions(device="cpu", restart=True))
    assert [row.step for row in told.rows] == [row.step for row in made.rows] == [0, 1, 2, 3, 4]


def test_the_seed_decides_the_batches(ordered: Ordered, tmp_path: Path) -> None:
    one, same = train(ordered, tmp_path / "one"), train(ordered, tmp_path / "same")
    assert same_weights(one.folder, same.folder)
    assert not same_weights(one.folder, train(ordered.with_settings("training.seed=7"), tmp_path / "other").folder)


def test_it_trains_without_a_judge_and_keeps_the_last(ordered: Ordered, tmp_path: Path) -> None:
    made = train(replace(ordered, judged_on=None), tmp_path / "made")
    assert (made.step, made.measure) == (4, None)
    assert [(row.step, row.measures, row.eval_loss) for row in made.rows] == [(step, {}, None) for step in (1, 2, 3, 4)]
    assert read_report(made.folder) == made


def test_judgments_are_trained_on_and_judged_on(built: Build, tmp_path: Path) -> None:
    documents = {f"d{at}": row["positive"] for at, row in enumerate(ROWS)}
    queries = {f"q{at}": row["anchor"] for at, row in enumerate(ROWS)}
    judged = {f"q{at}": {f"d{at}": 2, f"d{(at + 1) % len(ROWS)}": 0} for at in range(len(ROWS))}
    shop = tmp_path / "shop"
    write_beir(shop, documents, queries, {query: judged[query] for query in list(judged)[:16]}, "train")
    write_beir(shop, documents, queries, {query: judged[query] for query in list(judged)[16:]}, "test")
    settings = ("data.text={title}", "judge.task=retrieval", "judge.measure=", *STEPS)
    made = train(Ordered("esci", built("nomic"), shop, shop, settings), tmp_path / "made")
    assert (made.about["kind"], made.about["rows"], made.about["negatives"]) == ("beir", 16, 1)
    assert made.measure == "shop_cosine_ndcg@10"
    assert made.step == best_step(made.rows, "shop_cosine_ndcg@10")


def test_what_a_call_lacks_is_said_before_any_model_is_opened(ordered: Ordered, tmp_path: Path) -> None:
    nowhere = replace(ordered, base=tmp_path / "no-model")
    with pytest.raises(UsageError, match=r"--eval PATH, or --set training\.keep=last"):
        train(replace(nowhere, judged_on=None).with_settings("training.keep=best"), tmp_path / "made")
    with pytest.raises(InputError, match="no-rows"):
        train(replace(nowhere, data=tmp_path / "no-rows.jsonl"), tmp_path / "made")
    with pytest.raises(UsageError, match="accelerate launch"):
        train(nowhere, tmp_path / "made", options=TrainOptions(device="cpu,cpu"))


@pytest.mark.parametrize("judge", ["judged.jsonl", None])
def test_dims_wider_than_the_model_are_refused(ordered: Ordered, tmp_path: Path, judge: str | None) -> None:
    wide = replace(ordered, judged_on=None if judge is None else tmp_path / judge)
    with pytest.raises(UsageError, match=r"128 dims.*64"):
        train(wide.with_settings("loss.matryoshka_dims=128,16"), tmp_path / "made")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".made")] == []


def test_rows_that_the_judge_asks_are_left_out(ordered: Ordered, tmp_path: Path) -> None:
    both = write_rows(tmp_path / "both.jsonl", *ROWS, *JUDGED[:5])
    made = train(replace(ordered, data=both), tmp_path / "made")
    assert (made.about["leaked"], made.about["rows"]) == (5, len(ROWS))
    report = json.loads((made.folder / "training" / "report.json").read_text(encoding="utf-8"))
    assert report["about"] == dict(made.about)
    assert same_weights(made.folder, train(ordered, tmp_path / "without").folder)
    assert read_rows(made.folder / "training" / "log.jsonl") == list(made.rows)


@pytest.mark.parametrize("alike", ["anchor", "positive", "both"])
def test_rows_that_nothing_can_be_learned_of_are_refused(ordered: Ordered, tmp_path: Path, alike: str) -> None:
    pairs = [{"anchor": row["anchor"], "positive": row["positive"]} for row in ROWS[:6]]
    rows = pairs[:1] if alike == "both" else [{**pair, alike: "red bag"} for pair in pairs]
    data = write_rows(tmp_path / "alike.jsonl", *rows)
    with pytest.raises(InputError, match=rf"{len(rows)} rows without negatives, of which no two differ in both"):
        train(replace(ordered, data=data), tmp_path / "made")
    two = [*rows, {"anchor": "oak table", "positive": "a table of oak"}]
    if alike == "positive":
        data = write_rows(tmp_path / "alike.jsonl", *({**row, "negative": f"tap {n}"} for n, row in enumerate(rows)))
    else:
        data = write_rows(tmp_path / "alike.jsonl", *two)
    told = Told()
    train(replace(ordered, data=data), tmp_path / "made", told=told)
    assert max(row.loss or 0 for row in told.rows) > 0


def test_what_was_left_out_is_told_where_something_was(ordered: Ordered, tmp_path: Path) -> None:
    told = Told()
    both = write_rows(tmp_path / "both.jsonl", *ROWS, *JUDGED[:5], {"anchor": "", "positive": "nothing"})
    options = TrainOptions(device="cpu", reading=ReadOptions(on_bad_row="skip"))
    train(replace(ordered, data=both), tmp_path / "made", told=told, options=options)
    assert f"trains on {len(ROWS)} rows of both; skipped 1, leaked 5" in told.notes
    told = Told()
    train(ordered, tmp_path / "other", told=told)
    assert not any(note.startswith("trains on") for note in told.notes)


@pytest.mark.parametrize("lacking", ["base", "contract", "seconds"])
def test_a_report_that_lacks_something_is_no_reason_to_fail(ordered: Ordered, tmp_path: Path, lacking: str) -> None:
    made = train(ordered, tmp_path / "made")
    report = made.folder / "training" / "report.json"
    body = json.loads(report.read_text(encoding="utf-8"))
    del body[lacking]
    report.write_text(json.dumps(body), encoding="utf-8")
    assert read_report(made.folder) is None
    with pytest.raises(IndexFolderError, match="holds a trained model already"):
        train(ordered, made.folder)
