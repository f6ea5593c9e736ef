"""The bench's cache: what was embedded and what was measured, each under a key of everything that decided it.

    FOLDER/indexes/KEY/            an index folder: the corpus embedded once; derived files are added as they are needed
    FOLDER/indexes/KEY.built.json  seconds each derived file took
    FOLDER/texts/KEY.npy           queries, triplets or pairs, embedded; KEY.json beside it
    FOLDER/cells/KEY/              cell.json, hits.parquet, per-query.parquet: a measured cell

A key is the sha256 of all that a thing depends on, so another model, prompt, corpus, data set, setting, version or
machine asks for another key and never meets what was stored for this one. What is read is held against its checksum,
and made again where it differs. All of it can be deleted.
"""

import contextlib
import fcntl
import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from searchapp.bench.as_json import cell_to_json
from searchapp.bench.report import Cell
from searchapp.bench.runs import RankedRun, read_ranked_run
from searchapp.bench.stored import cell_from_json, read_per_query, write_per_query
from searchapp.build import Progress
from searchapp.errors import IndexFolderError
from searchapp.index.vectors import Vectors
from searchapp.layout import CELL, committing_folder, replacing_file, sha256_file

SHORT = 32
"""Hex digits of a key in a file name: 128 bits."""


def make_key(parts: Mapping[str, Any]) -> str:
    """Return the key of everything a stored thing depends on."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:SHORT]


class Cache:
    """A cache folder. Whatever can't be read from it counts as not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def index_folder(self, key: str) -> Path:
        """Return where the embedded corpus of this key lies, or will."""
        return self.folder / "indexes" / key

    @contextlib.contextmanager
    def locked(self, key: str, progress: Progress) -> Iterator[None]:
        """Hold the corpus of this key for one bench at a time; another one waits."""
        path = self.folder / "indexes" / f"{key}.lock"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = path.open("w")
        except OSError as error:
            raise IndexFolderError(
                f"the cache {self.folder} can't be written to ({error.strerror}); type --cache with another folder, or "
                "--no-cache"
            ) from None
        with lock as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                progress("waiting for another bench of this corpus and model", 0, None)
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def load_texts(self, key: str) -> tuple[Vectors, dict[str, int]] | None:
        """Return embedded texts, float32 (n, dim), and what was counted on the way, if they are there and whole."""
        path = self.texts_path(key)
        try:
            told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
            if sha256_file(path) != told["sha256"]:
                return None
            stored: Vectors = np.load(path, allow_pickle=False)
            counts: dict[str, int] = told["counts"]
        except (OSError, ValueError, EOFError, KeyError, TypeError):
            return None
        return stored, counts

    def save_texts(self, key: str, vectors: Vectors, counts: Mapping[str, int]) -> None:
        """Keep embedded texts and what was counted on the way."""
        path = self.texts_path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing_file(path) as temporary, temporary.open("wb") as handle:
            np.save(handle, vectors, allow_pickle=False)
        with replacing_file(path.with_suffix(".json")) as temporary:
            body = {"sha256": sha256_file(path), "counts": dict(counts)}
            temporary.write_text(json.dumps(body) + "\n", encoding="utf-8")

    def texts_path(self, key: str) -> Path:
        """Return the file of embedded texts."""
        return self.folder / "texts" / f"{key}.npy"

    def load_cell(self, key: str) -> Cell | None:
        """Return a cell that was measured, if it is there and whole."""
        folder = self.folder / "cells" / key
        try:
            body = json.loads((folder / CELL.marker).read_text(encoding="utf-8"))
            told = body.pop("checksum")
            whole = all(sha256_file(folder / name) == digest for name, digest in body["files"].items())
            if not whole or told != make_key(body) or body["key"] != key or body["format"] != CELL.name:
                return None
            query_ids, per_query = read_per_query(folder / "per-query.parquet")
            run = read_ranked_run(folder / "hits.parquet")
            return cell_from_json(body, run=run, query_ids=query_ids, per_query=per_query)
        except (OSError, KeyError, TypeError, ValueError, AttributeError):
            # ArrowInvalid is a ValueError. A damaged cell is measured again.
            return None

    def save_cell(self, key: str, cell: Cell, *, run: RankedRun, primary: str) -> None:
        """Keep a measured cell and its run, whole or not at all."""
        folder = self.folder / "cells" / key
        if folder.exists():
            shutil.rmtree(folder)
        files = ["hits.parquet", "per-query.parquet"]
        with committing_folder(folder, overwrite=True, made=CELL) as temporary:
            run.write(temporary / files[0])
            write_per_query(temporary / files[1], cell)
            sums = {name: sha256_file(temporary / name) for name in files}
            body = {"format": CELL.name, "key": key, "files": sums, **cell_to_json(cell, primary=primary)}
            text = json.dumps({**body, "checksum": make_key(body)}, indent=2, ensure_ascii=False) + "\n"
            (temporary / CELL.marker).write_text(text, encoding="utf-8")

    def built_seconds(self, key: str) -> dict[str, float]:
        """Return what building each derived file of this corpus took."""
        try:
            seconds: dict[str, float] = json.loads(self._built(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return seconds

    def note_built(self, key: str, name: str, seconds: float) -> None:
        """Keep what building a derived file took."""
        with replacing_file(self._built(key)) as temporary:
            temporary.write_text(json.dumps({**self.built_seconds(key), name: seconds}), encoding="utf-8")

    def _built(self, key: str) -> Path:
        return self.folder / "indexes" / f"{key}.built.json"
