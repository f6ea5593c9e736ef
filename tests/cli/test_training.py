"""What is said of a training on the way and at its end."""

import json
import math
from dataclasses import replace
from pathlib import Path

from searchapp.cli.training import chosen, describe_end, describe_row, end_as_json, row_as_json
from searchapp.train.log import LogRow
from searchapp.train.model_folder import Made
from searchapp.train.recipe_file import open_recipe

DIMS = (768, 512, 256, 128, 64, 32, 16)
MEASURES = {
    f"dim_{dim}_{key}": dim / 1000 + offset
    for dim in DIMS
    for key, offset in (("cosine_map@100", 0.0), ("cosine_ndcg@10", 0.1))
}


def made(step: int, keep: str, after: float) -> Made:
    rows = (
        LogRow(0.0, 0, measures={"dim_64_cosine_map@100": 0.25}),
        LogRow(1.0, step, 1.5, measures={"dim_64_cosine_map@100": after}),
    )
    recipe = open_recipe("swahili-matryoshka", [f"training.keep={keep}"])
    return Made(Path("models/sw"), recipe, "bge", {}, {"rows": 9}, rows, step, "dim_64_cosine_map@100", 2.5)


def test_a_row_shows_the_measure_that_counts_at_every_dim() -> None:
    row = LogRow(0.5, 1234, 2.34567, 1.5, measures=MEASURES)
    assert describe_row(row, "cosine_map@100") == (
        "step 1,234  epoch 0.50  loss 2.3457  held-out loss 1.5000  dim_768_cosine_map@100 0.7680  "
        "dim_512_cosine_map@100 0.5120  dim_256_cosine_map@100 0.2560  dim_128_cosine_map@100 0.1280  "
        "dim_64_cosine_map@100 0.0640  dim_32_cosine_map@100 0.0320"
    )
    assert describe_row(LogRow(0.0, 0, measures=dict(list(MEASURES.items())[:2])), "") == (
        "the base  dim_768_cosine_ndcg@10 0.8680"
    )
    assert describe_row(LogRow(0.25, 5, 2.0), "cosine_map@100") == "step 5  epoch 0.25  loss 2.0000"


def test_the_usual_measure_of_each_judge_is_shown_where_none_is_named() -> None:
    measures = {"e_spearman_cosine": 1.0, "e_pearson_cosine": 2.0, "t_cosine_accuracy": 3.0, "t_dot_accuracy": 4.0}
    assert chosen(measures, "") == {"e_spearman_cosine": 1.0, "t_cosine_accuracy": 3.0}


def test_the_end_says_what_was_gained() -> None:
    assert describe_end(made(30, "best", 0.3125)) == [
        "model models/sw: swahili-matryoshka of bge, step 30, the best by dim_64_cosine_map@100",
        "  dim_64_cosine_map@100 0.3125 (the base 0.2500, +0.0625)",
        "try it: searchapp bench DATASET --model models/sw",
    ]


def test_the_end_says_so_where_nothing_was_gained() -> None:
    lines = describe_end(made(30, "last", 0.25))
    assert lines[0] == "model models/sw: swahili-matryoshka of bge, step 30"
    assert lines[2] == "no step is better than the base by that measure: keep the base, or train otherwise"
    assert len(describe_end(made(30, "last", 0.2501))) == 3


def test_the_end_of_a_training_whose_base_or_end_was_not_judged_claims_no_gain() -> None:
    whole = made(30, "last", 0.25)
    nothing_before = replace(whole, rows=whole.rows[1:])
    assert describe_end(nothing_before)[1:] == [
        "  dim_64_cosine_map@100 0.2500",
        "try it: searchapp bench DATASET --model models/sw",
    ]
    perfect = LogRow(0.0, 0, measures={"dim_64_cosine_map@100": 1.0})
    assert len(describe_end(replace(whole, rows=(perfect, LogRow(1.0, 30, 1.5))))) == 2
    assert len(describe_end(replace(whole, measure=None))) == 3


def test_the_end_as_json() -> None:
    assert end_as_json(made(30, "best", 0.3125)) == {
        "model": "models/sw",
        "recipe": "swahili-matryoshka",
        "base": "bge",
        "step": 30,
        "measure": "dim_64_cosine_map@100",
        "before": {"dim_64_cosine_map@100": 0.25},
        "after": {"dim_64_cosine_map@100": 0.3125},
        "data": {"rows": 9},
        "seconds": 2.5,
    }


def test_what_is_not_finite_is_null_in_json() -> None:
    row = LogRow(0.5, 3, math.nan, math.inf, {"dim_64_cosine_map@100": math.nan, "dim_32_cosine_map@100": 0.5}, 1e-5)
    told = json.loads(json.dumps(row_as_json(row), allow_nan=False))
    assert told == {
        "epoch": 0.5,
        "step": 3,
        "loss": None,
        "eval_loss": None,
        "measures": {"dim_64_cosine_map@100": None, "dim_32_cosine_map@100": 0.5},
        "learning_rate": 1e-5,
        "seconds": 0.0,
    }
