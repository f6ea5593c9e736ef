"""Judgments become rows: relevant documents are positives, those judged lower hard negatives."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from searchapp.corpus import Dataset, ReadOptions, open_dataset
from searchapp.corpus.dataset import DEFAULT_SPLIT
from searchapp.corpus.formats import folder_format
from searchapp.errors import InputError
from searchapp.train.draft import Draft, PromptStripper, group_relevant
from searchapp.train.examples import Example
from searchapp.train.recipe import DataSpec

TRAIN = "train"
"""The split that is trained on where none is named."""


@dataclass(frozen=True, slots=True)
class Grades:
    """From which grade on a document is a positive, and up to which a hard negative."""

    positive: int
    negative: int

    @staticmethod
    def of(spec: DataSpec, dataset: Dataset) -> "Grades":
        """Take those of the spec; 0 for the positive grade takes the data set's threshold (ESCI: E alone)."""
        positive = spec.positive_grade or dataset.threshold
        return Grades(positive, min(spec.negative_grade, positive - 1))

    def split(self, judged: Mapping[str, int]) -> tuple[list[str], list[str]]:
        """Return the ids of the positives and of the hard negatives: by grade from the highest down, then by id."""
        ids = sorted(judged, key=lambda doc_id: (-judged[doc_id], doc_id))
        positives = [doc_id for doc_id in ids if judged[doc_id] >= self.positive]
        return positives, [doc_id for doc_id in ids if judged[doc_id] <= self.negative]


def open_judgments(path: str | Path, split: str | None, options: ReadOptions) -> Dataset:
    """Open a data set as `open_dataset` does, with the split to train on where there are several and none is named."""
    if split is None:
        # TREC folders have no splits, and that of ir_datasets is part of the name.
        has_splits = Path(path).is_dir() and folder_format(Path(path), options.format) is not None
        split = TRAIN if has_splits else DEFAULT_SPLIT
    return open_dataset(path, split=split, options=options)


def read_judgments(
    dataset: Dataset, spec: DataSpec, stripper: PromptStripper, progress: Callable[[int], None] | None = None
) -> Draft:
    """Make a row of every query and each of its positives, in the order of the queries.

    Hard negatives are dealt out by grade from the highest down, then by id: each further positive of a query goes on
    behind those that the one before got, `spec.negatives` at a time, and begins anew where they end. Memory: the texts
    that are judged; the corpus goes by as a stream, and `progress` is told how far it is. Raises InputError where no
    row can be made.
    """
    grades = Grades.of(spec, dataset)
    parts = {query.query_id: grades.split(dataset.qrels[query.query_id]) for query in dataset.queries}
    needed = {doc_id for positives, _ in parts.values() for doc_id in positives}
    if spec.negatives:
        needed.update(doc_id for positives, negatives in parts.values() if positives for doc_id in negatives)
    texts = read_texts(dataset, needed, progress)
    stripped = {doc_id: stripper.document(text) for doc_id, text in texts.items()}
    examples: list[Example] = []
    pairs: list[tuple[str, str]] = []
    for query in dataset.queries:
        positives, negatives = ([stripped[i] for i in ids if i in stripped] for ids in parts[query.query_id])
        anchor = stripper.anchor(query.text.strip()) if positives else ""
        pairs += [(anchor, text) for text in positives]
        for number, positive in enumerate(positives):
            examples.append(Example(anchor, positive, _deal(negatives, number, spec.negatives)))
    about: dict[str, str | int] = {
        "split": dataset.split,
        "text": dataset.corpus.text_template,
        "positive_grade": grades.positive,
        "negative_grade": grades.negative,
        "queries": len(dataset.queries),
        "queries_without_positives": sum(not positives for positives, _ in parts.values()),
        "documents_missing": len(needed) - len(texts),
    }
    if not examples:
        raise InputError(_nothing(dataset, grades, len(needed)))
    return Draft(examples, group_relevant(pairs), about)


def read_texts(dataset: Dataset, needed: set[str], progress: Callable[[int], None] | None = None) -> dict[str, str]:
    """Return the texts of these documents that the corpus has, read as a stream to its end."""
    texts: dict[str, str] = {}
    for count, document in enumerate(dataset.corpus.documents(), 1):
        if document.doc_id in needed:
            texts[document.doc_id] = document.text
        if progress is not None and count % 1000 == 0:
            progress(count)
    return texts


def _deal(negatives: list[str], number: int, count: int) -> tuple[str, ...]:
    """Return the negatives of a query's positive of that number; all there are, from its place on, if they are few."""
    have = len(negatives)
    return tuple(negatives[(number * count + place) % have] for place in range(min(count, have)))


def _nothing(dataset: Dataset, grades: Grades, needed: int) -> str:
    name = f"the split {dataset.split!r} of {dataset.name}"
    if needed:
        return (
            f"none of the relevant documents of {name} is in its corpus; name the corpus that belongs to these"
            " judgments"
        )
    best = max((grade for judged in dataset.qrels.values() for grade in judged.values()), default=0)
    advice = f"say from which on it is: --set data.positive_grade={best}" if best > 0 else "name another split"
    return (
        f"{name} has no judgment of grade {grades.positive} or more, from which on a document is relevant; the best is"
        f" {best}; {advice}"
    )
