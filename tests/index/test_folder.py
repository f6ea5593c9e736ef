"""Every kind against the NumPy oracle, ties, short lists, damage."""

from pathlib import Path

import numpy as np
import pytest

from searchapp.errors import IndexFolderError, UsageError
from searchapp.index import NO_ROW, Index, Setting, derive, open_index
from searchapp.index.exact import exact_search
from searchapp.layout import exchange
from tests.index.folders import WIDTH, make_index, random_vectors, shuffled_ids

ROWS = 2_000
KINDS = (
    "flat",
    "sq8",
    "pq4",
    "ivf-flat",
    "ivf-pq",
    "IVF16,PQ16x4fs",
    "OPQ16_32,IVF16,PQ16x4",
    "HNSW16,Flat",
    "PCA16,Flat",
)


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    made = random_vectors(ROWS)
    made[100:140] = made[7]  # 41 equal documents: a tie wider than the slack
    made[200:203] = made[9]
    return made


@pytest.fixture(scope="module")
def index(vectors: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Index:
    folder = tmp_path_factory.mktemp("indexes") / "all"
    made = make_index(folder, vectors, kinds=KINDS)
    return derive(made, [8], ["flat", "ivf-flat", "sq8"])


@pytest.fixture(scope="module")
def queries(vectors: np.ndarray) -> np.ndarray:
    asked = random_vectors(70, seed=5)
    asked[:3] = vectors[[7, 9, 400]]
    return asked


@pytest.mark.parametrize("dim", [WIDTH, 8])
@pytest.mark.parametrize("kind", ["flat", "ivf-flat"])
def test_exact_kinds_equal_the_oracle_ties_included(
    index: Index, vectors: np.ndarray, queries: np.ndarray, kind: str, dim: int
) -> None:
    nprobe = 10_000 if "ivf" in kind else None
    found = index.search(queries, 10, Setting(dim=dim, kind=kind, nprobe=nprobe))
    expected = exact_search(vectors, shuffled_ids(ROWS), queries, 10, dim=dim)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)
    np.testing.assert_array_equal(found.tied, expected.tied)
    assert found.tied[0]


@pytest.mark.parametrize(
    ("kind", "dim"), [*((kind, WIDTH) for kind in KINDS if "HNSW" not in kind), ("flat", 8), ("sq8", 8)]
)
def test_every_kind_rescored_deeply_equals_the_oracle_at_full_width(
    index: Index, vectors: np.ndarray, queries: np.ndarray, kind: str, dim: int
) -> None:
    nprobe = 10_000 if "ivf" in kind.lower() else None
    found = index.search(queries, 10, Setting(dim=dim, kind=kind, nprobe=nprobe, rescore=ROWS))
    expected = exact_search(vectors, shuffled_ids(ROWS), queries, 10, dim=WIDTH)
    np.testing.assert_array_equal(found.rows, expected.rows)
    np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("kind", ["sq8", "pq4", "ivf-pq", "IVF16,PQ16x4fs", "OPQ16_32,IVF16,PQ16x4"])
def test_quantised_kinds_without_rescoring_come_near_the_oracle_but_not_equal(
    index: Index, vectors: np.ndarray, queries: np.ndarray, kind: str
) -> None:
    nprobe = 10_000 if "ivf" in kind.lower() else None
    found = index.search(queries[3:], 10, Setting(dim=WIDTH, kind=kind, nprobe=nprobe, rescore=0))
    expected = exact_search(vectors, shuffled_ids(ROWS), queries[3:], 10, dim=WIDTH)
    shared = [len(set(a) & set(b)) / 10 for a, b in zip(found.rows.tolist(), expected.rows.tolist(), strict=True)]
    assert np.mean(shared) > (0.9 if kind == "sq8" else 0.3)
    assert np.abs(found.scores - expected.scores).max() > 0


def test_a_score_does_not_depend_on_what_is_searched_beside_it(index: Index, queries: np.ndarray) -> None:
    together = index.search(queries, 25)
    for row in (0, 1, 33, 69):
        alone = index.search(queries[row : row + 1], 25)
        np.testing.assert_array_equal(alone.rows[0], together.rows[row])
        np.testing.assert_array_equal(alone.scores[0], together.scores[row])


def test_a_tie_wider_than_the_candidates_is_settled_by_doc_id(index: Index, queries: np.ndarray) -> None:
    ids = shuffled_ids(ROWS)
    equal = sorted([ids[7], *ids[100:140]])
    found = index.search(queries[:1], 3)
    assert index.documents.ids(found.rows[0]) == equal[:3]
    assert bool(found.tied[0])
    everything = index.search(queries[:1], 41)
    assert index.documents.ids(everything.rows[0]) == equal
    assert not everything.tied[0]


def test_a_search_among_rows_ranks_exactly_those(index: Index, vectors: np.ndarray, queries: np.ndarray) -> None:
    rows = np.array([5, 7, 100, 130, 1999], dtype=np.int64)
    ids = shuffled_ids(ROWS)
    for kind in KINDS:
        found = index.search_among(queries[:1], rows, Setting(dim=WIDTH, kind=kind, rescore=0))
        assert sorted(found.rows[0].tolist()) == rows.tolist(), kind
    exact = index.search_among(queries[:1], rows, Setting(dim=WIDTH, kind="flat"))
    oracle = exact_search(vectors[rows], [ids[row] for row in rows], queries[:1], 5, dim=WIDTH)
    np.testing.assert_array_equal(exact.rows[0], rows[oracle.rows[0]])


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("flat", "ivf-flat")])
def test_a_search_among_all_rows_scores_by_the_codes_as_a_search_does(
    index: Index, queries: np.ndarray, kind: str
) -> None:
    everything = np.arange(ROWS, dtype=np.int64)
    setting = Setting(dim=WIDTH, kind=kind, rescore=0)
    nprobe = 10_000 if "ivf" in kind.lower() else None
    searched = index.search(queries[5:6], 20, Setting(dim=WIDTH, kind=kind, nprobe=nprobe, rescore=0))
    among = index.search_among(queries[5:6], everything, setting)
    # A fast scan rounds its tables to bytes and a graph may miss a hit; what stands first stands near the front.
    assert searched.rows[0, 0] in among.rows[0, :5]
    place = among.rows[0].tolist().index(searched.rows[0, 0])
    assert among.scores[0, place] == pytest.approx(searched.scores[0, 0], abs=0.05)


def test_a_search_among_no_rows_finds_nothing(index: Index, queries: np.ndarray) -> None:
    for kind in KINDS:
        found = index.search_among(queries[:1], np.empty(0, np.int64), Setting(dim=WIDTH, kind=kind, rescore=0))
        assert (found.rows.shape, found.scores.shape, found.tied.tolist()) == ((1, 0), (1, 0), [False])


def test_refined_lists_are_visited_as_asked_and_rank_a_pool(tmp_path: Path) -> None:
    vectors = random_vectors(400)
    asked = random_vectors(20, seed=5)
    index = make_index(tmp_path / "shop", vectors, kinds=("flat", "IVF8,SQ8,RFlat"))
    exact = index.search(asked, 5, Setting(kind="flat"))
    all_lists = index.search(asked, 5, Setting(kind="IVF8,SQ8,RFlat", nprobe=8))
    one_list = index.search(asked, 5, Setting(kind="IVF8,SQ8,RFlat", nprobe=1))
    assert (all_lists.rows[:, 0] == exact.rows[:, 0]).all()
    assert (one_list.rows != all_lists.rows).any()
    pool = np.arange(3, 400, 7, dtype=np.int64)
    found = index.search_among(asked[:1], pool, Setting(kind="IVF8,SQ8,RFlat"))
    np.testing.assert_array_equal(found.rows, index.search_among(asked[:1], pool, Setting(kind="flat")).rows)


def test_candidates_of_one_query_are_scored_in_bounded_memory_and_alike(tmp_path: Path) -> None:
    import tracemalloc

    vectors = random_vectors(40_000, width=256)
    index = make_index(tmp_path / "shop", vectors, dims=(256,), shard_rows=40_000)
    query, everything = vectors[:1] + vectors[1:2], np.arange(len(vectors), dtype=np.int64)
    setting = Setting(kind="flat")
    index.search_among(query, everything[:9], setting)
    tracemalloc.start()
    try:
        found = index.search_among(query, everything, setting)
        # At once they would be 40 MB, and in float64 twice that, three times over.
        assert tracemalloc.get_traced_memory()[1] < 150_000_000
    finally:
        tracemalloc.stop()
    few = index.search_among(query, found.rows[0, :9], setting)
    np.testing.assert_array_equal(few.scores[0], found.scores[0, :9])


def test_checksums_are_compared_with_the_files_of_the_version_that_is_open(tmp_path: Path) -> None:
    make_index(tmp_path / "shop", random_vectors(40))
    make_index(tmp_path / "next", random_vectors(50, seed=1))
    before = open_index(tmp_path / "shop")
    assert exchange(tmp_path / "next", tmp_path / "shop")
    before.verify()


def test_a_short_list_is_not_padded_with_hits(index: Index, queries: np.ndarray) -> None:
    found = index.search(queries, 1_000, Setting(kind="ivf-flat", dim=WIDTH, nprobe=1))
    short = found.rows == NO_ROW
    assert short.any()
    assert np.isneginf(found.scores[short]).all()
    assert (np.diff(short.astype(int), axis=1) >= 0).all(), "what is missing comes last"


def test_nprobe_goes_with_the_call_and_not_with_the_index(index: Index, queries: np.ndarray) -> None:
    before = index.search(queries, 10, Setting(kind="ivf-flat"))
    narrow = index.search(queries, 10, Setting(kind="ivf-flat", nprobe=1))
    after = index.search(queries, 10, Setting(kind="ivf-flat"))
    np.testing.assert_array_equal(before.rows, after.rows)
    assert (narrow.rows != before.rows).any()


def test_more_hits_than_documents_are_all_documents(tmp_path: Path) -> None:
    index = make_index(tmp_path / "few", random_vectors(5))
    found = index.search(random_vectors(2, seed=3), 100)
    assert [sorted(rows) for rows in found.rows.tolist()] == [[0, 1, 2, 3, 4]] * 2
    assert not found.tied.any()
    assert index.search(np.empty((0, WIDTH), np.float32), 3).rows.shape == (0, 3)


def test_layer_norm_is_applied_to_documents_and_queries(tmp_path: Path) -> None:
    vectors = random_vectors(300)
    index = make_index(tmp_path / "normed", vectors, dims=(8,), layer_norm=True)
    queries = random_vectors(9, seed=4)
    expected = exact_search(vectors, shuffled_ids(300), queries, 5, dim=8, layer_norm=True)
    plain = exact_search(vectors, shuffled_ids(300), queries, 5, dim=8)
    found = index.search(queries, 5)
    np.testing.assert_array_equal(found.rows, expected.rows)
    assert (expected.rows != plain.rows).any()


def test_asking_for_what_is_not_there_says_what_to_type(index: Index) -> None:
    with pytest.raises(
        UsageError, match=r"holds d32-flat, .*not --dim 16 --kind flat; .*--from .* --dim 16 --kind flat"
    ):
        index.choose(Setting(dim=16, kind="flat"))
    with pytest.raises(UsageError, match="k is 0; at least 1"):
        index.search(random_vectors(1), 0)


def test_nprobe_goes_with_lists_only(index: Index) -> None:
    with pytest.raises(UsageError, match="d32-sq8 has no lists to visit; leave --nprobe away, or choose an ivf kind"):
        index.search(random_vectors(1), 3, Setting(kind="sq8", nprobe=4))


def test_deriving_needs_no_model_and_keeps_what_is_there(tmp_path: Path) -> None:
    vectors = random_vectors(1_000)
    index = make_index(tmp_path / "grown", vectors)
    flat = (index.folder / "d32-flat.faiss").stat().st_mtime_ns
    grown = derive(index, [32, 8], ["flat", "ivf-flat"])
    names = ["d32-flat", "d32-ivf16-flat", "d8-flat", "d8-ivf16-flat"]
    assert [derived.name for derived in grown.manifest.derived] == names
    assert [derived.name for derived in open_index(index.folder).manifest.derived] == names
    assert (index.folder / "d32-flat.faiss").stat().st_mtime_ns == flat
    open_index(index.folder).verify()
    queries = random_vectors(4, seed=9)
    expected = exact_search(vectors, shuffled_ids(1_000), queries, 5, dim=8)
    np.testing.assert_array_equal(grown.search(queries, 5, Setting(dim=8)).rows, expected.rows)


def test_every_flipped_byte_is_found(tmp_path: Path) -> None:
    index = make_index(tmp_path / "flip", random_vectors(50))
    rng = np.random.default_rng(0)
    for name in index.manifest.files:
        path = index.folder / name
        whole = path.read_bytes()
        place = int(rng.integers(len(whole)))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(IndexFolderError, match=f"{path} is damaged: its sha256"):
            index.verify()
        path.write_bytes(whole)
    index.verify()


def test_a_missing_or_cut_file_is_named_on_opening(tmp_path: Path) -> None:
    index = make_index(tmp_path / "cut", random_vectors(50))
    path = index.folder / "vectors/0.npy"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(IndexFolderError, match=r"0\.npy has [\d,]+ bytes, the manifest says [\d,]+ bytes; build"):
        open_index(index.folder)
    path.unlink()
    with pytest.raises(IndexFolderError, match=r"0\.npy is missing"):
        open_index(index.folder)


def test_a_deleted_derived_file_is_made_again(tmp_path: Path) -> None:
    index = make_index(tmp_path / "index", random_vectors(50), dims=(WIDTH, 8))
    before = (index.folder / "d8-flat.faiss").read_bytes()
    (index.folder / "d8-flat.faiss").unlink()
    opened = open_index(index.folder)
    opened.verify()
    with pytest.raises(UsageError, match="holds d32-flat, not --dim 8; add it"):
        opened.choose(Setting(dim=8))
    derive(opened, [8], ["flat"])
    assert (index.folder / "d8-flat.faiss").read_bytes() == before
    assert open_index(index.folder).manifest.derived[1].name == "d8-flat"
