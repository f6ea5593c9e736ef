"""Triplets and pairs from the cache: embedded once, counted alike, never from a runtime that drifted."""

from pathlib import Path

import numpy as np

from searchapp.bench.cache import Cache
from searchapp.bench.kept_encoder import KeptEncoder
from searchapp.bench.pairwise import run_pairs
from searchapp.encoders import CANARIES
from searchapp.prompts import Prompts
from searchapp.records import ScoredPair
from tests.fakes import CuttingEncoder, DriftedEncoder, HashEncoder

TEXTS = ["red bag", "赤いバッグ", "빨간 가방", "mfuko mwekundu", "a long text that is cut somewhere"]


def test_texts_are_embedded_once_and_are_the_same_vectors(tmp_path: Path) -> None:
    first = KeptEncoder(HashEncoder(), Cache(tmp_path)).encode_queries(TEXTS)
    inner = HashEncoder()
    again = KeptEncoder(inner, Cache(tmp_path)).encode_queries(TEXTS)
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(again, HashEncoder().encode_queries(TEXTS))
    assert set(inner.seen) == set(CANARIES)
    other = KeptEncoder(HashEncoder(salt=3), Cache(tmp_path)).encode_queries(TEXTS)
    np.testing.assert_array_equal(other, HashEncoder(salt=3).encode_queries(TEXTS))


def test_roles_have_vectors_of_their_own(tmp_path: Path) -> None:
    encoder = KeptEncoder(HashEncoder(Prompts("find: ", "item: ", "test")), Cache(tmp_path))
    plain = HashEncoder(Prompts("find: ", "item: ", "test"))
    for _ in range(2):
        np.testing.assert_array_equal(encoder.encode_queries(TEXTS), plain.encode_queries(TEXTS))
        np.testing.assert_array_equal(encoder.encode_documents(TEXTS), plain.encode_documents(TEXTS))


def test_a_drifted_runtime_makes_its_own(tmp_path: Path) -> None:
    KeptEncoder(HashEncoder(), Cache(tmp_path)).encode_queries(TEXTS)
    drifted = KeptEncoder(DriftedEncoder(), Cache(tmp_path)).encode_queries(TEXTS)
    np.testing.assert_array_equal(drifted, DriftedEncoder().encode_queries(TEXTS))


def test_what_was_cut_is_counted_from_the_cache_too(tmp_path: Path) -> None:
    pairs = [ScoredPair(one, two, n / 4) for n, (one, two) in enumerate(zip(TEXTS, TEXTS[1:] + TEXTS[:1], strict=True))]
    notes = []
    for _ in range(2):
        encoder = KeptEncoder(Cutting(8), Cache(tmp_path))
        notes.append(run_pairs(pairs, [encoder], dataset="five").notes)
    assert notes[0] == notes[1]
    lost = sum(max(0, len(text) - 8) for text in TEXTS)
    assert any(f"{lost:,} tokens lost" in note for note in notes[0])


class Cutting(CuttingEncoder):
    """Counts what it cuts of queries too."""

    def encode_queries(self, texts: list[str]) -> np.ndarray:
        return self.encode_documents(texts)
