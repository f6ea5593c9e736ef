"""Folders made to do harm are refused in one line: no crash, no hang, no memory that their files don't account for."""

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pyarrow as pa
import pytest

from searchapp.errors import IndexFolderError
from searchapp.index import open_index
from searchapp.index.arrow_file import check_strings, read_table
from searchapp.index.faiss_file import outline_file
from searchapp.index.npy import map_array
from searchapp.index.seal import check_seal, read_json, seal
from searchapp.index.typed import check_names
from tests.index.folders import WIDTH, make_index, random_vectors, reseal
from tests.index.hostile_folders import copy_of, is_refused, open_all, replace

ROWS = 40
HUGE = 10**12


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "index"
    return make_index(folder, random_vectors(ROWS), kinds=("flat", "IVF1,SQ8"), shard_rows=20).folder


def _npy(shape: str, descr: str = "'<f4'") -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + b"\0" * 64


def _vectors(content: bytes) -> Callable[[Path], None]:
    return lambda folder: replace(folder / "vectors/0.npy", content)


def _pickled(folder: Path) -> None:
    (folder / "vectors/0.npy").unlink()
    np.save(folder / "vectors/0.npy", np.array([{"a": 1}] * 20, dtype=object), allow_pickle=True)


def _bomb(folder: Path) -> None:
    """A table whose zstd-packed strings unpack to a gigabyte."""
    table = read_table(folder / "documents/0.arrow")
    text = pa.array(["x" * (50 << 20)] * 20)
    table = table.append_column("field:big", text)
    _write_table(folder, table, pa.ipc.IpcWriteOptions(compression="zstd"))


def _write_table(folder: Path, table: pa.Table, options: pa.ipc.IpcWriteOptions) -> None:
    path = folder / "documents/0.arrow"
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=options) as writer:
        writer.write_table(table)
    replace(path, sink.getvalue().to_pybytes())


def _nested(folder: Path) -> None:
    table = read_table(folder / "documents/0.arrow")
    _write_table(folder, table.append_column("field:x", pa.array([[1]] * 20)), pa.ipc.IpcWriteOptions())


def _offsets(folder: Path) -> None:
    """The strings of the ids reach far beyond the file."""
    path = folder / "documents/0.arrow"
    raw = path.read_bytes()
    offsets = struct.pack("<5i", 0, 6, 12, 18, 24)
    assert raw.count(offsets) >= 1
    replace(path, raw.replace(offsets, struct.pack("<5i", 0, 6, 1 << 30, 18, 24)))


def _faiss(place: int, layout: str, value: int, kind: str = "flat") -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / f"d32-{kind}.faiss"
        raw = bytearray(path.read_bytes())
        struct.pack_into(layout, raw, place, value)
        replace(path, bytes(raw))

    return change


def _index(index: faiss.Index) -> Callable[[Path], None]:
    return lambda folder: replace(folder / "d32-flat.faiss", faiss.serialize_index(index).tobytes())


def _id_map() -> faiss.Index:
    index = faiss.IndexIDMap(faiss.IndexFlatIP(WIDTH))
    index.add_with_ids(random_vectors(ROWS), np.arange(ROWS) + HUGE)
    return index


def _elsewhere(folder: Path) -> None:
    """An index whose lists lie in another file, which would be opened."""
    index = faiss.index_factory(WIDTH, "IVF4,Flat", faiss.METRIC_INNER_PRODUCT)
    index.train(random_vectors(ROWS))
    lists = faiss.OnDiskInvertedLists(4, index.code_size, str(folder.parent / "outside"))
    index.replace_invlists(lists)
    index.add(random_vectors(ROWS))
    replace(folder / "d32-flat.faiss", faiss.serialize_index(index).tobytes())
    (folder.parent / "outside").unlink()
    os.mkfifo(folder.parent / "outside")


def _link(name: str, target: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(target)

    return change


def _linked_folder(folder: Path) -> None:
    (folder / "vectors").rename(folder.parent / "elsewhere")
    (folder / "vectors").symlink_to(folder.parent / "elsewhere")


def _pipe(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return change


def _directory(folder: Path) -> None:
    (folder / "canaries.npy").unlink()
    (folder / "canaries.npy").mkdir()


CRAFTED: dict[str, Callable[[Path], None]] = {
    "a shape of a terabyte": _vectors(_npy(f"({HUGE}, 32)")),
    "a shape that overflows": _vectors(_npy("(4611686018427387904, 32)")),
    "a negative shape": _vectors(_npy("(-1, 32)")),
    "a header that is code": _vectors(_npy("__import__('os').abort()")),
    "a header of brackets": _vectors(_npy("(" * 9_000)),
    "a structured type": _vectors(_npy("(1,)", "[('a', '<f4', (1000000000,))]")),
    "a pickle": _pickled,
    "an empty file": _vectors(b""),
    "strings that unpack to a gigabyte": _bomb,
    "columns of lists": _nested,
    "strings beyond the file": _offsets,
    "noise for documents": lambda folder: replace(folder / "documents/0.arrow", os.urandom(500)),
    "a flat index of 10^12 vectors": _faiss(8, "<q", HUGE),
    "a flat index of negative vectors": _faiss(8, "<q", -1),
    "a flat array of 10^12 floats": _faiss(37, "<q", HUGE),
    "an index of a billion dims": _faiss(4, "<i", 10**9),
    "10^12 lists": _faiss(37, "<q", HUGE, "ivf1-sq8"),
    "10^12 lists visited": _faiss(45, "<q", HUGE, "ivf1-sq8"),
    "ids of its own": _index(_id_map()),
    "lists in another file": _elsewhere,
    "a binary index": lambda folder: replace(folder / "d32-flat.faiss", b"IBxF" + b"\0" * 200),
    "an empty index": lambda folder: replace(folder / "d32-flat.faiss", b""),
    "a link to a device": _link("vectors/0.npy", "/dev/zero"),
    "a link that leaves the folder": _link("canaries.npy", "../../../../../../etc/hostname"),
    "a folder that leaves the folder": _linked_folder,
    "a pipe for vectors": _pipe("vectors/0.npy"),
    "a pipe for documents": _pipe("documents/0.arrow"),
    "a folder for a file": _directory,
}


def test_crafted_files_are_refused_in_one_line(whole: Path, tmp_path: Path) -> None:
    folders = []
    for number, craft in enumerate(CRAFTED.values()):
        folder = copy_of(whole, tmp_path / str(number) / "index")
        craft(folder)
        reseal(folder)
        folders.append(folder)
    told = dict(zip([*CRAFTED, "nothing"], open_all([*folders, whole]), strict=True))
    assert told.pop("nothing")["named"] == []
    wrong = {name: found for name, found in told.items() if not is_refused(found)}
    assert not wrong


def _body(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], None]:
    return lambda folder: reseal(folder, change)


def _named(name: str) -> Callable[[Path], None]:
    def change(body: dict[str, Any]) -> None:
        body["files"][name] = {"bytes": 1, "sha256": "0" * 64}

    return _body(change)


def _text(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        raw = (folder / "manifest.json").read_text(encoding="utf-8")
        assert old in raw
        replace(folder / "manifest.json", raw.replace(old, new, 1).encode())

    return change


def _giant(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with (folder / "manifest.json").open("wb") as handle:
        handle.truncate(8 << 30)


MANIFESTS: dict[str, Callable[[Path], None]] = {
    "a manifest of 8 GB": _giant,
    "a pipe for a manifest": _pipe("manifest.json"),
    "a link for a manifest": _link("manifest.json", "/etc/hostname"),
    "a folder for a manifest": lambda folder: ((folder / "manifest.json").unlink(), (folder / "manifest.json").mkdir()),
    "deep nesting": lambda folder: replace(folder / "manifest.json", b'{"a":' * 100_000),
    "a number beyond all": _text('"dim": 32', '"dim": 1e999'),
    "no number": _text('"dim": 32', '"dim": NaN'),
    "a number of ten thousand digits": _text('"dim": 32', f'"dim": {"9" * 10_000}'),
    "a name twice": _text('"dim": 32', '"dim": 32, "dim": 32'),
    "another encoding": lambda folder: replace(folder / "manifest.json", "{}".encode("utf-16")),
    "NUL in a name": _named("vectors/\0.npy"),
    "a name from the root": _named("/etc/hostname"),
    "a name that climbs": _named("vectors/../../x"),
    "a name that is a surrogate": _named("vectors/\\ud800.npy"),
    "a name with a backslash": _named("..\\x"),
    "the manifest itself": _named("Manifest.json"),
    "two names that differ in case": _named("Vectors/0.npy"),
    "an endless name": _named("a" * 5_000),
    "rows that are true": _body(lambda body: body["shards"][0].update(rows=True)),
    "rows that are text": _body(lambda body: body["shards"][0].update(rows="20")),
    "negative rows": _body(lambda body: body["shards"][0].update(rows=-20)),
    "rows that another shard has": _body(
        lambda body: (body["shards"][0].update(rows=19), body["shards"][1].update(rows=21))
    ),
    "no dims": _body(lambda body: body.update(dim=0)),
    "10^12 dims": _body(lambda body: body.update(dim=HUGE)),
    "more dims than there are": _body(lambda body: body["derived"][0].update(dim=33)),
    "canaries that are numbers": _body(lambda body: body.update(canary_texts=[1])),
    "10^12 canaries' worth of shards": _body(lambda body: body.update(shards=[])),
    "a checksum of another file": _text('"checksum": "', '"checksum": "0'),
}


def test_crafted_manifests_are_refused_in_one_line(whole: Path, tmp_path: Path) -> None:
    folders = []
    for number, craft in enumerate(MANIFESTS.values()):
        folders.append(copy_of(whole, tmp_path / str(number) / "index"))
        craft(folders[-1])
    told = dict(zip(MANIFESTS, open_all(folders), strict=True))
    assert not {name: found for name, found in told.items() if not is_refused(found)}


def test_a_link_within_the_folder_is_followed(whole: Path, tmp_path: Path) -> None:
    folder = copy_of(whole, tmp_path / "index")
    (folder / "vectors").rename(folder / "kept")
    (folder / "vectors").symlink_to("kept")
    assert len(open_index(folder).vectors) == ROWS


def test_refusals_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "x.npy").write_bytes(_npy(f"({HUGE}, 32)"))
    with pytest.raises(ValueError, match=r"its header says float32 \(1000000000000, 32\), and 64 bytes follow"):
        map_array(tmp_path / "x.npy")
    (tmp_path / "x.faiss").write_bytes(faiss.serialize_index(_id_map()).tobytes())
    with pytest.raises(IndexFolderError, match=r"x\.faiss can't be read .*an index 'IxMp', which is not known here"):
        outline_file(tmp_path / "x.faiss")
    with pytest.raises(ValueError, match="are one where case is not kept"):
        check_names(["a/B", "A/b"])
    with pytest.raises(ValueError, match="it names 'a' twice"):
        read_json(b'{"a": 1, "a": 2}')
    column = pa.chunked_array([pa.array(["a", "b"]), pa.array(["c"])])
    check_strings(column, np.array([2, 0]))


def test_a_seal_covers_every_byte() -> None:
    raw = seal({"b": [1.5, "ü"], "a": None})
    check_seal(raw)
    assert json.loads(raw)["b"] == [1.5, "ü"]
    for place in range(len(raw)):
        with pytest.raises(ValueError, match="checksum"):
            check_seal(raw[:place] + bytes([raw[place] ^ 4]) + raw[place + 1 :])
    with pytest.raises(ValueError, match="checksum"):
        check_seal(raw + b"\n")


KNOWN = (
    *("Flat", "SQ8", "SQ4", "SQ6", "SQfp16", "SQbf16", "PQ8x4", "PQ8x4fs", "PQ7x4fs", "RaBitQ", "RaBitQ4", "RaBitQfs"),
    *("IVF4,Flat", "IVF4,SQ8", "IVF4,PQ8x4", "IVF4,PQ8x4fs", "IVF4,RaBitQ", "IVF4,RaBitQ4", "IVF4,RaBitQfs"),
    *("IVF4,RaBitQfs4", "IVF4_HNSW8,Flat", "IVF39,SQ8", "HNSW8,Flat", "HNSW8,SQ8", "OPQ8_16,IVF4,PQ8x4", "PCA16,Flat"),
    *("PCAR16,IVF4,SQ8", "RR16,Flat", "L2norm,Flat", "Pad64,Flat", "PQ8x4fs,RFlat", "IVF4,PQ8x4fs,Refine(SQ8)"),
)


@pytest.mark.parametrize("factory", KNOWN)
def test_what_faiss_writes_is_known_to_its_last_byte(tmp_path: Path, factory: str) -> None:
    dim = 35 if "PQ7" in factory else WIDTH
    index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    vectors = random_vectors(700, width=dim)
    index.train(vectors)
    index.add(vectors)
    path = tmp_path / "x.faiss"
    faiss.write_index(index, str(path))
    outline = outline_file(path)
    assert (outline.rows, outline.dim) == (700, dim)
    raw = path.read_bytes()
    assert outline.tags[0].encode() == raw[:4]
    for damaged in (raw[:-1], raw + b"\0"):
        path.write_bytes(damaged)
        with pytest.raises(IndexFolderError, match="can't be read as a FAISS index"):
            outline_file(path)


@pytest.mark.parametrize("held", [0, -1, 1 << 17, (1 << 31) - 1])
def test_a_graph_whose_searches_would_hold_more_than_there_is_is_refused(tmp_path: Path, held: int) -> None:
    index = faiss.index_factory(WIDTH, "HNSW8,Flat", faiss.METRIC_INNER_PRODUCT)
    index.add(random_vectors(ROWS))
    index.hnsw.efSearch = held
    faiss.write_index(index, str(tmp_path / "graph.faiss"))
    with pytest.raises(IndexFolderError, match="the candidates a search of its graph holds"):
        outline_file(tmp_path / "graph.faiss")
