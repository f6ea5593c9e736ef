"""The table of formats, and how a file's or folder's is recognised."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from searchapp.corpus import beir, esci, trec
from searchapp.corpus.compression import DECODE_ERRORS, damaged, open_bytes
from searchapp.corpus.delimited import read_csv, read_tsv
from searchapp.corpus.jsonl import read_jsonl
from searchapp.corpus.options import ReadOptions
from searchapp.corpus.parquet import read_parquet
from searchapp.corpus.rows import Row
from searchapp.corpus.sources import STDIN, Source, list_sources, open_stdin
from searchapp.errors import InputError, RowError, UsageError

Reader = Callable[[Source], Iterator[Row | RowError]]


@dataclass(frozen=True, slots=True)
class FileFormat:
    """How one file is read. `id_column` and `text` are set where the format itself says what they are."""

    read: Reader
    endings: tuple[str, ...] = ()
    id_column: str | None = None
    text: str | None = None


FILE_FORMATS: Mapping[str, FileFormat] = {
    "jsonl": FileFormat(read_jsonl, (".jsonl", ".ndjson", ".json")),
    "csv": FileFormat(read_csv, (".csv",)),
    "tsv": FileFormat(read_tsv, (".tsv",)),
    "parquet": FileFormat(read_parquet, (".parquet", ".pq")),
    "trec": FileFormat(trec.read_docs, id_column=trec.DOC_ID, text=trec.TEXT),
    "topics": FileFormat(trec.read_topics, id_column="query_id", text="{text}"),
}
"""A corpus format is a row here; topics are for queries only."""

FOLDERS: Mapping[str, Callable[[Path], bool]] = {"beir": beir.is_beir, "esci": esci.is_esci}
"""Formats that are a folder of files with fixed names, and how each is recognised."""

CORPUS_FORMATS = (*FOLDERS, *(name for name in FILE_FORMATS if name != "topics"))

_HEAD = 1 << 14
# The first <DOC> or <top>, behind other tags such as <?xml ...?> and a root.
_TREC = re.compile(r"(?:<(?!(?:doc|top)[\s>])[^<>]*>\s*)*<(doc|top)[\s>]", re.IGNORECASE)
_QREL = re.compile(r"\S+[ \t]+\S+[ \t]+\S+[ \t]+[+-]?\d+(\.0*)?[ \t]*")


@dataclass(frozen=True, slots=True)
class Reading:
    """What to read and how. `id_column` and `text` are set where the format says what they are."""

    name: str
    format: str
    sources: tuple[Source, ...]
    read: Reader
    id_column: str | None = None
    text: str | None = None


def plan_reading(path: str | Path, options: ReadOptions) -> Reading:
    """Find the files of a corpus and how they are read.

    Raises InputError where nothing is there or the format can't be told, and UsageError for options that
    don't go with it.
    """
    if options.format not in ("auto", *CORPUS_FORMATS):
        raise UsageError(f"--format {options.format} is unknown; type one of: auto, {', '.join(CORPUS_FORMATS)}")
    folder = folder_format(Path(path), options.format)
    if folder != "esci" and (options.locale or options.version):
        raise UsageError(f"--locale and --version go with ESCI folders, and {path} is none; leave them out")
    if folder == "beir":
        text = beir.TEXT
        return Reading(path_name(path), folder, (beir.corpus_file(Path(path)),), read_jsonl, "_id", text)
    if folder == "esci":
        return _esci(Path(path), options)
    if str(path) == STDIN:
        kind = "jsonl" if options.format == "auto" else options.format
        return _files("stdin", kind, (open_stdin(),))
    sources = list_sources(path)
    kind, chosen = _one_format(path, sources, options.format)
    return _files(path_name(path), kind, chosen)


def path_name(path: str | Path) -> str:
    """Name what lies at a path: a folder's name, a file's without endings, for a glob the folder the files are in."""
    place = Path(path)
    if place.is_dir() or not re.search(r"[*?\[]", str(path)) or place.exists():
        return place.resolve().name if place.is_dir() else Source(place, "").stem()
    plain = [part for part in place.parts if not re.search(r"[*?\[]", part)]
    return Path(*plain).resolve().name


def folder_format(path: Path, wanted: str = "auto") -> str | None:
    """Return which of FOLDERS the path is (or is wanted to be), or None."""
    if wanted in FOLDERS:
        if not path.is_dir():
            raise InputError(f"{path} is no folder, and --format {wanted} is one; name the folder")
        return wanted
    if wanted != "auto":
        return None
    return next((name for name, is_it in FOLDERS.items() if is_it(path)), None)


def recognise(source: Source) -> str | None:
    """Return the format of a file by its ending, else by what it holds; None if it is none of the table.

    TREC judgments are "qrels".
    """
    name = re.sub(r"\.(gz|zst|zstd)$", "", source.name.lower())
    kind = next((kind for kind, row in FILE_FORMATS.items() if name.endswith(row.endings)), None)
    return kind if kind not in (None, "tsv") else _sniffed(source) or kind


def _sniffed(source: Source) -> str | None:
    try:
        with open_bytes(source) as stream:
            head = stream.read(_HEAD)
    except DECODE_ERRORS as error:
        raise damaged(source.name, error) from None
    if head.startswith(b"PAR1"):
        return "parquet"
    text = head.decode("utf-8", "replace").lstrip("\ufeff").lstrip()
    first = text.split("\n", 1)[0].rstrip("\r")
    tag = _TREC.match(text)
    if tag:
        return "trec" if tag.group(1).casefold() == "doc" else "topics"
    if text.startswith("{"):
        return "jsonl"
    return "qrels" if _QREL.fullmatch(first) else None


def _esci(folder: Path, options: ReadOptions) -> Reading:
    if options.id_column:
        raise UsageError(
            f"--id {options.id_column} doesn't go with ESCI, whose ids are locale:product_id; leave it out"
        )

    def read(source: Source) -> Iterator[Row | RowError]:
        return esci.read_products(source, options.locale)

    return Reading(path_name(folder), "esci", (esci.products_file(folder),), read, esci.DOC_ID, esci.TEXT)


def _files(name: str, kind: str, sources: tuple[Source, ...]) -> Reading:
    row = FILE_FORMATS[kind]
    return Reading(name, kind, sources, row.read, row.id_column, row.text)


def _one_format(path: str | Path, sources: tuple[Source, ...], wanted: str) -> tuple[str, tuple[Source, ...]]:
    """Return the format that is wanted or found, and its files.

    Of a folder, files that no format knows, topics and qrels are no part of the corpus.
    """
    single = len(sources) == 1
    if wanted != "auto":
        fitting = tuple(source for source in sources if single or recognise(source) == wanted)
        return wanted, fitting or sources
    kinds = {source: recognise(source) for source in sources}
    found = sorted({kind for kind in kinds.values() if kind in CORPUS_FORMATS})
    if not found:
        held = ", ".join(f"{source.path.name} ({kinds[source] or 'unknown'})" for source in sources[:5])
        raise InputError(f"{path} is no corpus: found {held}; type --format with one of: {', '.join(CORPUS_FORMATS)}")
    if len(found) > 1:
        examples = ", ".join(next(s.path.name for s, kind in kinds.items() if kind == name) for name in found)
        raise InputError(
            f"{path} mixes {' and '.join(found)} ({examples}); type --format with one of them, or name one file"
        )
    return found[0], tuple(source for source, kind in kinds.items() if kind == found[0])
