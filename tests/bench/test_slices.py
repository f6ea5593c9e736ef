"""Slices: queries are cut as they say, every slice has its own means, and small ones are shown too."""

import numpy as np
import pytest

from searchapp.bench.slices import count_words, cut_slices, length_bucket, measure_slices
from searchapp.errors import UsageError
from searchapp.metrics.uncertainty import bootstrap_means
from searchapp.records import Query

QUERIES = (
    Query("q1", "red leather bag", {"locale": "us", "source": "behavioral", "size": 10}),
    Query("q2", "革のトートバッグ", {"locale": "jp", "source": "other", "size": 9}),
    Query("q3", "빨간 가죽 가방", {"locale": "kr", "source": "", "size": 2.0}),
    Query("q4", "bolso de cuero rojo para el trabajo con correa larga", {"locale": "es", "source": "other"}),
    Query("q5", "mfuko wa ngozi", {"locale": "sw", "source": None, "size": None}),
    Query("q6", "bag", {"locale": "us", "source": " other ", "size": True}),
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("bag", 1),
        ("red  leather\tbag\n", 3),
        ("don't stop", 2),
        ("wi-fi 6 & router", 3),
        ("???", 1),
        ("bolso de señora", 3),
        ("mfuko wa ngozi", 3),
        ("빨간 가죽 가방", 3),  # Hangul is spaced
        ("赤", 1),
        ("赤い", 1),
        ("赤い靴", 2),  # three characters: a word and a begun one
        ("時々", 1),  # the iteration mark belongs to its word
        ("革のトートバッグ", 4),  # eight
        ("コーヒー・メーカー", 4),  # the middle dot parts two runs of four
        ("iPhone用ケース", 3),  # iPhone; four characters
        ("ﾄｰﾄ", 2),  # half-width katakana, three characters
        ("が\u3099っこう", 2),  # a combining mark is no character: four
        ("กระเป๋าหนัง", 5),  # eleven code points less tone mark and vowel signs: nine characters
        ("3m²の部屋", 3),  # "3m2" and three characters
    ],
)
def test_words_are_counted_as_the_docstring_says(text: str, words: int) -> None:
    assert count_words(text) == words


def test_lengths_fall_into_fixed_buckets() -> None:
    assert [length_bucket("w " * n) for n in range(11)] == [
        *("1", "1", "2", "3-4", "3-4", "5-8", "5-8", "5-8", "5-8", "9+", "9+")
    ]
    assert cut_slices(QUERIES, ["length"]) == {
        "length": {"1": ("q6",), "3-4": ("q1", "q2", "q3", "q5"), "9+": ("q4",)},
    }


def test_a_column_cuts_by_its_values_and_what_has_none_stands_last() -> None:
    cut = cut_slices(QUERIES, ["locale", "source", "size", "locale"])
    assert list(cut) == ["locale", "source", "size"]
    assert cut["locale"] == {"es": ("q4",), "jp": ("q2",), "kr": ("q3",), "sw": ("q5",), "us": ("q1", "q6")}
    assert cut["source"] == {"behavioral": ("q1",), "other": ("q2", "q4", "q6"), "(none)": ("q3", "q5")}
    assert list(cut["size"].items()) == [
        *(("2", ("q3",)), ("9", ("q2",)), ("10", ("q1",)), ("true", ("q6",)), ("(none)", ("q4", "q5")))
    ]


def test_a_slice_file_names_slices() -> None:
    named = {"q2": "hard", "q4": "easy", "q6": "hard", "elsewhere": "easy", "q5": " "}
    cut = cut_slices(QUERIES, ["locale"], named)
    assert list(cut) == ["locale", "slice"]
    assert cut["slice"] == {"easy": ("q4",), "hard": ("q2", "q6"), "(none)": ("q1", "q3", "q5")}
    assert cut_slices(QUERIES, ["slice"], named) == {"slice": cut["slice"]}
    assert cut_slices(QUERIES, [], {}) == {}


def test_what_cannot_be_sliced_by_is_refused() -> None:
    with pytest.raises(UsageError, match=r"no query has a column 'brand' .*; there are: length, locale, size, source$"):
        cut_slices(QUERIES, ["brand"])
    with pytest.raises(UsageError, match="no query has a column 'slice'"):
        cut_slices(QUERIES, ["slice"])
    with pytest.raises(UsageError, match=r"names 1 queries \(such as 'x1'\), none of them among the 6 .*'q1'"):
        cut_slices(QUERIES, [], {"x1": "a"})
    with pytest.raises(UsageError, match="a column 'slice' and there is a slice file"):
        cut_slices([Query("q1", "bag", {"slice": "a"})], ["slice"], {"q1": "b"})
    assert cut_slices([Query("q1", "bag", {"slice": "a"})], ["slice"]) == {"slice": {"a": ("q1",)}}


def test_every_slice_has_the_means_of_its_queries_and_their_intervals() -> None:
    rng = np.random.default_rng(3)
    ids = [f"q{n}" for n in range(40)]
    per_query = {"nDCG@10": rng.random(40), "RR@10": 1 / rng.integers(1, 11, 40)}
    kept = [n for n in range(40) if n not in (4, 7)]  # not in the means
    slices = {
        "half": {"even": tuple(ids[0::2]), "odd": tuple(ids[1::2])},
        "tiny": {"one": ("q9",), "nobody": ("q4", "q7"), "two": ("q4", "q5")},
    }
    measured = measure_slices(
        {name: values[kept] for name, values in per_query.items()}, [ids[n] for n in kept], slices
    )
    rows = {"even": [n for n in kept if n % 2 == 0], "odd": [n for n in kept if n % 2], "one": [9], "two": [5]}
    assert [(one.by, one.value, one.queries) for one in measured] == [
        *(("half", "even", 19), ("half", "odd", 19), ("tiny", "one", 1), ("tiny", "nobody", 0), ("tiny", "two", 1))
    ]
    for one in measured:
        if one.value == "nobody":
            assert (one.measures, one.intervals) == ({}, {})
            continue
        part = {name: np.array([values[n] for n in rows[one.value]]) for name, values in per_query.items()}
        assert one.measures == pytest.approx({name: sum(values) / len(values) for name, values in part.items()})
        assert one.intervals == bootstrap_means(part)
    one = next(part for part in measured if part.value == "one")
    assert one.intervals["RR@10"] == (per_query["RR@10"][9], per_query["RR@10"][9])
