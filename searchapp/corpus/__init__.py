"""File -> records: corpora as streams of documents, queries, judgments and runs.

open_corpus     a file, a folder, a glob or standard input; formats are rows of the table in formats.py
open_dataset    a BEIR, ESCI or TREC folder, irds:NAME, or corpus, queries and qrels one by one
read_queries, read_qrels, read_run, write_run, read_slices
read_triplets, write_triplets, read_scored_pairs, and recognise_task, which tells these from what open_dataset takes
read_anchors    pairs and triplets to train on; holds_judgments tells them from what open_dataset takes
"""

from searchapp.corpus.anchors import AnchorColumns, read_anchors
from searchapp.corpus.corpus import Corpus, CorpusSurvey, open_corpus
from searchapp.corpus.dataset import Dataset, DatasetParts, open_dataset
from searchapp.corpus.options import ReadOptions
from searchapp.corpus.pairs import read_scored_pairs
from searchapp.corpus.qrels import read_qrels
from searchapp.corpus.queries import read_queries
from searchapp.corpus.rows import BadRows, Skipped
from searchapp.corpus.runs import Order, read_run, write_run
from searchapp.corpus.slice_file import read_slices
from searchapp.corpus.tasks import TASKS, Task, holds_judgments, recognise_task
from searchapp.corpus.triplets import read_triplets, write_triplets

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
