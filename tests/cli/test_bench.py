"""`searchapp bench` as it is typed: tables, files, exit codes, what it says when it can't."""

import json
import re
from pathlib import Path

import pytest

from searchapp.bench.stored import read_results
from tests.cli.test_commands import call
from tests.models_on_disk import make_bge


def test_it_prints_what_it_keeps(beir_folder: Path, tmp_path: Path) -> None:
    done = call("bench", beir_folder, "--dims", "384,64", "--kinds", "flat,sq8", "--out", tmp_path / "runs")
    body = json.loads((tmp_path / "runs/results.json").read_text(encoding="utf-8"))
    rows = [(cell["name"], cell["dim"], cell["kind"]) for cell in body["cells"]]
    assert rows == [
        ("random", None, "random"),
        ("bm25", None, "bm25"),
        ("d384-flat", 384, "flat"),
        ("d384-sq8", 384, "sq8"),
        ("d64-flat", 64, "flat"),
        ("d64-sq8", 64, "sq8"),
    ]
    assert (body["dataset"], body["models"][0]["name"], body["protocol"]) == ("shop", "minilm", "full-corpus")
    for cell in body["cells"]:
        low, high = cell["intervals"]["nDCG@10"]
        assert f"{cell['measures']['nDCG@10']:.4f}" in done.stdout
        assert f"{low:.4f}-{high:.4f}" in done.stdout
        assert low <= cell["measures"]["nDCG@10"] <= high
    assert body["ship"]["line"] in done.stdout
    held = {str(path.relative_to(tmp_path / "runs")) for path in (tmp_path / "runs").rglob("*") if path.is_file()}
    assert held == {*body["files"], "results.json"}
    assert {"report.html", "results.md", "model-card.yaml", "runs/bm25.trec", "per-query/d64-sq8.parquet"} <= held


def test_a_bench_s_run_judged_again_gives_the_same_numbers(beir_folder: Path, tmp_path: Path) -> None:
    call("bench", beir_folder, "--dims", "64", "--kinds", "flat", "--baselines", "none", "--out", tmp_path / "first")
    run = tmp_path / "first/runs/d64-flat.trec"
    body = json.loads(call("bench", beir_folder, "--run", f"theirs={run}", "--baselines", "none", "--json").stdout)
    first = read_results(tmp_path / "first")
    assert [cell["name"] for cell in body["cells"]] == ["theirs"]
    assert body["cells"][0]["measures"] == first.cells[0].measures
    assert body["models"] == []


def test_a_budget_and_a_tolerance_choose_what_to_ship(beir_folder: Path) -> None:
    matrix = ("bench", beir_folder, "--dims", "384,64", "--kinds", "flat,sq8", "--baselines", "none", "--json")
    free = json.loads(call(*matrix).stdout)["ship"]
    tight = json.loads(call(*matrix, "--budget-bytes", "20kB", "--tolerance", "50%").stdout)["ship"]
    assert free["budget_bytes"] is None
    assert (tight["cell"], tight["budget_bytes"], tight["tolerance"]) == ("d64-sq8", 20_000, 0.5)


def test_two_models_stand_in_one_table(beir_folder: Path, tmp_path: Path) -> None:
    other = make_bge(tmp_path / "tiny")
    asked = ("bench", beir_folder, "--models", f"minilm,{other}", "--dims", "32", "--baselines", "bm25", "--json")
    body = json.loads(call(*asked).stdout)
    assert [cell["name"] for cell in body["cells"]] == ["bm25", "minilm-d32-flat", "tiny-d32-flat"]
    assert [model["name"] for model in body["models"]] == ["minilm", str(other)]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--models", "a,b", "--query-prompt", "x"], 2, "--query-prompt doesn't go with several --models"),
        (["--models", "a", "--model", "b"], 2, "--model and --models name models twice"),
        (["--task", "pair"], 2, "--task is 'pair'; type --task pairs or"),
        (["--baselines", "random,bm52"], 2, "--baselines is 'bm52'; type --baselines bm25 or"),
        (["--tolerance", "all"], 2, "--tolerance is 'all', which is no share of the best; type it like"),
        (["--budget-bytes", "much"], 2, "--budget-bytes is 'much', which is no size; type it like"),
        (["--run-order", "file"], 2, "--run-order is 'file'; type"),
        (["--slices", "colour"], 2, "colour"),
        (["--primary", "nDGC@10"], 1, "did you mean nDCG?"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    beir_folder: Path, arguments: list[str], code: int, message: str
) -> None:
    done = call("bench", beir_folder, *arguments, code=code)
    assert message in done.stderr
    assert re.fullmatch(r"(model .*\n)?searchapp: [^\n]*\n", done.stderr), done.stderr
