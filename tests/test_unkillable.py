"""Whatever stops a build, the same call again gives the bytes of one that nobody stopped."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_corpus
from searchapp.errors import ContractError, IndexFolderError
from searchapp.index import open_index
from searchapp.index.work import working_on
from tests.conftest import ROOT
from tests.derive_kills import DERIVED_MOMENTS
from tests.fakes import HashEncoder, StoppingEncoder
from tests.kills import AIMED, DOCUMENTS, INSIDE_FAISS, MOMENTS
from tests.model_kills import MODEL_MOMENTS
from tests.models_on_disk import make_static
from tests.test_build import folder_bytes, write_corpus

SMALL = BuildOptions(shard_documents=100, query_encoder=False)


def test_killed_at_fifty_moments_and_typed_again_gives_the_same_bytes(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "shop.jsonl", DOCUMENTS)
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "tests.kills", str(corpus), str(tmp_path / "work"), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == MOMENTS
    assert [
        result for result in results if not result["same"] or result["codes"][-1] or result["left"] != ["shop"]
    ] == []
    assert sum(result["codes"][0] == -9 for result in results) >= MOMENTS - 5
    killed = Counter(result["stage"] for result in results if result["codes"][0] == -9)
    assert {stage: killed[stage] for stage in AIMED if killed[stage] < 2} == {}
    assert sum(result["last"] == INSIDE_FAISS for result in results) >= 2


def test_killed_while_a_real_model_tokenises_and_encodes_and_typed_again_gives_the_same_bytes(tmp_path: Path) -> None:
    corpus, model = write_corpus(tmp_path / "shop.jsonl", 320), make_static(tmp_path / "static")
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "tests.model_kills", str(corpus), str(model), str(tmp_path / "work"), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    expected = {"codes": [-9, 0], "same": True, "left": ["shop"]}
    stages = ["tokenising", "encoding"] * (MODEL_MOMENTS // 2)
    assert results == [{"stage": stage, **expected} for stage in stages], done.stderr


def test_derive_killed_at_twenty_moments_leaves_an_index_and_typed_again_gives_the_same_bytes(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "shop.jsonl", 700)
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "tests.derive_kills", str(corpus), str(tmp_path / "work"), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["codes"] for result in results] == [[-9, 0, 0]] * DERIVED_MOMENTS, done.stderr
    assert [result for result in results if not result["same"] or result["left"] != ["shop"]] == []


def test_a_stopped_build_goes_on_and_says_so(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 350))
    build_index(corpus, tmp_path / "whole", encoder=HashEncoder(), options=SMALL)
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, tmp_path / "shop", encoder=StoppingEncoder(200), options=SMALL)
    said: list[str] = []
    encoder = HashEncoder()
    build_index(corpus, tmp_path / "shop", encoder=encoder, options=SMALL, note=said.append)
    assert said == ["going on: 2 shards with 200 of 350 documents are embedded already"]
    assert not any(text.startswith("red leather bag 0") for text in encoder.seen)
    assert folder_bytes(tmp_path / "shop") == folder_bytes(tmp_path / "whole")


def test_another_model_is_refused_or_starts_over(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 350))
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, tmp_path / "shop", encoder=StoppingEncoder(200), options=SMALL)
    other = HashEncoder(salt=1)
    with pytest.raises(ContractError, match=r"with model 'hash-0', and this call has 'hash-1'; .* --restart"):
        build_index(corpus, tmp_path / "shop", encoder=other, options=SMALL)
    restart = BuildOptions(shard_documents=100, restart=True)
    build_index(corpus, tmp_path / "shop", encoder=other, options=restart)
    build_index(corpus, tmp_path / "whole", encoder=other, options=SMALL)
    assert folder_bytes(tmp_path / "shop") == folder_bytes(tmp_path / "whole")


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 20))
    with (
        working_on(tmp_path / "shop"),
        pytest.raises(IndexFolderError, match=r"is being written by another process \(\d+\)"),
    ):
        build_index(corpus, tmp_path / "shop", encoder=HashEncoder())
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder()).verify()


INDEX = "from searchapp.cli.main import main; main()"


def test_a_second_process_is_refused_at_once_and_may_begin_once_the_first_is_killed(tmp_path: Path) -> None:
    corpus, model = write_corpus(tmp_path / "shop.jsonl", 30), make_static(tmp_path / "static")
    hold = (
        "import sys, time\nfrom pathlib import Path\nfrom searchapp.index.work import working_on\n"
        "with working_on(Path(sys.argv[1])):\n print('held', flush=True)\n time.sleep(600)"
    )
    out = tmp_path / "shop"
    build = [sys.executable, "-c", INDEX, "index", str(corpus), "--model", str(model), "--out", str(out)]
    derive = [sys.executable, "-c", INDEX, "index", "--from", str(out), "--kind", "sq8"]
    for call in (build, derive, [*derive[:-1], "flat"]):
        with subprocess.Popen([sys.executable, "-c", hold, str(out)], stdout=subprocess.PIPE, text=True) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "held\n"
            if call[-1] != "flat":  # which is there: nothing is to be written
                refused = subprocess.run(call, capture_output=True, text=True)
                assert refused.returncode == 1
                assert refused.stderr.splitlines()[-1] == (
                    f"searchapp: {out} is being written by another process ({holder.pid}); wait until it is done, or "
                    "stop it"
                )
            holder.kill()
        subprocess.run(call, check=True, capture_output=True)
    assert [derived.kind for derived in open_index(out).manifest.derived] == ["flat", "sq8"]
    open_index(out).verify()


def test_two_derives_at_once_leave_a_whole_index(tmp_path: Path) -> None:
    corpus = open_corpus(write_corpus(tmp_path / "shop.jsonl", 700))
    build_index(corpus, tmp_path / "shop", encoder=HashEncoder())
    call = [sys.executable, "-c", INDEX, "index", "--from", str(tmp_path / "shop"), "--kind", "sq8,ivf-flat", "--dim"]
    running = [subprocess.Popen([*call, dim], stderr=subprocess.PIPE, text=True) for dim in ("32", "16")]
    ended = [(process.communicate()[1], process.returncode) for process in running]
    assert all(code == 0 or "is being written by another process (" in said for said, code in ended)
    for dim in ("32", "16"):
        subprocess.run([*call, dim], check=True, capture_output=True)
    index = open_index(tmp_path / "shop")
    index.verify()
    assert {(derived.dim, derived.asked) for derived in index.manifest.derived} == {
        (48, "flat"),
        *((dim, kind) for dim in (32, 16) for kind in ("sq8", "ivf-flat")),
    }
