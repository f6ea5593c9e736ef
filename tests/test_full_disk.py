"""A full disk and a read-only one: a sentence, nothing lost, and the same bytes once there is room."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.full_disk import ADDED, POINTS
from tests.models_on_disk import make_static
from tests.test_build import folder_bytes, write_corpus

ALONE = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture
def mounting() -> list[str]:
    """The start of a command that may mount."""
    start = ["unshare", "--map-root-user", "--mount"]
    try:
        subprocess.run([*start, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no tmpfs can be mounted here: {error}")
    return start


def test_a_disk_that_is_full_or_read_only_at_any_point_costs_nothing(tmp_path: Path, mounting: list[str]) -> None:
    corpus, model = write_corpus(tmp_path / "shop.jsonl", 4_000), make_static(tmp_path / "static")
    (tmp_path / "work").mkdir()
    command = [*mounting, sys.executable, "-m", "tests.full_disk", str(corpus), str(model), str(tmp_path / "work")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=ALONE)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["point"] for result in results] == [*POINTS, *ADDED, "read-only"]
    for result in results:
        assert (result["codes"], result["unharmed"], result["same"]) == ([1, 0], True, True), result
        assert result["left"] == ["shop"], result
        *before, last = result["said"]
        assert not [line for line in before if line.startswith(("searchapp:", "Traceback", " "))], result
        reason = "can't be written to (Read-only file system)" if result["point"] == "read-only" else "the disk is full"
        assert last.startswith("searchapp: "), result
        assert reason in last, result


def test_a_file_that_may_not_grow_is_told_in_a_sentence(tmp_path: Path) -> None:
    corpus, model = write_corpus(tmp_path / "shop.jsonl", 1_500), make_static(tmp_path / "static")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))\n"
    run = "from searchapp.cli.main import main\nmain()"
    call = ["index", str(corpus), "--model", str(model), "--out"]
    failed = subprocess.run(
        [sys.executable, "-c", limit + run, *call, str(tmp_path / "shop")], capture_output=True, text=True, env=ALONE
    )
    assert failed.returncode == 1
    assert failed.stderr.splitlines()[-1] == (
        f"searchapp: {tmp_path}/.shop.partial/index: writing failed (File too large); what was finished is kept, so "
        "type the same call again to go on"
    )
    assert "Traceback" not in failed.stderr
    for name in ("shop", "whole"):
        subprocess.run([sys.executable, "-c", run, *call, str(tmp_path / name)], check=True, env=ALONE, text=True)
    assert folder_bytes(tmp_path / "shop") == folder_bytes(tmp_path / "whole")
