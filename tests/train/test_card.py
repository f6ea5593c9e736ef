"""The model card: read back as the hub, sentence-transformers and load_encoder read it."""

import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from searchapp.encoders import load_encoder
from searchapp.train.card import CardFacts, base_name, render_model_card
from searchapp.train.log import LogRow
from searchapp.train.recipe import LossSpec
from searchapp.train.recipe_file import parse_recipe
from tests.models_on_disk import make_bge, make_e5
from tests.train.cards import ROWS, make_facts

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed (it comes with searchapp[models])")


def front(card: str) -> dict[str, Any]:
    body: dict[str, Any] = yaml.safe_load(card.split("---\n")[1])
    return body


def section(card: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level or above."""
    level = heading.split(" ")[0]
    after = card.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0].strip()


def test_the_front_matter_has_every_number_of_the_kept_step() -> None:
    found = front(render_model_card(make_facts()))
    assert list(found) == ["tags", "base_model", "pipeline_tag", "library_name", "metrics", "model-index"]
    assert found["base_model"] == "BAAI/bge-base-en-v1.5"
    assert (found["pipeline_tag"], found["library_name"]) == ("sentence-similarity", "sentence-transformers")
    assert found["tags"][:2] == ["sentence-transformers", "sentence-similarity"]
    assert {"dataset_size:4", "loss:MatryoshkaLoss", "loss:MultipleNegativesRankingLoss"} <= set(found["tags"])
    assert found["metrics"] == ["cosine_ndcg@10", "cosine_map@100"]
    (model,) = found["model-index"]
    assert model["name"] == "shop"
    kept = {
        (one["dataset"]["type"], metric["type"]): metric["value"]
        for one in model["results"]
        for metric in one["metrics"]
    }
    assert {f"{name}_{key}": value for (name, key), value in kept.items()} == dict(ROWS[2].measures)
    assert [one["dataset"]["name"] for one in model["results"]] == ["shop 64", "shop 8"]
    assert {one["task"]["name"] for one in model["results"]} == {"Information Retrieval"}


def test_the_hub_s_library_reads_it(tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")
    path = tmp_path / "README.md"
    path.write_text(render_model_card(make_facts()), encoding="utf-8")
    data = hub.ModelCard.load(path).data
    assert data.base_model == "BAAI/bge-base-en-v1.5" and data.model_name == "shop"
    assert [(one.dataset_type, one.metric_type, one.metric_value) for one in data.eval_results] == [
        ("shop-64", "cosine_ndcg@10", 0.5123449),
        ("shop-64", "cosine_map@100", 0.4),
        ("shop-8", "cosine_ndcg@10", 0.375),
        ("shop-8", "cosine_map@100", 1e-05),
    ]


def test_sections_are_those_of_a_sentence_transformers_card() -> None:
    card = render_model_card(make_facts())
    outside = re.sub(r"```.*?```", "", card.split("---\n", 2)[2], flags=re.DOTALL)
    assert re.findall(r"^(#+ .*)$", outside, re.MULTILINE) == [
        "# shop",
        "## Model Details",
        "### Model Description",
        "### Full Model Architecture",
        "## Usage",
        "## Evaluation",
        "### Metrics",
        "#### Information Retrieval",
        "## Training Details",
        "### Training Dataset",
        "#### shop-pairs",
        "### Training Hyperparameters",
        "#### Non-Default Hyperparameters",
        "#### All Hyperparameters",
        "### Training Time",
        "### Training Logs",
        "### Recipe",
        "### Framework Versions",
    ]


def test_metrics_are_a_column_for_each_dim_after_and_before() -> None:
    assert section(render_model_card(make_facts()), "#### Information Retrieval") == (
        "* Datasets: `shop-64` and `shop-8`, of home_depot\n"
        "* Queries: 1,447, documents: 54,667\n"
        "* Evaluated with <code>searchapp train</code>\n\n"
        "After training (step 20):\n\n"
        "| Metric             | shop-64    | shop-8    |\n"
        "|:-------------------|:-----------|:----------|\n"
        "| **cosine_ndcg@10** | **0.5123** | **0.375** |\n"
        "| cosine_map@100     | 0.4        | 0.0       |\n\n"
        "Before, BAAI/bge-base-en-v1.5 as it comes:\n\n"
        "| Metric             | shop-64  | shop-8    |\n"
        "|:-------------------|:---------|:----------|\n"
        "| **cosine_ndcg@10** | **0.25** | **0.125** |\n"
        "| cosine_map@100     | 0.2      | 0.1       |"
    )


def test_one_dim_and_pairs_are_told_as_such() -> None:
    facts = make_facts()
    assert facts.judged is not None
    judged = replace(facts.judged, task="pairs", measure="sts-dev_spearman_cosine", queries=2998, documents=0)
    measures = {"sts-dev_pearson_cosine": 0.25, "sts-dev_spearman_cosine": 0.5}
    card = render_model_card(replace(facts, judged=judged, rows=[LogRow(1.0, 20, 2.0, measures=measures)]))
    assert section(card, "#### Semantic Similarity") == (
        "* Dataset: `sts-dev`, of home_depot\n"
        "* Sentences: 2,998\n"
        "* Evaluated with <code>searchapp train</code>\n\n"
        "After training (step 20):\n\n"
        "| Metric              | Value   |\n"
        "|:--------------------|:--------|\n"
        "| pearson_cosine      | 0.25    |\n"
        "| **spearman_cosine** | **0.5** |"
    )


def test_rows_losses_and_settings_are_told() -> None:
    details = section(render_model_card(make_facts()), "## Training Details")
    long = "x" * 300
    for snippet in (
        "* Size: 4 training samples\n* Columns: <code>anchor</code>, <code>positive</code>, and <code>negative</code>\n"
        "* As read: rows 1,234, source <code>shop</code>\n",
        "* Approximate statistics based on the first 4 samples:\n",
        "<ul><li>min: 4 tokens</li><li>mean: 10.50 tokens</li><li>max: 34 tokens</li></ul>",
        "<code>taps &#124; kettles</code>",
        "<code>&lt;b&gt;kettle&lt;/b&gt; of &#96;steel&#96;</code>",
        "<code>a &#42;bag&#42;</code>",
        f"<code>{long}...</code>",
        '* Loss: <code>MatryoshkaLoss</code> with these parameters:\n  ```json\n  {\n      "loss": '
        '"MultipleNegativesRankingLoss",\n      "matryoshka_dims": [\n          64,\n          8\n      ]\n  }\n  ```\n'
        '* Within it: <code>MultipleNegativesRankingLoss</code> with these parameters:\n  ```json\n  {\n      "scale": '
        '20.0,\n      "similarity_fct": "cos_sim"\n  }\n  ```\n',
        "#### Non-Default Hyperparameters\n\n- `learning_rate`: 2e-05\n\n",
        "- `prompts`: {'anchor': 'query: '}\n- `optim_args`: \"\"\n",
        "- 1.5 minutes on cpu, judging included\n",
        "| **1.0000** | **20** | **2.0000**    | **2.2500**      | **0.5123**             | **0.3750**            |\n",
        "* The bold row denotes the saved checkpoint.",
    ):
        assert snippet in details
    assert "not shown" not in details and "<details><summary>Click to expand</summary>\n\n| Epoch" not in details


def test_dims_to_cut_to_are_told_where_there_are_several() -> None:
    facts = make_facts()
    assert "Its vectors may be cut to fewer dimensions (64, 8) and made unit length again.\n" in render_model_card(
        facts
    )
    plain = replace(facts.recipe, loss=LossSpec())
    assert "cut to fewer" not in render_model_card(replace(facts, recipe=plain))


def test_a_long_log_is_folded() -> None:
    rows = [LogRow(step / 61, step, 1.0) for step in range(1, 62)]
    folded = section(render_model_card(replace(make_facts(), rows=rows)), "### Training Logs")
    assert "<details><summary>Click to expand</summary>\n\n| Epoch" in folded
    assert folded.count("\n| ") == 62


def test_the_recipe_is_there_in_full() -> None:
    facts = make_facts()
    text = section(render_model_card(facts), "### Recipe").removeprefix("```toml\n").removesuffix("```")
    again = parse_recipe(text, "card")
    assert replace(again, model=replace(again.model, base=facts.recipe.model.base)) == facts.recipe
    assert again.model.base == facts.base
    assert tomllib.loads(text)["loss"]["matryoshka_dims"] == [64, 8]


def test_no_path_of_the_machine_is_told() -> None:
    facts = make_facts()
    recipe = replace(facts.recipe, model=replace(facts.recipe.model, base="/srv/zoltan/models/mine"))
    card = render_model_card(replace(facts, base="/srv/zoltan/models/mine", recipe=recipe))
    assert "/srv" not in card and "zoltan" not in card
    assert front(card)["base_model"] == "mine"
    assert "- **Base model:** mine\n" in card and 'base = "mine"' in card


def test_a_model_from_scratch_has_no_base() -> None:
    facts = make_facts()
    recipe = replace(facts.recipe, model=replace(facts.recipe.model, start="random"))
    card = render_model_card(replace(facts, recipe=recipe))
    assert "base_model" not in front(card)
    assert "trained from scratch, in the architecture of BAAI/bge-base-en-v1.5 on shop-pairs" in card


def test_what_was_not_judged_has_no_evaluation() -> None:
    card = render_model_card(replace(make_facts(), judged=None, rows=ROWS[1:2], step=10))
    assert "## Evaluation" not in card and "model-index" not in front(card) and "metrics" not in front(card)
    assert "| **0.5000** | **10** | **2.5000**    |" in card


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("intfloat/e5-base", "intfloat/e5-base"),
        ("minilm", "minilm"),
        ("./mine", "mine"),
        ("~/m/x", "x"),
        ("a/b/c", "c"),
    ],
)
def test_a_base_is_a_name(base: str, name: str) -> None:
    assert base_name(base) == name


def test_a_tuned_model_is_not_taken_for_its_base(tmp_path: Path) -> None:
    # Its base takes a prompt for queries, and it was trained without one.
    plain = make_bge(tmp_path / "shop")
    write(plain, make_facts())
    found = load_encoder(str(plain)).card.prompts
    assert (found.query, found.document) == ("", "")
    assert "its base BAAI/bge-base-en-v1.5 takes" in found.source
    # One with prompts of its own keeps them, whatever its base takes.
    own = make_e5(tmp_path / "own")
    write(own, replace(make_facts(), name="own"))
    found = load_encoder(str(own)).card.prompts
    assert (found.query, found.document, found.source) == ("query: ", "passage: ", "model")


def write(folder: Path, facts: CardFacts) -> None:
    (folder / "README.md").write_text(render_model_card(facts), encoding="utf-8")


def test_the_code_of_the_card_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = render_model_card(make_facts())
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    model = make_bge(tmp_path / "models" / "shop")
    namespace: dict[str, Any] = {}
    exec(compile(code.replace('"models/shop"', repr(str(model))), "card", "exec"), namespace)
    assert namespace["queries"].shape == namespace["documents"].shape == (1, 64)
    assert "tensor([[" in capsys.readouterr().out
