"""The FAISS door: its files, its metric, its refusals."""

from pathlib import Path

import faiss
import numpy as np
import pytest

from searchapp.errors import BadVectorsError, IndexFolderError, UsageError
from searchapp.index.faiss_backend import Cut, check_factory, fill_faiss, train_faiss
from searchapp.index.faiss_index import FaissIndex
from searchapp.index.kinds import Plan, plan_kind
from searchapp.index.vectors import VectorStore, unit, write_shard
from tests.index.folders import random_vectors


def test_a_streamed_flat_file_is_byte_for_byte_what_faiss_writes(tmp_path: Path) -> None:
    vectors = random_vectors(1_000)
    write_shard(tmp_path / "v.npy", iter([vectors]), rows=1_000, dim=32)
    fill_faiss(tmp_path / "streamed", VectorStore([tmp_path / "v.npy"], 32), Plan("flat", "flat", "Flat"), cut=Cut(20))
    index = faiss.IndexFlatIP(20)
    index.add(unit(vectors, 20))
    faiss.write_index(index, str(tmp_path / "whole"))
    assert (tmp_path / "streamed").read_bytes() == (tmp_path / "whole").read_bytes()


def _l2_index() -> faiss.Index:
    return faiss.IndexFlatL2(8)


def _l2_quantizer() -> faiss.Index:
    index = faiss.IndexIVFFlat(faiss.IndexFlatL2(8), 8, 4, faiss.METRIC_INNER_PRODUCT)
    index.train(random_vectors(200, width=8))
    return index


def _l2_inside() -> faiss.Index:
    rotation = faiss.RandomRotationMatrix(8, 8)
    rotation.init(1)
    index = faiss.IndexPreTransform(rotation, faiss.IndexFlatL2(8))
    index.metric_type = faiss.METRIC_INNER_PRODUCT
    return index


@pytest.mark.parametrize("make", [_l2_index, _l2_quantizer, _l2_inside])
def test_an_l2_index_or_quantiser_is_refused(tmp_path: Path, make: object) -> None:
    assert callable(make)
    path = tmp_path / "l2.faiss"
    faiss.write_index(make(), str(path))
    with pytest.raises(IndexFolderError, match=r"IxF2 has FAISS metric 1 where inner product \(0\)"):
        FaissIndex(path)


def test_a_file_that_is_not_faiss_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "noise.faiss"
    path.write_bytes(b"noise" * 100)
    with pytest.raises(IndexFolderError, match=r"noise\.faiss can't be read as a FAISS index \(.+\); build it again"):
        FaissIndex(path)


@pytest.mark.parametrize(
    "factory", ["Nonsense", "IVF64,PQ7", "LSH", "IVF,Flat", "IDMap,Flat", "IDMap2,Flat", "IVF0,Flat", "PCA64,Flat"]
)
def test_a_factory_string_faiss_does_not_take_is_refused(factory: str) -> None:
    with pytest.raises(
        UsageError, match=r"FAISS can't make .* at 32 dims for inner product \(.+\); type a kind"
    ) as said:
        check_factory(Plan("x", factory, factory), 32, rows=10)
    assert ".cpp" not in str(said.value)


def test_a_vector_with_nothing_left_after_the_cut_is_refused(tmp_path: Path) -> None:
    vectors = random_vectors(30)
    vectors[17, :4] = 0
    write_shard(tmp_path / "v.npy", iter([vectors]), rows=30, dim=32)
    store = VectorStore([tmp_path / "v.npy"], 32)
    with pytest.raises(BadVectorsError, match="row 17 is zero in its first 4 dims"):
        fill_faiss(tmp_path / "cut", store, Plan("flat", "flat", "Flat"), cut=Cut(4))
    fill_faiss(tmp_path / "kept", store, Plan("flat", "flat", "Flat"), cut=Cut(5))


def test_counts_are_compared(tmp_path: Path) -> None:
    index = faiss.IndexFlatIP(4)
    index.add(np.ones((3, 4), np.float32))
    faiss.write_index(index, str(tmp_path / "three"))
    with pytest.raises(IndexFolderError, match="holds 3 vectors of 4 dims where 4 of 4 were expected"):
        FaissIndex(tmp_path / "three").expect(rows=4, dim=4)


@pytest.mark.parametrize("kind", ["pq4", "ivf-pq", "sq8", "ivf-flat"])
@pytest.mark.parametrize("dim", [32, 25])
def test_training_and_filling_twice_gives_the_same_bytes(tmp_path: Path, kind: str, dim: int) -> None:
    write_shard(tmp_path / "v.npy", iter([random_vectors(2_000)]), rows=2_000, dim=32)
    store = VectorStore([tmp_path / "v.npy"], 32)
    plan = plan_kind(kind, rows=2_000, dim=dim)
    for name in ("once", "twice"):
        train_faiss(tmp_path / "empty", store, plan, dim=dim)
        fill_faiss(tmp_path / name, store, plan, cut=Cut(dim), trained=tmp_path / "empty")
    assert (tmp_path / "once").read_bytes() == (tmp_path / "twice").read_bytes()


def test_training_and_searching_leave_the_number_of_threads_as_it_was(tmp_path: Path) -> None:
    write_shard(tmp_path / "v.npy", iter([random_vectors(700)]), rows=700, dim=32)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(3)
    store, plan = VectorStore([tmp_path / "v.npy"], 32), plan_kind("pq4", rows=700, dim=32)
    train_faiss(tmp_path / "e", store, plan, dim=32)
    fill_faiss(tmp_path / "f", store, plan, cut=Cut(32), trained=tmp_path / "e")
    FaissIndex(tmp_path / "f").search(unit(random_vectors(1), 32), 3)
    after = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(before)
    assert after == 3
