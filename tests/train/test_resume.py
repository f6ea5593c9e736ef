"""Whatever stops a training, the same call again gives the weights of one that nobody stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.cli.stop import HOW_TO_GO_ON
from searchapp.train.checkpoints import whole_checkpoints
from searchapp.train.recipe_file import open_recipe, render_recipe
from searchapp.train.run import Listeners, train_model
from tests.conftest import ROOT
from tests.models_on_disk import make_roberta
from tests.train.kills import MOMENTS
from tests.train.small import held_out, small_recipe, write_rows

ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}


def test_killed_at_any_moment_and_typed_again_gives_the_same_weights(tmp_path: Path) -> None:
    make_roberta(tmp_path / "base")
    write_rows(tmp_path / "rows.jsonl")
    write_rows(tmp_path / "held-out.jsonl", held_out())
    command = [sys.executable, "-m", "tests.train.kills", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=ONE_THREAD)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["stage"] for result in results] == [
        stage for stage, moments in MOMENTS.items() for _ in range(moments)
    ], done.stderr
    same = {"codes": [-signal.SIGKILL, 0], "same": ["weights", "log", "step"], "left": ["shop"]}
    assert [result for result in results if {name: result[name] for name in same} != same] == [], done.stderr
    # Steps 3, 4, 6, 8, 9 and 12 have a checkpoint; the first kill is after step 6, before its own is written.
    from_step = [int(result["went_on"].rpartition(" ")[2]) for result in results]
    assert (from_step[0], from_step[-1]) == (4, 12), results
    assert set(from_step[1:-1]) <= {3, 4, 6, 8, 9}, results


def test_weights_that_cannot_be_written_are_told_in_a_sentence_and_leave_nothing_half_made(tmp_path: Path) -> None:
    """As on a full disk: no file may grow beyond 64 KiB, and the weights do."""
    recipe = render_recipe(small_recipe(make_roberta(tmp_path / "base")))
    (tmp_path / "small.toml").write_text(recipe, encoding="utf-8")
    data = write_rows(tmp_path / "rows.jsonl")
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, resource.RLIM_INFINITY))\n"
    call = ["train", "--recipe", "small.toml", "--data", data.name, "--out", "models/shop"]
    command = [sys.executable, "-c", f"{limit}from searchapp.cli.entry import main\nmain()", *call]
    env = {**ONE_THREAD, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert "File too large" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "models").iterdir())


def test_ctrl_c_keeps_the_last_checkpoint_says_how_to_go_on_and_the_same_call_does(tmp_path: Path) -> None:
    recipe = small_recipe(make_roberta(tmp_path / "base"))
    training = replace(recipe.training, epochs=10_000.0, checkpoint_every=5)
    (tmp_path / "long.toml").write_text(render_recipe(replace(recipe, training=training)), encoding="utf-8")
    data = write_rows(tmp_path / "rows.jsonl")
    checkpoints = tmp_path / "models" / ".shop.partial" / "checkpoints"
    call = ["train", "--recipe", "long.toml", "--data", data.name, "--out", "models/shop"]
    command = [sys.executable, "-m", "searchapp", *call]
    env = {**ONE_THREAD, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as running:
        while not whole_checkpoints(checkpoints):
            assert running.poll() is None, running.communicate()
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, complained = running.communicate(timeout=60)
    assert (running.returncode, complained.splitlines()[-1]) == (130, f"searchapp: {HOW_TO_GO_ON}"), complained
    assert "Traceback" not in complained
    first = max(whole_checkpoints(checkpoints))

    def interrupt(stage: str, done: int, _total: int | None) -> None:
        if stage == "training" and done > first + 10:
            raise KeyboardInterrupt

    said: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        train_model(
            open_recipe(tmp_path / "long.toml"),
            data,
            tmp_path / "models" / "shop",
            listeners=Listeners(progress=interrupt, note=said.append),
        )
    assert said == [f"going on from step {first:,}"]
    assert max(whole_checkpoints(checkpoints)) > first
    assert not (tmp_path / "models" / "shop").exists()
