"""Corpora: what one pass counts, what a model reads of them, and what they would take."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from searchapp.build import build_index
from searchapp.corpus import Corpus, ReadOptions, open_corpus
from searchapp.doctor import corpus, cost
from searchapp.doctor.encoder_size import estimate_encoder
from searchapp.doctor.reading import CorpusFacts, read_facts
from searchapp.encoders import load_encoder
from searchapp.encoders.folder import find_folder
from searchapp.encoders.lengths import open_token_counter
from searchapp.index import derive, plan_kind
from searchapp.index.faiss_backend import estimate_bytes
from tests.encoders.conftest import Build, built
from tests.fakes import HashEncoder
from tests.index.folders import make_index, random_vectors
from tests.models_on_disk import ARCHITECTURES, SENTENCES, make_static, static_tokenizer

__all__ = ["built"]
SKIP = ReadOptions(on_bad_row="skip")


def write(path: Path, texts: Sequence[str]) -> Corpus:
    lines = [json.dumps({"_id": f"d{at}", "text": text}) for at, text in enumerate(texts)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return open_corpus(path, SKIP)


def facts_of(path: Path, texts: Sequence[str]) -> CorpusFacts:
    return read_facts(write(path, texts))


def test_one_pass_counts_everything(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    rows = [{"_id": "a", "text": "one"}, {"_id": "b", "text": " "}, {"_id": "a", "text": "two"}]
    rows += [{"_id": "c", "text": "one"}, {"_id": "d", "text": "One"}, {"_id": "e", "text": 5.5}, {"text": "no id"}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    read = open_corpus(path, SKIP)
    facts = read_facts(read)
    assert (facts.count, facts.characters, facts.duplicates) == (4, 12, 1)
    assert facts.examples == (f"{path}:4",)
    assert facts.skipped.count == 3
    assert facts.fingerprint == read.survey().fingerprint
    _, bad = corpus.rows(facts, skips=False)
    assert bad.level == "problem"
    assert "3 bad rows (1 with an empty text, 1 whose id is there already, 1 other)" in bad.found
    assert bad.advice == "fix them, or leave such rows out with --on-bad-row skip"
    assert [one.level for one in corpus.rows(facts, skips=True)] == ["ok", "warning"]


def test_the_sample_is_even_seeded_and_in_no_order(tmp_path: Path) -> None:
    read = write(tmp_path / "c.jsonl", [f"text {number}" for number in range(2_000)])
    told: list[int] = []
    first, again = read_facts(read, sample=400, progress=told.append), read_facts(read, sample=400)
    rows = [int(one.doc_id[1:]) for one in first.sample]
    assert [one.doc_id for one in again.sample] == [one.doc_id for one in first.sample]
    assert len(set(rows)) == 400
    assert rows != sorted(rows)
    # 400 of 2,000: a quarter of the corpus holds 100 of them, give or take four times sqrt(400 / 4 * 3 / 4 * .8).
    assert all(abs(sum(part * 500 <= row < (part + 1) * 500 for row in rows) - 100) < 31 for part in range(4))
    assert told == [1_000, 2_000]
    assert {one.doc_id for one in read_facts(read, sample=5_000).sample} == {f"d{at}" for at in range(2_000)}


def test_duplicates_across_windows_are_counted(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "c.jsonl", [f"text {number % 9_000}" for number in range(10_000)])
    assert facts.duplicates == 1_000
    (found,) = corpus.texts(facts)
    assert (found.level, found.figures) == ("warning", {"duplicates": 1_000, "share": 0.1})
    assert found.found.count(".jsonl:") == 3
    (few,) = corpus.texts(facts_of(tmp_path / "d.jsonl", ["same", "same", *map(str, range(98))]))
    (none,) = corpus.texts(facts_of(tmp_path / "e.jsonl", ["one", "two"]))
    assert (few.level, none.level) == ("note", "ok")


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_what_is_cut_is_what_the_encoder_cuts(name: str, built: Build, tmp_path: Path) -> None:
    texts = [" ".join([text] * times) for text in SENTENCES for times in (1, 3, 60)]
    facts, encoder = facts_of(tmp_path / "c.jsonl", texts), load_encoder(str(built(name)))
    counter = open_token_counter(find_folder(str(built(name))).path)
    assert counter is not None
    found = next(corpus.lengths(facts, encoder, counter))
    encoder.encode_documents(texts)
    assert encoder.counts.truncated >= 10
    assert found.level == "warning"
    assert found.figures["cut"] == encoder.counts.truncated
    assert found.figures["tokens_lost"] == encoder.counts.tokens_lost
    assert found.found.startswith(f"{encoder.counts.truncated / 30:.1%} of all 30 texts are longer than")


def test_a_static_model_counts_without_special_tokens(tmp_path: Path) -> None:
    folder = make_static(tmp_path / "s")
    counter = open_token_counter(folder)
    assert counter is not None
    assert counter.count(["red leather", ""]) == [
        len(static_tokenizer().encode("red leather", add_special_tokens=False).ids),
        0,
    ]
    texts = ["red leather handbag " * 20, "kettle"]
    found = next(corpus.lengths(facts_of(tmp_path / "c.jsonl", texts), load_encoder(str(folder)), counter))
    encoder = load_encoder(str(folder))
    encoder.encode_documents(texts)
    assert found.figures["cut"] == encoder.counts.truncated
    (tmp_path / "none").mkdir()
    assert open_token_counter(tmp_path / "none") is None


def test_texts_that_fit_and_texts_with_the_prompt(built: Build, tmp_path: Path) -> None:
    counter = open_token_counter(built("e5"))
    assert counter is not None
    encoder = load_encoder(str(built("e5")))
    whole, prefixed = corpus.lengths(facts_of(tmp_path / "c.jsonl", ["passage: red", "bag"]), encoder, counter)
    assert (whole.level, whole.figures["cut"]) == ("ok", 0)
    assert whole.figures["longest"] == max(counter.count(["passage: red", "passage: bag"]))
    assert (prefixed.level, prefixed.figures["already"]) == ("note", 1)


def test_the_share_of_scifact_that_minilm_cuts(real_data: Path) -> None:
    facts, encoder = read_facts(open_corpus(real_data / "scifact", SKIP)), load_encoder("minilm")
    counter = open_token_counter(find_folder("minilm").path)
    assert counter is not None
    found = next(corpus.lengths(facts, encoder, counter))
    exact = counter.count([one.text for one in open_corpus(real_data / "scifact").documents()])
    share = sum(tokens > 256 for tokens in exact) / len(exact)
    assert found.level == "warning"
    assert found.figures["sampled"] == 5_000
    assert round(share, 3) == 0.71
    assert found.figures["share"] == pytest.approx(share, abs=0.003)
    assert found.figures["tokens_lost_share"] == pytest.approx(
        sum(max(0, tokens - 256) for tokens in exact) / sum(exact), abs=0.003
    )


def test_whether_an_index_was_made_of_it(tmp_path: Path) -> None:
    read = write(tmp_path / "c.jsonl", [f"text {number}" for number in range(12)])
    index = build_index(read, tmp_path / "made", encoder=HashEncoder())
    (same,) = corpus.belongs(read_facts(read), index)
    (other,) = corpus.belongs(facts_of(tmp_path / "c.jsonl", ["another", "corpus"]), index)
    assert (same.level, other.level) == ("ok", "warning")
    assert "12 there, 2 here" in other.found


def test_the_time_is_the_count_over_the_rate(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "c.jsonl", [f"text {number}" for number in range(200)])
    assert cost.measure_rate(facts, HashEncoder()).documents == 200
    assert cost.measure_rate(facts, HashEncoder(), seconds=0).documents == cost.WINDOW
    (found,) = cost.duration(facts, cost.Rate(50, 25.0))
    assert found.figures == {"documents_per_second": 2.0, "sampled": 50, "seconds": 100.0}
    assert found.found.startswith("embedding takes about 1.7 minutes: 2 documents a second over 50 sampled ones")


def test_disk_is_what_a_build_takes(tmp_path: Path) -> None:
    read = write(tmp_path / "c.jsonl", [f"text {number} {'word ' * (number % 7)}" for number in range(3_000)])
    facts = read_facts(read, sample=1_000)
    made = build_index(read, tmp_path / "made", encoder=HashEncoder())
    (found,) = cost.space(facts, 48, cost.Room(None, 10**12))
    taken = {name: entry.bytes for name, entry in made.manifest.files.items()}
    assert found.figures["vectors"] == pytest.approx(taken["vectors/00000.npy"], rel=0.001)
    assert found.figures["documents"] == pytest.approx(taken["documents/00000.arrow"], rel=0.02)
    assert found.figures["derived"] == pytest.approx(taken["d48-flat.faiss"], rel=0.001)
    (more,) = cost.space(facts, 48, cost.Room(None, 10**12), encoder=90_000_000)
    assert more.figures["bytes"] - found.figures["bytes"] == more.figures["encoder"] == 90_000_000
    assert more.found.endswith(", query encoder 90.0 MB")
    (full,) = cost.space(facts, 48, cost.Room(None, 100_000))
    assert (found.level, full.level) == ("ok", "problem")


def test_the_size_of_what_is_carried_is_that_of_its_files(built: Build, tmp_path: Path) -> None:
    read = write(tmp_path / "c.jsonl", ["red leather bag", "kitchen tap"])
    for model in (built("bge"), make_static(tmp_path / "s"), make_static(tmp_path / "half", dtype="float16")):
        encoder = load_encoder(str(model))
        made = build_index(read, tmp_path / f"of-{model.name}", encoder=encoder)
        carried = sum(entry.bytes for name, entry in made.manifest.files.items() if name.startswith("encoder/"))
        assert carried > 0
        assert estimate_encoder(find_folder(str(model)), encoder) == pytest.approx(carried, rel=0.1)
    assert estimate_encoder(find_folder(str(model)), HashEncoder()) == 0


@pytest.mark.parametrize("kind", ["flat", "sq8", "ivf-flat", "ivf-pq", "pq4", "IVF16,PQ8x4", "IVF16,SQ4"])
def test_the_size_of_a_kind_is_that_of_its_file(kind: str, tmp_path: Path) -> None:
    made = derive(make_index(tmp_path / "made", random_vectors(10_000)), [32], [kind])
    one = next(derived for derived in made.manifest.derived if derived.asked == kind)
    expected = made.manifest.bytes_of(one)
    assert estimate_bytes(plan_kind(kind, rows=10_000, dim=32), 32, rows=10_000) == pytest.approx(expected, rel=0.03)


def test_kinds_that_can_be_trained_and_what_auto_takes(tmp_path: Path) -> None:
    facts = facts_of(tmp_path / "c.jsonl", [f"text {number}" for number in range(400)])
    (found,) = cost.kinds(facts, 48)
    assert found.figures["auto"] == "flat"
    assert list(found.figures["bytes"]) == ["flat", "sq8", "ivf-flat"]
    assert found.figures["refused"] == {"pq4": "needs 624 documents", "ivf-pq": "needs 624 documents"}
    assert found.figures["bytes_a_vector"]["flat"] == pytest.approx(4 * 48, rel=0.01)
    assert cost.plan_kinds(10_000_000, 384)[2] == "pq4"


def test_memory_is_the_process_and_what_faiss_holds(tmp_path: Path) -> None:
    from dataclasses import replace

    small = facts_of(tmp_path / "c.jsonl", [f"text {number}" for number in range(400)])
    (flat,) = cost.memory(small, 48, cost.Room(10**12, 0))
    assert (flat.level, flat.figures["held"], flat.figures["training"]) == ("ok", 0, 0)
    assert flat.figures["bytes"] == flat.figures["peak"]
    large = replace(small, count=10_000_000)
    plan = plan_kind("pq4", rows=10_000_000, dim=48)
    (held,) = cost.memory(large, 48, cost.Room(10**12, 0))
    (killed,) = cost.memory(large, 48, cost.Room(10**6, 0))
    assert held.figures["held"] == estimate_bytes(plan, 48, rows=10_000_000)
    assert held.figures["training"] == 4 * 48 * plan.train_rows
    assert (held.level, killed.level) == ("ok", "problem")


def test_peak_memory_grows_with_what_is_held() -> None:
    """In a process of its own, as this one may have held more than it does now; and in a shell's, not in this one's, as
    Linux counts what a process's parent held as its own."""
    code = (
        "import numpy as np; from searchapp.doctor import cost; before = cost.peak_memory()\n"
        "held = np.ones(50_000_000, dtype=np.float32); print((cost.peak_memory() - before) / held.nbytes, held.sum())"
    )
    shell = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, code]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    grown, total = map(float, done.stdout.split())
    assert 0.9 < grown < 1.5
    assert total > 0
