"""BEIR folders: corpus.jsonl, queries.jsonl and qrels/{split}.tsv."""

from pathlib import Path

from searchapp.corpus.sources import Source, find
from searchapp.errors import InputError

CORPUS = "corpus.jsonl"
QUERIES = "queries.jsonl"
TEXT = "{title} {text}"
"""The text of a document, stripped; a blank title is left out."""


def is_beir(folder: Path) -> bool:
    """Tell whether the folder has a BEIR corpus."""
    return folder.is_dir() and find(folder, CORPUS) is not None


def corpus_file(folder: Path) -> Source:
    """Return the corpus of the folder. Raises InputError if it is not there."""
    return _required(folder, CORPUS)


def queries_file(folder: Path) -> Source:
    """Return the queries of the folder. Raises InputError if they are not there."""
    return _required(folder, QUERIES)


def qrels_file(folder: Path, split: str) -> Source:
    """Return the judgments of a split. Raises InputError that lists the splits there are."""
    source = find(folder / "qrels", f"{split}.tsv") if split and Path(split).name == split else None
    if source is not None:
        return source
    splits = sorted({item.name.split(".tsv")[0] for item in folder.glob("qrels/*.tsv*")})
    if not splits:
        raise InputError(f"{folder} has no qrels/*.tsv; expected qrels/{split}.tsv with the judgments")
    raise InputError(
        f"{folder} has no split {split!r}; type --split (to train: --set data.split=) with one of: {', '.join(splits)}"
    )


def _required(folder: Path, name: str) -> Source:
    source = find(folder, name)
    if source is None:
        raise InputError(f"{folder} has no {name} (nor {name}.gz or .zst), which a BEIR folder holds")
    return source
