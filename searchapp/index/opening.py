"""Opening an index folder: one version of it, whole, whatever is put in its place meanwhile."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from searchapp.errors import IndexFolderError
from searchapp.index.folder import Index
from searchapp.index.manifest import Manifest, not_an_index, parse_manifest
from searchapp.index.pinned import PinnedFile, PinnedFolder
from searchapp.index.seal import MOST_BYTES
from searchapp.layout import MANIFEST


def open_index(folder: str | Path) -> Index:
    r"""Open an index folder for searching.

    Reads the manifest, holds every file open and compares its size; the files themselves are mapped when first needed.
    What is opened stays one version of the index, whatever is put in its place. A derived file that was deleted is as
    if it had never been made. Raises IndexFolderError where the folder is not an index or another file is missing or
    cut short.

    >>> import tempfile
    >>> import numpy as np
    >>> from searchapp import build_index, load_encoder, open_corpus, open_index
    >>> place = Path(tempfile.mkdtemp())
    >>> _ = (place / "shop.csv").write_text("id,text\nb1,red leather bag\nk1,kettle\n")
    >>> _ = build_index(open_corpus(place / "shop.csv"), place / "shop", encoder=load_encoder("minilm"))
    >>> index = open_index(place / "shop")
    >>> len(index), index.manifest.encoder["model"], index.documents.ids(np.array([1]))
    (2, 'minilm', ['k1'])
    """
    folder = Path(folder)
    while True:
        try:
            pinned = PinnedFolder(folder)
            raw = pinned.read(MANIFEST, most=MOST_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise IndexFolderError(not_an_index(folder)) from None
        except OSError as error:
            raise IndexFolderError(
                f"{folder / MANIFEST} can't be read ({error.strerror}); build the index again"
            ) from None
        manifest = parse_manifest(raw, folder / MANIFEST)
        files = pinned.pin_all(manifest.files)
        if len(files) == len(manifest.files) or not _was_replaced(folder, raw):
            return _opened(folder, manifest, files)


def _opened(folder: Path, manifest: Manifest, files: Mapping[str, PinnedFile]) -> Index:
    """Return the index, if all of its files are there and of the size that the manifest says."""
    manifest = _without_deleted(manifest, files)
    for name, entry in manifest.files.items():
        size = files[name].size if name in files else None
        if size != entry.bytes:
            found = "is missing" if size is None else f"has {size:,} bytes"
            raise IndexFolderError(
                f"{folder / name} {found}, the manifest says {entry.bytes:,} bytes; build the index again"
            )
    return Index(folder, manifest, files)


def _was_replaced(folder: Path, manifest: bytes) -> bool:
    """Tell whether another version was put in place since this manifest was read."""
    with contextlib.suppress(OSError):
        return PinnedFolder(folder).read(MANIFEST, most=MOST_BYTES) != manifest
    return False


def _without_deleted(manifest: Manifest, files: Mapping[str, PinnedFile]) -> Manifest:
    """Return the manifest without derived indexes that somebody deleted: they can be made again and are not missed."""
    kept = tuple(derived for derived in manifest.derived if all(name in files for name in derived.files))
    gone = {name for derived in manifest.derived if derived not in kept for name in derived.files}
    return replace(
        manifest,
        derived=kept,
        files={name: entry for name, entry in manifest.files.items() if name not in gone},
    )
