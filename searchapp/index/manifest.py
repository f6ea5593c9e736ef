"""The manifest: what an index is, from what it was made, and what it promises. Written last."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from searchapp.errors import IndexFolderError
from searchapp.index.pinned import PinnedFolder
from searchapp.index.seal import MOST_BYTES, check_seal, read_json, seal
from searchapp.index.typed import check_names, is_count, typed
from searchapp.layout import ENCODER, INDEX, MANIFEST, replacing_file

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

FORMAT_VERSION = 2
MOST_DIMS = 1 << 16
CANARY_FILE = "canaries.npy"
"""float32 (2, texts, dim): the canary texts as queries and as documents, as the encoder gave them."""


ENCODER_NAMES = ("model", "revision", "fingerprint", "dim", "prompts", "pooling", "max_seq_length", "dtype", "runtime")
CORPUS_NAMES = ("name", "format", "text_template", "fingerprint")
COUNTED = ("documents", "vectors", "deleted", "skipped", "duplicates", "truncated", "tokens_lost", "already_prefixed")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of the folder and what its bytes must be."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Shard:
    """One numbered slice of the corpus: its vectors and its documents."""

    rows: int
    vectors: str
    documents: str

    @classmethod
    def numbered(cls, number: int, rows: int) -> "Shard":
        """Return the shard of this number, whose files are called by it."""
        return cls(rows, f"vectors/{number:05d}.npy", f"documents/{number:05d}.arrow")


@dataclass(frozen=True, slots=True)
class Part:
    """One FAISS file of a derived index, over the rows after those of the part before it."""

    rows: int
    file: str


@dataclass(frozen=True, slots=True)
class Derived:
    """A FAISS index made from the stored vectors: one file, and one more for each time documents were added."""

    dim: int
    kind: str
    """With its numbers: `ivf512-pq48`."""
    asked: str
    """The row of the table, or factory string, it was planned from: `ivf-pq`."""
    factory: str
    parts: tuple[Part, ...]
    trained_on: int
    nlist: int | None = None
    nprobe: int | None = None
    """Lists visited unless the call says otherwise."""
    rescore: int = 0
    """Hits rescored against the full-width vectors unless the call says otherwise."""

    @property
    def name(self) -> str:
        """Return what the file is called: dim and kind."""
        return f"d{self.dim}-{self.kind}"

    @property
    def files(self) -> tuple[str, ...]:
        """Return the names of the files of all parts."""
        return tuple(part.file for part in self.parts)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The contract of an index folder."""

    encoder: Mapping[str, Json]
    """Everything that decided the vectors: model, revision, fingerprint, prompts, pooling, ..."""
    corpus: Mapping[str, Json]
    """Name, format, text template and fingerprint of what was indexed."""
    counts: Mapping[str, int]
    dim: int
    """Width of the stored vectors."""
    layer_norm: bool
    """Whether vectors are layer-normalised before they are cut."""
    shards: tuple[Shard, ...]
    derived: tuple[Derived, ...]
    files: Mapping[str, FileEntry]
    versions: Mapping[str, str]
    metric: str = "cosine"
    canary_texts: tuple[str, ...] = field(default=())
    query_encoder: str | None = None
    """The runtime that opens the encoder in the folder, if the index carries one."""
    chunk_overlap: int | None = None
    """Tokens that two neighbouring chunks of a document share; None where documents are not cut into chunks."""
    deleted: str | None = None
    """The file of the rows that are deleted; None where none is."""
    generation: int = 0
    """How often documents were added or deleted since the index was built."""

    @property
    def rows(self) -> int:
        """Return how many vectors are stored, those of deleted documents included."""
        return sum(shard.rows for shard in self.shards)

    @property
    def documents(self) -> int:
        """Return how many documents the index holds."""
        return self.counts["documents"]

    def bytes_of(self, derived: Derived) -> int:
        """Return the size of a derived index's files."""
        return sum(self.files[name].bytes for name in derived.files)

    def to_json(self) -> dict[str, Json]:
        """Return the manifest as it stands in the file."""
        return {"format": INDEX.name, "format_version": FORMAT_VERSION, **dataclasses.asdict(self)}


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write the manifest in one step; from then on the folder is an index."""
    with replacing_file(folder / MANIFEST) as temporary:
        temporary.write_bytes(manifest_bytes(manifest))


def manifest_bytes(manifest: Manifest) -> bytes:
    """Return the bytes of the manifest's file."""
    return seal(manifest.to_json())


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of an index folder.

    Raises IndexFolderError where there is none, or it is not one this version can read.
    """
    return pin_index(folder)[1]


def pin_index(folder: Path) -> tuple[PinnedFolder, Manifest]:
    """Hold an index folder open and read the manifest in it; raise as `read_manifest`."""
    path = folder / MANIFEST
    try:
        pinned = PinnedFolder(folder)
        raw = pinned.read(MANIFEST, most=MOST_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise IndexFolderError(not_an_index(folder)) from None
    except OSError as error:
        raise IndexFolderError(f"{path} can't be read as a manifest ({error}); build the index again") from None
    return pinned, parse_manifest(raw, path)


def parse_manifest(raw: bytes, path: Path) -> Manifest:
    """Read a manifest from its bytes; `path` is where they came from. Raises IndexFolderError as `read_manifest`."""
    try:
        body = read_json(raw)
    except (ValueError, RecursionError) as error:
        raise IndexFolderError(f"{path} can't be read as a manifest ({error}); build the index again") from None
    if not isinstance(body, dict) or body.get("format") != INDEX.name:
        raise IndexFolderError(f"{path} is not the manifest of a searchapp index; name another folder")
    if body.get("format_version") != FORMAT_VERSION:
        raise IndexFolderError(
            f"{path} has format version {body.get('format_version')}, this searchapp reads {FORMAT_VERSION}; "
            "build the index again, or use the searchapp that made it"
        )
    try:
        check_seal(raw)
        return _parse(body)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise IndexFolderError(f"{path} is damaged ({error!r}); build the index again") from None


def _parse(body: dict[str, Any]) -> Manifest:
    manifest = Manifest(
        encoder=body["encoder"],
        corpus=body["corpus"],
        counts=body["counts"],
        dim=body["dim"],
        layer_norm=body["layer_norm"],
        shards=tuple(typed(Shard, shard) for shard in body["shards"]),
        derived=tuple(
            typed(Derived, {**derived, "parts": tuple(typed(Part, part) for part in derived["parts"])})
            for derived in body["derived"]
        ),
        files={name: typed(FileEntry, entry) for name, entry in body["files"].items()},
        versions=body["versions"],
        metric=body["metric"],
        canary_texts=tuple(body["canary_texts"]),
        query_encoder=body["query_encoder"],
        chunk_overlap=body["chunk_overlap"],
        deleted=body["deleted"],
        generation=body["generation"],
    )
    _check(manifest)
    check_names([MANIFEST, *manifest.files])
    named = [name for shard in manifest.shards for name in (shard.vectors, shard.documents)]
    named += [name for derived in manifest.derived for name in derived.files]
    named += [manifest.deleted] if manifest.deleted is not None else []
    if missing := [name for name in named if name not in manifest.files]:
        raise ValueError(f"{missing[0]!r} has no entry under files")
    return manifest


def _check(manifest: Manifest) -> None:
    """Raise ValueError or KeyError for a part that would fail or mislead later, far from its cause."""
    prompts = manifest.encoder["prompts"]
    if not isinstance(prompts, dict) or not all(isinstance(prompts[role], str) for role in ("query", "document")):
        raise ValueError(f"the prompts are {prompts!r}")
    for part, names in ((manifest.encoder, ENCODER_NAMES), (manifest.corpus, CORPUS_NAMES), (manifest.counts, COUNTED)):
        if missing := [name for name in names if name not in part]:
            raise KeyError(missing[0])
    if manifest.metric != "cosine":
        raise ValueError(f"the metric is {manifest.metric!r}, expected 'cosine'")
    _check_types(manifest)
    for derived in manifest.derived:
        if (covered := sum(part.rows for part in derived.parts)) != manifest.rows:
            raise ValueError(f"{derived.name} covers {covered} of {manifest.rows} rows")
        if not 1 <= derived.dim <= manifest.dim:
            raise ValueError(f"{derived.name} has {derived.dim} dims, the vectors {manifest.dim}")


def _check_types(manifest: Manifest) -> None:
    """Raise TypeError or ValueError for a number that counts nothing, or a text that is none."""
    if not isinstance(manifest.query_encoder, str | None):
        raise TypeError(f"the query encoder's runtime is {manifest.query_encoder!r}")
    if manifest.query_encoder is not None and not any(name.startswith(f"{ENCODER}/") for name in manifest.files):
        raise ValueError(f"the query encoder's files have no entry under files, expected some in {ENCODER}/")
    if not all(is_count(number) for number in (manifest.dim, manifest.generation, *manifest.counts.values())):
        raise ValueError("a count is no number")
    if not 1 <= manifest.dim <= MOST_DIMS:
        raise ValueError(f"the vectors have {manifest.dim} dims, expected 1 to {MOST_DIMS:,}")
    if not all(isinstance(text, str) for text in (*manifest.canary_texts, *manifest.versions.values())):
        raise TypeError("a canary text or a version is no text")


def not_an_index(folder: Path) -> str:
    """Say that a folder is not an index, and how to make one."""
    if not folder.is_dir():
        return f"there is no folder {folder}; make an index with: searchapp index CORPUS --out {folder}"
    return (
        f"{folder} is not an index: it has no {MANIFEST}; make one with: "
        f"searchapp index CORPUS --out {folder} --overwrite"
    )
