"""Small models of every reference architecture go through index, query and bench; the collapsed one through none."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from searchapp.cli.main import app
from searchapp.index import open_index
from tests.bench.conftest import write_beir
from tests.encoders.conftest import oracle
from tests.models_on_disk import ARCHITECTURES, make_collapsed

DIMS = {"nomic": 48, "roberta": 64, "bge": 64, "e5": 64, "fifty": 50}
PROMPTS = {
    "nomic": ("search_query: ", "search_document: ", "model"),
    "roberta": ("", "", "none"),
    "bge": ("", "", "none"),
    "e5": ("query: ", "passage: ", "model"),
    "fifty": ("", "", "none"),
}


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == code, done.output
    return done.stdout if code == 0 else done.stderr


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_index_query_and_bench(name: str, tmp_path: Path) -> None:
    model = ARCHITECTURES[name](tmp_path / "models" / name)
    shop = write_beir(tmp_path / "shop")
    made = json.loads(call("index", shop, "--model", model, "--out", tmp_path / "made", "--dim", "32,16", "--json"))
    query, document, source = PROMPTS[name]
    assert made["encoder"]["prompts"] == {"query": query, "document": document, "source": source}
    assert made["dim"] == made["encoder"]["dim"] == DIMS[name]
    names = [part["file"] for derived in made["derived"] for part in derived["parts"]]
    assert names == ["d32-flat.faiss", "d16-flat.faiss"]
    index = open_index(tmp_path / "made")
    texts = ["red bag", "赤い bag", "azul bag"]
    rows = np.array([0, 50, 60])
    assert [index.documents.fields(row)["title"] for row in rows] == texts
    np.testing.assert_allclose(
        index.vectors.take(rows), oracle(model, texts, prompt=document, task="document"), atol=1e-5
    )

    hits = [json.loads(line) for line in call("query", tmp_path / "made", "red bag", "-k", "3", "--json").splitlines()]
    asked = oracle(model, ["red bag"], prompt=query, task="query")[0, :32]
    stored = index.vectors.take(np.arange(240))[:, :32]
    scores = stored @ asked / np.linalg.norm(stored, axis=1) / np.linalg.norm(asked)
    assert [hit["score"] for hit in hits] == pytest.approx(sorted(scores, reverse=True)[:3], abs=1e-5)

    # By the model, as in the other bench: what the index carries differs in the seventh digit, and near ties are many.
    by_model = ("--runtime", "torch", "--baselines", "none", "--json")
    report = json.loads(call("bench", shop, "--index", tmp_path / "made", *by_model))
    assert [cell["dim"] for cell in report["cells"]] == [32, 16]
    anew = json.loads(call("bench", shop, "--model", model, "--dims", "32", "--baselines", "none", "--json"))
    assert anew["cells"][0]["measures"] == report["cells"][0]["measures"]


def test_a_collapsed_model_is_refused_before_any_document(tmp_path: Path) -> None:
    model = make_collapsed(tmp_path / "models" / "collapsed")
    shop = write_beir(tmp_path / "shop")
    for arguments in (["index", shop, "--model", model, "--out", tmp_path / "made"], ["bench", shop, "--model", model]):
        last = call(*arguments, code=1).splitlines()[-1]
        assert last.startswith("searchapp: ")
        assert "collapsed" in last
    assert not (tmp_path / "made").exists()


def test_an_index_refuses_another_model_of_the_same_width(tmp_path: Path) -> None:
    shop = write_beir(tmp_path / "shop")
    mine = ARCHITECTURES["roberta"](tmp_path / "models" / "mine")
    other = ARCHITECTURES["bge"](tmp_path / "models" / "other")
    call("index", shop, "--model", mine, "--out", tmp_path / "made")
    said = call("query", tmp_path / "made", "red bag", "--model", other, code=1)
    assert str(mine) in said
    assert str(other) in said
    moved = mine.rename(tmp_path / "models" / "moved")
    assert call("query", tmp_path / "made", "red bag", "--model", moved, "-k", "1", "--json")
