"""One query at a time in a warm process: Searcher.search against encode + bare FAISS search, the same encoder and file.

    python benchmarks/latency.py INDEX [--repeat N] [--save]

The two take turns, query by query; our hits come with ids and stored fields, the bare search gives rows and scores.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ROOT, save

from searchapp.index.vectors import unit
from searchapp.search import open_searcher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("index", type=Path, help="an index that carries its query encoder")
    parser.add_argument("--repeat", type=int, default=3, help="turns over the sample's queries")
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results/latency.json")
    args = parser.parse_args()
    import faiss

    lines = (ROOT / "data" / "sample_queries.csv").read_text(encoding="utf-8").splitlines()[1:]
    queries = [line.split(",")[2] for line in lines]
    searcher = open_searcher(args.index)
    derived = searcher.index.choose()
    bare = faiss.read_index(str(args.index / derived.files[0]))
    encode = searcher.encoder.encode_queries
    taken: dict[str, list[float]] = {"ours": [], "bare": [], "ours_search": [], "bare_search": []}

    def timed(name: str, began: float) -> None:
        taken[name].append((time.perf_counter() - began) * 1000)

    for query in queries * args.repeat:
        began = time.perf_counter()
        searcher.search([query], 10)
        timed("ours", began)
        began = time.perf_counter()
        bare.search(unit(encode([query]), derived.dim), 10)
        timed("bare", began)
        vector = encode([query])
        began = time.perf_counter()
        searcher.hits(searcher.index.search(vector, 10))
        timed("ours_search", began)
        began = time.perf_counter()
        bare.search(unit(vector, derived.dim), 10)
        timed("bare_search", began)
    medians = {f"{name}_ms": round(statistics.median(values[10:]), 3) for name, values in taken.items()}
    ratio = round(medians["ours_ms"] / medians["bare_ms"], 2)
    alone = round(medians["ours_search_ms"] / medians["bare_search_ms"], 2)
    print(
        f"{ratio} times encode + bare search ({medians['ours_ms']} against {medians['bare_ms']} ms); without encoding "
        f"{alone} times ({medians['ours_search_ms']} against {medians['bare_search_ms']} ms): {derived.name}, "
        f"{len(searcher.index):,} documents"
    )
    if args.save:
        runtime = searcher.encoder.card.runtime
        result: dict[str, object] = {"documents": len(searcher.index), "kind": derived.name, "encoder": runtime}
        save("latency", {**result, "ratio": ratio, "ratio_without_encoding": alone, **medians})


if __name__ == "__main__":
    main()
