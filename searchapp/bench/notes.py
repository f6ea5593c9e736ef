"""Notes: what a reader of the numbers must know, a line each."""

from collections.abc import Sequence

from searchapp.bench.judge import Judge
from searchapp.bench.plan import BenchOptions
from searchapp.bench.report import Cell
from searchapp.corpus import Dataset
from searchapp.errors import InputError
from searchapp.index import Index

NAMED = 3
"""How many missing ids an error names."""


def missing_documents(judge: Judge, index: Index) -> list[str]:
    """Return a note on judged documents that the index lacks; raise InputError if that is not allowed."""
    judged = {doc_id for grades in judge.dataset.qrels.values() for doc_id in grades}
    lacking = sorted(judged - index.documents.rows(judged).keys())
    if not lacking:
        return []
    found = f"{len(lacking):,} of {len(judged):,} judged documents are not in the index"
    if not judge.options.allow_missing or len(lacking) == len(judged):
        raise InputError(
            f"{found} (such as {', '.join(lacking[:NAMED])}); check that corpus and judgments belong together"
            + ("" if len(lacking) == len(judged) else ", or type --allow-missing to count them as never found")
        )
    return [f"{found}, counted as never found"]


def describe_threshold(threshold: int, labels: Sequence[str]) -> str:
    """Say from which grade a document is relevant: `grade >= 3 (E)`."""
    return f"grade >= {threshold}" + (f" ({' or '.join(reversed(labels[threshold:]))})" if labels else "")


def pool_note(cells: Sequence[Cell], options: BenchOptions) -> list[str]:
    """Say what rescoring means where only a pool is ranked."""
    if options.protocol != "judged-pool" or not any(cell.rescore for cell in cells):
        return []
    return ["rescored cells rank a judged pool at full width, so they equal flat's; --rescore 0 judges the codes"]


def index_notes(dataset: Dataset, index: Index) -> list[str]:
    """Say what was lost on the way into the index, and whether it belongs to this data set."""
    counts = index.manifest.counts
    notes = []
    if counts.get("truncated"):
        limit = index.manifest.encoder["max_seq_length"]
        notes.append(
            f"documents longer than max_seq_length {limit}: {counts['truncated']:,}, which lost "
            f"{counts['tokens_lost']:,} tokens"
        )
    survey = dataset.corpus.survey()
    if survey.fingerprint != index.manifest.corpus["fingerprint"]:
        generation = index.manifest.generation
        notes.append(
            (
                f"the index was changed {generation:,} times since it was built, so whether it holds this data set's "
                "corpus isn't known"
                if generation
                else "the index was made from another corpus than this data set's, or with other columns"
            )
            + f": {len(index):,} documents in the index, {survey.count:,} in the data set"
        )
    if counts.get("skipped"):
        notes.append(f"bad rows of the corpus that were skipped: {counts['skipped']:,}")
    if dataset.skipped.count:
        notes.append(f"bad rows of queries and judgments that were skipped: {dataset.skipped.count:,}")
    return notes


def count_without_relevant(judge: Judge) -> int:
    """Count the judged queries without a relevant document."""
    threshold = judge.judging.threshold
    return sum(max(grades.values(), default=0) < threshold for grades in judge.dataset.qrels.values())


def dropped_note(judge: Judge) -> list[str]:
    """Say how many queries have nothing relevant, and what became of them."""
    count = count_without_relevant(judge)
    fate = "left out of the means" if judge.judging.no_relevant == "drop" else "kept in the means"
    if not count:
        return []
    return [f"judged queries without a document of grade {judge.judging.threshold} or more, {fate}: {count}"]


def budget_note(cells: Sequence[Cell], budget_bytes: int | None) -> list[str]:
    """Say that nothing fits into the budget, and what comes nearest."""
    sizes = [(cell.cost.index_bytes, cell.name) for cell in cells if not cell.is_baseline and cell.cost.index_bytes]
    if budget_bytes is None or not sizes or min(sizes)[0] <= budget_bytes:
        return []
    size, name = min(sizes)
    fits = f"nothing fits into --budget-bytes {budget_bytes:,}"
    return [f"{fits}; the smallest index file is that of {name}, {size:,} bytes"]


def latency_note(cells: Sequence[Cell]) -> list[str]:
    """Say how latencies were measured."""
    measured = [cell.cost.latency for cell in cells if cell.cost.latency is not None]
    if not measured:
        return []
    hits, threads = measured[0].k, measured[0].threads
    on = f"{threads} thread{'s' * (threads != 1)}"
    return [
        f"latency is of one query at a time for {hits} hits of the whole corpus, warmed, without embedding it, {on}"
    ]
