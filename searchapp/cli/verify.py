"""`searchapp verify`: an index read to its last byte."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from searchapp.cli import options
from searchapp.cli.console import FAILED, guarded, one_line, print_json
from searchapp.cli.progress import ProgressBar

if TYPE_CHECKING:
    from searchapp.index.verify import Verified

MEGABYTE = 1_000_000


@guarded
def verify(
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="An index folder.")],
    as_json: options.Json = False,
) -> None:
    """Read an index to its last byte: every checksum, count and id. Exit code 1 if anything is wrong.

    All problems are listed, one a line: a changed byte in any file, files that are missing or none of the index's, and
    contents that don't fit the manifest or each other.

    Examples:

        searchapp verify indexes/shop

        searchapp verify indexes/shop --json
    """
    from searchapp.index.verify import verify_index

    with ProgressBar() as bar:
        found = verify_index(
            folder, lambda done, total: bar("reading (MB)", done // MEGABYTE, -(-total // MEGABYTE) or None)
        )
    if as_json:
        print_json(summary(folder, found), indent=2)
    for problem in () if as_json else found.problems:
        typer.echo(one_line(f"{folder / problem.file} {problem.text}").plain)
    if found.problems:
        raise typer.Exit(FAILED)
    if not as_json:
        size = found.bytes / MEGABYTE
        typer.echo(f"verified: all {found.files} files of {folder} are as they were written, {size:,.1f} MB")


def summary(folder: Path, found: "Verified") -> dict[str, object]:
    """Return what `--json` prints."""
    return {
        "index": str(folder),
        "ok": not found.problems,
        "files": found.files,
        "bytes": found.bytes,
        "problems": [{"file": problem.file, "problem": problem.text} for problem in found.problems],
    }
