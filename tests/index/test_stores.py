"""Vectors, documents and the manifest on disk: values in, the same values out, damage named."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.errors import IndexFolderError
from searchapp.index import open_index
from searchapp.index.documents import DocumentStore, write_documents
from searchapp.index.manifest import read_manifest
from searchapp.index.vectors import VectorStore, cosine_scores, unit, write_shard
from searchapp.records import Document
from tests.index.folders import make_index, no_facts, random_vectors, reseal


def test_unit_cuts_and_then_normalises() -> None:
    vectors = random_vectors(20)
    for dim in (32, 7, 1):
        expected = np.array([row[:dim] / np.sqrt((row[:dim].astype(float) ** 2).sum()) for row in vectors])
        np.testing.assert_allclose(unit(vectors, dim), expected, atol=1e-7)
    assert unit(np.zeros((2, 4), np.float32), 3).tolist() == [[0, 0, 0], [0, 0, 0]]


def test_layer_norm_is_torchs() -> None:
    torch = pytest.importorskip("torch")
    vectors = random_vectors(10)
    normed = torch.nn.functional.layer_norm(torch.from_numpy(vectors), (32,))[:, :8]
    expected = torch.nn.functional.normalize(normed).numpy()
    np.testing.assert_allclose(unit(vectors, 8, layer_norm=True), expected, atol=1e-6)


def test_equal_vectors_score_equally_wherever_they_stand() -> None:
    vectors = random_vectors(33)
    pool = np.concatenate([vectors, vectors[::-1]])[None]
    scores = cosine_scores(random_vectors(1, seed=2), pool, 32)[0]
    np.testing.assert_array_equal(scores[:33], scores[33:][::-1])
    wider = cosine_scores(random_vectors(1, seed=2), pool[:, 5:40], 32)[0]
    np.testing.assert_array_equal(scores[5:40], wider)


def test_vectors_come_back_in_the_order_asked_for(tmp_path: Path) -> None:
    vectors = random_vectors(100)
    for number, (start, end) in enumerate([(0, 40), (40, 41), (41, 100)]):
        halves = iter([vectors[start : start + 1], vectors[start + 1 : end]])
        write_shard(tmp_path / f"{number}.npy", halves, rows=end - start, dim=32)
    store = VectorStore([tmp_path / f"{number}.npy" for number in range(3)], 32)
    rows = np.array([99, 0, 40, 41, 39, 0])
    np.testing.assert_array_equal(store.take(rows), vectors[rows])
    ascending = np.unique(rows)
    np.testing.assert_array_equal(store.sample(ascending), vectors[ascending])
    np.testing.assert_array_equal(np.concatenate(list(store.blocks(7))), vectors)
    np.testing.assert_array_equal(np.load(tmp_path / "2.npy"), vectors[41:])
    assert len(store) == 100


def test_a_shard_of_the_wrong_length_or_width_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "v.npy"
    with pytest.raises(IndexFolderError, match="2 vectors were written where 3 were expected"):
        write_shard(path, iter([random_vectors(2)]), rows=3, dim=32)
    np.save(path, random_vectors(3).astype(np.float64))
    with pytest.raises(
        IndexFolderError, match=r"v\.npy holds float64 \(3, 32\) where float32 \(rows, 32\) was expected"
    ):
        VectorStore([path], 32)
    path.write_bytes(b"\x93NUMPY")
    with pytest.raises(IndexFolderError, match=r"v\.npy can't be read as vectors"):
        VectorStore([path], 32)
    np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(IndexFolderError, match="can't be read as vectors"):
        VectorStore([path], 32)


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=20).filter(str.isprintable),
)
FIELDS = st.dictionaries(st.text(min_size=1, max_size=6).filter(str.isprintable), VALUES, max_size=4)


@given(st.lists(FIELDS, min_size=1, max_size=8))
def test_stored_fields_come_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    folder = tmp_path_factory.mktemp("documents")
    documents = [Document(f"d{n}", "", fields) for n, fields in enumerate(rows)]
    cut = len(documents) // 2
    first = documents[:cut] or documents
    write_documents(folder / "0.arrow", first, no_facts(len(first)))
    paths = [folder / "0.arrow"]
    if cut:
        write_documents(folder / "1.arrow", documents[cut:], no_facts(len(documents) - cut))
        paths.append(folder / "1.arrow")
    store = DocumentStore(paths)
    assert len(store) == len(rows)
    for number, fields in enumerate(rows):
        found = store.fields(number)
        assert found == {name: value for name, value in fields.items() if value is not None}
        assert [type(value) for value in found.values()] == [type(found[name]) for name in found]
        for name, value in found.items():
            assert type(value) is type(fields[name])


def test_ids_and_rows_belong_together(tmp_path: Path) -> None:
    names = ["b", "a", "製品", "zapato-ñ", "가방"]
    write_documents(tmp_path / "0.arrow", [Document(name, "") for name in names[:2]], no_facts(2))
    write_documents(tmp_path / "1.arrow", [Document(name, "") for name in names[2:]], no_facts(3))
    store = DocumentStore([tmp_path / "0.arrow", tmp_path / "1.arrow"])
    assert store.ids(np.array([4, 0, 2])) == ["가방", "b", "製品"]
    assert store.rows(["製品", "nobody", "a"]) == {"製品": 2, "a": 1}
    (tmp_path / "1.arrow").write_bytes(b"ARROW1 and noise")
    with pytest.raises(IndexFolderError, match=r"1\.arrow can't be read as documents"):
        DocumentStore([tmp_path / "1.arrow"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "is not the manifest of a searchapp index"),
        ({"format_version": 99}, "has format version 99, this searchapp reads 2"),
        ({"shards": [{"rows": 1}]}, "is damaged"),
        ({"encoder": []}, "is damaged"),
        ({"encoder": {"model": "m"}}, r"is damaged \(KeyError\('prompts'\)\)"),
        ({"corpus": {}}, "is damaged"),
        ({"counts": None}, "is damaged"),
        ({"metric": "l2"}, r"is damaged \(.*the metric is 'l2', expected 'cosine'"),
        ({"files": {}}, r"is damaged \(.*vectors/0\.npy' has no entry under files"),
        ({"files": {"../../etc/passwd": {"bytes": 1, "sha256": ""}}}, r"is damaged \(.*leaves the folder"),
        ({"files": {"/etc/passwd": {"bytes": 1, "sha256": ""}}}, r"is damaged \(.*leaves the folder"),
    ],
)
def test_a_manifest_that_is_not_one_is_refused(tmp_path: Path, change: dict[str, object], message: str) -> None:
    folder = make_index(tmp_path / "index", random_vectors(5)).folder
    reseal(folder, lambda body: body.update(change))
    with pytest.raises(IndexFolderError, match=message):
        read_manifest(folder)


def test_a_manifest_reads_back_as_it_was_written(tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", random_vectors(600), kinds=("flat", "ivf-flat"))
    assert read_manifest(index.folder) == index.manifest
    (index.folder / "manifest.json").write_text("{", encoding="utf-8")
    with pytest.raises(IndexFolderError, match="can't be read as a manifest"):
        read_manifest(index.folder)
    (index.folder / "manifest.json").unlink()
    with pytest.raises(IndexFolderError, match=r"is not an index: it has no manifest\.json; make one with"):
        read_manifest(index.folder)


def test_damaged_canaries_are_named(tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", random_vectors(5))
    path = index.folder / "canaries.npy"
    size = path.stat().st_size
    path.write_bytes(b"x" * size)
    with pytest.raises(IndexFolderError, match=r"canaries\.npy can't be read as vectors"):
        _ = open_index(index.folder).canaries
    np.save(path, np.zeros((2, 16), np.float32))
    path.write_bytes(path.read_bytes()[:size].ljust(size, b"\0"))
    with pytest.raises(IndexFolderError, match=r"canaries\.npy (holds float32 \(2, 16\) where|can't be read)"):
        _ = open_index(index.folder).canaries


def test_json_too_deep_is_no_manifest(tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", random_vectors(5))
    (index.folder / "manifest.json").write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(IndexFolderError, match="can't be read as a manifest"):
        read_manifest(index.folder)
