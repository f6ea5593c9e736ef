"""Processes on `cpu,cpu` stand for a process on each of two GPUs."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pytest
import torch

from searchapp.encoders import EncoderOptions, load_encoder
from searchapp.encoders.base import EncoderCard
from searchapp.encoders.folder import find_folder
from searchapp.encoders.torch_encoder import TorchEncoder
from searchapp.encoders.torch_pool import PooledEncoder
from searchapp.encoders.torch_worker import Answer, Order, serve
from searchapp.errors import ModelError, SearchappError, UsageError
from tests.encoders.conftest import Build
from tests.encoders.test_torch_runtime import SMALL, some_texts

PATIENCE = 60.0
"""Seconds after which a process is taken to be stuck."""

SCRIPT = """
import multiprocessing, sys
from searchapp.encoders import EncoderOptions
from searchapp.encoders.folder import find_folder
from searchapp.encoders.torch_pool import PooledEncoder

if __name__ == "__main__":
    source = find_folder(sys.argv[1])
    encoder = PooledEncoder(["cpu"], "float32", source=source, fingerprint="", options=EncoderOptions())
    print(*(process.pid for process in multiprocessing.active_children()), flush=True)
    encoder.encode_documents(["red leather bag"] * 1_000_000)
"""


def is_running(pid: int) -> bool:
    """Say whether there is a process of that number that isn't over; Linux keeps those nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for_the_end_of(pids: list[int]) -> None:
    end = time.monotonic() + PATIENCE
    while any(map(is_running, pids)) and time.monotonic() < end:
        time.sleep(0.05)
    assert [pid for pid in pids if is_running(pid)] == []


def test_two_processes_give_what_one_gives_until_one_of_them_dies(built: Build) -> None:
    folder, texts = str(built("e5")), some_texts(45)
    alone, pooled = load_encoder(folder, SMALL), load_encoder(folder, EncoderOptions(device="cpu,cpu", token_budget=48))
    assert isinstance(pooled, PooledEncoder)
    assert pooled.card == alone.card
    for texts_now in (texts, texts[:1], []):
        np.testing.assert_allclose(
            pooled.encode_queries(texts_now), alone.encode_queries(texts_now), atol=1e-5, strict=True
        )
        np.testing.assert_allclose(pooled.encode_documents(texts_now), alone.encode_documents(texts_now), atol=1e-5)
    assert pooled.counts == alone.counts
    assert alone.counts.truncated > 0
    assert isinstance(alone, TorchEncoder)
    assert pooled.token_counter().count(texts) == alone.token_counter().count(texts)
    with pytest.raises(UsageError, match="texts is one text"):
        pooled.encode_documents("red bag")

    processes = multiprocessing.active_children()
    assert len(processes) == 2
    pid = processes[0].pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ModelError, match=r"the process on cpu ended \(exit code -9\) before it"):
        pooled.encode_documents(texts)
    assert multiprocessing.active_children() == []
    with pytest.raises(ModelError, match=r"the processes of .* have ended; load the model again"):
        pooled.encode_documents(texts)
    with pytest.raises(ModelError, match=r"the processes of .* have ended; load the model again"):
        pooled.token_counter()


def test_an_error_in_a_process_is_raised_here_and_the_processes_end_with_the_encoder(built: Build) -> None:
    source, options = find_folder(str(built("fifty"))), EncoderOptions(token_budget=0)
    encoder = PooledEncoder(["cpu"], "float32", source=source, fingerprint="", options=options)
    for _ in range(2):
        with pytest.raises(UsageError, match="a token budget of 0 holds no text"):
            encoder.encode_documents(["red bag", "blue bag", "kettle"])
    assert len(multiprocessing.active_children()) == 1
    del encoder
    assert multiprocessing.active_children() == []


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="asks Linux which processes run")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_one_that_started_it(how: signal.Signals, built: Build, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    with subprocess.Popen(
        [sys.executable, str(script), str(built("fifty"))],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        pids = [int(word) for word in process.stdout.readline().split()]
        assert len(pids) == 1
        if how == signal.SIGINT:
            os.killpg(process.pid, how)  # as Ctrl-C does
            assert process.stderr.read().count("Traceback") == 1
        else:
            os.kill(process.pid, how)
        wait_for_the_end_of(pids)


class Served:
    """A worker's loop in a thread of this process."""

    def __init__(self, folder: Path, options: EncoderOptions) -> None:
        self.connection, theirs = multiprocessing.Pipe()
        order = Order("cpu", "float32", find_folder(str(folder)), "print", options, torch.get_num_threads())
        self.thread = threading.Thread(target=self._serve, args=(order, theirs))
        self.thread.start()

    def _serve(self, order: Order, connection: Connection) -> None:
        with connection:
            serve(order, connection)

    def end(self) -> None:
        self.connection.close()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


@pytest.fixture
def broken(built: Build, tmp_path: Path) -> Iterator[Served]:
    (tmp_path / "config.json").write_text("{}")
    served = Served(tmp_path, EncoderOptions())
    yield served
    served.end()


def test_a_worker_says_why_it_can_not_load(broken: Served) -> None:
    error = broken.connection.recv()
    assert isinstance(error, ModelError)
    assert "can't be loaded" in str(error)
    with pytest.raises(EOFError):
        broken.connection.recv()


def test_a_worker_counts_each_answer_by_itself(built: Build) -> None:
    served = Served(built("fifty"), EncoderOptions())
    card = served.connection.recv()
    assert isinstance(card, EncoderCard)
    assert (card.dim, card.fingerprint) == (50, "print")
    for count in (3, 1):
        served.connection.send(("document", ["red bag"] * count))
        answer = served.connection.recv()
        assert isinstance(answer, Answer)
        assert answer.vectors.shape == (count, 50)
        assert (answer.prefixed, answer.lost) == ([False] * count, [0] * count)
    served.connection.send(("query", "red bag"))
    assert isinstance(served.connection.recv(), SearchappError)
    served.end()
