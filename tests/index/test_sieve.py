"""Deleted rows never come back, chunks come back as their document: against a slow oracle, on every kind."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from searchapp.errors import IndexFolderError
from searchapp.index import NO_ROW, Index, Setting, open_index
from searchapp.index.documents import RowFacts, write_documents
from searchapp.index.manifest import write_manifest
from searchapp.index.sieve import Sieve, open_deleted
from searchapp.index.steps import describe_file
from searchapp.index.vectors import cosine_scores
from searchapp.index.verify import verify_index
from searchapp.records import Document
from tests.index.folders import WIDTH, make_index, random_vectors, reseal

ROWS = 1_200
KINDS = ("flat", "sq8", "ivf-flat", "HNSW16,Flat")
K = 7


def cut_into_chunks(index: Index, lengths: list[int]) -> list[str]:
    """Let the rows of an index be chunks of documents of so many rows each; return the doc_id of every row."""
    manifest, names, numbers = index.manifest, [], []
    for document, length in enumerate(lengths):
        names += [f"d{len(lengths) - document:05d}"] * length
        numbers += list(range(length))
    start, files = 0, dict(manifest.files)
    for shard in manifest.shards:
        rows = slice(start, start + shard.rows)
        chunk = np.array(numbers[rows], np.int32)
        documents = [
            Document(name, "", {"title": name} if number == 0 else {})
            for name, number in zip(names[rows], chunk.tolist(), strict=True)
        ]
        facts = RowFacts(chunk, np.arange(shard.rows, dtype=np.uint64), chunk * 0, chunk < 0)
        write_documents(index.folder / shard.documents, documents, facts)
        files[shard.documents] = describe_file(index.folder / shard.documents)
        start += shard.rows
    counts = {**manifest.counts, "documents": len(lengths)}
    write_manifest(index.folder, dataclasses.replace(manifest, counts=counts, files=files, chunk_overlap=0))
    return names


def delete_rows(index: Index, rows: np.ndarray, *, documents: int) -> None:
    np.save(index.folder / "deleted.npy", rows)
    manifest = index.manifest
    files = {**manifest.files, "deleted.npy": describe_file(index.folder / "deleted.npy")}
    counts = {**manifest.counts, "documents": documents}
    write_manifest(index.folder, dataclasses.replace(manifest, counts=counts, files=files, deleted="deleted.npy"))


def oracle(vectors: np.ndarray, names: list[str], gone: np.ndarray, query: np.ndarray) -> list[tuple[str, float]]:
    """Rank documents by their best living row, ties by doc_id: slow and readable."""
    scores = cosine_scores(query[None], vectors[None], WIDTH)[0]
    best: dict[str, float] = {}
    for row, name in enumerate(names):
        if row not in gone:
            best[name] = max(best.get(name, -2.0), float(scores[row]))
    return sorted(best.items(), key=lambda item: (-item[1], item[0]))


@pytest.fixture(scope="module", params=["deleted", "chunked", "chunked and deleted"])
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Index, list[str], set[int]]:
    folder = tmp_path_factory.mktemp("indexes") / "shop"
    index = make_index(folder, random_vectors(ROWS), kinds=KINDS, shard_rows=600)
    rng = np.random.default_rng(3)
    names = index.documents.ids(np.arange(ROWS))
    if "chunked" in request.param:
        # Shards begin with a document: 600 = 100 x (1 + 2 + 3).
        names = cut_into_chunks(index, [1, 2, 3] * 200)
    gone: set[int] = set()
    if "deleted" in request.param:
        # Nearly all of one cluster, so that a search meets deleted rows first, and some of every other.
        doomed = {names[row] for row in np.argsort(-index.vectors.take(np.arange(ROWS))[:, 0])[:300]}
        doomed |= set(rng.choice(names, 50).tolist())
        gone = {row for row, name in enumerate(names) if name in doomed}
        delete_rows(open_index(folder), np.array(sorted(gone), np.int64), documents=len(set(names) - doomed))
    return open_index(folder), names, gone


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rescore", [0, 40, ROWS])
def test_hits_are_living_documents_by_their_best_row(
    case: tuple[Index, list[str], set[int]], kind: str, rescore: int
) -> None:
    index, names, gone = case
    vectors = index.vectors.take(np.arange(ROWS))
    queries = random_vectors(12, seed=8)
    queries[0] = vectors[np.argmax(vectors[:, 0])]
    setting = Setting(kind=kind, rescore=rescore, nprobe=10_000 if kind == "ivf-flat" else None)
    found = index.search(queries, K, setting)
    exact = "flat" in kind or rescore == ROWS
    for query, rows, scores in zip(queries, found.rows, found.scores, strict=True):
        assert not gone & set(rows.tolist())
        ids = index.documents.ids(rows)
        assert len(set(ids)) == K
        if exact and "HNSW" not in kind:
            expected = oracle(vectors, names, np.array(sorted(gone)), query)[:K]
            assert list(zip(ids, scores.tolist(), strict=True)) == expected
        else:
            best = {name for name, _ in oracle(vectors, names, np.array(sorted(gone)), query)[: 2 * K]}
            assert len(best & set(ids)) >= K - 1


def test_everything_can_be_asked_for(case: tuple[Index, list[str], set[int]]) -> None:
    index, names, gone = case
    living = {name for row, name in enumerate(names) if row not in gone}
    assert len(index) == len(living)
    for setting in (Setting(kind="flat"), Setting(kind="sq8", rescore=ROWS)):
        rows = index.search(random_vectors(2, seed=1), ROWS, setting).rows
        assert [set(index.documents.ids(row)) for row in rows] == [living, living]


def test_a_pool_is_ranked_by_its_documents(case: tuple[Index, list[str], set[int]]) -> None:
    index, names, gone = case
    wanted = sorted({name for row, name in enumerate(names) if row not in gone})[:20]
    doomed = sorted({names[row] for row in gone})[:5]
    places = index.documents.rows([*wanted, *doomed, "nobody"])
    assert places == {name: names.index(name) for name in wanted}
    query = random_vectors(1, seed=4)
    vectors = index.vectors.take(np.arange(ROWS))
    expected = [hit for hit in oracle(vectors, names, np.array(sorted(gone)), query[0]) if hit[0] in wanted]
    for kind in ("flat", "sq8"):
        pool = np.array(list(places.values()), np.int64)
        found = index.search_among(query, pool, Setting(kind=kind))
        ids = index.documents.ids(found.rows[0])
        assert sorted(ids) == sorted(wanted)
        if kind == "flat":
            assert list(zip(ids, found.scores[0].tolist(), strict=True)) == expected


def test_every_chunk_has_the_fields_of_its_document(tmp_path: Path) -> None:
    index = make_index(tmp_path / "shop", random_vectors(6))
    names = cut_into_chunks(index, [3, 1, 2])
    documents = open_index(tmp_path / "shop").documents
    assert [documents.fields(row)["title"] for row in range(6)] == names
    assert documents.counts()["documents"] == 3
    assert documents.counts()["vectors"] == 6


def test_all_documents_deleted_is_an_index_without_hits(tmp_path: Path) -> None:
    index = make_index(tmp_path / "shop", random_vectors(30))
    delete_rows(index, np.arange(30), documents=0)
    empty = open_index(tmp_path / "shop")
    assert len(empty) == 0
    assert empty.search(random_vectors(2), 5).rows.shape == (2, 0)
    assert empty.documents.counts() == {**empty.documents.counts(), "documents": 0, "deleted": 30, "vectors": 0}


def test_first_keeps_rows_up_to_the_last_wanted_document() -> None:
    sieve = Sieve(np.array([5], np.int64), np.array([0, 1, 0, 0, 1, 2], np.int32))
    rows = np.array([[1, 3, 0, 2, 4], [NO_ROW, 2, 3, NO_ROW, 0]], np.int64)
    kept, documents = sieve.first(rows, 2)
    assert kept.tolist() == [[1, 3, 0, NO_ROW, NO_ROW], [NO_ROW, 2, 3, NO_ROW, NO_ROW]]
    assert documents.tolist() == [2, 2]
    assert sieve.first(rows, 9)[1].tolist() == [3, 3]


@pytest.mark.parametrize("rows", [[3, 1], [1, 1], [-1, 2], [2, 10]])
def test_rows_that_can_not_be_deleted_are_refused(tmp_path: Path, rows: list[int]) -> None:
    np.save(tmp_path / "deleted.npy", np.array(rows, np.int64))
    with pytest.raises(IndexFolderError, match=r"deleted\.npy holds other things than ascending rows below 10"):
        open_deleted(tmp_path / "deleted.npy", rows=10)


def test_a_manifest_whose_parts_lack_rows_is_refused(tmp_path: Path) -> None:
    index = make_index(tmp_path / "shop", random_vectors(9))
    reseal(index.folder, lambda body: body["derived"][0]["parts"][0].update(rows=8))
    with pytest.raises(IndexFolderError, match="d32-flat covers 8 of 9 rows"):
        open_index(index.folder)


def test_a_document_that_is_deleted_by_half_is_found_by_verify(tmp_path: Path) -> None:
    index = make_index(tmp_path / "shop", random_vectors(6))
    cut_into_chunks(index, [3, 1, 2])
    delete_rows(open_index(tmp_path / "shop"), np.array([1], np.int64), documents=3)
    problems = verify_index(tmp_path / "shop").problems
    assert [problem.text for problem in problems if "chunk" in problem.text] == [
        "has a chunk of 'd00003' among the deleted ones and others not; build it again"
    ]
