"""Documents longer than the model sees: said, refused, or found by any part of them."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Corpus, open_corpus
from searchapp.encoders import CANARIES
from searchapp.encoders.chunks import open_chunker
from searchapp.errors import ContractError, InputError, ModelError, UsageError
from searchapp.index import Setting
from searchapp.prompts import Prompts
from searchapp.search import Searcher
from tests.fakes import CuttingEncoder, HashEncoder
from tests.test_build import folder_bytes

LIMIT = 40
FILLER = "plain words about nothing much at all."
CHUNK = BuildOptions(on_truncate="chunk", shard_documents=7)
PROMPTS = Prompts("q: ", "d: ")


def word(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()[:11]


def write_long(path: Path, count: int = 30) -> Corpus:
    """Write documents of many lengths, each ending with a word of its own."""
    rows = [{"_id": f"d{n:02d}", "text": FILLER * (n % 4) + f" {word(n)}", "name": f"N{n}"} for n in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return open_corpus(path)


def test_chunked_documents_are_found_by_their_ends_and_come_once(tmp_path: Path) -> None:
    corpus, encoder = write_long(tmp_path / "c.jsonl"), CuttingEncoder(LIMIT, PROMPTS)
    index = build_index(corpus, tmp_path / "made", encoder=encoder, options=CHUNK)
    assert index.manifest.chunk_overlap == LIMIT // 8
    counts = index.manifest.counts
    assert (counts["documents"], counts["truncated"], counts["tokens_lost"], counts["duplicates"]) == (30, 0, 0, 0)
    assert counts["vectors"] == index.manifest.rows > 60
    assert counts == {**index.documents.counts(), "skipped": 0}
    chunks = index.documents.fact("chunk")
    starts = np.flatnonzero(chunks == 0)
    assert index.documents.ids(starts) == [f"d{n:02d}" for n in range(30)]
    for shard_start in np.cumsum([0, *(shard.rows for shard in index.manifest.shards)])[:-1]:
        assert chunks[shard_start] == 0
    searcher = Searcher(index, encoder)
    for n in (7, 11, 23):
        hits = searcher.search([word(n)], 30)[0]
        assert hits[0].doc_id == f"d{n:02d}"
        assert hits[0].fields["name"] == f"N{n}"
        assert sorted(hit.doc_id for hit in hits) == [f"d{n:02d}" for n in range(30)]
    index.verify()


def test_rows_are_the_vectors_of_the_pieces(tmp_path: Path) -> None:
    corpus, encoder = write_long(tmp_path / "c.jsonl", 8), CuttingEncoder(LIMIT)
    index = build_index(corpus, tmp_path / "made", encoder=encoder, options=CHUNK)
    numbers = index.documents.fact("chunk").tolist()
    chunker = open_chunker(encoder)
    assert chunker is not None
    pieces = [piece for one in chunker.split([one.text for one in corpus.documents()]) for piece in one]
    np.testing.assert_array_equal(index.vectors.take(np.arange(len(numbers))), HashEncoder().encode_documents(pieces))
    assert encoder.seen[-len(pieces) - len(CANARIES) * 2 :][: len(pieces)] == pieces
    names = pa.ipc.open_file(index.folder / index.manifest.shards[0].documents).read_all()["field:name"].to_pylist()
    assert [name is None for name in names] == [number > 0 for number in numbers[: len(names)]]
    hashes = index.documents.fact("text_hash")
    for row, number in enumerate(numbers):
        assert hashes[row] == hashes[row - number]
    assert len(set(hashes.tolist())) == 8


def test_an_index_that_nothing_had_to_be_cut_for_is_chunked_all_the_same(tmp_path: Path) -> None:
    corpus = write_long(tmp_path / "c.jsonl")
    index = build_index(corpus, tmp_path / "made", encoder=CuttingEncoder(400), options=CHUNK)
    assert (index.manifest.chunk_overlap, index.manifest.rows) == (50, 30)
    endless = build_index(corpus, tmp_path / "endless", encoder=HashEncoder(), options=CHUNK)
    assert (endless.manifest.chunk_overlap, endless.manifest.rows) == (None, 30)


def test_kinds_are_planned_for_the_chunks_there_are(tmp_path: Path) -> None:
    corpus, said = write_long(tmp_path / "c.jsonl", 200), list[str]()
    options = BuildOptions(on_truncate="chunk", chunk_overlap=0, kinds=("ivf-flat",))
    index = build_index(corpus, tmp_path / "made", encoder=CuttingEncoder(LIMIT), options=options, note=said.append)
    rows = index.manifest.rows
    assert rows > 312  # what ivf-flat trains on at least
    assert said[-1].startswith(f"200 documents became {rows} chunks of at most 40 tokens; will build d48-ivf8-flat (")
    assert [part.rows for part in index.manifest.derived[0].parts] == [rows]
    assert index.search(HashEncoder().encode_queries([word(7)]), 5, Setting(nprobe=8)).rows.shape == (1, 5)
    encoder = CuttingEncoder(400)
    with pytest.raises(UsageError, match="200 documents are too few for kind ivf-flat"):
        build_index(corpus, tmp_path / "few", encoder=encoder, options=options)
    assert encoder.counts.texts == 0


def test_warn_says_what_is_lost(tmp_path: Path) -> None:
    corpus, said = write_long(tmp_path / "c.jsonl", 4), list[str]()
    build_index(corpus, tmp_path / "made", encoder=CuttingEncoder(LIMIT), note=said.append)
    lost = sum(len(FILLER) * n + 12 - LIMIT for n in (1, 2, 3))
    assert said[-1].startswith(
        f"3 of 4 documents are longer than the 40 tokens the model sees: {lost} tokens at their ends are in no vector; "
        "type --on-truncate chunk"
    )
    quiet: list[str] = []
    build_index(corpus, tmp_path / "wide", encoder=CuttingEncoder(400), note=quiet.append)
    assert not any("longer" in line for line in quiet)


def test_error_names_the_first_long_document_before_any_is_embedded(tmp_path: Path) -> None:
    corpus, encoder = write_long(tmp_path / "c.jsonl"), CuttingEncoder(60, PROMPTS)
    options = BuildOptions(on_truncate="error")
    with pytest.raises(InputError, match=r"c\.jsonl:3: the text of 'd02' has 91 tokens, prompt included, .* sees 60;"):
        build_index(corpus, tmp_path / "made", encoder=encoder, options=options)
    assert not any(word(0) in text for text in encoder.seen)
    assert [path.name for path in tmp_path.iterdir()] == ["c.jsonl"]
    whole = build_index(corpus, tmp_path / "made", encoder=CuttingEncoder(400), options=options)
    assert (len(whole), whole.manifest.chunk_overlap) == (30, None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (BuildOptions(on_truncate="cut"), "--on-truncate is 'cut'; type one of warn, error, chunk"),
        (BuildOptions(chunk_overlap=3), "--chunk-overlap goes with --on-truncate chunk, and it is warn"),
        (BuildOptions(on_truncate="chunk", chunk_overlap=21), "can't share 21 tokens"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, options: BuildOptions, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        build_index(write_long(tmp_path / "c.jsonl"), tmp_path / "made", encoder=CuttingEncoder(LIMIT), options=options)


class Stopping(CuttingEncoder):
    """Is interrupted once it has been shown a given number of texts."""

    after = 40

    def encode_documents(self, texts: list[str]) -> np.ndarray:
        if self.counts.texts > self.after:
            raise KeyboardInterrupt
        return super().encode_documents(texts)


def test_a_stopped_call_goes_on_and_another_overlap_is_refused(tmp_path: Path) -> None:
    corpus, said = write_long(tmp_path / "c.jsonl"), list[str]()
    build_index(corpus, tmp_path / "whole", encoder=CuttingEncoder(LIMIT), options=CHUNK)
    with pytest.raises(KeyboardInterrupt):
        build_index(corpus, tmp_path / "made", encoder=Stopping(LIMIT), options=CHUNK)
    for other in (
        BuildOptions(on_truncate="chunk", chunk_overlap=3, shard_documents=7),
        BuildOptions(shard_documents=7),
    ):
        with pytest.raises(ContractError, match=r"with chunk overlap 5, and this call has (3|None); .* --restart"):
            build_index(corpus, tmp_path / "made", encoder=CuttingEncoder(LIMIT), options=other)
    told: list[tuple[str, int, int | None]] = []
    build_index(
        corpus,
        tmp_path / "made",
        encoder=CuttingEncoder(LIMIT),
        options=CHUNK,
        note=said.append,
        progress=lambda *step: told.append(step),
    )
    assert said[0] == "going on: 2 shards with 14 of 30 documents are embedded already"
    assert [done for stage, done, total in told if stage == "embedding" and total == 30] == [0, 7, 14, 21, 28, 30]
    assert folder_bytes(tmp_path / "made") == folder_bytes(tmp_path / "whole")


class Greedy(CuttingEncoder):
    """Sees less than its tokenizer says."""

    def _lost(self, texts: list[str]) -> list[int]:
        return [max(0, len(text) + 5 - self.card.max_seq_length) for text in texts]


def test_an_encoder_that_loses_tokens_of_chunks_is_refused(tmp_path: Path) -> None:
    corpus = write_long(tmp_path / "c.jsonl")
    with pytest.raises(ModelError, match=r"hash-0 lost \d tokens of a chunk of d0\d \(.*c\.jsonl:\d\)"):
        build_index(corpus, tmp_path / "made", encoder=Greedy(LIMIT), options=CHUNK)
    assert not (tmp_path / "made").exists()
