"""`searchapp delete`: documents of an index that stands, by id or by what is stored of them."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from searchapp.cli import options
from searchapp.cli.add import Folder, Restart, report
from searchapp.cli.console import guarded, note, print_json
from searchapp.errors import InputError, UsageError


@guarded
def delete(
    folder: Folder,
    ids: Annotated[
        str | None, typer.Option("--ids", metavar="FILE", help="Ids to delete, one a line; - for standard input.")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Stored fields with =, !=, <, <=, >, >=, in (...), is null, and, or, not; doc_id is the id.",
        ),
    ] = None,
    missing_ok: Annotated[bool, typer.Option("--missing-ok", help="Pass over ids that the index lacks.")] = False,
    all_documents: Annotated[
        bool, typer.Option("--all-documents", help="Allow a call that leaves no document.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many it would be; delete nothing.")] = False,
    restart: Restart = False,
    as_json: options.Json = False,
) -> None:
    """Delete documents of an index, in one step and without the model.

    Their rows stay in the files and are passed over by every search until compact removes them. A field that a document
    lacks makes a condition neither true nor false: only "is null" chooses it.

    Examples:

        searchapp delete indexes/shop --ids gone.txt

        searchapp delete indexes/shop --where 'brand = "Acme" and (price < 10 or price is null)' --dry-run
    """
    from searchapp.index import open_index
    from searchapp.living import delete_documents, rows_of, rows_where
    from searchapp.living.delete import check_left

    if (ids is None) == (where is None):
        raise UsageError("documents are needed; type --ids FILE or --where CONDITION, one of them")
    if where is not None:
        if missing_ok:
            raise UsageError("--missing-ok is about --ids; leave it away")
        choose, call = rows_where(where), f"where {where}"
    else:
        names = _read_ids(ids or "")
        choose, call = rows_of(names, missing_ok=missing_ok), "\n".join(names)
    index = open_index(folder)
    if dry_run:
        rows = choose(index)
        check_left(index, rows, all_of_them=all_documents)
        if as_json:
            print_json(
                {"index": str(folder), "operation": "delete", "would_delete": len(rows), "documents": len(index)}
            )
        else:
            typer.echo(f"delete: would delete {len(rows):,} of the {len(index):,} documents of {folder}")
        return
    change = delete_documents(index, choose, call=call, all_of_them=all_documents, restart=restart, note=note)
    report("delete", change, as_json=as_json)


def _read_ids(path: str) -> list[str]:
    """Read ids, one a line; blank lines are none."""
    try:
        raw = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
        names = [line.rstrip("\r") for line in raw.decode("utf-8-sig").split("\n")]
    except (OSError, ValueError) as error:
        raise InputError(f"{path} can't be read as ids ({error}); name a file of ids, one a line") from None
    if not any(name.strip() for name in names):
        raise InputError(f"{path} holds no ids; expected one a line")
    return [name for name in names if name.strip()]
