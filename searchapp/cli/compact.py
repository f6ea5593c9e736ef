"""`searchapp compact`: an index without its deleted rows and small parts, as built afresh."""

from searchapp.cli import options
from searchapp.cli.add import Folder, Restart, report
from searchapp.cli.console import guarded, note
from searchapp.cli.progress import ProgressBar


@guarded
def compact(folder: Folder, restart: Restart = False, as_json: options.Json = False) -> None:
    """Rebuild an index from its living documents, without the model.

    Deleted rows go, parts become one, kinds are planned and trained again for the documents there are now: hits are
    those of an index built afresh. The folder is replaced in one step; stopped or killed, the same call goes on.

    Examples:

        searchapp compact indexes/shop

        searchapp compact indexes/shop --json
    """
    from searchapp.index import open_index
    from searchapp.living import compact_index

    index = open_index(folder)
    with ProgressBar() as progress:
        change = compact_index(index, restart=restart, progress=progress, note=note)
    report("compact", change, as_json=as_json)
