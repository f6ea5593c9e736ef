"""The `searchapp` command. Importing it costs typer and nothing else: each command imports what it runs."""

import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from searchapp import __version__
from searchapp.cli.entry import main as main

COMMANDS = (
    *("index", "query", "add", "upsert", "delete", "compact", "info", "verify", "doctor", "bench"),
    *("mine", "train"),
)
"""A module of this folder each, with a function of that name, or an app of several."""


def make_app(names: Iterable[str] = COMMANDS) -> typer.Typer:
    """Return the app with some of its commands; all of them take ten times as long to import as one."""
    made = typer.Typer(
        name="searchapp",
        help="Semantic search over your own catalogue: embed, compress, index, judge.",
        epilog="Exit codes: 0 done, 1 something in the data, model or index, 2 the call itself, 3 a gate that closed, "
        "130 interrupted.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(_options)
    for name in names:
        module = importlib.import_module(f"searchapp.cli.{name}")
        several = getattr(module, "app", None)
        if several is None:
            made.command()(getattr(module, name))
        else:
            made.add_typer(several, name=name)
    return made


def __getattr__(name: str) -> object:
    """Make `app`, with all commands, when it is asked for."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return make_app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"searchapp {__version__}")
        raise typer.Exit


def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Semantic search over your own catalogue: embed, compress, index, judge."""


def run() -> None:
    """Run what is typed."""
    if not _run_plain(sys.argv[1:]):
        make_app(_needed(sys.argv[1:]))()


def _run_plain(arguments: Sequence[str]) -> bool:
    """Run a query that is asked for in the plain form; False for everything else."""
    if arguments[:1] != ["query"] or any(name.endswith("_COMPLETE") for name in os.environ):
        return False
    from searchapp.cli.plain import read_plain
    from searchapp.cli.query import query

    values = read_plain(query, arguments[1:])
    if values is None:
        return False
    if "text" in values:
        # One query's matrices are small: a second thread waits longer, and at full power, than it helps.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        query(**values)
    except typer.Exit as end:
        sys.exit(end.exit_code)
    return True


def _needed(arguments: Sequence[str]) -> Sequence[str]:
    """Return the command that is called; all of them where it takes all to answer, as for --help."""
    return arguments[:1] if arguments[:1] and arguments[0] in COMMANDS else COMMANDS
