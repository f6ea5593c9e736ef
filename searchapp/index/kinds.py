"""The kinds of index, one row each, and how their numbers follow from the corpus.

Adding a kind is adding a row. `auto` picks by what one query costs: a flat index reads every vector for each
query, which is instant up to some ten million numbers and the most exact there is; beyond that `pq4` answers more than
ten times faster and loses next to nothing.

At 1,000,000 x 256, real queries, flat's one query 82.7 ms of one core, recall@10 of flat's ten after rescoring 200
(FAISS alone, without rescoring's own .6 ms; quarter and half of 2,048 lists):

    RR256,PQ128x4fs         64 bytes   6.0 ms   .996    pq4
    RR256,IVF2048,PQ128x4fs 72 bytes   2.5 ms   .968    lists lose what queries look for elsewhere; half: 4.7 ms .986
    RaBitQfs2               84 bytes   8.4 ms   .996    more bytes, slower
    RaBitQfs                40 bytes   8.6 ms   .900    one bit is too few for this model
    PQ128x4fs               64 bytes   7.0 ms   .941    no rotation
    PQ64x4fs                32 bytes   3.8 ms   .749

Graphs (HNSW) are no row: built on several threads they are never the same twice. A fast scan's codes are read on
opening, dim / 4 bytes a vector; every other kind is mapped, so `ivf-pq`, whose codes are bytes, serves where memory
holds no more than what a query visits.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from searchapp.errors import UsageError

POINTS_PER_LIST = 39
"""FAISS's k-means warns below this many training points a centroid."""
PQ_POINTS = 39 * 256
"""The same for a product quantiser of 8 bits."""
PQ4_POINTS = 39 * 16
"""The same for one of 4 bits."""
PQ4_RESCORE = 200
"""Hits that `pq4` scores again: they hold 99.6 % of flat's ten at 1 M x 256, where 100 hold 98 %."""
AUTO_FLAT_NUMBERS = 50_000_000
"""Rows x dim up to which `auto` stays flat: 200 MB of float32, read for each query."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A kind with its numbers filled in for one corpus and dim."""

    kind: str
    """The name with its numbers, as it stands in file names: `ivf512-pq48`."""
    asked: str
    """The row of the table, or the factory string: `ivf-pq`."""
    factory: str
    """FAISS's own description."""
    train_rows: int = 0
    """Rows of the seeded sample it trains on; 0 needs no training."""
    nlist: int | None = None
    nprobe: int | None = None
    rescore: int = 0


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table."""

    name: str
    summary: str
    min_rows: int
    plan: Callable[[int, int], Plan]
    """From rows and dim to the filled-in plan."""


def plan_kind(name: str, *, rows: int, dim: int) -> Plan:
    """Fill in a kind's numbers for a corpus of `rows` vectors of `dim`.

    `name` is a row of the table, `auto`, or a FAISS factory string. Raises UsageError where the corpus is too small
    for it, naming the kind that fits.
    """
    if name == "auto":
        name = "flat" if rows * dim <= AUTO_FLAT_NUMBERS else "pq4"
    kind = KINDS.get(name.lower())
    if kind is None:
        return _plan_factory(name, rows)
    if rows < kind.min_rows:
        fits = "ivf-flat" if kind.name == "ivf-pq" and rows >= KINDS["ivf-flat"].min_rows else "flat"
        raise UsageError(
            f"{rows:,} documents are too few for kind {name}, which trains on at least {kind.min_rows:,}; "
            f"type: --kind {fits}"
        )
    return kind.plan(rows, dim)


def _lists(rows: int) -> int:
    """Choose nlist: the power of two nearest below 4 sqrt(rows), with enough training points a list."""
    wanted = min(4 * math.sqrt(rows), rows / POINTS_PER_LIST)
    return max(1, 1 << int(math.log2(wanted)))


def _pq_bytes(dim: int) -> int:
    """Choose the code width: one byte for every four dims, where that divides."""
    return next(dim // width for width in (4, 5, 6, 8, 3, 2, 1) if dim % width == 0)


def _pq_nibbles(dim: int) -> int:
    """Choose the code width in 4-bit codes: one for every two dims, where that divides."""
    return next(dim // width for width in (2, 3, 5, 1) if dim % width == 0)


def _flat(rows: int, dim: int) -> Plan:
    del rows, dim
    return Plan("flat", "flat", "Flat")


def _sq8(rows: int, dim: int) -> Plan:
    del dim
    return Plan("sq8", "sq8", "SQ8", train_rows=min(rows, 65_536))


def _pq4(rows: int, dim: int) -> Plan:
    """Plan 4-bit codes of two dims each, laid out for FAISS's fast scan, after a random rotation.

    The rotation spreads what the vectors hold evenly over the codes. A model made for cutting puts most of it into its
    first dims; without the rotation a hundred hits to rescore held 89 % of flat's ten instead of 98 % there. An odd dim
    is rotated into one more.
    """
    even = dim + dim % 2
    codes = f"PQ{even // 2}x4fs"
    return Plan(f"rr{even}-{codes.lower()}", "pq4", f"RR{even},{codes}", min(rows, 65_536), rescore=PQ4_RESCORE)


def _ivf_flat(rows: int, dim: int) -> Plan:
    del dim
    nlist = _lists(rows)
    return Plan(f"ivf{nlist}-flat", "ivf-flat", f"IVF{nlist},Flat", _sample(rows, nlist), nlist, nprobe=_probes(nlist))


def _ivf_pq(rows: int, dim: int) -> Plan:
    """Plan lists and product-quantised codes, without a rotation before them (OPQ).

    What the codes lose, rescoring gives back: with every list of Home Depot visited the codes alone keep 95 % of flat's
    nDCG@10, with 100 hits rescored all of it (benchmarks/ivf.py). A rotation would cost training and gain nothing; who
    searches without rescoring can name one: `OPQ48,IVF512,PQ48`.

    A corpus too small to train 8 bits gets as many bytes of 4-bit codes, over half as many dims each.
    """
    nlist = _lists(rows)
    code = f"PQ{_pq_bytes(dim)}" if rows >= PQ_POINTS else f"PQ{_pq_nibbles(dim)}x4"
    return Plan(
        f"ivf{nlist}-{code.lower()}",
        "ivf-pq",
        f"IVF{nlist},{code}",
        max(_sample(rows, nlist), min(rows, 2 * PQ_POINTS)),
        nlist,
        nprobe=_probes(nlist),
        rescore=100,
    )


def _sample(rows: int, nlist: int) -> int:
    return min(rows, nlist * 64)


def _probes(nlist: int) -> int:
    """Choose how many lists a search visits: a quarter.

    Queries are not distributed like documents, so a few lists are not enough: on Home Depot 32 of 512 lists keep
    92 % of flat's nDCG@10, 128 keep 97 %, 384 keep 99.6 % (benchmarks/ivf.py).
    """
    return max(1, nlist // 4)


def _plan_factory(factory: str, rows: int) -> Plan:
    """Plan a FAISS factory string; its training needs are read off its parts."""
    lists = re.search(r"IVF(\d+)", factory)
    nlist = int(lists.group(1)) if lists else None
    needs = [POINTS_PER_LIST * (nlist or 0)]
    for match in re.finditer(r"(?<!O)PQ\d+(?:x(\d+))?", factory):
        needs.append(POINTS_PER_LIST * 2 ** int(match.group(1) or 8))
    if rows < max(needs):
        raise UsageError(
            f"{rows:,} documents are too few for {factory}, which trains on at least {max(needs):,}; type: --kind flat"
        )
    return Plan(
        re.sub(r"[^a-z0-9]+", "-", factory.lower()).strip("-"),
        factory,
        factory,
        min(rows, max(65_536, max(needs) * 2)),
        nlist,
        nprobe=None if nlist is None else _probes(nlist),
    )


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("flat", "exact: every vector, float32", 1, _flat),
        Kind("sq8", "every vector, one byte a dim", 1, _sq8),
        Kind("pq4", "every vector, rotated, four bits for two dims, rescored", PQ4_POINTS, _pq4),
        Kind("ivf-flat", "the nearest lists, float32", 8 * POINTS_PER_LIST, _ivf_flat),
        Kind("ivf-pq", "the nearest lists, product-quantised, rescored", PQ4_POINTS, _ivf_pq),
    )
}
