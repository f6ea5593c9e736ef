"""What a whole bench takes against embedding alone: SciFact, every dim and kind, the same process, nothing cached.

    python benchmarks/matrix.py [--data FOLDER] [--dims 384,128] [--kinds flat,ivf-pq] [--save]

Both numbers are of one run: `embedding` is what the run itself spent inside the encoder on documents, `bench` is all of
it, from reading the corpus to the report, baselines included.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import data_folder, save

DIMS = "384,256,192,128,96,64,32"
KINDS = "flat,sq8,ivf-flat,ivf-pq"
LIMIT = 1.3


class TimedEncoder:
    """An encoder that adds up what embedding documents takes."""

    def __init__(self, encoder: Any) -> None:
        self._encoder = encoder
        self.card, self.counts = encoder.card, encoder.counts
        self.seconds = 0.0

    def encode_queries(self, texts: Sequence[str]) -> Any:
        """Embed, not timed."""
        return self._encoder.encode_queries(texts)

    def encode_documents(self, texts: Sequence[str]) -> Any:
        """Embed, timed."""
        began = time.perf_counter()
        vectors = self._encoder.encode_documents(texts)
        self.seconds += time.perf_counter() - began
        return vectors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the public data (default: SEARCHAPP_DATA)")
    parser.add_argument("--dims", default=DIMS)
    parser.add_argument("--kinds", default=KINDS)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/matrix.json")
    args = parser.parse_args()

    from searchapp.bench.cache import Cache
    from searchapp.bench.matrix import run_bench
    from searchapp.bench.plan import BenchOptions
    from searchapp.bench.workspace import embedded
    from searchapp.build import silent
    from searchapp.corpus import open_dataset
    from searchapp.encoders import load_encoder

    dataset = open_dataset((args.data or data_folder()) / "scifact")
    encoder = TimedEncoder(load_encoder("minilm"))
    encoder.encode_documents(["warm", "up"] * 64)
    encoder.seconds = 0.0
    options = BenchOptions(dims=tuple(map(int, args.dims.split(","))), kinds=tuple(args.kinds.split(",")))
    with tempfile.TemporaryDirectory() as folder:
        cache = Cache(Path(folder))
        began = time.perf_counter()
        spaces = [embedded(dataset.corpus, encoder, cache=cache, options=options, progress=silent)]
        report = run_bench(dataset, spaces, cache=cache, options=options)
        seconds = time.perf_counter() - began
    embedding = encoder.seconds
    ratio = seconds / embedding
    result = {
        "documents": report.documents,
        "queries": report.counts["evaluated"],
        "cells": len(report.cells),
        "embedding_seconds": round(embedding, 2),
        "bench_seconds": round(seconds, 2),
        "ratio": round(ratio, 3),
        "limit": LIMIT,
        "ship": report.ship.line if report.ship else None,
        "table": {cell.name: round(cell.measures["nDCG@10"], 4) for cell in report.cells},
    }
    print(
        f"{len(report.cells)} cells: bench {seconds:.1f} s, embedding {embedding:.1f} s, ratio {ratio:.3f} (< {LIMIT})"
    )
    print(f"to ship: {result['ship']}")
    if args.save:
        save("matrix", result)


if __name__ == "__main__":
    main()
