"""`searchapp bench` as it is typed: tables, files, exit codes, what it says when it can't."""

import json
import os
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
        (["--measures", "nDCG@99999999999999999999"], 1, "looks further than any ranking"),
        (["--baselines", "bm25,none"], 2, "--baselines is 'none'; type --baselines"),
        (["--models", "a,a"], 2, "--models names a twice"),
        (["--models", ","], 2, "--models is given and holds nothing"),
        (["--dims", ""], 2, "--dims is given and holds nothing"),
        (["--png"], 2, "--png doesn't go with no --out"),
        (["--no-cache", "--cache", "x"], 2, "--cache doesn't go with --no-cache"),
        (["--language", "klingon"], 2, "--language 'klingon' is not known"),
        (["--dims", "9999"], 2, "9999 dims: the model gives 384"),
        (["--nprobe", "0"], 2, "--nprobe 0 would visit no list"),
        (["--nprobe", "4"], 2, "--nprobe is for kinds with lists, and none is asked for"),
        (["--kinds", "nosuch"], 2, "nosuch"),
        (["--kinds", "ivf-pq"], 2, "240 documents are too few for kind ivf-pq"),
        (["--kinds", "sq8", "--rescore", "5"], 2, "--rescore 5 is fewer than the 100 hits"),
        (["--protocol", "judged-pool", "--nprobe", "4"], 2, "--nprobe doesn't go with --protocol judged-pool"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(
    beir_folder: Path, arguments: list[str], code: int, message: str
) -> None:
    before = list(Path(os.environ["SEARCHAPP_CACHE"]).rglob("*.npy"))
    done = call("bench", beir_folder, *arguments, code=code)
    assert message in done.stderr
    # Refused before anything was embedded.
    assert list(Path(os.environ["SEARCHAPP_CACHE"]).rglob("*.npy")) == before
    assert re.fullmatch(r"(model .*\n)?searchapp: [^\n]*\n", done.stderr), done.stderr


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        (["a={run}", "a={run}"], "two runs are called a"),
        (["{run}", "{run}"], "two runs are called theirs"),
        (["../../evil={run}"], "gives the run the name '../../evil'; type --run NAME=FILE"),
        (["my sys={run}"], "gives the run the name 'my sys'"),
        (["={run}"], "gives the run the name ''"),
    ],
)
def test_a_run_has_a_name_that_a_file_can_have(
    beir_folder: Path, tmp_path: Path, runs: list[str], message: str
) -> None:
    run = tmp_path / "theirs.trec"
    run.write_text("q00 Q0 p000 1 2.0 x\n", encoding="utf-8")
    typed = [part for text in runs for part in ("--run", text.format(run=run))]
    done = call("bench", beir_folder, *typed, "--out", tmp_path / "out", code=2)
    assert message in done.stderr
    assert not (tmp_path / "out").exists()


def test_runs_alone_take_no_prompt(beir_folder: Path) -> None:
    done = call("bench", beir_folder, "--run", "x=theirs.trec", "--query-prompt", "find: ", code=2)
    assert "--query-prompt doesn't go with --run alone, for which no model is loaded" in done.stderr


def test_triplets_take_no_option_that_means_nothing_to_them(tmp_path: Path) -> None:
    (tmp_path / "three.jsonl").write_text('{"anchor": "a", "positive": "b", "negative": "c"}\n', encoding="utf-8")
    for option in (["--kinds", "sq8"], ["--protocol", "judged-pool"], ["--measures", "nDCG@10"], ["--slices", "x"]):
        done = call("bench", tmp_path / "three.jsonl", *option, code=2)
        assert f"{option[0]} doesn't go with triplets" in done.stderr


def test_ids_that_no_run_file_holds_are_refused_before_any_work(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "a b", "title": "", "text": "bag"}\n', encoding="utf-8")
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "bag"}\n', encoding="utf-8")
    (folder / "qrels/test.tsv").write_text("query-id\tcorpus-id\tscore\nq\ta b\t1\n", encoding="utf-8")
    done = call("bench", folder, "--out", tmp_path / "out", code=1)
    assert "the document id 'a b' has white space in it" in done.stderr
    assert call("bench", folder, "--baselines", "none", "--json").exit_code == 0


def test_a_cache_that_cannot_be_written_to_says_what_to_type(beir_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    done = call("bench", beir_folder, "--cache", tmp_path / "file", code=1)
    assert "can't be written to" in done.stderr
    assert "--no-cache" in done.stderr


def test_a_budget_that_nothing_fits_into_is_said(beir_folder: Path) -> None:
    asked = ("bench", beir_folder, "--dims", "64", "--kinds", "flat,sq8", "--baselines", "none")
    body = json.loads(call(*asked, "--budget-bytes", "1", "--json").stdout)
    assert body["ship"] is None
    assert any(
        "nothing fits into --budget-bytes 1; the smallest index file is that of d64-sq8" in n for n in body["notes"]
    )
