"""Texts of a judge become vectors of one encoder, window by window, and nothing is lost silently."""

import numpy as np
import pytest

from searchapp.encoders import CANARIES
from searchapp.errors import BadVectorsError, UsageError
from searchapp.judging.embedding import Embedder, chosen_dims, cut_texts, distinct
from searchapp.prompts import Prompts
from tests.fakes import DIM, CuttingEncoder, HashEncoder, PoisonedEncoder


def test_vectors_are_those_of_the_encoder_cut_to_the_widest_dim() -> None:
    encoder = HashEncoder(Prompts("q: ", "d: "))
    told: list[tuple[str, int, int | None]] = []
    embedder = Embedder(encoder, (7, 20, 7), progress=lambda *step: told.append(step))
    texts = ["red bag", "oak table", "kettle"]
    queries = embedder.embed([texts[:2], texts[2:]], encoder.encode_queries, rows=3, total=6)
    documents = embedder.embed([texts], encoder.encode_documents, rows=3, total=6)
    assert embedder.dims == (7, 20)
    assert np.array_equal(queries, encoder.encode_queries(texts)[:, :20])
    assert np.array_equal(documents, encoder.encode_documents(texts)[:, :20])
    assert told == [("embedding", 2, 6), ("embedding", 3, 6), ("embedding", 6, 6)]
    assert embedder.seconds > 0


def test_losses_are_those_since_the_canaries() -> None:
    encoder = CuttingEncoder(9, Prompts("query: ", ""))
    embedder = Embedder(encoder)
    assert any(len(text) > 9 for text in CANARIES) and list(embedder.losses()) == []
    embedder.embed([["query: 123", "1", "abcdef"]], encoder.encode_queries, rows=3, total=3)
    assert list(embedder.losses()) == [
        "2 texts were cut at max_seq_length 9: 5 tokens lost",
        "1 texts began with the prompt already and were left as they are",
    ]


def test_a_bad_vector_names_its_text() -> None:
    embedder = Embedder(PoisonedEncoder("kettle"))
    with pytest.raises(BadVectorsError, match="the text 'a kettle' holds NaN"):
        embedder.embed([["a bag", "a kettle"]], embedder.encoder.encode_documents, rows=2, total=2)


def test_dims_are_the_model_s() -> None:
    assert chosen_dims((), width=DIM, model="m") == (DIM,)
    for dim in (0, DIM + 1):
        with pytest.raises(UsageError, match=f"{dim} dims: m gives {DIM}; type a number from 1 to {DIM}"):
            chosen_dims((4, dim), width=DIM, model="m")


def test_the_same_text_is_one_row() -> None:
    texts, rows = distinct(iter(["b", "a", "b", "c", "a"]))
    assert texts == ["b", "a", "c"]
    assert rows.tolist() == [0, 1, 0, 2, 1]


def test_windows_end_by_count_and_by_characters() -> None:
    assert [len(window) for window in cut_texts(["x"] * 5000)] == [2048, 2048, 904]
    long = "y" * (1 << 17)
    assert [len(window) for window in cut_texts([long, long, "x", long])] == [2, 2]
