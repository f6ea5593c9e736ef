"""model-card.yaml: what huggingface_hub and sentence-transformers would have written of the same numbers."""

from dataclasses import replace
from typing import Any

import pytest

from searchapp.bench.render.card import render_card
from searchapp.bench.report import PairwiseReport, Report
from searchapp.judging.card import card_key
from tests.bench.render.reports import make_pairwise, make_report, with_cells

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (it comes with searchapp[models])")

KEYS = [
    *(f"cosine_{name}@{k}" for name in ("accuracy", "precision") for k in (1, 3, 5, 10)),
    *(f"cosine_recall@{k}" for k in (1, 3, 5, 10, 100)),
    *("cosine_ndcg@10", "cosine_mrr@10", "cosine_map@100"),
]


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


def read(report: Report | PairwiseReport) -> dict[str, Any]:
    body = yaml.safe_load(render_card(report))
    assert list(body) == ["model-index", "tables"]
    return body


def test_huggingface_hub_reads_the_values_back_exactly(report: Report) -> None:
    cards = pytest.importorskip("huggingface_hub.repocard_data", reason="huggingface_hub is not installed")
    index = read(report)["model-index"]
    assert [model["name"] for model in index] == ["alpha-e5", "acme/beta-mini"]
    for model, prefix, dims in zip(
        index, ("alpha-e5", "acme_beta-mini"), ((384, 128, 64), (256, 128, 64)), strict=True
    ):
        name, results = cards.model_index_to_eval_results([model])
        assert name == model["name"]
        expected = []
        for dim in dims:
            cell = report.cell(f"{prefix}-d{dim}-flat")
            ours = {key: value for measure, value in cell.measures.items() if (key := card_key(measure))}
            expected += [(f"dim_{dim}", f"dim {dim}", key, ours[key]) for key in KEYS]
        read_back = [(r.dataset_type, r.dataset_name, r.metric_type, r.metric_value) for r in results]
        assert read_back == expected
        assert {(r.task_type, r.task_name) for r in results} == {("information-retrieval", "Information Retrieval")}
        assert results[KEYS.index("cosine_ndcg@10")].metric_name == "Cosine Ndcg@10"


@pytest.mark.parametrize(
    ("task", "kind", "name"),
    [("triplets", "triplet", "Triplet"), ("pairs", "semantic-similarity", "Semantic Similarity")],
)
def test_the_index_is_what_sentence_transformers_writes(task: str, kind: str, name: str) -> None:
    cards = pytest.importorskip("huggingface_hub.repocard_data", reason="huggingface_hub is not installed")
    report = make_pairwise(task)
    # As format_eval_metrics of sentence_transformers.base.model_card makes them, for evaluators named dim_N.
    results = [
        cards.EvalResult(
            task_name=name,
            task_type=kind,
            dataset_type=f"dim_{row.dim}",
            dataset_name=f"dim {row.dim}",
            metric_name=key.replace("_", " ").title(),
            metric_type=key,
            metric_value=value,
        )
        for row in report.rows
        for key, value in row.measures.items()
    ]
    assert read(report)["model-index"] == cards.eval_results_to_model_index("nomic", results)


def test_tables_are_those_of_sentence_transformers(report: Report) -> None:
    modelcard = pytest.importorskip("transformers.modelcard", reason="transformers is not installed")
    cells = {dim: report.cell(f"alpha-e5-d{dim}-flat") for dim in (384, 128, 64)}
    ours = {
        dim: {key: value for measure, value in cell.measures.items() if (key := card_key(measure))}
        for dim, cell in cells.items()
    }
    lines = []
    for key in KEYS:
        bold = "**" if key == "cosine_ndcg@10" else ""
        line = {"Metric": f"{bold}{key}{bold}"}
        lines.append(line | {f"dim_{dim}": f"{bold}{round(ours[dim][key], 4)}{bold}" for dim in ours})
    expected = modelcard.make_markdown_table(lines).replace("-:|", "--|")
    text = read(report)["tables"]["alpha-e5"]
    assert text.partition("\n\n|")[0] == (
        "#### Information Retrieval\n\n* Datasets: `dim_384`, `dim_128` and `dim_64`\n"
        "* Evaluated with <code>searchapp bench</code>"
    )
    assert "|" + text.partition("\n\n|")[2] == expected


def test_one_dim_has_a_column_called_value() -> None:
    report = make_pairwise()
    text = read(replace(report, rows=report.rows[:1]))["tables"]["nomic"]
    assert "* Dataset: `dim_768`\n" in text
    assert "| **cosine_accuracy** | **0.787** |" in text
    assert "| Metric              | Value     |" in text


def test_only_flat_cells_that_are_not_rescored_are_on_a_card(report: Report) -> None:
    flat = report.cell("alpha-e5-d128-flat")
    rescored = replace(flat, name="rescored", rescore=50)
    one = with_cells(report, [rescored, flat, report.cell("alpha-e5-d128-sq8"), report.cell("bm25")])
    (model,) = read(one)["model-index"]
    assert [result["dataset"]["type"] for result in model["results"]] == ["dim_128"]
    none = with_cells(report, [rescored, report.cell("bm25")])
    assert read(none) == {"model-index": [], "tables": {}}
    assert "# no cell is flat and without rescoring" in render_card(none)


@pytest.mark.parametrize(
    "name", ['a: "b" # c', "- x", "null", "日本 \U0001f600", "\x85\u2028\ufeff\x07tab\t\\", "{}&*!|>'%@`"]
)
def test_any_name_is_read_back(name: str) -> None:
    report = make_pairwise()
    body = read(replace(report, rows=tuple(replace(row, model=name) for row in report.rows), dataset=f"{name}\nx: y"))
    assert body["model-index"][0]["name"] == name
    assert list(body["tables"]) == [name]


def test_small_values_are_read_back_as_numbers() -> None:
    report = make_pairwise()
    measures = {"cosine_accuracy": 1.5e-05, "dot_accuracy": 1e-05, "max_accuracy": 1.0}
    row = replace(report.rows[0], measures=measures)
    (model,) = read(replace(report, rows=(row,)))["model-index"]
    assert [metric["value"] for metric in model["results"][0]["metrics"]] == [1.5e-05, 1e-05, 1.0]


def test_a_primary_that_no_card_knows_is_not_bold(report: Report) -> None:
    assert "**" not in read(replace(report, primary="Judged@10"))["tables"]["alpha-e5"]


def test_a_judged_pool_is_told_from_the_full_corpus(report: Report) -> None:
    cards = pytest.importorskip("huggingface_hub.repocard_data", reason="huggingface_hub is not installed")
    full, pooled = read(report), read(replace(report, protocol="judged-pool"))
    (_, before), (_, after) = (cards.model_index_to_eval_results(body["model-index"][:1]) for body in (full, pooled))
    assert [one.metric_value for one in after] == [one.metric_value for one in before]
    assert {(one.dataset_type, one.dataset_name) for one in after} == {
        (f"dim_{dim}_judged_pool", f"dim {dim} (judged-pool)") for dim in (384, 128, 64)
    }
    assert [one.dataset_args for one in after] == [{"protocol": "judged-pool"}] * len(after)
    assert [one.dataset_args for one in before] == [None] * len(before)
    text = pooled["tables"]["alpha-e5"]
    assert text.startswith(
        "#### Information Retrieval (judged-pool)\n\n"
        "* Datasets: `dim_384_judged_pool`, `dim_128_judged_pool` and `dim_64_judged_pool`\n"
        "* Protocol: judged-pool: only what a query has judgments for is ranked\n"
        "* Evaluated with <code>searchapp bench</code>\n\n| Metric "
    )
    head = next(line for line in text.split("\n") if line.startswith("| Metric"))
    assert [name.strip() for name in head.split("|")[2:5]] == [f"dim_{dim}_judged_pool" for dim in (384, 128, 64)]
    assert "judged" not in full["tables"]["alpha-e5"]


def test_one_triplet_is_one() -> None:
    assert render_card(replace(make_pairwise(), count=1)).startswith("# esci-triplets: 1 triplet\n")
