"""IVF-PQ with rescoring on Home Depot: nprobe and rescore against nDCG@10, throughput and latency, beside flat's.

    python benchmarks/ivf.py [--save]

One index holds both kinds, from one embedding of 54,667 titles. Queries are the 1,447 judged test queries, embedded
once and not timed. Batch throughput is all of them in one call, latency one query a call; every figure is the median of
three rounds in which all settings take their turn.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from common import data_folder, save

from searchapp.bench import BenchOptions, run_bench
from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_dataset
from searchapp.encoders import load_encoder
from searchapp.index import Index, Setting
from searchapp.metrics import Measure
from searchapp.search import Searcher

NPROBE = (32, 64, 128, 256, 384, 512)
RESCORE = (0, 50, 100)
K = 10
SINGLES = 200
ROUNDS = 3


def settings() -> list[Setting]:
    """Return flat and every IVF-PQ setting."""
    return [Setting(kind="flat"), *(Setting(kind="ivf-pq", nprobe=p, rescore=r) for p in NPROBE for r in RESCORE)]


def time_settings(index: Index, vectors: object) -> list[tuple[float, float]]:
    """Return queries a second in a batch and milliseconds for one query, per setting."""
    batch: list[list[float]] = [[] for _ in settings()]
    single: list[list[float]] = [[] for _ in settings()]
    for _ in range(ROUNDS):
        for number, setting in enumerate(settings()):
            index.search(vectors[:8], K, setting)
            start = time.perf_counter()
            index.search(vectors, K, setting)
            batch[number].append(len(vectors) / (time.perf_counter() - start))
            for row in range(SINGLES):
                start = time.perf_counter()
                index.search(vectors[row : row + 1], K, setting)
                single[number].append(1e3 * (time.perf_counter() - start))
    return [(statistics.median(b), statistics.median(s)) for b, s in zip(batch, single, strict=True)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results/ivf.json")
    arguments = parser.parse_args()
    dataset = open_dataset(data_folder() / "home_depot")
    encoder = load_encoder("minilm")
    with tempfile.TemporaryDirectory() as name:
        start = time.perf_counter()
        options = BuildOptions(kinds=("flat", "ivf-pq"))
        index = build_index(dataset.corpus, Path(name) / "index", encoder=encoder, options=options)
        print(f"built {', '.join(d.name for d in index.manifest.derived)} in {time.perf_counter() - start:.0f} s")
        searcher = Searcher(index, encoder)
        measured = BenchOptions(nprobe=NPROBE, rescore=RESCORE, measures=(Measure.parse("nDCG@10"),))
        report = run_bench(dataset, searcher, options=measured)
        vectors = encoder.encode_queries([query.text for query in dataset.queries])
        times = time_settings(index, vectors)
    flat = report.cells[0].evaluation.measures["nDCG@10"]
    print(f"{'kind':<34} {'nDCG@10':>8} {'of flat':>8} {'batch q/s':>10} {'x flat':>7} {'one, ms':>8} {'x faster':>8}")
    rows = []
    for cell, (batch, single) in zip(report.cells, times, strict=True):
        value = cell.evaluation.measures["nDCG@10"]
        row = {
            "kind": cell.label,
            "nDCG@10": round(value, 4),
            "of_flat": round(value / flat, 4),
            "batch_qps": round(batch),
            "batch_x_flat": round(batch / times[0][0], 2),
            "single_ms": round(single, 3),
            "single_x_flat": round(times[0][1] / single, 2),
        }
        rows.append(row)
        print(
            f"{row['kind']:<34} {value:8.4f} {value / flat:8.1%} {batch:10,.0f} {batch / times[0][0]:7.2f} "
            f"{single:8.2f} {times[0][1] / single:8.1f}",
            flush=True,
        )
    if arguments.save:
        save("ivf", {"dataset": "home_depot test", "queries": len(vectors), "k": K, "rows": rows})


if __name__ == "__main__":
    main()
