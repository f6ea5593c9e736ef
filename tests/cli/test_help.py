"""What must cost nothing: --help, --version and a refusal load no heavy library."""

import subprocess
import sys

import pytest

HEAVY = ("numpy", "torch", "transformers", "sentence_transformers", "faiss", "pyarrow")
CHILD = """
import sys
from searchapp.cli.main import main
sys.argv = ["searchapp", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    print("exit", stop.code)
print("loaded", [name for name in {heavy!r} if name in sys.modules])
"""


def run_child(*arguments: str) -> str:
    code = CHILD.format(heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["index", "--help"],
        ["query", "-h"],
        ["bench", "-h"],
        ["bench", "compare", "-h"],
        ["mine", "-h"],
    ],
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    shown = run_child(*arguments)
    assert shown.rstrip().endswith("loaded []")
    assert "exit 0" in shown


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import sys, searchapp; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_an_index_loads_no_torch() -> None:
    code = (
        "import sys, searchapp; searchapp.open_index, searchapp.Searcher, searchapp.evaluate, searchapp.open_corpus;"
        "print([name for name in ('torch', 'transformers', 'sentence_transformers', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_command_shows_examples_that_start_with_searchapp() -> None:
    for command in (
        "index",
        "query",
        "add",
        "upsert",
        "delete",
        "compact",
        "bench",
        "bench compare",
        "info",
        "doctor",
        "train",
        "mine",
    ):
        shown = run_child(*command.split(), "--help")
        assert "Examples:" in shown
        assert shown.count(f"searchapp {command} ") >= 2
