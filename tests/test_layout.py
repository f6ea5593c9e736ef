"""Files and folders appear whole or not at all."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchapp.errors import IndexFolderError, MissingExtraError
from searchapp.layout import committing_folder, replacing_file, sha256_file
from searchapp.optional import require


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
        (folder / "manifest.json").write_text("1", encoding="utf-8")
        assert not (tmp_path / "deep" / "x").exists()
    with committing_folder(tmp_path / "deep" / "x", overwrite=True) as folder:
        (folder / "manifest.json").write_text("2", encoding="utf-8")
    assert (tmp_path / "deep/x/manifest.json").read_text(encoding="utf-8") == "2"
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
        "check_factory(Plan('flat', 'Flat'), 8)\n"
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
