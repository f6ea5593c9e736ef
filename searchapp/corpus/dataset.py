"""A data set: a corpus, the queries that are judged, and the judgments."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from searchapp.corpus import beir, esci, irds
from searchapp.corpus.corpus import Corpus, open_corpus
from searchapp.corpus.formats import FOLDERS, folder_format, recognise
from searchapp.corpus.options import DEFAULTS, ReadOptions
from searchapp.corpus.qrels import Qrels, collect, read_qrels, read_qrels_from
from searchapp.corpus.queries import read_queries, read_queries_from
from searchapp.corpus.rows import SKIP_ADVICE, BadRows, Skipped
from searchapp.corpus.sources import list_sources
from searchapp.errors import InputError, UsageError
from searchapp.records import Query

DEFAULT_SPLIT = "test"


@dataclass(frozen=True, slots=True)
class DatasetParts:
    """The three paths of a data set that is no folder of a known layout."""

    corpus: str | Path
    queries: str | Path
    qrels: str | Path


@dataclass(frozen=True, slots=True)
class Dataset:
    """A corpus with the queries judged in a split.

    `qrels` is query id -> document id -> grade. `gains` says how a grade counts in nDCG, `threshold` is the
    grade from which a document is relevant for binary measures, `labels` names the grades from 0 up if they
    have names. `skipped` are the bad rows left out of queries and judgments.
    """

    name: str
    format: str
    split: str
    corpus: Corpus
    queries: tuple[Query, ...]
    qrels: Qrels
    gains: Literal["linear", "esci"] = "linear"
    threshold: int = 1
    labels: tuple[str, ...] = ()
    skipped: Skipped = field(default_factory=Skipped)


def open_dataset(
    path: str | Path | None = None,
    *,
    parts: DatasetParts | None = None,
    split: str = DEFAULT_SPLIT,
    options: ReadOptions = DEFAULTS,
) -> Dataset:
    """Open a BEIR, ESCI or TREC folder, `irds:NAME` of the ir_datasets library, or the three parts of a data set.

    `split` may also be given in the options. Parts and TREC folders have no splits; that of ir_datasets is part of
    NAME. Document ids of the judgments are not compared with the corpus. Raises InputError where a part is missing,
    holds nothing, or judges a query that is not there; MissingExtraError where ir_datasets is not installed.
    """
    if (path is None) == (parts is None):
        raise UsageError("a data set is one folder or three parts; name either the folder or corpus, queries, qrels")
    split = _chosen_split(split, options)
    if parts is not None:
        return _open_parts(parts, split, options, "parts")
    if irds.is_irds(path):
        return _open_irds(str(path), split, options)
    folder = Path(path or "")
    if not folder.is_dir():
        raise InputError(
            f"{path} is no folder; name a BEIR, ESCI or TREC folder, irds:NAME, or corpus, queries and qrels"
        )
    kind = folder_format(folder, options.format)
    if kind == "beir":
        return _open_beir(folder, split, options)
    if kind == "esci":
        return _open_esci(folder, split, options)
    return _open_trec(folder, split, options)


def keep_judged(name: str, queries: Iterable[Query], qrels: Qrels) -> tuple[Query, ...]:
    """Keep the queries that have judgments. Raises InputError for judgments without a query."""
    kept = tuple(query for query in queries if query.query_id in qrels)
    missing = sorted(qrels.keys() - {query.query_id for query in kept})
    if missing:
        raise InputError(
            f"{name} lacks {len(missing):,} of {len(qrels):,} judged queries, the first {', '.join(missing[:5])};"
            " add them, or name the queries that belong to these judgments"
        )
    return kept


def _open_beir(folder: Path, split: str, options: ReadOptions) -> Dataset:
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    qrels = read_qrels_from(beir.qrels_file(folder, split), bad_rows)
    source = beir.queries_file(folder)
    queries = keep_judged(source.name, read_queries_from(source, bad_rows), qrels)
    corpus = open_corpus(folder, options)
    return Dataset(corpus.name, "beir", split, corpus, queries, qrels, skipped=bad_rows.skipped)


def _open_esci(folder: Path, split: str, options: ReadOptions) -> Dataset:
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    examples = esci.Examples(folder, split, options, bad_rows)
    qrels = collect(examples.source, examples.judgments(), bad_rows)
    corpus = open_corpus(folder, options)
    return Dataset(
        corpus.name,
        "esci",
        split,
        corpus,
        tuple(examples.queries[query_id] for query_id in qrels),
        qrels,
        gains="esci",
        threshold=esci.THRESHOLD,
        labels=esci.LABELS,
        skipped=bad_rows.skipped,
    )


def _open_irds(path: str, split: str, options: ReadOptions) -> Dataset:
    if split != DEFAULT_SPLIT:
        raise UsageError(f"--split {split} doesn't go with {path}: the split is part of the name; type it there")
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    collection = irds.open_collection(path)
    corpus = collection.corpus(options)
    qrels = collect(collection.source, collection.judgments(bad_rows), bad_rows)
    queries = keep_judged(path, collection.queries(bad_rows), qrels)
    name, _, last = collection.name.rpartition("/")
    return Dataset(name or last, "irds", last if name else "all", corpus, queries, qrels, skipped=bad_rows.skipped)


def _open_trec(folder: Path, split: str, options: ReadOptions) -> Dataset:
    kinds = {source: recognise(source) for source in list_sources(folder)}
    found = {kind: [source for source in kinds if kinds[source] == kind] for kind in ("trec", "topics", "qrels")}
    if options.format not in ("auto", "trec") or not found["trec"]:
        held = ", ".join(source.path.name for source in list(kinds)[:5])
        raise InputError(
            f"{folder} is no {', '.join(FOLDERS)} or trec folder (it holds {held}); name the folder of a data set,"
            " or its corpus, queries and qrels one by one"
        )
    for kind in ("topics", "qrels"):
        if len(found[kind]) != 1:
            names = ", ".join(source.path.name for source in found[kind]) or "none"
            raise InputError(
                f"{folder} should hold one {kind} file of a TREC collection, found {names};"
                " name corpus, queries and qrels one by one"
            )
    parts = DatasetParts(folder, found["topics"][0].path, found["qrels"][0].path)
    return _open_parts(parts, split, options, "trec")


def _open_parts(parts: DatasetParts, split: str, options: ReadOptions, kind: str) -> Dataset:
    if split != DEFAULT_SPLIT:
        raise UsageError(f"--split {split} goes with BEIR and ESCI folders; here name the qrels of that split")
    bad_rows = BadRows(options.on_bad_row, advice=SKIP_ADVICE)
    qrels = read_qrels(parts.qrels, bad_rows)
    queries = keep_judged(str(parts.queries), read_queries(parts.queries, bad_rows), qrels)
    corpus = open_corpus(parts.corpus, options)
    return Dataset(corpus.name, kind, split, corpus, queries, qrels, skipped=bad_rows.skipped)


def _chosen_split(split: str, options: ReadOptions) -> str:
    if options.split is not None and split not in (DEFAULT_SPLIT, options.split):
        raise UsageError(f"two splits are asked for, {split!r} and {options.split!r}; name one")
    return options.split or split
