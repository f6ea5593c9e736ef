"""Facts that a card may be made of."""

from dataclasses import replace

from searchapp.prompts import Prompts
from searchapp.train.card import CardFacts, JudgedFacts
from searchapp.train.card_data import ColumnFacts
from searchapp.train.examples import Example, TrainingData
from searchapp.train.log import LogRow
from searchapp.train.recipe import LossSpec, Recipe
from searchapp.train.recipe_file import open_recipe

EXAMPLES = (
    Example("red bag", "a red leather bag", ("an oak table",)),
    Example("taps | kettles", "<b>kettle</b>\nof `steel`", ("a *bag*",)),
    Example("赤い鞄", "木のテーブル", ("x" * 400,)),
    Example("fourth", "not shown", ("nor this",)),
)
DATA = TrainingData(
    "shop-pairs", EXAMPLES, {}, {"rows": 1234, "leaked": 0, "source": "shop", "text": ""}, fingerprint="f" * 64
)
COLUMNS = (ColumnFacts("anchor", 3, 4.25, 9), ColumnFacts("positive", 4, 10.5, 34), ColumnFacts("negative", 2, 7.0, 12))
KEYS = ("shop-64_cosine_ndcg@10", "shop-64_cosine_map@100", "shop-8_cosine_ndcg@10", "shop-8_cosine_map@100")
ROWS = (
    LogRow(0.0, 0, measures=dict(zip(KEYS, (0.25, 0.2, 0.125, 0.1), strict=True))),
    LogRow(0.5, 10, 2.5),
    LogRow(1.0, 20, 2.0, 2.25, measures=dict(zip(KEYS, (0.5123449, 0.4, 0.375, 1e-05), strict=True))),
)


def make_facts() -> CardFacts:
    """A model for a shop, trained by the packaged Swahili recipe at other dims."""
    recipe: Recipe = open_recipe("swahili-matryoshka")
    recipe = replace(
        recipe,
        prompts=Prompts("query: ", "", "recipe"),
        loss=LossSpec(matryoshka_dims=(64, 8), matryoshka_weights=(1.0, 1.0)),
    )
    return CardFacts(
        name="shop",
        base="BAAI/bge-base-en-v1.5",
        recipe=recipe,
        modules="SentenceTransformer(\n  (0): Transformer({'architecture': 'BertModel'})\n)\n",
        dim=64,
        max_seq_length=32,
        data=DATA,
        columns=COLUMNS,
        judged=JudgedFacts("home_depot", "retrieval", "shop-64_cosine_ndcg@10", 1447, 54667),
        rows=ROWS,
        step=20,
        losses=(
            ("MatryoshkaLoss", {"loss": "MultipleNegativesRankingLoss", "matryoshka_dims": (64, 8)}),
            ("MultipleNegativesRankingLoss", {"scale": 20.0, "similarity_fct": "cos_sim"}),
        ),
        settings={"learning_rate": 2e-05, "prompts": {"anchor": "query: "}, "optim_args": ""},
        changed={"learning_rate": 2e-05},
        versions={"Python": "3.11.9", "searchapp": "0.1.0"},
        device="cpu",
        seconds=90.0,
    )
