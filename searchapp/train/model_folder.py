"""The model's folder at the end: weights of the step that is kept, its card, log, curve and recipe; whole or not there.

models/shop/
  modules.json config.json model.safetensors tokenizer.json ...    as sentence-transformers saves a model
  README.md                the card
  learning-curve.svg
  training/                recipe.toml, log.jsonl, and report.json: what was trained on what, written last
"""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from searchapp import __version__
from searchapp.encoders import EncoderOptions, check_encoder, load_encoder
from searchapp.errors import InputError
from searchapp.layout import MODEL, committing_folder, file_names
from searchapp.train.card import CardFacts, render_model_card
from searchapp.train.checkpoints import COMPLETE, WATCH
from searchapp.train.curve import draw_curve
from searchapp.train.log import LogRow, read_rows, write_rows
from searchapp.train.recipe import Recipe
from searchapp.train.recipe_file import parse_recipe, render_recipe

CARD, CURVE, RECIPE, LOG, REPORT = (
    "README.md",
    "learning-curve.svg",
    "training/recipe.toml",
    "training/log.jsonl",
    "training/report.json",
)
_TRAINERS = {COMPLETE, WATCH, "optimizer.pt", "scheduler.pt", "scaler.pt", "trainer_state.json", "training_args.bin"}


@dataclass(frozen=True, slots=True)
class Made:
    """A training that came to its end."""

    folder: Path
    recipe: Recipe
    base: str
    contract: Mapping[str, str]
    """What it was made from, to know it by."""
    about: Mapping[str, str | int]
    """What is told of its rows."""
    rows: tuple[LogRow, ...]
    step: int
    """The step whose weights it has."""
    measure: str | None
    """What the best was found by, if it was judged."""
    seconds: float
    """Of the call that ended it."""

    def measures_at(self, step: int) -> Mapping[str, float]:
        """Return what was measured at a step; nothing where it was not judged."""
        found = [row.measures for row in self.rows if row.step == step and row.measures]
        return found[-1] if found else {}


def place_model(made: Made, weights: Path, facts: CardFacts, *, overwrite: bool, trust: bool) -> None:
    """Put a checkpoint's model at its place with all that is told about it; the folder appears whole or not.

    Raises IndexFolderError where something else is there, BadVectorsError where the model that was saved gives NaN,
    zeros or one vector for all.
    """
    with committing_folder(made.folder, overwrite=overwrite, made=MODEL) as folder:
        for name in file_names(weights):
            if name not in _TRAINERS and not name.startswith("rng_state"):
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(weights / name, folder / name)
        check_encoder(load_encoder(str(folder), EncoderOptions(device="cpu", trust_remote_code=trust)))
        (folder / REPORT).parent.mkdir()
        (folder / CARD).write_text(render_model_card(facts), encoding="utf-8")
        (folder / CURVE).write_text(draw_curve(made.rows, measure=made.measure, best=made.step), encoding="utf-8")
        (folder / RECIPE).write_text(render_recipe(made.recipe), encoding="utf-8")
        write_rows(folder / LOG, made.rows)
        body = {
            "format": MODEL.name,
            "made_by": f"searchapp {__version__}",
            "files": file_names(folder),
            "base": made.base,
            "contract": dict(made.contract),
            "about": dict(made.about),
            "step": made.step,
            "measure": made.measure,
            "seconds": made.seconds,
        }
        (folder / REPORT).write_text(json.dumps(body, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def read_report(folder: Path) -> Made | None:
    """Return what `place_model` wrote there; None where it is no trained model of ours."""
    try:
        body = json.loads((folder / REPORT).read_text(encoding="utf-8"))
        recipe = parse_recipe((folder / RECIPE).read_text(encoding="utf-8"), str(folder / RECIPE))
    except (OSError, ValueError, RecursionError, InputError):
        return None
    names = ("base", "contract", "about", "step", "measure", "seconds")
    if not isinstance(body, dict) or body.get("format") != MODEL.name or not body.keys() >= set(names):
        return None
    kept = {name: body[name] for name in names}
    return Made(folder=folder, recipe=recipe, rows=tuple(read_rows(folder / LOG)), **kept)
