"""What a cell costs when it serves: measured in a process that does nothing but open the index and search it.

One server process imports what a search needs, and forks itself for every cell: a forked process has the libraries at
once and a peak of memory of its own. Requests and answers are lines of JSON on its standard input and output.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

import numpy as np

from searchapp.bench.report import Latency
from searchapp.errors import SearchappError
from searchapp.index import NO_ROW, Index, Setting, open_index
from searchapp.index.faiss_door import count_threads
from searchapp.index.vectors import Vectors

HITS = 10
"""How many hits a timed search asks for: what a page shows."""
WARM_UP = 20
ENOUGH_QUERIES, ENOUGH_SECONDS, MOST_SECONDS = 200, 0.2, 1.0
"""Single queries are timed until there are so many that took so long, or until they took the most."""
MOST_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Served:
    """What serving a cell took."""

    queries_per_second: float
    latency: Latency
    peak_memory_bytes: int


@dataclass(frozen=True, slots=True)
class _Request:
    """An index folder, how to search it, and the file of embedded queries to search with."""

    folder: str
    queries: str
    dim: int
    kind: str
    nprobe: int | None
    rescore: int


class Probe:
    """The server process, started when first asked; gone when the block ends."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def measure(self, folder: Path, queries: Path, setting: Setting) -> Served:
        """Search an index with embedded queries (a .npy file of float32 (n, width)), one by one and all at once.

        Raises SearchappError where the process can't.
        """
        if setting.dim is None or setting.kind is None:
            raise SearchappError("a probe needs a dim and a kind; none was given")
        rescore = max(setting.rescore, HITS) if setting.rescore else 0
        request = _Request(
            str(folder.resolve()), str(queries.resolve()), setting.dim, setting.kind, setting.nprobe, rescore
        )
        answer = self._ask(json.dumps(asdict(request)))
        return Served(answer["queries_per_second"], Latency(**answer["latency"]), answer["peak_memory_bytes"])

    def _ask(self, line: str) -> dict[str, Any]:
        if self._process is None:
            command = [sys.executable, "-c", "from searchapp.bench.probe import serve; serve()"]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise SearchappError("the process that times searches has no pipes; run the bench again")
        process.stdin.write(line + "\n")
        process.stdin.flush()
        reply = process.stdout.readline()
        answer: dict[str, Any] = json.loads(reply) if reply else {"error": "it ended"}
        if "error" in answer:
            raise SearchappError(
                f"timing searches in a process of its own failed: {answer['error']}; run the bench again"
            )
        return answer


def serve() -> None:
    """Answer requests until standard input ends: one forked process for each."""
    count_threads()  # loads FAISS here, so that no forked process has to
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            status = _answer(_Request(**json.loads(line)), sys.stdout)
            os._exit(status)
        _, code = os.waitpid(child, 0)
        if code:
            sys.stdout.write(json.dumps({"error": f"exit status {code}"}) + "\n")
            sys.stdout.flush()


def _answer(request: _Request, out: IO[str]) -> int:
    """Measure and write the answer; return the exit status."""
    try:
        index = open_index(request.folder)
        vectors: Vectors = np.load(request.queries, allow_pickle=False)
        setting = Setting(request.dim, request.kind, request.nprobe, request.rescore)
        answer = asdict(time_searches(index, vectors, setting))
    except (SearchappError, OSError) as error:
        answer = {"error": str(error)}
    out.write(json.dumps(answer) + "\n")
    out.flush()
    return 0


def time_searches(index: Index, queries: Vectors, setting: Setting) -> Served:
    """Time searches for 10 hits, each query alone and then all at once; float32 (n, width), n at least 1."""
    k = min(HITS, len(index))
    for query in queries[:WARM_UP]:
        _search(index, query[None], k, setting)
    taken: list[float] = []
    began = time.perf_counter()
    while (spent := time.perf_counter() - began) < MOST_SECONDS:
        if len(taken) >= ENOUGH_QUERIES and spent >= ENOUGH_SECONDS:
            break
        query = queries[len(taken) % len(queries)]
        start = time.perf_counter()
        _search(index, query[None], k, setting)
        taken.append(time.perf_counter() - start)
    p50, p95, p99 = (float(value) * 1000 for value in np.percentile(taken, (50, 95, 99)))
    rounds: list[float] = []
    while len(rounds) < MOST_ROUNDS and sum(rounds) < ENOUGH_SECONDS:
        start = time.perf_counter()
        _search(index, queries, k, setting)
        rounds.append(time.perf_counter() - start)
    return Served(
        len(queries) / statistics.median(rounds),
        Latency(p50, p95, p99, queries=len(taken), k=k, threads=1),
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


def _search(index: Index, queries: Vectors, k: int, setting: Setting) -> None:
    """Search as a service would: as far as the ids of the hits."""
    for rows in index.search(queries, k, setting).rows:
        index.documents.ids(rows[rows != NO_ROW])
