"""Keys, tables and the model-index of a front matter, by value."""

from collections.abc import Sequence

import pytest

from searchapp.judging.card import TASKS, CardResult, card_order, card_table, index_lines, markdown_table

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (it comes with searchapp[models])")


def read(model: str, results: Sequence[CardResult], task: str) -> object:
    return yaml.safe_load("\n".join(index_lines(model, results, task)))


def test_the_index_holds_every_result_with_its_names() -> None:
    results = [
        CardResult("sts-dev-768", "sts dev 768", {"pearson_cosine": 0.5, "spearman_cosine": 1e-05}),
        CardResult("null", "yes", {"max": 1.0}, {"protocol": "no"}),
    ]
    task = {"type": "semantic-similarity", "name": "Semantic Similarity"}
    assert read("my: model", results, TASKS["pairs"]) == [
        {
            "name": "my: model",
            "results": [
                {
                    "task": task,
                    "dataset": {"name": "sts dev 768", "type": "sts-dev-768"},
                    "metrics": [
                        {"type": "pearson_cosine", "value": 0.5, "name": "Pearson Cosine"},
                        {"type": "spearman_cosine", "value": 1e-05, "name": "Spearman Cosine"},
                    ],
                },
                {
                    "task": task,
                    "dataset": {"name": "yes", "type": "null", "args": {"protocol": "no"}},
                    "metrics": [{"type": "max", "value": 1.0, "name": "Max"}],
                },
            ],
        }
    ]


def test_a_table_has_a_column_for_each_name_and_the_primary_row_in_bold() -> None:
    table = card_table([("a", {"x": 0.12345, "y": 1.0}), ("b", {"x": 0.5, "y": 0.25})], "y")
    assert table == (
        "| Metric | a       | b        |\n"
        "|:-------|:--------|:---------|\n"
        "| x      | 0.1235  | 0.5      |\n"
        "| **y**  | **1.0** | **0.25** |"
    )


def test_cells_are_as_wide_as_the_widest() -> None:
    assert markdown_table([["a", "b"], ["long one", "-"]]) == ("| a        | b |\n|:---------|:--|\n| long one | - |")


def test_keys_of_retrieval_are_in_the_order_of_cards() -> None:
    keys = ["cosine_map@100", "cosine_recall@5", "cosine_accuracy@10", "cosine_mrr@10", "cosine_accuracy@3"]
    assert sorted(keys, key=card_order) == [
        "cosine_accuracy@3",
        "cosine_accuracy@10",
        "cosine_recall@5",
        "cosine_mrr@10",
        "cosine_map@100",
    ]
