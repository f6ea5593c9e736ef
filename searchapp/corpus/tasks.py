"""What a path can be judged as: documents to find, triplets or scored pairs; and what kind of training data it is."""

from pathlib import Path
from typing import Literal, TypeAlias

from searchapp.corpus import irds
from searchapp.corpus.columns import listed
from searchapp.corpus.examples import FORMATS
from searchapp.corpus.formats import FILE_FORMATS, folder_format, recognise
from searchapp.corpus.pairs import has_pairs, is_stsb
from searchapp.corpus.rows import Row
from searchapp.corpus.sources import STDIN, Source, list_sources
from searchapp.corpus.triplets import has_triplets
from searchapp.errors import InputError

Task: TypeAlias = Literal["retrieval", "triplets", "pairs"]
TASKS: tuple[Task, ...] = ("retrieval", "triplets", "pairs")

_ADVICE = f"say what it is: --task {', '.join(TASKS[:-1])} or {TASKS[-1]}"


def recognise_task(path: str | Path) -> Task:
    """Tell what a path holds: a folder and `irds:NAME` are for retrieval, a file is known by its columns.

    Of a glob, the first file is looked at. Raises InputError that says what was found where it is neither.
    """
    if irds.is_irds(path) or Path(path).is_dir():
        return "retrieval"
    if str(path) == STDIN:
        raise InputError(f"standard input can't be looked at and read again; {_ADVICE}")
    source = list_sources(path)[0]
    if is_stsb(source):
        return "pairs"
    kind = recognise(source)
    if kind not in FORMATS:
        found = f"it looks like {kind}" if kind else "its format is unknown"
        raise InputError(f"{source.name} is no data set by itself: {found}; {_ADVICE}{_parts(kind)}")
    columns = _columns(source, kind)
    if has_triplets(columns):
        return "triplets"
    if has_pairs(columns):
        return "pairs"
    raise InputError(
        f"{source.name} holds neither triplets (anchor, positive, negative) nor scored pairs (sentence1, sentence2,"
        f" score): found {listed(columns)}; rename its columns, or {_ADVICE}"
    )


def holds_judgments(path: str | Path) -> bool:
    """Tell whether what lies at a path is a corpus with judgments, and no rows of texts that belong together.

    `irds:NAME` and folders are, but for a folder with nothing in it but files of rows.
    """
    if irds.is_irds(path):
        return True
    folder = Path(path)
    if not folder.is_dir():
        return False
    return folder_format(folder) is not None or not {recognise(source) for source in list_sources(folder)} <= {*FORMATS}


def _columns(source: Source, kind: str) -> list[str]:
    """Return the columns of the first good row. Raises the first bad row's error if there is none."""
    bad: InputError | None = None
    for row in FILE_FORMATS[kind].read(source):
        if isinstance(row, Row):
            return list(row.columns)
        bad = bad or row
    raise bad or InputError(f"{source.name} holds no rows; expected triplets or scored pairs")


def _parts(kind: str | None) -> str:
    return ", or name all three with --corpus, --queries and --qrels" if kind in ("trec", "topics", "qrels") else ""
