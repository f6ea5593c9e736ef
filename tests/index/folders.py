"""Index folders made straight from vectors, for tests that need no encoder."""

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from searchapp.build import silent
from searchapp.index import Index, Manifest, open_index
from searchapp.index.derive import Origin, build_derived, plan_targets
from searchapp.index.documents import RowFacts, write_documents
from searchapp.index.manifest import CANARY_FILE, CORPUS_NAMES, COUNTED, ENCODER_NAMES, Shard, write_manifest
from searchapp.index.seal import seal
from searchapp.index.steps import Steps, describe_file
from searchapp.index.vectors import Vectors, VectorStore, write_shard
from searchapp.records import Document

WIDTH = 32


def random_vectors(rows: int, *, seed: int = 0, width: int = WIDTH) -> Vectors:
    """Return float32 (rows, width) in a few loose clusters, of different lengths."""
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((12, width))
    spread = centres[rng.integers(12, size=rows)] + 0.7 * rng.standard_normal((rows, width))
    return (spread * rng.uniform(0.5, 2, size=(rows, 1))).astype(np.float32)


def shuffled_ids(rows: int) -> list[str]:
    """Return ids whose alphabetical order is not the rows' order."""
    order = np.random.default_rng(1).permutation(rows)
    return [f"d{number:05d}" for number in order]


def no_facts(rows: int, start: int = 0) -> RowFacts:
    """Return the facts of rows that are a document each, of different texts, with nothing lost."""
    return RowFacts(
        chunk=np.zeros(rows, np.int32),
        text_hash=np.arange(start, start + rows, dtype=np.uint64),
        tokens_lost=np.zeros(rows, np.int32),
        prefixed=np.zeros(rows, np.bool_),
    )


def make_index(
    folder: Path,
    vectors: Vectors,
    *,
    dims: Sequence[int] = (WIDTH,),
    kinds: Sequence[str] = ("flat",),
    shard_rows: int = 700,
    layer_norm: bool = False,
) -> Index:
    """Write an index of the vectors at `folder`, in several shards, and open it."""
    (folder / "vectors").mkdir(parents=True)
    (folder / "documents").mkdir()
    ids = shuffled_ids(len(vectors))
    shards = []
    for number, start in enumerate(range(0, len(vectors), shard_rows)):
        part = vectors[start : start + shard_rows]
        shard = Shard(len(part), f"vectors/{number}.npy", f"documents/{number}.arrow")
        write_shard(folder / shard.vectors, iter([part]), rows=len(part), dim=part.shape[1])
        names = ids[start : start + shard_rows]
        write_documents(
            folder / shard.documents, [Document(name, "", {"row": name}) for name in names], no_facts(len(names), start)
        )
        shards.append(shard)
    np.save(folder / CANARY_FILE, np.zeros((2, 1, vectors.shape[1]), np.float32))
    files = {n: describe_file(folder / n) for s in shards for n in (s.vectors, s.documents)}
    files[CANARY_FILE] = describe_file(folder / CANARY_FILE)
    store = VectorStore([folder / shard.vectors for shard in shards], vectors.shape[1])
    derived = []
    origin = Origin(store, (), layer_norm)
    with tempfile.TemporaryDirectory() as aside:
        steps, trained = Steps(Path(aside) / "receipts", folder), Steps(Path(aside), Path(aside))
        for target in plan_targets(dims, kinds, rows=len(vectors), width=vectors.shape[1]):
            made, entry = build_derived(origin, target, files=steps, trained=trained, progress=silent)
            files |= dict.fromkeys(made.files, entry)
            derived.append(made)
    manifest = Manifest(
        encoder={**dict.fromkeys(ENCODER_NAMES, "none"), "prompts": {"query": "", "document": ""}},
        corpus=dict.fromkeys(CORPUS_NAMES, "random"),
        counts={**dict.fromkeys(COUNTED, 0), "documents": len(vectors), "vectors": len(vectors)},
        dim=vectors.shape[1],
        layer_norm=layer_norm,
        shards=tuple(shards),
        derived=tuple(derived),
        files=files,
        versions={},
        canary_texts=("canary",),
    )
    write_manifest(folder, manifest)
    return open_index(folder)


def reseal(folder: Path, change: Callable[[dict[str, Any]], object] = lambda body: None) -> None:
    """Make a folder's manifest vouch for its files as they are now, with `change` made to what it says."""
    path = folder / "manifest.json"
    body = json.loads(path.read_text(encoding="utf-8"))
    for name in body["files"]:
        if (folder / name).is_file():
            body["files"][name] = asdict(describe_file(folder / name))
    change(body)
    path.unlink()
    path.write_bytes(seal({name: part for name, part in body.items() if name != "checksum"}))
