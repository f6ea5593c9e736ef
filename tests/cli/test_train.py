"""`searchapp train` as it is typed: recipes shown, lines of JSON, refusals with their exit codes."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from searchapp.cli.main import app
from searchapp.layout import work_path
from searchapp.train.recipe_file import open_recipe, recipe_names
from tests.cli.test_help import run_child
from tests.encoders.conftest import Build, built
from tests.train.small import held_out, write_rows

__all__ = ["built"]
CALL = ("--recipe", "e5-acronyms", "--data", "rows.jsonl", "--out", "models/tuned", "--device", "cpu")
FEW = [
    word
    for setting in ("max_steps=2", "batch_size=8", "log_every=1", "learning_rate=1e-3", "warmup_ratio=0")
    for word in ("--set", f"training.{setting}")
]


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["train", *map(str, arguments)])


def refused(code: int, *arguments: object) -> str:
    """Return the one line with which a call is refused."""
    done = call(*arguments)
    assert (done.exit_code, done.stdout) == (code, ""), done.output
    said = done.stderr.splitlines()[-1]
    assert said.startswith("searchapp: ")
    assert "Traceback" not in done.stderr
    return said


@pytest.fixture
def standing(built: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder with rows, and with a base called `base`."""
    (tmp_path / "base").symlink_to(built("roberta"))
    write_rows(tmp_path / "rows.jsonl")
    write_rows(tmp_path / "held-out.jsonl", held_out())
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", recipe_names())
def test_show_prints_a_recipe_that_can_be_trained_by(name: str, tmp_path: Path) -> None:
    shown = call("--recipe", name, "--show")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert tomllib.loads(shown.stdout)["name"] == name
    (tmp_path / "mine.toml").write_text(shown.stdout, encoding="utf-8")
    assert open_recipe(tmp_path / "mine.toml") == open_recipe(name)
    assert call("--recipe", tmp_path / "mine.toml", "--show").stdout == shown.stdout


def test_show_has_what_was_set() -> None:
    settings = ("--set", "loss.scale=30", "--model", "minilm", "--set", "loss.scale=40")
    shown = tomllib.loads(call("--recipe", "esci", *settings, "--show").stdout)
    assert (shown["loss"]["scale"], shown["model"]["base"]) == (40, "minilm")


@pytest.mark.parametrize("arguments", [["--recipe", "esci", "--show"], ["--help"], ["--recipe", "esc"], []])
def test_showing_and_refusing_load_nothing_heavy(arguments: list[str]) -> None:
    shown = run_child("train", *arguments)
    assert shown.rstrip().endswith("loaded []")
    assert "exit 0" in shown or not arguments or arguments[-1] == "esc"


def test_each_line_of_json_is_a_row_and_the_last_one_is_the_end(standing: Path) -> None:
    done = call(*CALL, "--model", "base", "--eval", "held-out.jsonl", *FEW, "--json")
    assert done.exit_code == 0, done.output
    *rows, end = [json.loads(line) for line in done.stdout.splitlines()]
    log = (standing / "models" / "tuned" / "training" / "log.jsonl").read_text(encoding="utf-8").splitlines()
    assert rows == [json.loads(line) for line in log]
    assert [row["step"] for row in rows] == [0, 1, 2]
    assert end["model"] == str(standing / "models" / "tuned")
    assert (end["before"], end["after"]) == (rows[0]["measures"], rows[2]["measures"])
    assert (end["recipe"], end["step"], end["measure"]) == ("e5-acronyms", 2, "e5-eval-real_cosine_ndcg@10")

    again = call(*CALL, "--model", "base", "--eval", "held-out.jsonl", *FEW)
    assert again.exit_code == 0
    assert "nothing is left to do" in again.stderr
    was, now = end["before"][end["measure"]], end["after"][end["measure"]]
    said = again.stdout.splitlines()
    assert f"  {end['measure']} {now:.4f} (the base {was:.4f}, {now - was:+.4f})" in said
    assert said[-1] == f"try it: searchapp bench DATASET --model {end['model']}"

    other = refused(1, *CALL, "--model", "base", "--eval", "held-out.jsonl", *FEW, "--set", "training.seed=7")
    assert "holds a trained model already" in other
    assert "--overwrite" in other


def test_a_training_prints_its_rows_for_people(standing: Path) -> None:
    rows = (standing / "rows.jsonl").read_text(encoding="utf-8")
    (standing / "rows.jsonl").write_text(f"{rows}no row\n", encoding="utf-8")
    assert "rows.jsonl:25: " in refused(1, *CALL, "--model", "base", *FEW)
    done = call(*CALL, "--model", "base", *FEW, "--on-bad-row", "skip")
    assert done.exit_code == 0, done.output
    assert "trains on 24 rows of rows; skipped 1" in done.stderr.splitlines()
    assert [line.split("  ")[0] for line in done.stderr.splitlines() if line.startswith("step")] == ["step 1", "step 2"]
    assert done.stdout.splitlines()[0].startswith(f"model {standing / 'models' / 'tuned'}: e5-acronyms of ")


@pytest.mark.usefixtures("standing")
def test_refusals_are_one_line_that_says_what_to_type() -> None:
    assert "--recipe with one of allnli-matryoshka, e5-acronyms, esci, " in refused(2)
    assert "no recipe is called 'esc'; perhaps esci;" in refused(2, "--recipe", "esc", "--show")
    for half in ((), ("--data", "rows.jsonl"), ("--out", "models/x")):
        assert "--data PATH --out models/NAME" in refused(2, "--recipe", "esci", *half)
    assert "none is named; leave them out" in refused(2, *CALL, "--locale", "jp")
    assert "--revision abc goes with a hub name" in call(*CALL, "--model", "./base", "--revision", "abc").stderr
    assert "--eval PATH, or --set training.keep=last" in refused(2, *CALL, "--recipe", "esci", "--model", "base")
    assert "perhaps loss.scale" in refused(2, *CALL, "--set", "loss.scal=3")
    wide = ("--set", "loss.matryoshka_dims=128,32", "--model", "base", *FEW)
    assert "type --set loss.matryoshka_dims=64,32" in refused(2, *CALL, *wide)
    assert "nowhere.jsonl" in refused(1, *CALL, "--data", "nowhere.jsonl", "--model", "base")
    for option in (("--locale", "jp"), ("--version", "small")):
        said = refused(2, *CALL, "--model", "base", "--eval", "held-out.jsonl", *option)
        assert said == "searchapp: --locale and --version go with ESCI folders, and none is named; leave them out"
    assert "no-base" in refused(1, *CALL, "--model", "./no-base")


def test_a_stopped_training_is_gone_on_from_by_the_same_call_alone(standing: Path) -> None:
    many = [*CALL, "--model", "base", *FEW, "--set", "training.max_steps=1000", "--set", "training.checkpoint_every=1"]
    # Its reader leaves after the first rows, as `| head` does.
    code = "import sys; from searchapp.cli.main import main; main()"
    run = [sys.executable, "-c", code, "train", *many, "--json"]
    with subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        rows = [json.loads(child.stdout.readline()) for _ in range(3)]
        child.stdout.close()
    assert child.returncode != 0
    assert [row["step"] for row in rows] == [1, 2, 3]
    assert work_path(standing / "models" / "tuned").is_dir()
    other = refused(1, *many, "--set", "training.seed=7")
    assert "with training.seed 42, and this call has 7" in other
    assert "--restart" in other
    assert not (standing / "models" / "tuned").exists()
    few = [*CALL, "--model", "base", *FEW, "--set", "training.checkpoint_every=1", "--restart", "--json"]
    steps = [json.loads(line)["step"] for line in call(*few).stdout.splitlines()]
    assert steps == [1, 2, 2]
    assert not work_path(standing / "models" / "tuned").exists()
