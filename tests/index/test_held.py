"""Vectors held in memory are searched as a flat index of them is: by value, against the slow oracle."""

import numpy as np
import pytest

from searchapp.errors import BadVectorsError
from searchapp.index import held
from searchapp.index.exact import exact_search
from searchapp.index.held import HeldVectors


def some_vectors(count: int, width: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, width)).astype(np.float32)


@pytest.mark.parametrize("dim", [16, 5, 1])
@pytest.mark.parametrize("k", [1, 7, 40, 500])
def test_rankings_are_the_oracle_s(dim: int, k: int) -> None:
    vectors, queries = some_vectors(90, 16, seed=1), some_vectors(11, 16, seed=2)
    vectors[40:70] = vectors[10]  # thirty documents that tie, whose ids are in another order than their rows
    vectors[80] = 3 * vectors[3]
    doc_ids = [f"d{(row * 37) % 90:02d}" for row in range(90)]
    found = HeldVectors(vectors, doc_ids, dim=dim).search(queries, k)
    expected = exact_search(vectors, doc_ids, queries, k, dim=dim)
    assert np.array_equal(found.rows, expected.rows)
    assert np.array_equal(found.scores, expected.scores)
    assert np.array_equal(found.tied, expected.tied)


def test_ties_that_go_on_beyond_every_candidate_are_all_looked_at() -> None:
    vectors = np.repeat(some_vectors(1, 8, seed=3), 1000, axis=0)
    doc_ids = [f"{999 - row:03d}" for row in range(1000)]
    found = HeldVectors(vectors, doc_ids, dim=8).search(vectors[:2], 3)
    assert found.rows.tolist() == [[999, 998, 997]] * 2
    assert found.tied.all()


def test_blocks_of_queries_and_of_candidates_change_nothing() -> None:
    # More documents than one block holds candidates of, and more queries than one block of products.
    vectors = some_vectors(held._CUT_ROWS + 900, 96, seed=4)
    queries = some_vectors(held._SCORES // len(vectors) + 300, 96, seed=5)
    doc_ids = [f"{row:05d}" for row in range(len(vectors))]
    found = HeldVectors(vectors, doc_ids, dim=64).search(queries, 100)
    for query in (0, 1, len(queries) - 300, len(queries) - 1):
        expected = exact_search(vectors, doc_ids, queries[query : query + 1], 100, dim=64)
        assert np.array_equal(found.rows[query], expected.rows[0])
        assert np.array_equal(found.scores[query], expected.scores[0])


def test_a_vector_without_direction_is_named() -> None:
    vectors = some_vectors(9000, 4, seed=6)
    vectors[8999, :2] = 0
    doc_ids = [f"d{row}" for row in range(9000)]
    assert HeldVectors(vectors, doc_ids, dim=3).search(vectors[8999:], 1).rows[0, 0] == 8999
    with pytest.raises(BadVectorsError, match="the vector of d8999 is zero in its first 2 dims"):
        HeldVectors(vectors, doc_ids, dim=2)
