"""The work folder of a training: one holder, one contract, nothing left where nothing was reached."""

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from searchapp.errors import ContractError, IndexFolderError
from searchapp.layout import acquire, work_path
from searchapp.train.checkpoints import checkpoint_path, seal, whole_checkpoints
from searchapp.train.work import CONTRACT, TrainingFolder, training_on

MINE: Mapping[str, str] = {"loss.scale": "20", "rows": "aa"}


def reach(work: TrainingFolder, step: int) -> None:
    """Put a whole checkpoint, and a log, into a work folder."""
    folder = checkpoint_path(work.checkpoints, step)
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"w")
    seal(folder)
    work.log.write_text("{}\n", encoding="utf-8")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "models" / "shop"


def test_the_same_contract_goes_on_from_the_last_whole_checkpoint(target: Path) -> None:
    with training_on(target) as work:
        assert work.begin(MINE, restart=False) == 0
        reach(work, 5)
        reach(work, 10)
        (checkpoint_path(work.checkpoints, 15)).mkdir()
    with training_on(target) as work:
        assert work.path == work_path(target)
        assert work.begin(MINE, restart=False) == 10
        assert sorted(path.name for path in work.checkpoints.iterdir()) == ["checkpoint-10", "checkpoint-5"]
        assert work.log.exists()
        assert json.loads((work.path / CONTRACT).read_text()) == MINE


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"loss.scale": "5", "rows": "aa"}, "with loss.scale 20, and this call has 5"),
        ({"loss.scale": "20", "rows": "bb"}, "with rows aa, and this call has bb"),
        ({"loss.scale": "20", "rows": "aa", "torch": "3"}, "with torch None, and this call has 3"),
    ],
)
def test_another_contract_is_refused_by_what_differs_unless_it_starts_over(
    target: Path, other: dict[str, str], words: str
) -> None:
    with training_on(target) as work:
        work.begin(MINE, restart=False)
        reach(work, 5)
    with training_on(target) as work:
        with pytest.raises(ContractError, match=f"{words}; .*--restart to start over"):
            work.begin(other, restart=False)
        assert list(whole_checkpoints(work.checkpoints)) == [5]
        assert work.begin(other, restart=True) == 0
        assert not work.checkpoints.exists()
        assert not work.log.exists()
        assert json.loads((work.path / CONTRACT).read_text()) == other


def test_a_restart_of_the_same_contract_begins_anew(target: Path) -> None:
    with training_on(target) as work:
        work.begin(MINE, restart=False)
        reach(work, 5)
        assert work.begin(MINE, restart=True) == 0
        assert whole_checkpoints(work.checkpoints) == {}


def test_another_contract_takes_over_what_has_no_checkpoint_yet(target: Path) -> None:
    with training_on(target) as work:
        work.begin(MINE, restart=False)
        work.log.write_text("{}\n", encoding="utf-8")
        assert work.begin({**MINE, "rows": "bb"}, restart=False) == 0
        assert not work.log.exists()


def test_the_same_contract_without_a_checkpoint_begins_with_an_empty_log(target: Path) -> None:
    with training_on(target) as work:
        work.begin(MINE, restart=False)
        work.log.write_text("{}\n", encoding="utf-8")
        assert work.begin(MINE, restart=False) == 0
        assert not work.log.exists()


def test_what_another_training_holds_after_the_end_is_left_to_it(target: Path) -> None:
    with training_on(target) as work:
        work.begin(MINE, restart=False)
        work.discard()
        other = acquire(work.path, target)
        work.log.write_text("{}\n", encoding="utf-8")
    with pytest.raises(IndexFolderError, match="is being written by another process"), training_on(target):
        pass
    assert work.log.exists()
    os.close(other)


def test_a_second_training_of_the_same_target_is_refused(target: Path) -> None:
    with training_on(target), pytest.raises(IndexFolderError, match="shop"), training_on(target):
        pass
    with training_on(target) as work:
        assert work.begin(MINE, restart=False) == 0


def test_what_has_no_checkpoint_is_gone_at_the_end(target: Path) -> None:
    with pytest.raises(KeyboardInterrupt), training_on(target) as work:
        work.begin(MINE, restart=False)
        work.log.write_text("{}\n", encoding="utf-8")
        raise KeyboardInterrupt
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("damaged", ['{"loss', "[]"])
def test_a_damaged_contract_is_none(target: Path, damaged: str) -> None:
    with training_on(target) as work:
        work.begin(MINE, restart=False)
        reach(work, 5)
        (work.path / CONTRACT).write_text(damaged, encoding="utf-8")
        with pytest.raises(ContractError, match=r"with loss\.scale None, and this call has 20"):
            work.begin(MINE, restart=False)
        work.discard()
    assert list(target.parent.iterdir()) == []
