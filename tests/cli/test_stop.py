"""Being told to stop, as a person meets it: real processes, real signals."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from searchapp.cli.stop import HOW_TO_GO_ON
from tests.conftest import ROOT
from tests.models_on_disk import make_static
from tests.test_build import folder_bytes, write_corpus

LAST = f"searchapp: {HOW_TO_GO_ON}"
LISTEN = "import hashlib, os, signal, sys, time\nfrom searchapp.cli.stop import stop\nstop.listen()\n"
READY = "print('ready', flush=True)\n"


def start(code: str, *arguments: object) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", code, *map(str, arguments)]
    # Two threads wait for each other by spinning, which takes minutes where others want the cores too.
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(code: str, *, times: int = 1, number: signal.Signals = signal.SIGINT) -> tuple[int, str, str]:
    """Run code until it is ready, send it a signal so many times, and return its exit code and what it said."""
    with start(LISTEN + code) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        for _ in range(times):
            running.send_signal(number)
            time.sleep(0.1)
        said, complained = running.communicate(timeout=60)
    return running.returncode, said, complained


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("work", ["hashlib.pbkdf2_hmac('sha256', b'', b'', 2_000_000_000)", "time.sleep(1)"])
def test_a_library_that_does_not_come_back_or_swallows_the_interrupt_is_left(work: str, number: signal.Signals) -> None:
    # The signal may come before print has returned.
    body = f"  if not said:\n   said = 1; print('ready', flush=True)\n  {work}\n"
    code = f"said = 0\nwhile True:\n try:\n{body} except BaseException: pass"
    assert told(code, number=number) == (130, "", f"{LAST}\n")


def test_tidying_up_is_not_stopped_by_a_second_signal() -> None:
    code = (
        f"try:\n {READY} time.sleep(60)\nexcept KeyboardInterrupt:\n time.sleep(.4); print('tidied', flush=True)\n"
        "stop.leave()"
    )
    assert told(code, times=3) == (130, "tidied\n", f"{LAST}\n")


def test_what_was_said_is_not_said_twice() -> None:
    code = f"try:\n {READY} time.sleep(60)\nexcept KeyboardInterrupt:\n stop.said()\nstop.leave()"
    assert told(code) == (130, "", "")


def test_a_forked_child_that_is_stopped_does_not_stop_its_parent() -> None:
    code = (
        "child = os.fork()\n"
        "if child == 0:\n try: time.sleep(60)\n finally: os._exit(5)\n"
        "time.sleep(.2); os.kill(child, signal.SIGTERM); os.waitpid(child, 0)\n"
        "time.sleep(1.5); print('alive')"
    )
    with start(LISTEN + code) as running:
        assert (running.communicate(timeout=60), running.returncode) == (("alive\n", ""), 0)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    code = (
        f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{LISTEN}{READY}time.sleep(1.5); print('alive')"
    )
    with start(code) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        assert (running.communicate(timeout=60), running.returncode) == (("alive\n", ""), 0)


def test_ctrl_c_while_the_command_is_still_being_imported_ends_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "typer.py").write_text(f"import time\n{READY}time.sleep(60)\n", encoding="utf-8")
    code = "import sys; sys.path.insert(0, sys.argv.pop()); from searchapp.cli.entry import main; main()"
    with start(code, "--help", tmp_path) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        running.send_signal(signal.SIGINT)
        assert (running.communicate(timeout=60), running.returncode) == (("", f"{LAST}\n"), 130)


CLI = "from searchapp.cli.main import main; main()"
KINDS = ("--dim", "24,8", "--kind", "flat,ivf-flat")


STAGES = {
    "embedding": "index/vectors/00000.npy.partial",
    "training": "receipts/index/canaries.json",
    "training the second": "receipts/index/d24-ivf*.json",
    "adding": "receipts/trained/d8-*.json",
}
"""What lies in the work folder once a stage has begun."""


def has_begun(work: Path, pattern: str) -> bool:
    return any(work.glob(pattern))


def stop_once(running: "subprocess.Popen[str]", begun: Callable[[], bool]) -> list[str]:
    """Interrupt a command as soon as something holds, twice as people do; return what it said."""
    while not begun():
        assert running.poll() is None, running.communicate()
        time.sleep(0.005)
    running.send_signal(signal.SIGINT)
    time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, complained = running.communicate(timeout=60)
    assert running.returncode in (130, 0), complained
    if running.returncode == 130:
        assert complained.splitlines()[-1] == LAST
    assert "Traceback" not in complained
    return complained.splitlines()


def test_ctrl_c_at_any_stage_ends_with_its_line_and_the_same_call_goes_on(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "shop.jsonl", 4_000)
    model = make_static(tmp_path / "static")
    call = ("index", corpus, "--model", model, *KINDS, "--out")
    out, work = tmp_path / "shop", tmp_path / ".shop.partial"
    ended = []
    for pattern in STAGES.values():
        with start(CLI, *call, out) as running:
            ended.append(stop_once(running, partial(has_begun, work, pattern)))
    assert sum(lines[-1] == LAST for lines in ended) >= 3
    for place in (out, tmp_path / "whole"):
        with start(CLI, *call, place) as running:
            assert running.communicate(timeout=120)[0]
    assert folder_bytes(out) == folder_bytes(tmp_path / "whole")


def test_a_signal_after_the_work_is_done_changes_nothing() -> None:
    code = """
import atexit, os, signal, sys
atexit.register(lambda: [os.kill(os.getpid(), number) for number in (signal.SIGINT, signal.SIGTERM)])
sys.argv = ["searchapp", "--version"]
from searchapp.cli.entry import main
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("searchapp ")
