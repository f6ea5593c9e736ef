import numpy as np
import pytest

from searchapp.encoders import CANARIES, check_vectors
from searchapp.errors import BadVectorsError

TEXTS = [f"text {number}" for number in range(8)]
NAMES = [f"d{number} (corpus.jsonl:{number + 1})" for number in range(8)]


def vectors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)


def test_good_vectors_pass() -> None:
    check_vectors(vectors(), TEXTS, NAMES)
    check_vectors(vectors()[:0], [], [])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_first_vector_that_is_not_finite_is_named(value: float) -> None:
    bad = vectors()
    bad[5, 2] = bad[3, 4] = value
    with pytest.raises(BadVectorsError, match=r"of d3 \(corpus.jsonl:4\) holds NaN or infinite numbers \(2 of 8") as e:
        check_vectors(bad, TEXTS, NAMES)
    assert "check that the model's weights are whole" in str(e.value)


def test_the_first_zero_vector_is_named() -> None:
    bad = vectors()
    bad[6] = 0
    with pytest.raises(BadVectorsError, match=r"the vector of d6 \(corpus.jsonl:7\) holds only zeros \(1 of 8") as e:
        check_vectors(bad, TEXTS, NAMES)
    assert "if its text has no token that the model knows, nothing could ever find it" in str(e.value)


def test_a_large_float32_vector_is_finite() -> None:
    check_vectors(np.full((1, 4), 3e38, dtype=np.float32), ["x"], ["d"])


def test_one_vector_in_several_lengths_is_a_collapse() -> None:
    bad = np.outer(np.arange(1, 9), [1, -2, 3]).astype(np.float32)
    with pytest.raises(BadVectorsError, match=r"different texts: d0 \(.*\) and d1 \(.*\), like all 8 different"):
        check_vectors(bad, TEXTS, NAMES)


def test_the_two_named_texts_differ() -> None:
    texts = ["Red  bag", "red bag", "RED BAG ", *TEXTS]
    names = [f"n{number}" for number in range(11)]
    with pytest.raises(BadVectorsError, match="different texts: n0 and n3, like all 9 different texts"):
        check_vectors(np.ones((11, 4), dtype=np.float32), texts, names)


@pytest.mark.parametrize(("move", "same"), [(0.5e-5, True), (4e-5, False)])
def test_near_is_the_same_and_apart_is_not(move: float, same: bool) -> None:
    close = np.tile(np.eye(4, dtype=np.float32)[0], (8, 1))
    close[4, 1] = move
    if same:
        with pytest.raises(BadVectorsError, match="it has collapsed"):
            check_vectors(close, TEXTS, NAMES)
    else:
        check_vectors(close, TEXTS, NAMES)


def test_same_texts_and_few_texts_prove_nothing() -> None:
    check_vectors(np.ones((8, 4), dtype=np.float32), ["same Text", "same  text"] * 4, NAMES)
    check_vectors(np.ones((7, 4), dtype=np.float32), TEXTS[:7], NAMES[:7])


def test_canaries_are_enough_to_prove_a_collapse() -> None:
    assert len({text.casefold() for text in CANARIES}) == len(CANARIES) >= 8
