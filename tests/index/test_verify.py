"""Whatever is not as it was written is found and named; also what only a folder with the right checksums can hide."""

import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import faiss
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchapp.errors import IndexFolderError
from searchapp.index import open_index
from searchapp.index.documents import write_documents
from searchapp.index.verify import require_intact, verify_index
from searchapp.records import Document
from tests.index.folders import WIDTH, make_index, no_facts, random_vectors, reseal

ROWS, SHARD = 40, 20


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An intact index, which every test leaves as it is."""
    folder = tmp_path_factory.mktemp("whole") / "index"
    return make_index(folder, random_vectors(ROWS), kinds=("flat", "sq8"), shard_rows=SHARD).folder


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(whole, tmp_path / "index"))


def named(folder: Path) -> set[str]:
    return {problem.file for problem in verify_index(folder).problems}


def test_an_intact_index_has_no_problems(whole: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = verify_index(whole, lambda done, total: seen.append((done, total)))
    files = [path for path in whole.rglob("*") if path.is_file()]
    assert found.problems == ()
    assert found.files == len(files)
    assert found.bytes == sum(path.stat().st_size for path in files if path.name != "manifest.json")
    assert seen[-1] == (found.bytes, found.bytes)
    assert seen == sorted(seen)


def _flip(raw: bytes, data: st.DataObject) -> bytes:
    place = data.draw(st.integers(0, len(raw) - 1), "place")
    return raw[:place] + bytes([raw[place] ^ (1 << data.draw(st.integers(0, 7), "bit"))]) + raw[place + 1 :]


def _cut(raw: bytes, data: st.DataObject) -> bytes:
    return raw[: data.draw(st.integers(0, len(raw) - 1), "kept")]


def _grow(raw: bytes, data: st.DataObject) -> bytes:
    return raw + data.draw(st.binary(min_size=1, max_size=9), "more")


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.data())
def test_any_byte_changed_cut_or_added_in_any_file_is_found_and_named(whole: Path, data: st.DataObject) -> None:
    names = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file())
    name = data.draw(st.sampled_from(names), "file")
    raw = (whole / name).read_bytes()
    try:
        (whole / name).write_bytes(data.draw(st.sampled_from([_flip, _flip, _cut, _grow]), "damage")(raw, data))
        assert named(whole) == {name}
        with pytest.raises(IndexFolderError, match=name):
            require_intact(whole)
    finally:
        (whole / name).write_bytes(raw)


def test_every_byte_of_the_manifest_is_under_its_checksum(whole: Path) -> None:
    path = whole / "manifest.json"
    raw = path.read_bytes()
    try:
        for place in range(0, len(raw), 7):
            path.write_bytes(raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :])
            assert named(whole) == {"manifest.json"}, place
            with pytest.raises(IndexFolderError, match=r"manifest\.json"):
                open_index(whole)
    finally:
        path.write_bytes(raw)
    assert named(whole) == set()


def test_a_space_more_in_the_manifest_is_a_change(copied: Path) -> None:
    path = copied / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"dim": 32', b'"dim":  32'))
    with pytest.raises(IndexFolderError, match=r"manifest\.json is damaged .*it was changed after it was written"):
        open_index(copied)


@pytest.mark.parametrize("pair", [("vectors/0.npy", "vectors/1.npy"), ("documents/0.arrow", "documents/1.arrow")])
def test_two_files_that_changed_places_are_both_named(copied: Path, pair: tuple[str, str]) -> None:
    first, second = (copied / name for name in pair)
    assert first.stat().st_size == second.stat().st_size
    first.rename(copied / "aside")
    second.rename(first)
    (copied / "aside").rename(second)
    assert named(copied) == set(pair)


def test_missing_and_foreign_files_are_named_all_at_once(copied: Path) -> None:
    (copied / "vectors/1.npy").unlink()
    (copied / "d32-sq8.faiss").unlink()
    (copied / "documents/more.arrow").write_bytes(b"x")
    (copied / "aside").symlink_to("/")
    problems = {problem.file: problem.text for problem in verify_index(copied).problems}
    assert set(problems) == {"vectors/1.npy", "d32-sq8.faiss", "documents/more.arrow", "aside"}
    assert problems["vectors/1.npy"] == "is missing; build the index again"
    assert problems["d32-sq8.faiss"].endswith(f"searchapp index --from {copied} --dim 32 --kind sq8")
    assert problems["aside"].startswith("is none of this index's files")


def test_a_folder_without_a_manifest_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexFolderError, match="is not an index: it has no manifest"):
        verify_index(tmp_path)


def _vector(row: int, value: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "vectors/1.npy"
        vectors = np.load(path)
        vectors[row, :] = value
        np.save(path, vectors)

    return change


def _documents(change: Callable[[list[str]], None]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        ids = open_index(folder).documents.ids(np.arange(SHARD, ROWS))
        change(ids)
        facts = no_facts(len(ids), SHARD)
        path = folder / "documents/1.arrow"
        path.unlink()
        write_documents(path, [Document(name, "", {"row": name}) for name in ids], facts)

    return write


def _first_id(folder_ids: list[str]) -> None:
    folder_ids[7] = ""


def _one_less(folder_ids: list[str]) -> None:
    del folder_ids[-1]


def _same_id(folder_ids: list[str]) -> None:
    folder_ids[3] = folder_ids[4]


def _canaries(folder: Path) -> None:
    np.save(folder / "canaries.npy", np.full((2, 1, WIDTH), np.nan, np.float32))


def _shorter_flat(folder: Path) -> None:
    index = faiss.IndexFlatIP(WIDTH)
    index.add(random_vectors(ROWS - 1))
    faiss.write_index(index, str(folder / "d32-flat.faiss"))


def _row_twice(folder: Path) -> None:
    index = faiss.index_factory(WIDTH, "IVF2,Flat", faiss.METRIC_INNER_PRODUCT)
    vectors = random_vectors(ROWS)
    index.train(vectors)
    index.add_with_ids(vectors, np.maximum(np.arange(ROWS), 1))
    faiss.write_index(index, str(folder / "d32-flat.faiss"))


def _row_beyond(folder: Path) -> None:
    index = faiss.index_factory(WIDTH, "IVF2,Flat", faiss.METRIC_INNER_PRODUCT)
    vectors = random_vectors(ROWS)
    index.train(vectors)
    index.add_with_ids(vectors, np.arange(1, ROWS + 1))
    faiss.write_index(index, str(folder / "d32-flat.faiss"))


def _leave(folder: Path) -> None:
    del folder


@pytest.mark.parametrize(
    ("change", "count", "file", "text"),
    [
        (_vector(3, np.inf), {}, "vectors/1.npy", "zero or not finite at row 3"),
        (_vector(19, 0), {}, "vectors/1.npy", "zero or not finite at row 19"),
        (_documents(_first_id), {}, "documents/1.arrow", "holds a document without an id at row 7"),
        (_documents(_one_less), {}, "documents/1.arrow", "holds 19 documents, the manifest says 20"),
        (_documents(_same_id), {}, "documents/0.arrow", "hold the document 'd000"),
        (_canaries, {}, "canaries.npy", "holds NaN"),
        (_shorter_flat, {}, "d32-flat.faiss", "holds 39 vectors of 32 dims where 40 of 32 were expected"),
        (_row_twice, {}, "d32-flat.faiss", "holds some row twice, and row 0 not"),
        (_row_beyond, {}, "d32-flat.faiss", "that are none"),
        (_leave, {"documents": 41}, "manifest.json", "counts 41 documents, there are 40"),
        (_leave, {"truncated": 2}, "manifest.json", "counts 2 truncated, there are 0"),
    ],
)
def test_contents_that_do_not_fit_are_found_under_the_right_checksums(
    copied: Path, change: Callable[[Path], None], count: dict[str, int], file: str, text: str
) -> None:
    change(copied)
    reseal(copied, lambda body: body["counts"].update(count))
    problems = verify_index(copied).problems
    assert [problem.file for problem in problems] == [file]
    assert text in problems[0].text


def test_memory_does_not_grow_with_the_vectors(tmp_path: Path) -> None:
    import tracemalloc

    folder = make_index(tmp_path / "big", random_vectors(60_000, width=64), dims=(4,), shard_rows=60_000).folder
    assert (folder / "vectors/0.npy").stat().st_size > 15_000_000
    tracemalloc.start()
    try:
        assert verify_index(folder).problems == ()
        assert tracemalloc.get_traced_memory()[1] < 12_000_000
    finally:
        tracemalloc.stop()


def test_more_files_than_a_process_may_open_are_no_damage(tmp_path: Path) -> None:
    folder = make_index(tmp_path / "many", random_vectors(150), shard_rows=2).folder
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        assert verify_index(folder).problems == ()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.fixture(autouse=True)
def _whole_is_left_as_it_was(whole: Path) -> Iterator[None]:
    yield
    assert named(whole) == set()
