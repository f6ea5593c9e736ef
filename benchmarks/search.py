"""One query at a time over 1,000,000 x 256: every kind against flat, with real queries, in the same run.

    python benchmarks/search.py [--work FOLDER] [--size N] [--queries N] [--lists] [--save]

The index is that of benchmarks/scale.py (`--work` finds it again). Queries are product searches, health titles, claims
and sentences, embedded by the index's model and not timed. Every query is asked of every setting before the next is,
so that what else the machine does meets all alike. recall@10 is the share of flat's ten kept, equal scores counting as
kept. The milliseconds of the CPU are of all threads together.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import save
from corpora import encode, real_queries
from scale import DIM, build

K = 10


def settings(setting: Callable[..., Any], *, lists: bool) -> list[Any]:
    """Return what is compared, flat first."""
    asked = [setting(kind="flat"), *(setting(kind="pq4", rescore=depth) for depth in (0, 100, 200, 400))]
    if lists:
        asked += [setting(kind="ivf-pq", nprobe=nprobe, rescore=100) for nprobe in (128, 512, 1024)]
    return asked


def ask_singly(index: Any, queries: Any, asked: list[Any]) -> tuple[list[list[float]], list[list[float]], list[Any]]:
    """Ask every query of every setting; return milliseconds, CPU milliseconds and rows (n, K) of each setting."""
    wall: list[list[float]] = [[] for _ in asked]
    cpu: list[list[float]] = [[] for _ in asked]
    rows: list[list[Any]] = [[] for _ in asked]
    for setting in asked:
        index.search(queries[:2], K, setting)
    for number in range(len(queries)):
        for place, setting in enumerate(asked):
            began = time.perf_counter(), time.process_time()
            found = index.search(queries[number : number + 1], K, setting)
            wall[place].append(1e3 * (time.perf_counter() - began[0]))
            cpu[place].append(1e3 * (time.process_time() - began[1]))
            rows[place].append(found.rows[0])
    return wall, cpu, [np.array(found) for found in rows]


def recall(index: Any, queries: Any, rows: Any, last: Any) -> float:
    """Return the share of K whose exact score is at least flat's last."""
    from searchapp.index.vectors import cosine_scores

    vectors = index.vectors.take(np.maximum(rows, 0).ravel()).reshape(*rows.shape, -1)
    scores = np.where(rows < 0, -np.inf, cosine_scores(queries, vectors, index.manifest.dim))
    return float((scores >= last[:, None]).mean())


def batch_rate(index: Any, queries: Any, setting: Any) -> float:
    began = time.perf_counter()
    index.search(queries, K, setting)
    return len(queries) / (time.perf_counter() - began)


def table(index: Any, queries: Any, asked: list[Any], seconds: dict[str, float]) -> list[dict[str, Any]]:
    wall, cpu, rows = ask_singly(index, queries, asked)
    last = index.search(queries, K, asked[0]).scores[:, -1]
    rates = [batch_rate(index, queries, setting) for setting in asked]
    p50 = [(statistics.median(one), statistics.median(other)) for one, other in zip(wall, cpu, strict=True)]
    made = []
    for place, setting in enumerate(asked):
        derived = index.choose(setting)
        size = sum((index.folder / file).stat().st_size for file in derived.files)
        spent = sum(value for stage, value in seconds.items() if stage.endswith(f" {derived.name}"))
        made.append(
            {
                "kind": derived.kind,
                "nprobe": setting.nprobe,
                "rescore": setting.rescore,
                "bytes_a_vector": round(size / len(index), 1),
                "build_cpu_seconds": round(spent, 1),
                "recall@10": round(recall(index, queries, rows[place], last), 4),
                "one_ms": round(p50[place][0], 2),
                "one_x_flat": round(p50[0][0] / p50[place][0], 1),
                "one_cpu_ms": round(p50[place][1], 2),
                "one_cpu_x_flat": round(p50[0][1] / p50[place][1], 1),
                "batch_qps": round(rates[place], 1),
                "batch_x_flat": round(rates[place] / rates[0], 2),
            }
        )
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="the folder of benchmarks/scale.py")
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200, help="how many, from four sets alike")
    parser.add_argument("--lists", action="store_true", help="ivf-pq too, which takes minutes to train")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/search.json")
    args = parser.parse_args()

    from searchapp.encoders import load_encoder
    from searchapp.index import Setting, derive, open_index

    with tempfile.TemporaryDirectory() as aside:
        work = args.work or Path(aside)
        work.mkdir(parents=True, exist_ok=True)
        folder, note = work / f"index-{args.size}", work / f"index-{args.size}.json"
        built = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else build(work, args.size)
        index = open_index(folder)
        if args.lists:
            index = derive(index, [DIM], ["ivf-pq"])
        queries = encode(load_encoder(str(work / "model")), real_queries(args.queries // 4))
        rows = table(index, queries, settings(Setting, lists=args.lists), built.get("cpu_seconds", {}))
    print(" ".join(f"{name:>14}" for name in rows[0]))
    for row in rows:
        print(" ".join(f"{'' if value is None else value!s:>14}" for value in row.values()))
    if args.save:
        save("search", {"documents": args.size, "dim": DIM, "queries": len(queries), "k": K, "rows": rows})


if __name__ == "__main__":
    main()
