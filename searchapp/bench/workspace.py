"""What a bench measures: a corpus embedded once and kept in the cache, or the user's own index; kinds on demand."""

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from searchapp.bench.cache import Cache, make_key
from searchapp.bench.plan import BenchOptions, CellPlan, plan_cells
from searchapp.build import BuildOptions, Progress, build_index, library_versions
from searchapp.corpus import Corpus
from searchapp.encoders import Encoder
from searchapp.errors import IndexFolderError
from searchapp.index import Index, derive, open_index
from searchapp.index.vectors import Vectors
from searchapp.layout import MANIFEST
from searchapp.search import Searcher

TIMED_QUERIES = 32
"""Queries that are embedded alone, to time it."""


class Workspace:
    """An index with the encoder of its queries; derived files that it lacks are made when a cell needs them.

    key: sha256 of everything that decided the vectors.
    folder_key: what the cache keeps the seconds of derived files under; None where they aren't kept.
    """

    def __init__(self, searcher: Searcher, cache: Cache, *, folder_key: str | None, own: Path | None) -> None:
        self._searcher = searcher
        self._cache = cache
        self._folder_key = folder_key
        self._own = own
        """Where derived files may be added; None if not yet: the user's folder is never written to."""
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._built: dict[str, float] = {} if folder_key is None else cache.built_seconds(folder_key)
        self.held = () if own is not None else searcher.index.manifest.derived
        """The derived indexes that came with the user's own index."""
        self.embed_seconds: float | None = None
        self.key = contract_key(searcher.index)

    @property
    def index(self) -> Index:
        """Return the index as it stands now."""
        return self._searcher.index

    @property
    def encoder(self) -> Encoder:
        """Return the encoder of the queries."""
        return self._searcher.encoder

    def close(self) -> None:
        """Remove what was made for this bench only."""
        if self._temporary is not None:
            self._temporary.cleanup()

    def ensure(self, plan: CellPlan) -> float | None:
        """See that the index holds the derived file of a cell; return what building it took, if that is known."""
        name = f"d{plan.dim}-{plan.kind}"
        if not any(derived.name == name for derived in self.index.manifest.derived):
            folder = self._writable()
            began = time.perf_counter()
            index = derive(open_index(folder), (plan.dim,), (plan.asked,))
            self._built[name] = time.perf_counter() - began
            if self._folder_key is not None:
                self._cache.note_built(self._folder_key, name, self._built[name])
            self._searcher.index = index
        return self._built.get(name)

    def checksum(self, plan: CellPlan) -> str | None:
        """Return the sha256 of a derived file that came with the user's index; None for one that is made here."""
        names = [name for held in self.held if held.name == f"d{plan.dim}-{plan.kind}" for name in held.files]
        return "".join(self.index.manifest.files[name].sha256 for name in names) or None

    def embed_queries(self, texts: Sequence[str], key: str) -> tuple[Vectors, Path]:
        """Return the embedded queries, float32 (n, width), and the file they are kept in."""
        card = dataclasses.asdict(self.encoder.card)
        stored = make_key({"texts": key, "documents": self.key, "encoder": card, "versions": library_versions()})
        found = self._cache.load_texts(stored)
        vectors = self.encoder.encode_queries(texts) if found is None else found[0]
        if found is None:
            self._cache.save_texts(stored, vectors, {})
        return vectors, self._cache.texts_path(stored)

    def time_encoding(self, texts: Sequence[str]) -> float:
        """Return the median milliseconds that embedding one query alone takes, warmed."""
        taken = []
        for text in [texts[0], *texts[:TIMED_QUERIES]]:
            began = time.perf_counter()
            self.encoder.encode_queries([text])
            taken.append(time.perf_counter() - began)
        return float(np.median(taken[1:])) * 1000

    def _writable(self) -> Path:
        """Return a folder with the index's files that derived ones may be added to."""
        if self._own is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="searchapp-bench-")
            self._own = Path(self._temporary.name)
            shutil.copyfile(self.index.folder / MANIFEST, self._own / MANIFEST)
            for name in self.index.manifest.files:
                (self._own / name).parent.mkdir(parents=True, exist_ok=True)
                _link(self.index.folder / name, self._own / name)
        return self._own


def _link(source: Path, place: Path) -> None:
    """Give a file a second name, or copy it where that can't be: an index holds no links that leave its folder."""
    try:
        place.hardlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, place)


def contract_key(index: Index) -> str:
    """Return the key of what an index's searches depend on: its vectors, its ids and how they are cut."""
    manifest = index.manifest
    shards = [manifest.files[name].sha256 for shard in manifest.shards for name in (shard.vectors, shard.documents)]
    shards += [manifest.files[manifest.deleted].sha256] if manifest.deleted is not None else []
    return make_key({"encoder": manifest.encoder, "layer_norm": manifest.layer_norm, "shards": shards})


@contextlib.contextmanager
def embedded(
    corpus: Corpus, encoder: Encoder, *, cache: Cache, options: BenchOptions, progress: Progress
) -> Iterator[Workspace]:
    """Embed a corpus once, or find it embedded in the cache; a damaged or drifted index there is made again.

    Raises UsageError for cells that can't be, before anything is embedded.
    """
    survey = corpus.survey(lambda done: progress("reading", done, None))
    plan_cells(options, rows=survey.count, width=encoder.card.dim)
    key = make_key(
        {
            "corpus": survey.fingerprint,
            "template": corpus.text_template,
            "encoder": dataclasses.asdict(encoder.card),
            "versions": library_versions(),
        }
    )
    folder = cache.index_folder(key)
    with cache.locked(key, progress):
        searcher, seconds = _stored(folder, encoder), None
        if searcher is None:
            shutil.rmtree(folder, ignore_errors=True)
            began = time.perf_counter()
            full = BuildOptions(dims=(encoder.card.dim,), kinds=("flat",), overwrite=True, query_encoder=False)
            built = build_index(corpus, folder, encoder=encoder, options=full, progress=progress)
            seconds = time.perf_counter() - began
            cache.note_built(key, EMBEDDING, seconds)
            searcher = Searcher(built, encoder)
        workspace = Workspace(searcher, cache, folder_key=key, own=folder)
        workspace.embed_seconds = cache.built_seconds(key).get(EMBEDDING)
        yield workspace


EMBEDDING = "embedding"
"""Stands among the seconds of the derived files for what embedding took."""


@contextlib.contextmanager
def opened(searcher: Searcher, *, cache: Cache) -> Iterator[Workspace]:
    """Measure the user's own index, which is not written to: what it lacks is made beside it and gone at the end."""
    workspace = Workspace(searcher, cache, folder_key=None, own=None)
    try:
        yield workspace
    finally:
        workspace.close()


def _stored(folder: Path, encoder: Encoder) -> Searcher | None:
    """Open the index of a cache, checked against its checksums and the encoder; None where it can't be used."""
    try:
        index = open_index(folder)
        index.verify()
        return Searcher(index, encoder)
    except (IndexFolderError, OSError):
        return None
