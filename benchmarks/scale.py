"""Index 100,000 and 1,000,000 short texts: peak memory, and seconds by stage for every 1,000 documents.

    python benchmarks/scale.py [--work FOLDER] [--sizes 100000,1000000] [--plain 100000] [--save]

Every size is built by a process of its own, `build_index` with a static model of 256 dims, kinds flat and pq4, and says
what the operating system counts as its peak. A plain script that encodes all texts with sentence-transformers into a
flat index in memory is run beside it. `--work` keeps model, texts and indexes for benchmarks/search.py.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import save
from corpora import write_texts

DIM = 256
KINDS = "flat,pq4"
BUILD = """
import json, resource, sys, time
from searchapp import build_index, load_encoder, open_corpus
from searchapp.build import BuildOptions
model, texts, out, kinds = sys.argv[1:]
seconds, cpu, at = {}, {}, [time.perf_counter(), time.process_time(), "reading"]
def progress(stage, done, total):
    now = [time.perf_counter(), time.process_time()]
    for clock, spent in enumerate((seconds, cpu)):
        spent[at[2]] = spent.get(at[2], 0) + now[clock] - at[clock]
    at[:] = *now, stage
options = BuildOptions(kinds=tuple(kinds.split(",")), overwrite=True)
index = build_index(open_corpus(texts), out, encoder=load_encoder(model), options=options, progress=progress)
progress("", 0, None)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"documents": len(index), "peak": peak, "seconds": seconds, "cpu_seconds": cpu}))
"""
PLAIN = """
import json, resource, sys, time
began = time.perf_counter()
import faiss
from sentence_transformers import SentenceTransformer
model = SentenceTransformer(sys.argv[1], device="cpu")
texts = [json.loads(line)["text"] for line in open(sys.argv[2], encoding="utf-8")]
vectors = model.encode(texts)
index = faiss.index_factory(vectors.shape[1], "Flat", faiss.METRIC_INNER_PRODUCT)
index.add(vectors)
faiss.write_index(index, sys.argv[3])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time()}
print(json.dumps({"documents": len(texts), "peak": peak, **spent}))
"""
MODEL = """
import sys
from pathlib import Path
from corpora import make_static_model
make_static_model(Path(sys.argv[1]), int(sys.argv[2]))
"""


def run_child(code: str, *arguments: object) -> str:
    """Run Python code in a process of its own and return its last line."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
    return (done.stdout.strip().splitlines() or [""])[-1]


def measure(code: str, *arguments: object) -> dict[str, Any]:
    """Run code that prints what it measured; its peak becomes MB."""
    found: dict[str, Any] = json.loads(run_child(code, *arguments))
    found["peak_mb"] = round(found.pop("peak") * (1 if sys.platform == "darwin" else 1024) / 1e6)
    return found


def prepare(work: Path, size: int) -> tuple[Path, Path]:
    """Return the model and a file of `size` texts, made where they are not there yet."""
    model, texts = work / "model", work / f"texts-{size}.jsonl"
    if not (model / "modules.json").is_file():
        run_child(MODEL, model, DIM)
    if not texts.is_file():
        write_texts(work / "texts.part", size).replace(texts)
    return model, texts


def build(work: Path, size: int) -> dict[str, Any]:
    """Index so many texts in a child process; keep what it says beside the index, for benchmarks/search.py."""
    model, texts = prepare(work, size)
    found = measure(BUILD, model, texts, work / f"index-{size}", KINDS)
    (work / f"index-{size}.json").write_text(json.dumps(found), encoding="utf-8")
    return found


def show(built: list[dict[str, Any]]) -> float:
    """Print the stages of all sizes side by side; return the last size's CPU cost of a document over the first's."""
    ratio = 0.0
    for clock in ("seconds", "cpu_seconds"):
        costs = [{stage: 1e6 * spent / found["documents"] for stage, spent in found[clock].items()} for found in built]
        costs = [{**cost, "all": sum(cost.values())} for cost in costs]
        print(f"{'ms a 1,000, ' + clock:<32}" + "".join(f"{found['documents']:>12,}" for found in built) + "   ratio")
        for stage in costs[-1]:
            row = [cost.get(stage, 0.0) for cost in costs]
            values = "".join(f"{value:12.1f}" for value in row)
            print(f"{stage[:32]:<32}{values}{row[-1] / max(row[0], 1e-9):8.2f}")
        ratio = costs[-1]["all"] / costs[0]["all"]
    print(f"{'peak, MB':<32}" + "".join(f"{found['peak_mb']:12,}" for found in built))
    return ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, help="keep model, texts and indexes in this folder")
    parser.add_argument("--sizes", default="100000,1000000")
    parser.add_argument("--plain", default="100000,1000000", help="sizes for the plain script")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/scale.json")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as aside:
        work = args.work or Path(aside)
        work.mkdir(parents=True, exist_ok=True)
        built = [build(work, int(size)) for size in args.sizes.split(",")]
        ratio = show(built)
        print(f"CPU cost of a document at the largest size over the smallest: {ratio:.2f}", flush=True)
        plain = []
        for size in filter(None, args.plain.split(",")):
            model, texts = prepare(work, int(size))
            plain.append(measure(PLAIN, model, texts, work / "plain.faiss"))
            print(f"plain script, {int(size):,}: {plain[-1]['seconds']:.0f} s, {plain[-1]['peak_mb']:,} MB", flush=True)
    if args.save:
        save("scale", {"dim": DIM, "kinds": KINDS, "built": built, "cost_ratio": round(ratio, 3), "plain_flat": plain})


if __name__ == "__main__":
    main()
