"""The README's commands run as written and print what it shows; its options exist."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from searchapp.cli.main import COMMANDS, app
from tests.models_on_disk import make_bge, quiet

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
TIMED = ("p50 ms", "p99 ms", "q/s", "build s")
"""Columns of the bench's table that no two runs agree on; the last ones."""


@pytest.fixture
def in_a_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a folder that has the checkout's data/, with nothing else of it."""
    (tmp_path / "data").symlink_to(ROOT / "data")
    monkeypatch.setenv("SEARCHAPP_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shown_sessions() -> list[tuple[str, list[str]]]:
    """Return every `$ searchapp ...` of the console blocks with the lines printed below it."""
    sessions: list[tuple[str, list[str]]] = []
    for block in re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                sessions.append((line[2:], []))
            elif line.strip():
                sessions[-1][1].append(line)
    return sessions


def same_line(shown: str, printed: str, *, timed: int) -> bool:
    """Compare word by word; numbers may differ in the last digits, the `timed` last columns altogether."""
    # How many threads there are is the machine's.
    left, right = (re.sub(r"\d+ threads?$", "threads", line).split() for line in (shown, printed))
    if len(left) != len(right):
        return False
    compared = len(left) - timed
    return all(a == b or near(a, b) for a, b in zip(left[:compared], right[:compared], strict=True))


def near(left: str, right: str) -> bool:
    """Compare numbers, or two numbers with a dash between them."""
    if left.count("-") == right.count("-") == 1:
        return all(near(a, b) for a, b in zip(left.split("-"), right.split("-"), strict=True))
    return is_number(left) and is_number(right) and abs(float(left) - float(right)) < 0.003


def is_number(text: str) -> bool:
    return re.fullmatch(r"\d+\.\d+", text) is not None


@pytest.mark.usefixtures("in_a_checkout")
def test_the_readme_shows_what_the_commands_print() -> None:
    sessions = shown_sessions()
    assert len(sessions) == 3
    for command, shown in sessions:
        program, *arguments = shlex.split(command)
        assert program == "searchapp"
        done = CliRunner().invoke(app, arguments, env={"COLUMNS": "100"})
        assert done.exit_code == 0, done.output
        printed = [*done.stderr.splitlines(), *done.stdout.splitlines()]
        printed = [line for line in printed if line.strip()]
        assert len(printed) == len(shown), done.output
        timed = sum(column in line for line in shown for column in TIMED)
        for line, expected in zip(printed, shown, strict=True):
            assert same_line(expected, line, timed=timed * line[:3].strip().isdigit()), (expected, line)


@pytest.mark.usefixtures("in_a_checkout")
def test_the_readme_s_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[0].startswith("1 us:B0BY45GNUO Men's Red Full Grain Leather")


def the_loop() -> list[list[str]]:
    """Return the five commands of the loop of training, without the program's name."""
    (block,) = re.findall(r"(?:^searchapp .* --out runs/before\n)(?:^searchapp .*\n)+", README, flags=re.MULTILINE)
    return [shlex.split(line)[1:] for line in block.splitlines()]


def run_loop(commands: list[list[str]]) -> list[str]:
    """Run commands one after the other; return what each printed."""
    printed = []
    for command in commands:
        with quiet():
            done = CliRunner().invoke(app, command, env={"COLUMNS": "160"})
        assert done.exit_code == 0, (command, done.output)
        printed.append(done.stdout)
    return printed


def test_the_loop_runs_with_a_small_model_in_place_of_the_default(in_a_checkout: Path) -> None:
    small = str(make_bge(in_a_checkout / "small"))
    text = "\n".join(shlex.join(command) for command in the_loop())
    cut = text.replace("384,128,64", "64,32,16").replace("d384-flat", "d64-flat")
    before, training, *others = [shlex.split(line) for line in cut.splitlines()]
    settings = ["loss.matryoshka_dims=64,32,16", "training.max_steps=2", "training.batch_size=16"]
    training += ["--model", small, *(part for setting in settings for part in ("--set", setting))]
    printed = run_loop([[*before, "--model", small], training, *others])
    assert "dim_64_cosine_ndcg@10" in printed[1]
    assert "nDCG@10" in printed[3]
    assert "shop, 64 dims" in printed[4]


@pytest.mark.verify
@pytest.mark.usefixtures("in_a_checkout")
def test_the_loop_as_it_is_written_makes_a_significantly_better_model() -> None:
    printed = run_loop(the_loop())
    before, after = (float(value) for value in re.search(r"ndcg@10 (\S+) \(the base (\S+),", printed[1]).groups()[::-1])
    assert before == pytest.approx(0.516, abs=0.001)
    assert after > before + 0.05


def test_every_option_of_the_readme_exists() -> None:
    known = set()
    for command in (*([name] for name in COMMANDS), ["bench", "compare"]):
        helped = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"}).stdout
        known |= set(re.findall(r"--[a-z][a-z-]+", helped))
    asked = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"^pip .*$", "", README, flags=re.MULTILINE)))
    assert asked <= known


def test_the_makefile_has_what_the_readme_and_contributing_name() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    for text in (README, (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")):
        named = set(re.findall(r"^make ([a-z]+)", text, flags=re.MULTILINE))
        assert named
        assert named <= targets
