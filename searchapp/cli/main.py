"""The `searchapp` command. Importing it costs typer and nothing else: each command imports what it runs."""

from typing import Annotated

import typer

from searchapp import __version__
from searchapp.cli.bench import app as bench
from searchapp.cli.doctor import doctor
from searchapp.cli.index import index
from searchapp.cli.info import info
from searchapp.cli.query import query
from searchapp.cli.stop import stop
from searchapp.cli.verify import verify

app = typer.Typer(
    name="searchapp",
    help="Semantic search over your own catalogue: embed, compress, index, judge.",
    epilog="Exit codes: 0 done, 1 something in the data, model or index, 2 the call itself, 3 a gate that closed, "
    "130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (index, query, info, verify, doctor):
    app.command()(command)
app.add_typer(bench, name="bench")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"searchapp {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Semantic search over your own catalogue: embed, compress, index, judge."""


def main() -> None:
    """Run the command line; being told to stop is the same as Ctrl-C, so that nothing is left behind."""
    stop.listen()
    try:
        app()
    finally:
        if stop.told:
            stop.leave()
