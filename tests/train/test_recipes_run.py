"""Each recipe runs end to end: a small model of its architecture, real rows of its kind of data, its card's table."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.train.judges import open_judge
from searchapp.train.log import best_step, flatten, read_rows
from searchapp.train.model_folder import Made, read_report
from searchapp.train.recipe_file import open_recipe
from tests.encoders.conftest import Build
from tests.train import real_rows
from tests.train.runs import QUICK, Ordered, Told, same_weights, train, weights

SIMILARITIES = ("cosine", "dot", "manhattan", "euclidean")
TRIPLETS = {f"{name}_accuracy" for name in (*SIMILARITIES, "max")}
PAIRS = {f"{kind}_{name}" for kind in ("pearson", "spearman") for name in (*SIMILARITIES, "max")}
RETRIEVAL = {
    *(f"cosine_{name}@{cutoff}" for name in ("accuracy", "precision", "recall") for cutoff in (1, 3, 5, 10)),
    *("cosine_ndcg@10", "cosine_mrr@10", "cosine_map@100"),
}
"""What the evaluators of the reference cards print."""
WORDS = "embeddings.word_embeddings.weight"
PROMPTS = ("query: ", "passage: ")


@dataclass(frozen=True)
class Expected:
    """What a recipe's training must come to."""

    keys: set[str]
    names: tuple[str, ...]
    """What the judge is called at each dim."""
    steps: tuple[int, ...]
    """Steps that are judged."""
    measure: str
    length: int
    prompts: tuple[str, str] = ("", "")


EXPECTED = {
    "esci": Expected(
        TRIPLETS,
        ("triplet-esci",),
        (0, 2, 4, 6),
        "triplet-esci_cosine_accuracy",
        128,
        ("search_query: ", "search_document: "),
    ),
    "allnli-matryoshka": Expected(
        PAIRS,
        ("sts-dev-64", "sts-dev-32", "sts-dev-16", "sts-dev-8"),
        (0, 2, 4),
        "sts-dev-64_spearman_cosine",
        32,
    ),
    "swahili-matryoshka": Expected(
        RETRIEVAL, ("dim_64", "dim_48", "dim_32", "dim_16"), (0, 4, 8), "dim_64_cosine_map@100", 32
    ),
    "e5-acronyms": Expected(RETRIEVAL, ("e5-eval-real",), (0, 2, 4), "e5-eval-real_cosine_ndcg@10", 32, PROMPTS),
    "static-matryoshka": Expected(
        RETRIEVAL, ("eval-32", "eval-16", "eval-8"), (0, 2, 4), "eval-32_cosine_ndcg@10", 512
    ),
    "judgments": Expected(RETRIEVAL, ("dim_64", "dim_32"), (0, 2, 4), "dim_64_cosine_ndcg@10", 32),
}


def order(name: str, built: Build, data: Path, folder: Path) -> Ordered:
    """Return the training of a recipe, its dims and batches cut to what is small."""
    folder.mkdir(parents=True, exist_ok=True)
    if name == "esci":
        rows, judged = (real_rows.home_depot(data, folder, split, 60) for split in ("train", "test"))
        return Ordered(name, built("nomic"), rows, judged, ("training.max_steps=6", "judge.every=2"))
    if name == "allnli-matryoshka":
        rows, judged = real_rows.inferences(data, folder, 64), real_rows.stsb(data, folder, "dev", 150)
        dims, batch = "loss.matryoshka_dims=64,32,16,8", "training.batch_size=16"
        return Ordered(name, built("roberta"), rows, judged, (dims, batch, "training.max_steps=4", "judge.every=2"))
    if name == "swahili-matryoshka":
        rows, judged = (real_rows.swahili(data, folder, f"sw-{first}", first, 64) for first in (0, 500))
        cut = ("loss.matryoshka_dims=64,48,32,16", "training.batch_size=8", "training.accumulation=2")
        # A mere transformer: pooling and Normalize come from the recipe.
        raw = built("bge").with_name("bge-raw")
        return Ordered(name, raw, rows, judged, (*cut, "training.epochs=2"))
    if name == "static-matryoshka":
        rows, judged = (real_rows.swahili(data, folder, f"sw-{first}", first, 64) for first in (0, 500))
        cut = ("distil.dim=32", "loss.matryoshka_dims=32,16,8", "loss.matryoshka_weights=[]", "training.batch_size=16")
        return Ordered(name, built("bge"), rows, judged, (*cut, "training.max_steps=4", "judge.every=2"))
    if name == "judgments":
        rows = real_rows.judgments(data, folder, 40)
        cut = ("loss.matryoshka_dims=64,32", "training.batch_size=16", "data.positive_grade=4")
        return Ordered(name, built("bge"), rows, rows, (*cut, "training.max_steps=4", "judge.every=2"))
    rows, judged = (real_rows.telecom(data, folder, f"t-{first}", first, 64, PROMPTS) for first in (0, 300))
    cut = ("training.batch_size=16", "training.max_steps=4", "judge.every=2")
    return Ordered(name, built("e5").with_name("e5-raw"), rows, judged, cut)


@dataclass(frozen=True)
class Trained:
    """A training that was run."""

    ordered: Ordered
    made: Made
    told: Told


@pytest.fixture(scope="session")
def trained(built: Build, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Trained]:
    """Run the training of a recipe, once a session."""
    root = tmp_path_factory.mktemp("trained")
    done: dict[str, Trained] = {}

    def run(name: str) -> Trained:
        if name not in done:
            ordered, told = order(name, built, real_data, root / f"{name}-rows"), Told()
            done[name] = Trained(ordered, train(ordered, root / name, told=told), told)
        return done[name]

    return run


EVERY = pytest.mark.parametrize("name", EXPECTED)


@EVERY
def test_the_log_has_the_reference_card_s_keys_at_every_dim(name: str, trained: Callable[[str], Trained]) -> None:
    made, expected = trained(name).made, EXPECTED[name]
    keys = {f"{judge}_{key}" for judge in expected.names for key in expected.keys}
    judged = {row.step: set(row.measures) for row in made.rows if row.measures}
    assert judged == dict.fromkeys(expected.steps, keys)
    assert [row.step for row in made.rows] == list(range(max(expected.steps) + 1))
    assert made.measure == expected.measure
    # The dims differ, so no one of them was judged in place of another.
    counted = {
        judge: tuple(made.measures_at(0)[f"{judge}_{key}"] for key in sorted(expected.keys)) for judge in expected.names
    }
    assert len(set(counted.values())) == len(expected.names)


@EVERY
def test_what_was_logged_lies_beside_the_model(name: str, trained: Callable[[str], Trained]) -> None:
    ran = trained(name)
    folder = ran.made.folder
    assert read_report(folder) == ran.made
    assert list(ran.made.rows) == read_rows(folder / "training" / "log.jsonl") == ran.told.rows
    # Settings and all: the recipe in the folder trains the same again.
    again = open_recipe(folder / "training" / "recipe.toml")
    assert again == open_recipe(name, [f"model.base={ran.ordered.base}", *QUICK, *ran.ordered.settings])
    curve = (folder / "learning-curve.svg").read_text(encoding="utf-8")
    key = EXPECTED[name].measure.rpartition("_")[2]
    for judge in EXPECTED[name].names:
        (value,) = (
            value
            for full, value in ran.made.measures_at(ran.made.step).items()
            if full in (f"{judge}_cosine_{key}", f"{judge}_spearman_{key}")
        )
        assert f"{judge}, step {ran.made.step}: {value:.4f}<" in curve


@EVERY
def test_the_model_loads_with_the_recipe_s_prompts_and_measures_what_was_logged(
    name: str, trained: Callable[[str], Trained]
) -> None:
    ran, expected = trained(name), EXPECTED[name]
    encoder = load_encoder(str(ran.made.folder), EncoderOptions(device="cpu"))
    assert (encoder.card.prompts.query, encoder.card.prompts.document) == expected.prompts
    assert encoder.card.max_seq_length == expected.length
    judge = open_judge(ran.ordered.judged_on or "", recipe=ran.made.recipe, width=encoder.card.dim)
    measured = flatten(judge.judge(encoder))
    logged = ran.made.measures_at(ran.made.step)
    assert measured == pytest.approx(dict(logged), abs=1e-6)
    assert logged != ran.made.measures_at(0)


@EVERY
def test_the_best_step_or_the_last_is_kept(name: str, trained: Callable[[str], Trained]) -> None:
    made, expected = trained(name).made, EXPECTED[name]
    assert made.recipe.training.keep == ("best" if name in ("esci", "swahili-matryoshka") else "last")
    best = best_step(made.rows, expected.measure)
    assert made.step == (best if made.recipe.training.keep == "best" else expected.steps[-1])


@EVERY
def test_every_layer_has_moved_from_the_base(name: str, trained: Callable[[str], Trained]) -> None:
    ran = trained(name)
    before, after = weights(ran.ordered.base), weights(ran.made.folder)
    if name == "static-matryoshka":
        # A vector per token of the base's tokenizer, and nothing of the base's layers.
        assert [tensor.shape for tensor in after.values()] == [(before[WORDS].shape[0], 32)]
        return
    assert before.keys() == after.keys()
    same = {key for key in after if np.array_equal(before[key], after[key])}
    # The pooler of BERT stands behind the vectors that are pooled, and nothing learns through it.
    assert {key for key in same if "pooler" not in key} == set()
    assert all(tensor.dtype == np.float32 for tensor in after.values())


@EVERY
def test_the_card_has_every_key_of_every_dim(name: str, trained: Callable[[str], Trained]) -> None:
    made, expected = trained(name).made, EXPECTED[name]
    card = (made.folder / "README.md").read_text(encoding="utf-8")
    after, before = card[card.index("## Evaluation") : card.index("## Training Details")].split("\nBefore, ")
    for step, text in ((made.step, after), (0, before)):
        cells = {row[0].strip("*"): [cell.strip("*") for cell in row[1:]] for row in _tables(text)}
        measured = made.measures_at(step)
        for key in expected.keys:
            values = [round(measured[f"{judge}_{key}"], 4) for judge in expected.names]
            assert [float(cell) for cell in cells[key]] == values
    logs = [[cell.strip("*") for cell in row] for row in _tables(card[card.index("### Training Logs") :])]
    key = expected.measure.removeprefix(f"{expected.names[0]}_")
    assert logs[0][-len(expected.names) :] == [f"{judge}_{key}" for judge in expected.names]
    assert [row[1] for row in logs[1 : 1 + len(made.rows)]] == [str(row.step) for row in made.rows]


def test_prompts_that_are_in_the_text_already_are_put_there_once(
    built: Build, real_data: Path, trained: Callable[[str], Trained], tmp_path: Path
) -> None:
    with_prompts = trained("e5-acronyms")
    assert with_prompts.made.about["prompts_stripped"] == 2 * 64
    rows, judged = (real_rows.telecom(real_data, tmp_path, f"t-{at}", at, 64, ("", "")) for at in (0, 300))
    bare = replace(with_prompts.ordered, data=rows, judged_on=judged)
    made = train(bare, tmp_path / "bare")
    assert made.about["prompts_stripped"] == 0
    assert same_weights(made.folder, with_prompts.made.folder)
    assert [row.measures for row in made.rows] == [row.measures for row in with_prompts.made.rows]
    # They matter: a recipe without any learns from other texts.
    without = train(bare.with_settings("prompts.query=", "prompts.document="), tmp_path / "without")
    assert not same_weights(without.folder, made.folder)


def test_judgments_of_esci_are_rows_of_its_recipe(built: Build, real_data: Path, tmp_path: Path) -> None:
    judged = real_rows.home_depot(real_data, tmp_path, "test", 30)
    settings = ("data.split=test", "data.negatives=0", "training.max_steps=2", "judge.every=1")
    made = train(Ordered("esci", built("nomic"), real_data / "esci_us", judged, settings), tmp_path / "made")
    # Of 200 queries, each with one judged product, 138 have an exact one.
    assert (made.about["kind"], made.about["rows"]) == ("esci", 138)
    assert [sorted(row.measures) for row in made.rows] == [[f"triplet-esci_{key}" for key in sorted(TRIPLETS)]] * 3


def _tables(text: str) -> list[list[str]]:
    """Return the cells of every row of the tables in a card, heads and bodies; bare of blanks."""
    lines = [line for line in text.splitlines() if line.startswith("|") and not set(line) <= set("|:- ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
