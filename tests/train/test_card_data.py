"""What a card tells of rows, losses and arguments, counted and taken from the real ones."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.train.card_data import ColumnFacts, data_lines, describe_columns
from searchapp.train.card_settings import describe_arguments, describe_losses, loss_lines
from searchapp.train.examples import Example, TrainingData
from searchapp.train.losses import make_loss
from searchapp.train.recipe import LossSpec
from tests.judging.peers import load_peer
from tests.models_on_disk import make_bge
from tests.train.cards import COLUMNS, DATA


def test_tokens_are_counted_by_column_in_the_first_thousand_rows() -> None:
    examples = [Example("a" * (1 + n % 3), "b", ("c" * 7, "d" * n)) for n in range(1000)]
    data = TrainingData("n", [*examples, Example("e" * 99, "f" * 99, ("g" * 99, "h" * 9999))], {})
    asked: list[int] = []

    def count(texts: Sequence[str]) -> list[int]:
        asked.append(len(texts))
        return [len(text) for text in texts]

    assert describe_columns(data, count) == (
        ColumnFacts("anchor", 1, 1.999, 3),
        ColumnFacts("positive", 1, 1.0, 1),
        ColumnFacts("negative_1", 7, 7.0, 7),
        ColumnFacts("negative_2", 0, 499.5, 999),
    )
    assert asked == [1000] * 4


def test_pairs_have_two_columns_and_unread_facts_no_line() -> None:
    data = replace(DATA, examples=[Example("a", "b")], about={}, fingerprint="")
    assert list(data_lines(data, ())) == [
        "#### shop-pairs",
        "",
        "* Dataset: shop-pairs",
        "* Size: 1 training samples",
        "* Columns: <code>anchor</code> and <code>positive</code>",
        "* Samples:",
        "  | anchor         | positive       |\n"
        "  |:---------------|:---------------|\n"
        "  | <code>a</code> | <code>b</code> |",
    ]
    told = list(data_lines(DATA, COLUMNS))
    assert f"* Fingerprint of the rows: `{'f' * 64}`" in told
    assert "* Approximate statistics based on the first 4 samples:" in told


@pytest.mark.parametrize("dims", [(), (64, 8)])
@pytest.mark.parametrize("name", ["MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss"])
def test_losses_are_told_as_sentence_transformers_prints_them(name: str, dims: tuple[int, ...], tmp_path: Path) -> None:
    model = load_peer(str(make_bge(tmp_path / "model")))
    spec = LossSpec(name=name, scale=30.0, mini_batch_size=7, matryoshka_dims=dims)
    loss = make_loss(spec, model)
    found = describe_losses(loss)
    assert [one for one, _ in found] == [*(["MatryoshkaLoss"] if dims else []), name]
    inner = dict(found[-1][1])
    assert (inner["scale"], inner["similarity_fct"]) == (30.0, "cos_sim")
    assert inner.get("mini_batch_size") == (7 if name.startswith("Cached") else None)
    if dims:
        assert dict(found[0][1]) == loss.get_config_dict()
        assert found[0][1]["loss"] == name
    blocks = "\n".join(loss_lines(found)).split("  ```json\n")[1:]
    read = [json.loads(block.split("  ```")[0]) for block in blocks]
    assert read == [json.loads(json.dumps(dict(parameters))) for _, parameters in found]


def test_arguments_are_told_without_paths(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformerTrainingArguments as Arguments

    made = Arguments(output_dir=str(tmp_path), learning_rate=1e-6, prompts={"anchor": "query: "}, use_cpu=True)
    told, changed = describe_arguments(made, Arguments(output_dir="", use_cpu=True))
    assert changed == {"learning_rate": 1e-6, "prompts": {"anchor": "query: "}}
    assert told["per_device_train_batch_size"] == 8 and told["learning_rate"] == 1e-6
    made.resume_from_checkpoint = str(tmp_path / "checkpoint-40")
    told, _ = describe_arguments(made, Arguments(output_dir="", use_cpu=True))
    assert "output_dir" not in told and str(tmp_path) not in str(told)
