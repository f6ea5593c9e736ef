"""A checkpoint becomes a model's folder: without the trainer's files, whole or not there, and known again."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import BadVectorsError, IndexFolderError
from searchapp.layout import MODEL
from searchapp.train.card import render_model_card
from searchapp.train.checkpoints import seal
from searchapp.train.curve import draw_curve
from searchapp.train.log import LogRow, read_rows
from searchapp.train.model_folder import CARD, CURVE, LOG, RECIPE, REPORT, Made, place_model, read_report
from searchapp.train.recipe_file import open_recipe
from tests.encoders.conftest import Build
from tests.models_on_disk import make_collapsed
from tests.train.cards import ROWS, make_facts

FACTS = make_facts()
TRAINERS = ("optimizer.pt", "scheduler.pt", "scaler.pt", "trainer_state.json", "training_args.bin", "watch.json")
STATES = ("rng_state.pth", "rng_state_0.pth")


def made(folder: Path) -> Made:
    contract, about = {"rows": "f" * 64}, {"source": "鞄", "rows": 4}
    return Made(folder, FACTS.recipe, "bge", contract, about, ROWS, 20, "shop-64_cosine_ndcg@10", 2.5)


def placed(one: Made, weights: Path, *, overwrite: bool = False) -> Made:
    place_model(one, weights, FACTS, overwrite=overwrite, trust=False)
    return one


@pytest.fixture
def checkpoint(built: Build, tmp_path: Path) -> Path:
    folder = tmp_path / "checkpoint-20"
    shutil.copytree(built("roberta"), folder)
    for name in (*TRAINERS, *STATES):
        (folder / name).write_text(name, encoding="utf-8")
    seal(folder)
    return folder


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_model_is_there_with_all_that_is_told_of_it_and_nothing_of_the_trainer_s(
    built: Build, checkpoint: Path, tmp_path: Path
) -> None:
    one = placed(made(tmp_path / "shop"), checkpoint)
    base = built("roberta")
    told = {"README.md", "learning-curve.svg", *(f"training/{name}" for name in ("recipe.toml", "log.jsonl"))}
    told |= {"training/report.json"}
    assert files(one.folder) == files(base) | told
    assert all((one.folder / name).read_bytes() == (base / name).read_bytes() for name in files(base) - told)
    assert (one.folder / CARD).read_text(encoding="utf-8") == render_model_card(FACTS)
    curve = draw_curve(ROWS, measure=one.measure, best=one.step)
    assert (one.folder / CURVE).read_text(encoding="utf-8") == curve
    assert open_recipe(one.folder / RECIPE) == FACTS.recipe
    assert read_rows(one.folder / LOG) == list(ROWS)
    report = json.loads((one.folder / REPORT).read_text(encoding="utf-8"))
    assert set(report["files"]) == files(one.folder) - {REPORT}
    assert report["made_by"].startswith("searchapp ")
    assert "鞄" in (one.folder / REPORT).read_text(encoding="utf-8")
    assert read_report(one.folder) == one
    load_encoder(str(one.folder), EncoderOptions(device="cpu"))


def test_folders_within_folders_come_along(checkpoint: Path, tmp_path: Path) -> None:
    deep = checkpoint / "query" / "deep" / "vocab.txt"
    deep.parent.mkdir(parents=True)
    deep.write_text("bag", encoding="utf-8")
    one = placed(made(tmp_path / "shop"), checkpoint)
    assert (one.folder / "query" / "deep" / "vocab.txt").read_text(encoding="utf-8") == "bag"


def test_a_model_that_is_there_is_replaced_only_when_told(checkpoint: Path, tmp_path: Path) -> None:
    one = placed(made(tmp_path / "shop"), checkpoint)
    with pytest.raises(IndexFolderError, match="--overwrite"):
        placed(one, checkpoint)
    placed(replace(one, step=10), checkpoint, overwrite=True)
    assert read_report(one.folder) == replace(one, step=10)


def test_a_checkpoint_that_has_collapsed_is_not_placed(tmp_path: Path) -> None:
    with pytest.raises(BadVectorsError, match="collapsed"):
        placed(made(tmp_path / "models" / "shop"), make_collapsed(tmp_path / "checkpoint-20"))
    assert not list((tmp_path / "models").iterdir())


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (REPORT, None),
        (REPORT, "{"),
        (REPORT, "[]"),
        (REPORT, "[" * 100_000),
        (REPORT, json.dumps({"format": MODEL.name})),
        (RECIPE, None),
        (RECIPE, "loss = 3"),
        (RECIPE, "name ="),
    ],
)
def test_a_folder_whose_report_or_recipe_is_none_is_no_trained_model_of_ours(
    checkpoint: Path, tmp_path: Path, name: str, text: str | None
) -> None:
    one = placed(made(tmp_path / "shop"), checkpoint)
    path = one.folder / name
    path.unlink() if text is None else path.write_text(text, encoding="utf-8")
    assert read_report(one.folder) is None


def test_a_report_of_something_else_is_none_of_ours(checkpoint: Path, tmp_path: Path) -> None:
    one = placed(made(tmp_path / "shop"), checkpoint)
    report = json.loads((one.folder / REPORT).read_text(encoding="utf-8"))
    (one.folder / REPORT).write_text(json.dumps({**report, "format": "another's"}), encoding="utf-8")
    assert read_report(one.folder) is None


def test_measures_are_those_last_judged_at_a_step(tmp_path: Path) -> None:
    one = made(tmp_path)
    assert one.measures_at(0) == ROWS[0].measures
    assert one.measures_at(10) == one.measures_at(30) == {}
    again = replace(ROWS[2], measures={"shop-64_cosine_ndcg@10": 0.75})
    assert replace(one, rows=(*ROWS, again, LogRow(1.0, 20, 2.0))).measures_at(20) == again.measures
