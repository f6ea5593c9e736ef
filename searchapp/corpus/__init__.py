"""File -> records: corpora as streams of documents, queries, judgments and runs.

open_corpus     a file, a folder, a glob or standard input; formats are rows of the table in formats.py
open_dataset    a BEIR, ESCI or TREC folder, irds:NAME, or corpus, queries and qrels one by one
read_queries, read_qrels, read_run, write_run, read_slices
read_triplets, write_triplets, read_scored_pairs, and recognise_task, which tells these from what open_dataset takes
read_anchors    pairs and triplets to train on; holds_judgments tells them from what open_dataset takes

They are imported when first used: a recipe, whose templates are the corpus', is shown without a reader's libraries.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from searchapp.corpus.anchors import AnchorColumns as AnchorColumns
    from searchapp.corpus.anchors import read_anchors as read_anchors
    from searchapp.corpus.corpus import Corpus as Corpus
    from searchapp.corpus.corpus import CorpusSurvey as CorpusSurvey
    from searchapp.corpus.corpus import open_corpus as open_corpus
    from searchapp.corpus.dataset import Dataset as Dataset
    from searchapp.corpus.dataset import DatasetParts as DatasetParts
    from searchapp.corpus.dataset import open_dataset as open_dataset
    from searchapp.corpus.options import ReadOptions as ReadOptions
    from searchapp.corpus.pairs import read_scored_pairs as read_scored_pairs
    from searchapp.corpus.qrels import read_qrels as read_qrels
    from searchapp.corpus.queries import read_queries as read_queries
    from searchapp.corpus.rows import BadRows as BadRows
    from searchapp.corpus.rows import Skipped as Skipped
    from searchapp.corpus.runs import Order as Order
    from searchapp.corpus.runs import read_run as read_run
    from searchapp.corpus.runs import write_run as write_run
    from searchapp.corpus.slice_file import read_slices as read_slices
    from searchapp.corpus.tasks import TASKS as TASKS
    from searchapp.corpus.tasks import Task as Task
    from searchapp.corpus.tasks import holds_judgments as holds_judgments
    from searchapp.corpus.tasks import recognise_task as recognise_task
    from searchapp.corpus.triplets import read_triplets as read_triplets
    from searchapp.corpus.triplets import write_triplets as write_triplets

_HOMES = {
    "TASKS": "tasks",
    "AnchorColumns": "anchors",
    "BadRows": "rows",
    "Corpus": "corpus",
    "CorpusSurvey": "corpus",
    "Dataset": "dataset",
    "DatasetParts": "dataset",
    "Order": "runs",
    "ReadOptions": "options",
    "Skipped": "rows",
    "Task": "tasks",
    "holds_judgments": "tasks",
    "open_corpus": "corpus",
    "open_dataset": "dataset",
    "read_anchors": "anchors",
    "read_qrels": "qrels",
    "read_queries": "queries",
    "read_run": "runs",
    "read_scored_pairs": "pairs",
    "read_slices": "slice_file",
    "read_triplets": "triplets",
    "recognise_task": "tasks",
    "write_run": "runs",
    "write_triplets": "triplets",
}

__all__ = [
    "TASKS",
    "AnchorColumns",
    "BadRows",
    "Corpus",
    "CorpusSurvey",
    "Dataset",
    "DatasetParts",
    "Order",
    "ReadOptions",
    "Skipped",
    "Task",
    "holds_judgments",
    "open_corpus",
    "open_dataset",
    "read_anchors",
    "read_qrels",
    "read_queries",
    "read_run",
    "read_scored_pairs",
    "read_slices",
    "read_triplets",
    "recognise_task",
    "write_run",
    "write_triplets",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'searchapp.corpus' has no attribute {name!r}")
    return getattr(importlib.import_module(f"searchapp.corpus.{_HOMES[name]}"), name)
