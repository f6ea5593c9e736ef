"""`derive` killed at seeded moments, in forked children; prints one JSON line for each.

Run as a program, with a corpus, a folder to work in and a seed.
"""

import json
import random
import shutil
import sys
from functools import partial
from pathlib import Path

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_corpus
from searchapp.index import derive, open_index
from searchapp.index.faiss_door import faiss_version
from tests.fakes import HashEncoder
from tests.kills import FINISHED, WATCHED, Aim, Trigger, folder_bytes, forked, read_trace

DERIVED_MOMENTS = 20
DIMS, KINDS = (32, 16), ("flat", "ivf-flat", "sq8")


def add(folder: Path, trigger: Trigger) -> None:
    """Derive in this process, which may not live to see the end."""
    sys.addaudithook(lambda event, args: trigger(f"{event} {args[:2]}") if event in WATCHED else None)
    derive(open_index(folder), DIMS, KINDS, progress=lambda stage, done, total: trigger(f"progress {stage} {done}"))


def search(folder: Path) -> None:
    """Open an index as it was left, check every file of it, and find something by each way it holds."""
    index = open_index(folder)
    index.verify()
    query = HashEncoder().encode_queries(["steel kettle 5"])
    if index.documents.ids(index.search(query, 1).rows[0]) != ["p5"]:
        raise SystemExit("the document is not found")


def main(corpus: Path, place: Path, seed: int) -> None:
    faiss_version()  # imports FAISS, once for all children
    base, reference, trace = place / "base", place / "reference", place / "trace"
    options = BuildOptions(shard_documents=150)
    codes = [forked(lambda: build_index(open_corpus(corpus), base, encoder=HashEncoder(), options=options))]
    shutil.copytree(base, reference)

    codes.append(forked(partial(add, reference, Trigger(None, trace))))
    if codes != [FINISHED, FINISHED]:
        raise SystemExit("the uninterrupted calls failed")
    log = read_trace(trace)
    expected = folder_bytes(reference)
    rng = random.Random(seed)
    for moment in range(DERIVED_MOMENTS):
        out = place / f"m{moment}" / "shop"
        shutil.copytree(base, out)
        at = 1 + (len(log) - 1) * moment // DERIVED_MOMENTS + rng.randrange(max(1, len(log) // DERIVED_MOMENTS))
        killed = forked(partial(add, out, Trigger(Aim(at), trace)))
        codes = [killed, forked(partial(search, out)), forked(partial(add, out, Trigger(None, trace)))]
        left = sorted(item.name for item in out.parent.iterdir())
        result = {"moment": log[at - 1][1], "codes": codes, "same": folder_bytes(out) == expected, "left": left}
        sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
