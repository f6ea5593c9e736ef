"""File -> records: corpora as streams of documents, queries, judgments and runs.

open_corpus     a file, a folder, a glob or standard input; formats are rows of the table in formats.py
open_dataset    a BEIR, ESCI or TREC folder, or corpus, queries and qrels one by one
read_queries, read_qrels, read_run, write_run
"""

from searchapp.corpus.corpus import Corpus, CorpusSurvey, open_corpus
from searchapp.corpus.dataset import Dataset, DatasetParts, open_dataset
from searchapp.corpus.options import ReadOptions
from searchapp.corpus.qrels import read_qrels
from searchapp.corpus.queries import read_queries
from searchapp.corpus.rows import BadRows, Skipped
from searchapp.corpus.runs import read_run, write_run

__all__ = [
    "BadRows",
    "Corpus",
    "CorpusSurvey",
    "Dataset",
    "DatasetParts",
    "ReadOptions",
    "Skipped",
    "open_corpus",
    "open_dataset",
    "read_qrels",
    "read_queries",
    "read_run",
    "write_run",
]
