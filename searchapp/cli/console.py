"""What a person sees: tables on standard output; errors and notes on standard error."""

import functools
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, ParamSpec

import typer

from searchapp.cli.stop import HOW_TO_GO_ON, INTERRUPTED, stop
from searchapp.errors import SearchappError, UsageError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

Parameters = ParamSpec("Parameters")

FAILED, MISUSED = 1, 2
UNBOUNDED = 200
"""Columns of a table that goes to a file or another program; a table is cut to them."""


def guarded(command: Callable[Parameters, None]) -> Callable[Parameters, None]:
    """Turn what a person can act on into one line and an exit code; the rest are bugs and keep their traceback."""

    @functools.wraps(command)
    def run(*args: Parameters.args, **kwargs: Parameters.kwargs) -> None:
        try:
            command(*args, **kwargs)
        except UsageError as error:
            _fail(str(error), MISUSED)
        except SearchappError as error:
            _fail(str(error), FAILED)
        except BrokenPipeError:
            # Whoever read our output has gone; what is left of it must not raise again at exit.
            sys.stderr.close()
            raise typer.Exit(FAILED) from None
        except OSError as error:
            place = error.filename or "the file system"
            _fail(f"{place}: {error.strerror or error}", FAILED)
        except KeyboardInterrupt:
            stop.said()
            _fail(HOW_TO_GO_ON, INTERRUPTED)

    return run


def _fail(message: str, code: int) -> None:
    typer.echo(f"searchapp: {message}", err=True)
    raise typer.Exit(code)


def note(message: str) -> None:
    """Tell something on standard error, so that standard output stays what was asked for."""
    typer.echo(message, err=True)


def print_json(value: object, *, indent: int | None = None) -> None:
    """Print one JSON value, non-ASCII as it is."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=indent))


def one_line(value: object) -> "Text":
    r"""Return a value as plain text in one line: no markup, no line breaks, nothing a terminal would obey.

    >>> one_line("[red]a\n b\x1b[0m").plain == "[red]a b\ufffd[0m"
    True
    """
    from rich.text import Text

    words = " ".join(str("" if value is None else value).split())
    return Text("".join(character if character.isprintable() else "\ufffd" for character in words))


def console() -> "Console":
    """Return a console for tables: as wide as the terminal, or COLUMNS, or what a file may hold."""
    from rich.console import Console

    plain = Console(highlight=False)
    if plain.is_terminal or "COLUMNS" in os.environ:
        return plain
    return Console(highlight=False, width=UNBOUNDED)
