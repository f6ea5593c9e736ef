"""`searchapp query` on an index that carries its encoder, where torch and all that comes with it can't be imported."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from searchapp.cli.main import app
from tests.cli.test_static import PRODUCTS, run_bare
from tests.models_on_disk import make_bge, make_e5, make_roberta, make_router

ASKED = "red leather table"


@pytest.mark.parametrize("make", [make_bge, make_roberta, make_e5])
def test_a_transformer_s_index_is_searched_without_torch_and_model(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    (tmp_path / "shop.csv").write_text(PRODUCTS, encoding="utf-8")
    model, out = make(tmp_path / "model"), tmp_path / "made"
    made = CliRunner().invoke(app, ["index", str(tmp_path / "shop.csv"), "-m", str(model), "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert "carries   its query encoder (bert), " in made.stdout
    asked = ["query", str(out), ASKED, "--json"]
    by_torch = CliRunner().invoke(app, [*asked, "--runtime", "torch"])
    expected = [json.loads(line) for line in by_torch.stdout.splitlines()]
    shutil.rmtree(model)
    shown = run_bare("query", shutil.move(out, tmp_path / "moved"), ASKED, "--json")
    assert shown.returncode == 0, shown.stderr
    found = [json.loads(line) for line in shown.stdout.splitlines()]
    assert len(found) == 4
    assert [hit["doc_id"] for hit in found] == [hit["doc_id"] for hit in expected]
    assert [hit["score"] for hit in found] == pytest.approx([hit["score"] for hit in expected], abs=1e-4)


def test_a_model_that_can_not_be_written_down_is_said_and_asked_for(tmp_path: Path) -> None:
    (tmp_path / "shop.csv").write_text(PRODUCTS, encoding="utf-8")
    sides = make_roberta(tmp_path / "roberta"), make_e5(tmp_path / "e5")
    model, out = make_router(tmp_path / "model", *sides), tmp_path / "made"
    made = CliRunner().invoke(app, ["index", str(tmp_path / "shop.csv"), "-m", str(model), "--out", str(out)])
    assert made.exit_code == 0, made.output
    assert "the index will carry no query encoder, so queries will load the model: " in made.stderr
    shown = run_bare("query", out, ASKED, "--json")
    assert (shown.returncode, shown.stdout) == (1, "")
    assert "pip install 'searchapp[models]'" in shown.stderr
