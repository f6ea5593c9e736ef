"""What holds for every command there is, now and later: help, --json, refusals, completion."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from searchapp.cli.main import make_app

APP = make_app()


def commands(found: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command, with what is typed for it; a hidden one is what its group does where none is named."""
    inner = getattr(found, "commands", {})
    if not inner:
        yield path, found
    for name, one in inner.items():
        yield from commands(one, path if one.hidden else (*path, name))


ALL = dict(commands(typer.main.get_command(APP)))
EVERY = pytest.mark.parametrize("path", ALL, ids=" ".join)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(APP, list(arguments), env={"COLUMNS": "200"})


def complete(typed: str) -> list[str]:
    """Return what a shell offers for the last word of what is typed."""
    words = typed.split(" ")
    protocol = {"_SEARCHAPP_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    code = "import sys; sys.argv = ['searchapp']; from searchapp.cli.main import main; main()"
    run = [sys.executable, "-c", code]
    done = subprocess.run(run, env={**os.environ, **protocol}, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_commands_are_found() -> None:
    assert {("index",), ("query",), ("info",), ("doctor",), ("verify",), ("bench",), ("bench", "compare")} <= set(ALL)


@EVERY
def test_its_help_has_examples_that_can_be_typed(path: tuple[str, ...]) -> None:
    shown = call(*path, "--help")
    assert shown.exit_code == 0
    _, _, examples = shown.output.partition("Examples:")
    assert len(re.findall(rf"^ *searchapp {' '.join(path)} ", examples, re.MULTILINE)) >= 2


@EVERY
def test_it_has_json(path: tuple[str, ...]) -> None:
    assert "--json" in {name for option in ALL[path].params for name in option.opts}


@EVERY
def test_an_option_that_is_none_is_named_and_ends_with_2(path: tuple[str, ...]) -> None:
    refused = call(*path, "--no-such-option")
    assert refused.exit_code == 2
    assert "No such option: --no-such-option" in refused.stderr
    assert refused.stdout == ""


# A check-up reports what is broken: that is its answer, not its end.
@pytest.mark.parametrize("path", [path for path in ALL if path != ("doctor",)], ids=" ".join)
def test_a_mistake_is_one_line(path: tuple[str, ...]) -> None:
    places = [one for one in ALL[path].params if one.param_type_name == "argument"]
    refused = call(*path, *["nowhere.jsonl" for place in places if place.required or place is places[0]])
    assert refused.exit_code in (1, 2)
    assert isinstance(refused.exception, SystemExit)
    (said,) = refused.stderr.splitlines()
    assert said.startswith("searchapp: ")
    assert re.search(r"nowhere\.jsonl|--", said)


def test_a_shell_completes_commands_and_options() -> None:
    assert complete("searchapp ver") == ["verify"]
    assert {"bench", "index", "query"} <= set(complete("searchapp "))
    assert {"--kind", "--json"} <= set(complete("searchapp index --"))
    assert complete("searchapp bench comp") == ["compare"]
    assert {"--models", "--json"} <= set(complete("searchapp bench --"))
    assert {"--models", "--json"} <= set(complete("searchapp bench data/sample --"))
