"""Two processes train one model: the first alone writes and speaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from searchapp.train.log import read_rows
from searchapp.train.processes import are_several, is_first, see_one_gpu
from tests.models_on_disk import make_bge

WORDS = [f"thing{number} of kind {number % 7}" for number in range(32)]


def test_one_process_is_the_first_and_only_one() -> None:
    assert is_first()
    assert not are_several()


@pytest.mark.parametrize(
    ("device", "seen", "called", "sees"),
    [
        (None, None, None, "0"),
        ("cuda", None, "cuda", "0"),
        ("cuda:2", None, "cuda", "2"),
        ("cuda:1", "4,7", "cuda", "7"),
        (None, "4,7", None, "4"),
        ("cuda:2", "4,7", "cuda:2", "4,7"),
        (None, "", None, ""),
        ("cuda:5", "4,7", "cuda:5", "4,7"),
        ("cuda:all", None, "cuda:all", None),
        ("cpu", None, "cpu", None),
    ],
)
def test_one_process_sees_one_gpu(device: str | None, seen: str | None, called: str | None, sees: str | None) -> None:
    environ = {} if seen is None else {"CUDA_VISIBLE_DEVICES": seen}
    assert see_one_gpu(device, environ) == called
    assert environ.get("CUDA_VISIBLE_DEVICES") == sees


def test_processes_that_were_launched_keep_what_they_were_given() -> None:
    environ = {"WORLD_SIZE": "2"}
    assert see_one_gpu("cuda:1", environ) == "cuda:1"
    assert environ == {"WORLD_SIZE": "2"}


TWO = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2"]


@pytest.mark.parametrize(("recipe", "dims"), [("swahili-matryoshka", "64,32"), ("rotation", "32,16")])
def test_two_processes_make_one_model_and_say_it_once(tmp_path: Path, recipe: str, dims: str) -> None:
    rows = [{"anchor": f"where is {word}", "positive": f"here is {word}"} for word in WORDS]
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    out = tmp_path / "models" / "two"
    call = ["searchapp", "train", "--recipe", recipe, "--model", str(make_bge(tmp_path / "bge"))]
    call += ["--data", str(data), "--eval", str(data), "--out", str(out), "--device", "cpu", "--json"]
    settings = [f"loss.matryoshka_dims={dims}", "training.batch_size=4", "training.accumulation=1", "judge.every=2"]
    settings += ["training.max_steps=4", "data.leakage=allow", "training.log_every=100"]
    call += [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(
        [*TWO, "-m", *call],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line.get("step") for line in lines[:-1]] == [0, 2, 4]
    assert lines[-1]["model"] == str(out)
    # Of 32 rows, each of the two gets a batch of 4 at a time: 4 steps are one epoch.
    assert [(row.step, row.epoch) for row in read_rows(out / "training" / "log.jsonl")] == [(0, 0), (2, 0.5), (4, 1.0)]
    assert [path.name for path in out.parent.iterdir()] == ["two"]


SCRIPT = """
import sys
import torch
from sentence_transformers import SentenceTransformer
from searchapp.train.learner import make_turner
from searchapp.train.rotation import add_rotation

torch.distributed.init_process_group("gloo")
whole = add_rotation(SentenceTransformer(sys.argv[1], device="cpu"), name="bge")
with torch.no_grad():
    whole[-1].linear.weight.fill_(5 + torch.distributed.get_rank())
make_turner(whole, whole).on_train_begin(None, None, None)
assert bool((whole[-1].linear.weight == 5).all())
torch.distributed.destroy_process_group()
print("same")
"""


def test_a_rotation_begins_with_the_first_process_s_axes(tmp_path: Path) -> None:
    """Each makes its own, and GPUs may not agree on which way an axis points."""
    (tmp_path / "script.py").write_text(SCRIPT, encoding="utf-8")
    done = subprocess.run(
        [*TWO, str(tmp_path / "script.py"), str(make_bge(tmp_path / "bge"))],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    # Counted, as one may write into the other's line.
    assert (done.returncode, done.stdout.count("same")) == (0, 2), done.stderr
