"""Files and folders appear whole or not at all."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchapp.errors import IndexFolderError, MissingExtraError
from searchapp.layout import LOCK, _swap, acquire, check_free, committing_folder, replacing_file, sha256_file, work_path
from searchapp.optional import require


def fill(folder: Path, body: str) -> None:
    """Make the least that is an index folder to the layout."""
    (folder / "body").write_text(body, encoding="utf-8")
    (folder / "manifest.json").write_text(
        json.dumps({"format": "searchapp-index", "files": {"body": {}}}), encoding="utf-8"
    )


def index_at(path: Path, body: str) -> Path:
    path.mkdir(parents=True)
    fill(path, body)
    return path


def test_a_file_is_replaced_in_one_step_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old", encoding="utf-8")
    with pytest.raises(ValueError, match="half way"), replacing_file(path) as temporary:
        temporary.write_text("half", encoding="utf-8")
        raise ValueError("half way")
    assert path.read_text(encoding="utf-8") == "old"
    with replacing_file(path) as temporary:
        temporary.write_text("new", encoding="utf-8")
        assert path.read_text(encoding="utf-8") == "old"
    assert path.read_text(encoding="utf-8") == "new"
    assert [item.name for item in tmp_path.iterdir()] == ["a.txt"]
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_folder_is_committed_whole_or_leaves_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="half way"), committing_folder(tmp_path / "x") as folder:
        (folder / "a").write_text("half", encoding="utf-8")
        raise ValueError("half way")
    assert list(tmp_path.iterdir()) == []
    with committing_folder(tmp_path / "deep" / "x") as folder:
        fill(folder, "1")
        assert not (tmp_path / "deep" / "x").exists()
    with committing_folder(tmp_path / "deep" / "x", overwrite=True) as folder:
        fill(folder, "2")
    assert (tmp_path / "deep/x/body").read_text(encoding="utf-8") == "2"
    assert [item.name for item in (tmp_path / "deep").iterdir()] == ["x"]


def test_a_file_in_the_way_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine", encoding="utf-8")
    with pytest.raises(IndexFolderError, match="is not an index"), committing_folder(tmp_path / "x", overwrite=True):
        pass
    assert (tmp_path / "x").read_text(encoding="utf-8") == "mine"


def test_sha256_is_that_of_the_bytes(tmp_path: Path) -> None:
    body = os.urandom(3_000_000)
    (tmp_path / "big").write_bytes(body)
    assert sha256_file(tmp_path / "big") == hashlib.sha256(body).hexdigest()


def test_a_missing_library_says_what_to_type() -> None:
    with pytest.raises(
        MissingExtraError, match=r"no_such_library is not installed, .* pip install 'searchapp\[ray\]'$"
    ):
        require("no_such_library", extra="ray")


def test_no_faiss_says_which_line_to_type(tmp_path: Path) -> None:
    # None in sys.modules is how Python marks a module that can't be imported.
    code = (
        "import sys; sys.modules['faiss'] = None\n"
        "from searchapp.index.faiss_backend import check_factory\n"
        "from searchapp.index.kinds import Plan\n"
        "check_factory(Plan('flat', 'flat', 'Flat'), 8, rows=9)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert "faiss is not installed, and this needs it; type: pip install 'searchapp[cpu]'" in last
    assert "'searchapp[gpu]' (both write the same folder: never install both)" in last


def test_an_error_inside_an_installed_library_is_not_swallowed(tmp_path: Path) -> None:
    (tmp_path / "brokenlib.py").write_text("import no_such_dependency\n", encoding="utf-8")
    code = "from searchapp.optional import require; require('brokenlib', extra='x')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environment)
    assert "ModuleNotFoundError: No module named 'no_such_dependency'" in done.stderr.splitlines()[-1]


def test_somebody_else_s_manifest_does_not_make_an_index(tmp_path: Path) -> None:
    (tmp_path / "extension/src").mkdir(parents=True)
    (tmp_path / "extension/manifest.json").write_text('{"manifest_version": 3}', encoding="utf-8")
    (tmp_path / "extension/src/precious.js").write_text("work", encoding="utf-8")
    with pytest.raises(IndexFolderError, match="is not an index and is not empty, so it is left alone"):
        check_free(tmp_path / "extension", overwrite=True)
    index_at(tmp_path / "mine", "1")
    (tmp_path / "mine/notes.txt").write_text("work", encoding="utf-8")
    with pytest.raises(IndexFolderError, match=r"holds notes\.txt, which is none of an index's files"):
        check_free(tmp_path / "mine", overwrite=True)


def test_a_place_that_cannot_be_written_is_found_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(IndexFolderError, match=r"/file can't be written to, so .*/file/deep/x can't be made"):
        check_free(tmp_path / "file" / "deep" / "x", overwrite=False)


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder whose file system makes none")
def test_a_place_that_says_it_is_not_there_is_refused_and_not_waited_for() -> None:
    target = Path("/proc/shop")
    with pytest.raises(IndexFolderError, match=r"^/proc can't be written to \(No such file .*, or name another place"):
        acquire(work_path(target), target)


def test_a_work_folder_that_its_holder_removes_in_between_is_made_again(tmp_path: Path) -> None:
    target = tmp_path / "shop"
    place, removed = work_path(target), []

    def remove(event: str, arguments: tuple[object, ...]) -> None:
        if not removed and event == "open" and str(arguments[0]) == str(place / LOCK):
            removed.append(place)
            place.rmdir()

    sys.addaudithook(remove)
    os.close(acquire(place, target))
    assert removed == [place]
    assert (place / LOCK).read_text() == f"{os.getpid()}\n"


def test_an_index_that_appears_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(IndexFolderError, match="holds an index already"), committing_folder(tmp_path / "x") as folder:
        fill(folder, "mine")
        index_at(tmp_path / "x", "theirs")
    assert (tmp_path / "x/body").read_text(encoding="utf-8") == "theirs"
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


def test_a_swap_that_fails_puts_the_old_folder_back(tmp_path: Path) -> None:
    index_at(tmp_path / "x", "old")
    with pytest.raises(FileNotFoundError), committing_folder(tmp_path / "x", overwrite=True) as folder:
        fill(folder, "new")
        # The new folder is gone when its turn comes: the rename after the old one was moved aside fails.
        _swap(folder / "nowhere", tmp_path / "x")
    assert (tmp_path / "x/body").read_text(encoding="utf-8") == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["x"]


def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    gone = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    dead = gone.stdout.strip()
    (tmp_path / f".x.{dead}.abc.partial").mkdir()
    (tmp_path / f".x.{os.getpid()}.abc.partial").mkdir()
    (tmp_path / f".xy.{dead}.abc.partial").mkdir()
    index_at(tmp_path / f".x.{dead}.old", "retired")
    with committing_folder(tmp_path / "other"):
        pass
    with pytest.raises(IndexFolderError, match="holds an index already"), committing_folder(tmp_path / "x"):
        pass
    assert (tmp_path / "x/body").read_text(encoding="utf-8") == "retired"
    left = sorted(item.name for item in tmp_path.iterdir() if item.name.startswith("."))
    assert left == sorted([f".x.{os.getpid()}.abc.partial", f".xy.{dead}.abc.partial"])


def test_a_link_is_followed_and_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").mkdir()
    with committing_folder(tmp_path / "link") as folder:
        fill(folder, "1")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real/body").read_text(encoding="utf-8") == "1"
