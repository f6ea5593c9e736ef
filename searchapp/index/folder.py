"""An index folder, opened: its manifest, its documents, and searches over any (dim, kind) it holds."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from searchapp.errors import IndexFolderError, UsageError
from searchapp.index.documents import DocumentStore
from searchapp.index.manifest import CANARY_FILE, Derived, Manifest
from searchapp.index.npy import map_array
from searchapp.index.parts import FaissParts
from searchapp.index.pinned import PinnedFile
from searchapp.index.ranking import NO_ROW, Ranking, Scores, concatenate, order
from searchapp.index.sieve import open_deleted
from searchapp.index.vectors import Rows, Vectors, VectorStore, cosine_scores, unit
from searchapp.layout import ENCODER, sha256_file

SEARCH_BLOCK = 1024
"""Queries that FAISS gets at a time: a flat search of many is a matrix product, ten times faster than of a few."""
HELD_NUMBERS = 1 << 22
"""Candidates, or numbers of their vectors, that are held at a time; bounds memory at some 100 MB, however deep."""
SLACK = 16
"""Candidates fetched beyond k, so that ties at the cutoff are seen."""
ROUNDING = 1e-6
"""FAISS's float32 sums and ours may differ by this much; nearer scores are treated as a possible tie."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How to search: which derived index, and how hard to look. None takes the index's own default."""

    dim: int | None = None
    kind: str | None = None
    nprobe: int | None = None
    rescore: int | None = None
    """The N best are scored again at full width and the others dropped; at least k. 0 for none."""


class Index:
    """An opened index folder: one version of it, which stays as it is while others are put in its place.

    Files are held open from the beginning and memory-mapped when first needed.
    """

    def __init__(self, folder: Path, manifest: Manifest, files: Mapping[str, PinnedFile]) -> None:
        self.folder = folder
        self.manifest = manifest
        self._files = files
        self._opened: dict[str, FaissParts] = {}

    def __len__(self) -> int:
        """Return how many documents it holds."""
        return self.manifest.documents

    @cached_property
    def vectors(self) -> VectorStore:
        """Return the full-width vectors."""
        store = VectorStore([self._files[shard.vectors] for shard in self.manifest.shards], self.manifest.dim)
        self._compare("vectors", store.shard_rows)
        return store

    @cached_property
    def documents(self) -> DocumentStore:
        """Return the documents."""
        manifest = self.manifest
        store = DocumentStore(
            [self._files[shard.documents] for shard in manifest.shards],
            deleted=self.deleted,
            chunked=manifest.chunk_overlap is not None,
        )
        self._compare("documents", store.shard_rows)
        return store

    def _compare(self, what: str, found: Sequence[int]) -> None:
        """Raise IndexFolderError unless every shard holds as many rows as the manifest says: row i is row i in all."""
        for shard, rows in zip(self.manifest.shards, found, strict=True):
            if rows != shard.rows:
                raise IndexFolderError(
                    f"{self.folder / str(getattr(shard, what))} holds {rows:,} {what}, the manifest says "
                    f"{shard.rows:,}; build the index again"
                )

    @cached_property
    def deleted(self) -> Rows:
        """Return the rows that are deleted, int64, ascending."""
        return open_deleted(self._files.get(self.manifest.deleted or ""), rows=self.manifest.rows)

    def living_documents(self) -> Rows:
        """Return the first row of every document that is not deleted, int64, ascending."""
        return self.documents.sieve.documents(self.manifest.rows)

    @cached_property
    def canaries(self) -> tuple[Vectors, Vectors]:
        """Return the canary texts' vectors as queries and as documents, float32 (texts, width) each."""
        path = self._files[CANARY_FILE]
        expected = (2, len(self.manifest.canary_texts), self.manifest.dim)
        try:
            stored = map_array(path)
        except (OSError, ValueError) as error:
            raise IndexFolderError(f"{path} can't be read as vectors ({error}); build the index again") from None
        if stored.shape != expected or stored.dtype != np.float32:
            raise IndexFolderError(
                f"{path} holds {stored.dtype} {stored.shape} where float32 {expected} was expected; "
                "build the index again"
            )
        return stored[0], stored[1]

    @property
    def encoder_folder(self) -> Path | None:
        """Return where the query encoder lies; None where the index carries none."""
        return None if self.manifest.query_encoder is None else self.folder / ENCODER

    def choose(self, setting: Setting = Setting()) -> Derived:
        """Return the derived index a setting names; the first that fits, in the order they were built.

        A kind may be given with or without its numbers (`ivf-pq`, `ivf512-pq48`) or as its factory string.
        Raises UsageError naming what there is and what to type.
        """
        fitting = [
            derived
            for derived in self.manifest.derived
            if setting.dim in (None, derived.dim) and (setting.kind is None or is_kind(derived, setting.kind))
        ]
        if fitting:
            return fitting[0]
        wanted = " ".join(
            [f"--dim {setting.dim}"] * (setting.dim is not None)
            + [f"--kind {setting.kind}"] * (setting.kind is not None)
        )
        held = ", ".join(derived.name for derived in self.manifest.derived) or "vectors alone"
        raise UsageError(
            f"{self.folder} holds {held}, not {wanted}; add it (no model is needed) with: "
            f"searchapp index --from {self.folder} {wanted}"
        )

    def search(self, queries: Vectors, k: int, setting: Setting = Setting()) -> Ranking:
        """Rank documents for float32 queries (n, width) as the encoder gave them.

        Returns a Ranking of n rows and min(k, documents) columns. Scores of flat, ivf-flat and rescored searches are
        exact cosines, summed in one order: they don't depend on what is searched in the same call.
        """
        if k < 1:
            raise UsageError(f"k is {k}; at least 1 hit must be asked for")
        derived = self.choose(setting)
        if setting.nprobe is not None and derived.nlist is None:
            raise UsageError(f"{derived.name} has no lists to visit; leave --nprobe away, or choose an ivf kind")
        if setting.rescore and setting.rescore < min(k, len(self)):
            raise UsageError(
                f"--rescore {setting.rescore} is fewer than the {k} hits asked for; type --rescore {k} or more"
            )
        k = min(k, len(self))
        depth = self._depth(k, derived, setting)
        blocks = _parts(len(queries), depth) if k else ()
        found = [self._search_block(queries[part], k, depth, derived, setting) for part in blocks]
        if not found:
            n = len(queries)
            return Ranking(np.empty((n, k), np.int64), np.empty((n, k), np.float32), np.zeros(n, bool))
        return concatenate(found)

    def search_among(self, query: Vectors, rows: Rows, setting: Setting = Setting()) -> Ranking:
        """Rank only the documents that begin at the given rows for one query, float32 (1, width); all get a place.

        A rescored search scores all of them at full width, as it would if they were all there is.
        """
        derived = self.choose(setting)
        if not len(rows):
            return Ranking(np.empty((1, 0), np.int64), np.empty((1, 0), np.float32), np.zeros(1, bool))
        places, rows = len(rows), self.documents.sieve.spread(rows)
        if self._is_exact(derived, setting):
            candidates = rows[None, :]
            scores = self._exact(query, candidates, derived, setting)
        else:
            unit_query = unit(query, derived.dim, layer_norm=self.manifest.layer_norm)
            scores, candidates = self._faiss(derived).search(unit_query, len(rows), among=rows)
            if (candidates == NO_ROW).any():
                raise UsageError(
                    f"{derived.name} can't rank a given pool of documents; type --kind flat, or --protocol full-corpus"
                )
        candidates = self.documents.sieve.best(candidates, scores)
        return order(candidates, scores, places, self.documents.ids)

    def reads_vectors(self, setting: Setting = Setting()) -> bool:
        """Tell whether such a search reads the stored full-width vectors too: for exact scores, or to rescore."""
        return self._is_exact(self.choose(setting), setting)

    def verify(self) -> None:
        """Read every file and compare it with its checksum; raise IndexFolderError naming the first that differs."""
        for name, entry in self.manifest.files.items():
            found = sha256_file(Path(self._files[name]))
            if found != entry.sha256:
                raise IndexFolderError(
                    f"{self.folder / name} is damaged: its sha256 is {found[:12]}..., the manifest says "
                    f"{entry.sha256[:12]}...; build the index again"
                )

    def _depth(self, k: int, derived: Derived, setting: Setting) -> int:
        """Return how many rows to ask FAISS for: enough for k documents, or for those that are rescored."""
        rescore = _rescore(derived, setting)
        wanted = max(k, rescore) if rescore else k + SLACK
        if self.documents.sieve:
            # As many as would do if deleted rows and further chunks were spread evenly.
            wanted = math.ceil(wanted * self.manifest.rows / max(1, len(self))) + SLACK
        return min(self.manifest.rows, wanted)

    def _search_block(self, queries: Vectors, k: int, depth: int, derived: Derived, setting: Setting) -> Ranking:
        """Search one block of queries with `depth` candidates each; deeper where those don't settle the first k.

        They don't where a tie at k may go on beyond them, or where too many were deleted rows or chunks of documents
        that are there already.
        """
        sieve, rescore = self.documents.sieve, _rescore(derived, setting)
        unit_queries = unit(queries, derived.dim, layer_norm=self.manifest.layer_norm)
        found, rows = self._faiss(derived).search(unit_queries, depth, nprobe=setting.nprobe or derived.nprobe)
        more = (rows[:, -1] != NO_ROW) & (depth < self.manifest.rows)
        if sieve:
            rows = sieve.living(rows)
            if rescore:
                wanted = min(max(k, rescore), len(self))
                rows, documents = sieve.first(rows, wanted)
                more &= documents < wanted
        scores = self._exact(queries, rows, derived, setting) if self._is_exact(derived, setting) else found
        ranking = order(sieve.best(rows, scores) if sieve else rows, scores, k, self.documents.ids)
        if rescore:
            more &= bool(sieve)
        else:
            more &= ranking.scores[:, -1] <= found[:, -1] + ROUNDING
        unsettled = np.flatnonzero(more)
        if len(unsettled):
            deeper = min(self.manifest.rows, 4 * depth)
            for part in _parts(len(unsettled), deeper):
                again = unsettled[part]
                ranking.put(again, self._search_block(queries[again], k, deeper, derived, setting))
        return ranking

    def _is_exact(self, derived: Derived, setting: Setting) -> bool:
        return bool(_rescore(derived, setting)) or re.fullmatch(r"(IVF\d+,)?Flat", derived.factory) is not None

    def _exact(self, queries: Vectors, rows: Rows, derived: Derived, setting: Setting) -> Scores:
        """Score candidates (n, c) against the stored vectors: at full width when rescoring, else at the index's dim."""
        dim = self.manifest.dim if _rescore(derived, setting) else derived.dim
        scores = np.empty(rows.shape, dtype=np.float32)
        most = max(1, HELD_NUMBERS // self.manifest.dim)
        step = max(1, most // max(1, rows.shape[1]))
        for start, first in itertools.product(range(0, len(rows), step), range(0, rows.shape[1], most)):
            block = slice(start, start + step), slice(first, first + most)
            vectors = self.vectors.take(np.maximum(rows[block], 0).ravel()).reshape(*rows[block].shape, -1)
            scores[block] = cosine_scores(queries[block[0]], vectors, dim, layer_norm=self.manifest.layer_norm)
        return scores

    def _faiss(self, derived: Derived) -> FaissParts:
        if derived.name not in self._opened:
            files = [self._files[name] for name in derived.files]
            self._opened[derived.name] = FaissParts(files, [part.rows for part in derived.parts], dim=derived.dim)
        return self._opened[derived.name]


def _parts(queries: int, depth: int) -> Iterator[slice]:
    """Cut so many queries into parts whose candidates, `depth` each, fit into what is held at a time."""
    step = min(SEARCH_BLOCK, max(1, HELD_NUMBERS // depth))
    for start in range(0, queries, step):
        yield slice(start, start + step)


def is_kind(derived: Derived, kind: str) -> bool:
    """Tell whether a derived index is of the kind a person names: as it was asked for, or with its numbers.

    >>> made = Derived(dim=8, kind="ivf512-pq48", asked="ivf-pq", factory="IVF512,PQ48", parts=(), trained_on=0)
    >>> [is_kind(made, kind) for kind in ("ivf-pq", "ivf512-pq48", "IVF512,PQ48", "flat")]
    [True, True, True, False]
    """
    return kind in (derived.asked, derived.factory) or kind.lower() in (derived.asked, derived.kind)


def _rescore(derived: Derived, setting: Setting) -> int:
    return derived.rescore if setting.rescore is None else setting.rescore
