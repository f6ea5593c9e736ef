"""`searchapp doctor` end to end: what it prints, its JSON, its exit codes, and that nothing broken stops it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from searchapp.cli.main import app
from tests.models_on_disk import make_collapsed, make_static


def call(*arguments: object, code: int = 0) -> Result:
    done = CliRunner().invoke(app, ["doctor", *map(str, arguments)], env={"COLUMNS": "90"})
    assert done.exit_code == code, done.output
    return done


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, a static model and an index made of both."""
    folder = tmp_path_factory.mktemp("doctor")
    rows = "".join(f"p{number},red leather handbag number {number}\n" for number in range(30))
    (folder / "shop.csv").write_text(f"id,text\n{rows}", encoding="utf-8")
    make_static(folder / "model")
    made = ["index", str(folder / "shop.csv"), "--out", str(folder / "made"), "--model", str(folder / "model")]
    assert CliRunner().invoke(app, made).exit_code == 0
    return folder


def test_a_healthy_model_index_and_corpus(shop: Path) -> None:
    body = json.loads(call(shop / "shop.csv", "--index", shop / "made", "--json").stdout)
    assert body["counts"]["problem"] == 0
    found = {(one["part"], one["check"]): one for one in body["findings"]}
    assert list(dict.fromkeys(part for part, _ in found)) == ["machine", "model", "index", "corpus"]
    assert found["model", "loads"]["figures"] == {"model": str(shop / "model"), "dim": 24, "runtime": "static"}
    assert found["index", "contract"]["figures"]["query"] == pytest.approx(1, abs=1e-5)
    assert found["corpus", "index"]["level"] == "ok"
    assert found["corpus", "rows"]["figures"]["documents"] == 30
    assert found["corpus", "kinds"]["figures"]["auto"] == "flat"
    assert found["model", "prompts"]["figures"]["source"] == "none"
    checks = {check for part, check in found if part == "corpus"}
    assert checks == {"rows", "duplicates", "index", "cut", "time", "disk", "memory", "kinds"}
    assert all(one["level"] == "ok" or (one["means"] and one["next"]) for one in body["findings"])


def test_the_text_says_level_check_and_what_to_type(shop: Path) -> None:
    lines = call("--index", shop / "made").stdout.splitlines()
    assert lines[0] == "machine"
    assert {"model", "index"} < set(lines)
    assert all(len(line) <= 90 or " " not in line.strip() for line in lines)
    at = next(number for number, line in enumerate(lines) if line.startswith("  note     prompts "))
    assert any(line.strip().startswith("-> read its card") for line in lines[at : at + 6])
    assert lines[-1].startswith("0 problems, 0 warnings, ")


def test_a_problem_is_exit_code_1(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text("id,text\na,red\na,blue\nb,\n", encoding="utf-8")
    asked = (tmp_path / "bad.csv", "--model", shop / "model")
    shown = call(*asked, code=1).stdout
    assert "problem  bad rows" in shown
    assert "1 problem, " in shown
    assert "warning  bad rows" in call(*asked, "--on-bad-row", "skip").stdout


def test_a_collapsed_model_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    body = json.loads(call("--model", make_collapsed(tmp_path / "m"), "--json", code=1).stdout)
    assert [one["check"] for one in body["findings"] if one["level"] == "problem"] == ["vectors"]


def test_half_precision_on_the_cpu_and_options_that_do_not_go_together_are_refused(shop: Path) -> None:
    assert "--dtype float16 on the CPU is far slower" in call("--dtype", "float16", code=2).stderr
    assert "--text doesn't go with a call without a CORPUS" in call("--text", "{a}", code=2).stderr
    asked = ("--index", shop / "made", "--query-prompt", "q: ")
    assert "--query-prompt doesn't go with --index" in call(*asked, code=2).stderr
    assert "--runtime is 'statik'" in call("--runtime", "statik", code=2).stderr


@pytest.mark.parametrize(
    "name", ["model.safetensors", "tokenizer.json", "modules.json", "config_sentence_transformers.json"]
)
def test_a_damaged_model_is_a_finding(name: str, tmp_path: Path) -> None:
    model = make_static(tmp_path / "m")
    hit = next(model.rglob(name))
    hit.write_bytes(b"\x00garbage")
    body = json.loads(call("--model", model, "--json", code=1).stdout)
    problem = next(one for one in body["findings"] if one["level"] == "problem")
    assert (problem["part"], problem["check"]) == ("model", "loads")
    assert problem["next"]


def test_a_damaged_index_is_findings(shop: Path, tmp_path: Path) -> None:
    import shutil

    for number, name in enumerate(("manifest.json", "vectors/00000.npy", "documents/00000.arrow", "canaries.npy")):
        folder = tmp_path / str(number)
        shutil.copytree(shop / "made", folder)
        size = (folder / name).stat().st_size
        (folder / name).write_bytes(b"\x00" * size)
        body = json.loads(call("--index", folder, "--json", code=1).stdout)
        problems = [one for one in body["findings"] if one["level"] == "problem"]
        assert problems
        assert all(one["part"] == "index" and one["next"] for one in problems)


@pytest.mark.parametrize("content", ["", "not json\n", '{"_id": 1}\n', "\x00\n"])
def test_a_broken_corpus_is_a_finding(content: str, shop: Path, tmp_path: Path) -> None:
    (tmp_path / "c.jsonl").write_text(content, encoding="utf-8")
    body = json.loads(call(tmp_path / "c.jsonl", "--model", shop / "model", "--json", code=1).stdout)
    assert [(one["part"], one["check"]) for one in body["findings"] if one["level"] == "problem"] == [
        ("corpus", "opens")
    ]


def test_a_model_that_is_gone_is_noted_where_the_index_carries_its_encoder(shop: Path, tmp_path: Path) -> None:
    import shutil

    model = make_static(tmp_path / "m")
    for level, carries in (("problem", ["--no-encoder"]), ("note", [])):
        made = ["index", str(shop / "shop.csv"), "--out", str(tmp_path / level), "--model", str(model), *carries]
        assert CliRunner().invoke(app, made).exit_code == 0
    shutil.rmtree(model)
    for level, code in (("problem", 1), ("note", 0)):
        body = json.loads(call("--index", tmp_path / level, "--json", code=code).stdout)
        assert next(one["level"] for one in body["findings"] if one["check"] == "loads") == level


def test_what_is_not_there_is_a_finding(shop: Path, tmp_path: Path) -> None:
    for asked in (
        ["--index", tmp_path / "none"],
        ["--model", tmp_path / "none"],
        [tmp_path / "none.csv", "-m", shop / "model"],
    ):
        assert "1 problem, " in call(*asked, code=1).stdout
