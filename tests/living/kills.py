"""Changes of an index killed at seeded moments, in forked children; prints one JSON line for each.

Run as a program, with a folder to work in and a seed.
"""

import importlib
import json
import random
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from searchapp.build import BuildOptions
from searchapp.corpus import open_corpus
from searchapp.index import open_index
from searchapp.index.faiss_door import faiss_version
from searchapp.living import (
    GrowOptions,
    add_documents,
    compact_index,
    delete_documents,
    rows_where,
    upsert_documents,
)
from tests.fakes import HashEncoder
from tests.kills import FINISHED, WATCHED, Aim, Trigger, folder_bytes, forked, read_trace
from tests.living.shops import build, check_whole, expected, held, product, same_vectors, write_rows

MOMENTS = 20
OPTIONS = BuildOptions(dims=(48, 16), kinds=("flat", "ivf-flat", "sq8"), query_encoder=False)
BASE = [product(n) for n in range(350)]
MORE = [product(n) for n in range(350, 450)]
NEWER = [product(n, edition=1) for n in range(300, 360)]
GROW = GrowOptions(shard_documents=40)

Operation = Callable[[Path, Trigger], None]


def add(folder: Path, trigger: Trigger) -> None:
    corpus = open_corpus(folder.parents[1] / "more.jsonl")
    add_documents(corpus, open_index(folder), encoder=HashEncoder(), options=GROW, progress=_told(trigger))


def upsert(folder: Path, trigger: Trigger) -> None:
    corpus = open_corpus(folder.parents[1] / "newer.jsonl")
    upsert_documents(corpus, open_index(folder), encoder=HashEncoder(), options=GROW, progress=_told(trigger))


def delete(folder: Path, trigger: Trigger) -> None:
    del trigger
    delete_documents(open_index(folder), rows_where("price < 30"), call="cheap")


def compact(folder: Path, trigger: Trigger) -> None:
    compact_index(open_index(folder), progress=_told(trigger), shard_documents=200)


OPERATIONS: dict[str, Operation] = {"add": add, "upsert": upsert, "delete": delete, "compact": compact}


def _told(trigger: Trigger) -> Callable[[str, int, int | None], None]:
    return lambda stage, done, total: trigger(f"progress {stage} {done} {total}")


def watched(operation: Operation, folder: Path, trigger: Trigger) -> None:
    """Change an index in this process, which may not live to see the end."""
    sys.addaudithook(lambda event, args: trigger(f"{event} {args[:2]}") if event in WATCHED else None)
    operation(folder, trigger)


def look(folder: Path, versions: list[dict[str, dict[str, object]]], *, whole: bool) -> None:
    """Check that an index is one of these versions, and whatever its manifest names is as it should be."""
    index = check_whole(folder) if whole else open_index(folder)
    index.verify()
    if held(index) not in versions:
        raise SystemExit(f"{len(index)} documents are neither the ones before nor the ones after")
    same_vectors(index)


def main(place: Path, seed: int) -> None:
    faiss_version()  # imports FAISS, once for all children
    write_rows(place / "more.jsonl", MORE)
    write_rows(place / "newer.jsonl", NEWER)
    # What is imported when it is first used is imported here, or it would be a moment of the first child alone.
    importlib.import_module("searchapp.corpus.tasks")
    for _ in open_corpus(place / "more.jsonl").documents():
        pass
    base = place / "base" / "shop"
    if forked(lambda: build(base, BASE, OPTIONS) and None) != FINISHED:
        raise SystemExit("the index could not be built")
    held(open_index(base))
    before = expected(BASE)
    for name, operation in OPERATIONS.items():
        if name == "compact":
            codes = [forked(partial(step, base, Trigger(None, place / "trace"))) for step in (upsert, delete)]
            if codes != [FINISHED, FINISHED]:
                raise SystemExit("the index could not be changed")
            before = held(open_index(base))
        reference, trace = place / name / "shop", place / f"{name}.trace"
        shutil.copytree(base, reference)
        if forked(partial(watched, operation, reference, Trigger(None, trace))) != FINISHED:
            raise SystemExit(f"the uninterrupted {name} failed")
        log = read_trace(trace)
        wanted, after = folder_bytes(reference), held(open_index(reference))
        rng = random.Random(seed)
        for moment in range(MOMENTS):
            at = 1 + (len(log) - 1) * moment // MOMENTS + rng.randrange(max(1, len(log) // MOMENTS))
            out = place / f"{name}{moment}" / "shop"
            shutil.copytree(base, out)
            codes = [
                forked(partial(watched, operation, out, Trigger(Aim(at), trace))),
                forked(partial(look, out, [before, after], whole=False)),
                forked(partial(operation, out, Trigger(None, trace))),
                forked(partial(look, out, [after], whole=True)),
            ]
            left = sorted(item.name for item in out.parent.iterdir())
            result = {"moment": f"{name} {log[at - 1][1]}", "codes": codes, "left": left}
            sys.stdout.write(json.dumps({**result, "same": folder_bytes(out) == wanted}) + "\n")
            shutil.rmtree(out.parent)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
