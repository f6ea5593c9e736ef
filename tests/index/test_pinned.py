"""A reader keeps its version: whatever happens to the folder after it was opened."""

import os
import resource
import shutil
from pathlib import Path

import numpy as np
import pytest

from searchapp.errors import IndexFolderError
from searchapp.index import Setting, open_index
from searchapp.index.pinned import PinnedFolder
from searchapp.layout import exchange
from tests.index.folders import WIDTH, make_index, random_vectors


def test_a_reader_keeps_its_version_while_another_is_put_in_place(tmp_path: Path) -> None:
    kinds = ("flat", "ivf-flat", "sq8")
    make_index(tmp_path / "shop", random_vectors(400), kinds=kinds)
    make_index(tmp_path / "next", random_vectors(500, seed=1), kinds=kinds)
    queries = random_vectors(5, seed=2)
    before = open_index(tmp_path / "shop")
    settings = [Setting(kind=kind, rescore=rescore) for kind in kinds for rescore in (0, 50)]
    expected = [open_index(tmp_path / "shop").search(queries, 5, setting) for setting in settings]
    assert exchange(tmp_path / "next", tmp_path / "shop")
    shutil.rmtree(tmp_path / "next")
    # Nothing but the manifest of `before` had been read until here.
    for setting, there in zip(settings, expected, strict=True):
        found = before.search(queries, 5, setting)
        np.testing.assert_array_equal(found.rows, there.rows)
        np.testing.assert_array_equal(found.scores, there.scores)
    assert [dict(before.documents.fields(row)) for row in (0, 399)] == [
        {"row": before.documents.ids(np.array([row]))[0]} for row in (0, 399)
    ]
    assert before.canaries[0].shape == (1, WIDTH)
    assert np.isfinite(next(before.vectors.blocks(1000))).all()
    assert len(open_index(tmp_path / "shop")) == 500


def test_closing_gives_the_descriptors_back(tmp_path: Path) -> None:
    make_index(tmp_path / "shop", random_vectors(40))
    held = len(list(Path("/dev/fd").iterdir()))
    for _ in range(20):
        open_index(tmp_path / "shop")
    assert len(list(Path("/dev/fd").iterdir())) <= held + 1


def test_more_files_than_a_process_may_open_raise_its_limit(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    names = [f"{number}.npy" for number in range(150)]
    for name in names:
        (tmp_path / "shop" / name).write_bytes(b"x")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (100, before[1]))
    try:
        pinned = PinnedFolder(tmp_path / "shop").pin_all(names)
        assert {file.size for file in pinned.values()} == {1}
        assert len(pinned) == 150
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_pipe_in_place_of_a_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    index = make_index(tmp_path / "shop", random_vectors(9))
    (index.folder / "d32-flat.faiss").unlink()
    os.mkfifo(index.folder / "d32-flat.faiss")
    with pytest.raises(IndexFolderError, match=r"d32-flat\.faiss is no ordinary file"):
        open_index(index.folder)
