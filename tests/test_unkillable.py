"""Whatever stops a build, the same call again gives the bytes of one that nobody stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import open_corpus
from searchapp.errors import ContractError, IndexFolderError
from searchapp.index.work import working_on
from tests.conftest import ROOT
from tests.derive_kills import DERIVED_MOMENTS
from tests.fakes import HashEncoder, StoppingEncoder
from tests.kills import MOMENTS
from tests.test_build import folder_bytes, write_corpus

SMALL = BuildOptions(shard_documents=100, query_encoder=False)


def test_killed_at_fifty_moments_and_typed_again_gives_the_same_bytes(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "shop.jsonl", 700)
    (tmp_path / "work").mkdir()
    command = [sys.executable, "-m", "tests.kills", str(corpus), str(tmp_path / "work"), "7"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(results) == MOMENTS
    assert [
        result for result in results if not result["same"] or result["codes"][-1] or result["left"] != ["shop"]
    ] == []
    assert sum(result["codes"][0] == -9 for result in results) >= MOMENTS - 5


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
