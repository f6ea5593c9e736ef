"""What is read without typer is what typer reads, and what is not plain is left to it."""

import functools
from pathlib import Path
from typing import Any

import pytest
import typer
from hypothesis import event, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from searchapp.cli.plain import read_plain
from searchapp.cli.query import query

TOKENS = st.sampled_from(
    [
        *(
            "indexes/shop",
            "red leather bag",
            "-k",
            "--k",
            "5",
            "05",
            "0",
            "-3",
            "--json",
            "--dim",
            "--nprobe",
            "--kind",
        ),
        *("flat", "--rescore", "-m", "--model", "--run", "out.trec", "--queries", "-", "--", "--help", "", "--dim=3"),
        *("--trust-remote-code", "--runtime", "static", "1_000", "٣", " 7", "--kin"),
    ]
)


def by_typer(arguments: list[str]) -> dict[str, Any] | None:
    """Return the parameters that typer calls the command with; None where it refuses."""
    seen: list[dict[str, Any]] = []

    @functools.wraps(query)
    def take(**values: Any) -> None:
        seen.append(values)

    app = typer.Typer()
    app.command()(take)
    done = CliRunner().invoke(app, arguments)
    return seen[0] if done.exit_code == 0 and seen else None


@settings(max_examples=200, deadline=None)
@given(st.lists(TOKENS, max_size=7))
def test_what_is_read_is_what_typer_reads(arguments: list[str]) -> None:
    found = read_plain(query, arguments)
    if found is not None:
        expected = by_typer(arguments)
        assert expected is not None
        event(f"{len(found)} read")
        assert {name: expected[name] for name in found} == found
        defaults = {name: value for name, value in expected.items() if name not in found}
        assert all(value in (None, False, 10, "auto") for value in defaults.values())


@pytest.mark.parametrize(
    ("arguments", "values"),
    [
        (["i", "red bag"], {"folder": Path("i"), "text": "red bag"}),
        (["-k", "3", "i", "--json", "red"], {"k": 3, "folder": Path("i"), "as_json": True, "text": "red"}),
        (["i", "--queries", "q.jsonl", "--run", "o"], {"folder": Path("i"), "queries": "q.jsonl", "run": Path("o")}),
        (["i", "red", "--nprobe", "1"], {"folder": Path("i"), "text": "red", "nprobe": 1}),
        ([], None),
        (["--help"], None),
        (["i", "red", "bag"], None),
        (["i", "red", "--nprobe", "0"], None),
        (["i", "red", "-k", "five"], None),
        (["i", "red", "-k"], None),
        (["i", "red", "--colour", "red"], None),
        (["i", "red", "--json", "--json"], None),
    ],
)
def test_plain_calls(arguments: list[str], values: dict[str, Any] | None) -> None:
    assert read_plain(query, arguments) == values
