"""The metric code against sentence-transformers' evaluator: times faster, the same numbers, and how much memory.

    OMP_NUM_THREADS=1 python benchmarks/metrics.py [--queries N] [--hits N] [--repeat N] [--save]

Both sides judge the same 10,000 rankings of 1,000 hits in one process and one thread, taking turns. Of the evaluator
only `compute_metrics` is timed, its input being ready. It sorts each query's hits, so it is timed with two orders:
`from_search`, in which its own search leaves them (a heap), and `sorted`, in their final order, as ours come: the least
work it can be given.

Memory is what `evaluate` allocates at its peak (tracemalloc, a process of its own for each), over corpora of 10,000 and
of a million documents.
"""

import argparse
import heapq
import multiprocessing
import statistics
import sys
import time
import tracemalloc
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from searchapp.metrics import Measure, evaluate

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import save

CUTOFFS = (1, 3, 5, 10)
MEASURES = (
    *(f"{name}@{cutoff}" for name in ("accuracy", "precision", "recall") for cutoff in CUTOFFS),
    *("RR@10", "nDCG@10", "AP@100"),
)
RELEVANT = 20
SLICE = 1000
CORPORA = (10_000, 1_000_000)
Run = dict[str, list[str]]
Qrels = dict[str, dict[str, int]]


def make_case(queries: int, hits: int, documents: int) -> tuple[Run, Qrels]:
    """Rank random documents for every query; 20 of its hits are relevant, more of them near the top."""
    rng = np.random.default_rng(0)
    doc_ids = [f"doc{number:07d}" for number in range(documents)]
    run, qrels = {}, {}
    likely = 1.0 / np.arange(1, hits + 1)
    for number in range(queries):
        rows = rng.choice(documents, hits, replace=False, shuffle=True)
        run[f"q{number}"] = [doc_ids[row] for row in rows.tolist()]
        relevant = rng.choice(hits, RELEVANT, replace=False, p=likely / likely.sum())
        qrels[f"q{number}"] = {doc_ids[rows[place]]: 1 for place in relevant.tolist()}
    return run, qrels


def slices(run: Run, order: str) -> Iterator[tuple[list[str], list[list[dict[str, Any]]]]]:
    """Yield the hits as the evaluator takes them, for 1,000 queries at a time: all at once would take gigabytes."""
    rng = np.random.default_rng(1)
    query_ids = list(run)
    for start in range(0, len(query_ids), SLICE):
        some = query_ids[start : start + SLICE]
        lists = []
        for query_id in some:
            scored = [(1.0 - rank / 4096, doc_id) for rank, doc_id in enumerate(run[query_id])]
            if order == "from_search":
                scored = [scored[place] for place in rng.permutation(len(scored)).tolist()]
                heapq.heapify(scored)
            lists.append([{"corpus_id": doc_id, "score": score} for score, doc_id in scored])
        yield some, lists


def judge_theirs(run: Run, qrels: Qrels, order: str) -> tuple[float, dict[str, float]]:
    """Return the seconds and the means of sentence-transformers."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    total = 0.0
    sums: dict[str, float] = {}
    for query_ids, lists in slices(run, order):
        evaluator = InformationRetrievalEvaluator(
            queries={query_id: query_id for query_id in query_ids},
            corpus={},
            relevant_docs={query_id: set(qrels[query_id]) for query_id in query_ids},
            accuracy_at_k=list(CUTOFFS),
            precision_recall_at_k=list(CUTOFFS),
        )
        began = time.perf_counter()
        found = evaluator.compute_metrics(lists)
        total += time.perf_counter() - began
        for name, by_cutoff in found.items():
            for cutoff, mean in by_cutoff.items():
                key = str(Measure.parse(f"{name.removesuffix('k')}{cutoff}"))
                sums[key] = sums.get(key, 0.0) + float(mean) * len(query_ids)
    return total, {name: value / len(run) for name, value in sums.items()}


def compare(run: Run, qrels: Qrels, repeat: int) -> dict[str, object]:
    result: dict[str, object] = {}
    difference = 0.0
    for order in ("from_search", "sorted"):
        seconds: list[tuple[float, float]] = []
        for _ in range(repeat):
            their_seconds, expected = judge_theirs(run, qrels, order)
            began = time.perf_counter()
            found = evaluate(run, qrels, MEASURES).measures
            seconds.append((time.perf_counter() - began, their_seconds))
            difference = max(difference, largest_difference(found, expected))
        result[order] = summary(seconds)
        print(f"{order}: {result[order]}")
    print(f"largest difference of a mean: {difference:.1e}")
    return {**result, "largest_difference": difference, "identical_to_1e-9": difference <= 1e-9}


def summary(seconds: Sequence[tuple[float, float]]) -> dict[str, float]:
    """Return ratios and medians of (ours, theirs)."""
    ratios = [their / our for our, their in seconds]
    return {
        "ratio": round(statistics.median(ratios), 1),
        "ratio_min": round(min(ratios), 1),
        "ratio_max": round(max(ratios), 1),
        "seconds": round(statistics.median(our for our, _ in seconds), 3),
        "seconds_sentence_transformers": round(statistics.median(their for _, their in seconds), 3),
    }


def largest_difference(found: Mapping[str, float], expected: Mapping[str, float]) -> float:
    if set(found) != set(expected):
        raise SystemExit(f"not the same measures: {sorted(set(found) ^ set(expected))}")
    return max(abs(found[name] - expected[name]) for name in found)


def peak_memory(queries: int, hits: int, documents: int) -> int:
    """Return the bytes that `evaluate` allocates at its peak, with run and qrels at hand."""
    run, qrels = make_case(queries, hits, documents)
    tracemalloc.start()
    evaluate(run, qrels, MEASURES)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def measure_memory(queries: int, hits: int, corpora: Sequence[int]) -> dict[str, object]:
    spawn = multiprocessing.get_context("spawn")
    peaks = {}
    for documents in corpora:
        with ProcessPoolExecutor(1, mp_context=spawn) as child:
            peaks[documents] = child.submit(peak_memory, queries, hits, documents).result()
        print(f"peak memory over {documents:,} documents: {peaks[documents] / 2**20:.2f} MiB")
    least, most = min(peaks.values()), max(peaks.values())
    return {"peak_bytes_by_documents": peaks, "growth": round(most / least, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--queries", type=int, default=10_000)
    parser.add_argument("--hits", type=int, default=1000, help="at most 4,000")
    parser.add_argument("--repeat", type=int, default=5, help="turns each side takes")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/metrics.json")
    args = parser.parse_args()
    # What the import of other libraries warns of is not this project's to mend.
    warnings.simplefilter("ignore", DeprecationWarning)
    result: dict[str, object] = {
        "queries": args.queries,
        "hits": args.hits,
        "relevant": RELEVANT,
        "repeat": args.repeat,
        "measures": list(MEASURES),
        "memory": measure_memory(args.queries, args.hits, CORPORA),
    }
    run, qrels = make_case(args.queries, args.hits, 50_000)
    result.update(compare(run, qrels, args.repeat))
    if args.save:
        save("metrics", result)


if __name__ == "__main__":
    main()
