"""Checkpoints: whole once they are sealed, never taken where one is torn, let go of when unneeded."""

import json
import sys
from pathlib import Path

import pytest

from searchapp.train.checkpoints import (
    COMPLETE,
    checkpoint_path,
    keep_checkpoints,
    last_checkpoint,
    seal,
    whole_checkpoints,
)


def make(root: Path, step: int, *, sealed: bool = True) -> Path:
    folder = checkpoint_path(root, step)
    (folder / "1_Pooling").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w" * step)
    (folder / "1_Pooling" / "config.json").write_text("{}")
    if sealed:
        seal(folder)
    return folder


def test_sealed_ones_are_found_by_their_steps_ascending(tmp_path: Path) -> None:
    assert whole_checkpoints(tmp_path / "none") == {}
    assert last_checkpoint(tmp_path / "none") is None
    made = {step: make(tmp_path, step) for step in (1000, 9, 200)}
    make(tmp_path, 2000, sealed=False)
    (tmp_path / "checkpoint-9-old").mkdir()
    assert list(whole_checkpoints(tmp_path).items()) == [(step, made[step]) for step in (9, 200, 1000)]
    assert last_checkpoint(tmp_path) == made[1000]
    assert json.loads((made[9] / COMPLETE).read_text()) == {"1_Pooling/config.json": 2, "model.safetensors": 9}


def test_all_of_it_is_on_the_disk_before_it_is_sealed(tmp_path: Path) -> None:
    folder = make(tmp_path, 5, sealed=False)
    touched: list[str] = []
    listening = [True]

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        # What is synced is opened for it by its number, without a mode.
        if listening and (event == "os.rename" or (event == "open" and arguments[1] is None)):
            touched.append(str(arguments[1] if event == "os.rename" else arguments[0]))

    sys.addaudithook(listen)
    seal(folder)
    listening.clear()
    files = [str(folder / name) for name in ("1_Pooling/config.json", "model.safetensors")]
    before = touched[: touched.index(str(folder / COMPLETE))]
    assert [path for path in before if path in (*files, str(folder))] == [*files, str(folder)]


@pytest.mark.parametrize("torn", ["short", "gone", "seal cut off", "seal of another kind"])
def test_a_torn_one_is_never_taken(tmp_path: Path, torn: str) -> None:
    make(tmp_path, 5)
    later = make(tmp_path, 10)
    assert last_checkpoint(tmp_path) == later
    if torn == "short":
        (later / "model.safetensors").write_bytes(b"w" * 9)
    elif torn == "gone":
        (later / "1_Pooling" / "config.json").unlink()
    else:
        (later / COMPLETE).write_text('{"model' if torn == "seal cut off" else "[]")
    assert list(whole_checkpoints(tmp_path)) == [5]


def test_what_is_not_kept_goes_and_so_does_what_is_half_written(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        make(tmp_path, step)
    make(tmp_path, 20, sealed=False)
    (tmp_path / "notes").mkdir()
    keep_checkpoints(tmp_path, {5, 15, 20})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-15", "checkpoint-5", "notes"]
    keep_checkpoints(tmp_path, ())
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]
    keep_checkpoints(tmp_path / "none", {1})
