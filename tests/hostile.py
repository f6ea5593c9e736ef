"""Opens folders that mean harm, each in a forked child with little memory and time, and says what became of it.

Run as a program; folders come as lines on standard input, one JSON line for each goes to standard output.
"""

import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path

import numpy as np

from searchapp.errors import SearchappError
from searchapp.index import NO_ROW, Setting, open_index
from searchapp.index.faiss_door import faiss_version
from searchapp.index.verify import verify_index

MEMORY, SECONDS = 256 << 20, 20
"""What a child may take beyond what a process with everything imported has, and how long."""
QUERIES, HITS = 3, 5


def look(folder: Path) -> dict[str, object]:
    """Open, search and verify; return hits by derived index, and the files that verify names."""
    index = open_index(folder)
    queries = np.random.default_rng(3).standard_normal((QUERIES, index.manifest.dim)).astype(np.float32)
    hits: dict[str, object] = {}
    for derived in index.manifest.derived:
        found = index.search(queries, HITS, Setting(derived.dim, derived.kind))
        documents = index.documents
        hits[derived.name] = [
            [(*documents.ids(np.array([row])), repr(documents.fields(int(row))), repr(float(score)))
             for row, score in zip(rows, scores, strict=True) if row != NO_ROW]
            for rows, scores in zip(found.rows, found.scores, strict=True)
        ]  # fmt: skip
    for stored in index.canaries:
        hits["canaries"] = stored.tolist()
    index.documents.rows(["d00000"])
    return {"hits": hits}


def attempt(folder: Path, pipe: int) -> None:
    """Do everything with one folder and write what came of it to the pipe."""
    told: dict[str, object]
    try:
        told = look(folder)
    except SearchappError as error:
        told = {"refused": str(error)}
    try:
        told["named"] = sorted({problem.file for problem in verify_index(folder).problems})
    except SearchappError as error:
        told["named"] = [str(error)]
    with os.fdopen(pipe, "w") as sink:
        json.dump(told, sink)


def forked(folder: Path) -> dict[str, object]:
    """Attempt in a child; return what it told, or how it ended."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.close(reading)
        limit = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        signal.alarm(SECONDS)
        code = 1
        try:
            attempt(folder, writing)
            code = 0
        finally:
            if code:
                traceback.print_exc()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        told = source.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ended: dict[str, object] = json.loads(told) if told and code == 0 else {"ended": code}
    return ended


if __name__ == "__main__":
    faiss_version()  # imports FAISS, once for all children
    for line in sys.stdin:
        sys.stdout.write(json.dumps(forked(Path(line.rstrip("\n")))) + "\n")
        sys.stdout.flush()
