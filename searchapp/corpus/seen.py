"""Which ids have been read, and where, in little memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

_Words = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Run:
    hashes: _Words  # (n,) ascending, each once
    places: _Words  # (n,) aligned with hashes


class SeenIds:
    """A set of ids with their places: 16 bytes an id, as sorted runs that double in length.

    Ids are told apart by 64 bits of blake2b: the odds that two different ones among 20 million are taken for
    the same are 1 in 100,000.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []

    def add(self, ids: Sequence[str], places: Sequence[int]) -> Mapping[int, int]:
        """Add a window of ids; return for each position whose id is known already the place it was first at.

        `places` are integers below 2**64, one an id. Ids must be encodable as UTF-8.
        """
        hashes = np.fromiter(map(_hash, ids), np.uint64, len(ids))
        order = np.argsort(hashes, kind="stable")
        hashes = hashes[order]
        found = np.asarray(places, np.uint64)[order]
        # In a stable order the first of equal hashes is the first in the window.
        fresh = np.ones(len(ids), bool)
        fresh[1:] = hashes[1:] != hashes[:-1]
        starts = np.maximum.accumulate(np.where(fresh, np.arange(len(ids)), 0))
        first = found[starts]
        known = ~fresh
        for run in self._runs:
            at = np.minimum(np.searchsorted(run.hashes, hashes), len(run.hashes) - 1)
            here = run.hashes[at] == hashes
            first = np.where(here, run.places[at], first)
            known |= here
        self._keep(_Run(hashes[~known], found[~known]))
        return {int(order[index]): int(first[index]) for index in np.flatnonzero(known)}

    def _keep(self, run: _Run) -> None:
        if not len(run.hashes):
            return
        self._runs.append(run)
        while len(self._runs) > 1 and len(self._runs[-2].hashes) <= 2 * len(self._runs[-1].hashes):
            last = self._runs.pop()
            self._runs[-1] = _merged(self._runs[-1], last)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8"), digest_size=8).digest(), "little")


def _merged(left: _Run, right: _Run) -> _Run:
    """Merge two runs in one linear step; no hash is in both."""
    at = np.searchsorted(left.hashes, right.hashes)
    return _Run(np.insert(left.hashes, at, right.hashes), np.insert(left.places, at, right.places))
