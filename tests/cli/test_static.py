"""A static model through the commands: no torch is loaded, and none is needed."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

from searchapp.cli.main import app
from searchapp.encoders import load_encoder
from searchapp.index import open_index
from tests.models_on_disk import make_static

HEAVY = ("torch", "transformers", "sentence_transformers", "huggingface_hub")
CHILD = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"{{name}} was asked for", name=name)
sys.meta_path.insert(0, Absent())
from searchapp.cli.main import main
main()
"""
PRODUCTS = (
    "id,text\nb1,red leather handbag\nt1,green garden table of oak\nk1,leaking kitchen tap\nh1,the heart pumps blood\n"
)


class Place(NamedTuple):
    """A corpus and a static model."""

    corpus: Path
    model: Path
    root: Path


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "shop.csv").write_text(PRODUCTS, encoding="utf-8")
    return Place(tmp_path / "shop.csv", make_static(tmp_path / "static"), tmp_path)


def run_bare(*arguments: object) -> "subprocess.CompletedProcess[str]":
    """Run a command where the heavy libraries can't be imported."""
    command = [sys.executable, "-c", CHILD, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def test_index_query_and_bench_need_no_torch(place: Place, sample_data: Path) -> None:
    made = run_bare("index", place.corpus, "--model", place.model, "--out", place.root / "made", "--dim", "24,8")
    assert made.returncode == 0, made.stderr
    assert "24 dims, mean pooling, static float32" in made.stderr
    index, encoder = open_index(place.root / "made"), load_encoder(str(place.model))
    assert index.manifest.encoder["runtime"] == "static"
    texts = [line.split(",", 1)[1] for line in PRODUCTS.splitlines()[1:]]
    assert (index.vectors.take(np.arange(4)) == encoder.encode_documents(texts)).all()
    for options in ((), ("--dim", 8)):
        shown = run_bare("query", place.root / "made", "leaking kitchen tap", "-k", 1, "--json", *options)
        hit = json.loads(shown.stdout)
        assert (hit["doc_id"], round(hit["score"], 5)) == ("k1", 1.0)
    asked = ("--dims", "8", "--kinds", "flat", "--baselines", "none", "--no-cache", "--json")
    judged = run_bare("bench", sample_data, "--model", place.model, *asked)
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout)


def test_a_moved_index_is_searched_and_judged_without_its_model(place: Place) -> None:
    made = run_bare("index", place.corpus, "--model", place.model, "--out", place.root / "made")
    assert "carries   its query encoder (static), 0." in made.stdout
    before = run_bare("query", place.root / "made", "red table", "--json", "--model", place.model)
    shutil.rmtree(place.model)
    moved = shutil.move(place.root / "made", place.root / "moved")
    shown = run_bare("query", moved, "red table", "--json")
    assert (shown.returncode, shown.stdout) == (0, before.stdout)
    queries, qrels = place.root / "queries.jsonl", place.root / "qrels.tsv"
    queries.write_text('{"_id": "q1", "text": "leaking tap"}\n', encoding="utf-8")
    qrels.write_text("query-id\tcorpus-id\tscore\nq1\tk1\t1\n", encoding="utf-8")
    asked = ("--corpus", place.corpus, "--queries", queries, "--qrels", qrels, "--baselines", "none", "--no-cache")
    judged = run_bare("bench", *asked, "--index", moved, "--json")
    assert judged.returncode == 0, judged.stderr
    assert json.loads(judged.stdout)["cells"][0]["measures"]["RR@10"] == 1.0


def test_no_encoder_leaves_it_out(place: Place) -> None:
    made = run_bare("index", place.corpus, "--model", place.model, "--out", place.root / "made", "--no-encoder")
    assert made.returncode == 0, made.stderr
    assert "carries" not in made.stdout + made.stderr
    assert not (place.root / "made/encoder").exists()
    refused = run_bare("index", "--from", place.root / "made", "--dim", 8, "--no-encoder")
    assert (refused.returncode, "--no-encoder doesn't go with --from" in refused.stderr) == (2, True)


def test_the_runtime_may_be_chosen_and_is_in_the_contract(place: Place) -> None:
    done = CliRunner().invoke(
        app,
        [
            "index",
            str(place.corpus),
            "-m",
            str(place.model),
            "--out",
            str(place.root / "by-torch"),
            "--runtime",
            "torch",
        ],
    )
    assert done.exit_code == 0, done.output
    assert open_index(place.root / "by-torch").manifest.encoder["runtime"] == "torch"
    shown = run_bare("query", place.root / "by-torch", "red leather handbag", "-k", 1, "--json")
    assert json.loads(shown.stdout)["doc_id"] == "b1", shown.stderr


def test_a_runtime_that_is_none_is_refused_before_the_corpus_is_read(place: Place) -> None:
    said = (
        "searchapp: --runtime is 'statik'; type --runtime static or --runtime auto or --runtime onnx or --runtime torch"
    )
    for command in (["index", "nowhere.csv", "--out", "x"], ["bench", "nowhere"]):
        done = CliRunner().invoke(app, [*command, "--runtime", "statik"])
        assert (done.exit_code, done.stderr.strip()) == (2, said)
    asked = ["query", str(place.root), "words", "--runtime", "statik"]
    assert CliRunner().invoke(app, asked).stderr.strip() == said


def test_another_static_model_is_refused(place: Place) -> None:
    made = run_bare("index", place.corpus, "-m", place.model, "--out", place.root / "made", "--no-encoder")
    assert made.returncode == 0
    weights = place.model / "model.safetensors"
    save_file({"embedding.weight": -load_file(weights)["embedding.weight"]}, weights)
    refused = run_bare("query", place.root / "made", "red")
    assert refused.returncode == 1
    assert "was made with" in refused.stderr
    assert "(weights " in refused.stderr


def test_a_text_without_tokens_is_an_error_in_a_corpus_and_finds_nothing_as_a_query(place: Place) -> None:
    assert run_bare("index", place.corpus, "-m", place.model, "--out", place.root / "made").returncode == 0
    nothing = "\u200b\u200c"
    shown = run_bare("query", place.root / "made", nothing, "--json")
    assert (shown.returncode, shown.stdout) == (0, "")
    place.corpus.write_text(f"{PRODUCTS}z1,{nothing}\n", encoding="utf-8")
    refused = run_bare("index", place.corpus, "-m", place.model, "--out", place.root / "other")
    assert refused.returncode == 1
    assert "z1" in refused.stderr
    assert "holds only zeros (1 of 5 vectors here do); if its text has no token that the model knows" in refused.stderr
    assert not (place.root / "other").exists()


def test_a_precision_that_is_none_is_refused_before_the_corpus_is_read() -> None:
    said = "searchapp: --precision is 'int4'; type --precision int8 or --precision auto or --precision float32"
    for command in (["index", "nowhere.csv", "--out", "x"], ["bench", "nowhere"], ["query", "nowhere", "red"]):
        done = CliRunner().invoke(app, [*command, "--precision", "int4"])
        assert (done.exit_code, done.stderr.strip()) == (2, said)
