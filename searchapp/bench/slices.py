"""Slices: the same measures over a part of the queries, with how many queries that part has."""

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from searchapp.bench.report import Slice
from searchapp.errors import UsageError
from searchapp.metrics.uncertainty import bootstrap_means
from searchapp.records import Query, Value

LENGTH, FILED, NONE = "length", "slice", "(none)"
"""What is no column: the number of words; what a slice file says; the value of a query that has none."""

BUCKETS = ((1, "1"), (2, "2"), (4, "3-4"), (8, "5-8"))
"""The most words of each bucket of `length`; whatever is longer is OVER."""
OVER = "9+"

Slices = dict[str, dict[str, tuple[str, ...]]]
"""by -> value -> query ids."""

# Han with its iteration mark and zero; Hiragana; Katakana without the middle dot; Thai without the baht sign.
_UNSPACED = re.compile(
    r"[\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
    r"\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\u0e01-\u0e3a\u0e40-\u0e4e]+"
)


def cut_slices(queries: Sequence[Query], by: Sequence[str], named: Mapping[str, str] | None = None) -> Slices:
    """Cut queries into slices: by -> value -> query ids, in the order of the queries.

    `by` holds columns of the queries, and `length`: the number of words (see `count_words`) in the buckets 1, 2, 3-4,
    5-8 and 9+; a column of that name is out of reach. `named` (query_id -> value) is what a slice file says and
    appears as `slice`, unless it is empty. Values ascend, numbers before text; queries without one are `(none)`, last.

    Raises UsageError for a column that no query has, for a slice file that names none of the queries, and where
    `slice` is both a column and a slice file.

    >>> queries = [Query("1", "lamp", {"locale": "us"}), Query("2", "赤い革のバッグ")]
    >>> cut_slices(queries, ["locale", "length"])
    {'locale': {'us': ('1',), '(none)': ('2',)}, 'length': {'1': ('1',), '3-4': ('2',)}}
    """
    columns = {name for query in queries for name in query.fields}
    wanted = dict.fromkeys(by)
    if named:
        _check_filed(queries, columns if FILED in wanted else set(), named)
        wanted[FILED] = None
        columns.add(FILED)
    for name in wanted:
        if name != LENGTH and name not in columns:
            raise UsageError(
                f"no query has a column {name!r} to slice by; there are: {', '.join(sorted({*columns, LENGTH}))}"
            )
    return {name: _group(queries, name, named) for name in wanted}


def measure_slices(
    per_query: Mapping[str, NDArray[np.float64]],
    query_ids: Sequence[str],
    slices: Mapping[str, Mapping[str, Sequence[str]]],
) -> tuple[Slice, ...]:
    """Measure every slice: its means and their 95 % bootstrap intervals, in the order of `slices`.

    `per_query` holds float64 arrays (n,) aligned with the n `query_ids`, the queries in the means; `slices` is what
    `cut_slices` gives. A slice counts only its queries in the means. None is left out, however small: one with no
    query in the means has `queries` 0, and neither measures nor intervals.
    """
    rows = {query_id: row for row, query_id in enumerate(query_ids)}
    measured = []
    for by, values in slices.items():
        for value, members in values.items():
            chosen = [rows[query_id] for query_id in members if query_id in rows]
            part = {name: numbers[chosen] for name, numbers in per_query.items()} if chosen else {}
            means = {name: float(numbers.mean()) for name, numbers in part.items()}
            intervals = bootstrap_means(part) if part else {}
            measured.append(Slice(by, value, len(chosen), means, intervals))
    return tuple(measured)


def count_words(text: str) -> int:
    """Count the words of a query, at least 1.

    A word is what white space separates, if it has a letter or a digit. Scripts written without spaces (Han, Hiragana,
    Katakana, Thai) have no such words: a run of them counts one word for every two characters or part of two, vowel
    signs and tone marks not counted, and what stands before and after it counts on its own. Hangul has spaces.

    >>> [count_words(text) for text in ("red leather bag", "빨간 가죽 가방", "iPhone用ケース", "don't & won't")]
    [3, 3, 3, 2]
    """
    total = 0
    for token in unicodedata.normalize("NFKC", text).split():
        total += sum((_characters(run) + 1) // 2 for run in _UNSPACED.findall(token))
        total += sum(any(map(str.isalnum, rest)) for rest in _UNSPACED.split(token))
    return max(total, 1)


def length_bucket(text: str) -> str:
    """Return the bucket of a query's length.

    >>> [length_bucket("w " * words) for words in (1, 2, 3, 4, 5, 8, 9)]
    ['1', '2', '3-4', '3-4', '5-8', '5-8', '9+']
    """
    words = count_words(text)
    return next((name for most, name in BUCKETS if words <= most), OVER)


def _check_filed(queries: Sequence[Query], columns: set[str], named: Mapping[str, str]) -> None:
    if FILED in columns:
        raise UsageError(f"the queries have a column {FILED!r} and there is a slice file; leave one of them away")
    if not any(query.query_id in named for query in queries):
        found, wanted = next(iter(named), ""), queries[0].query_id if queries else ""
        raise UsageError(
            f"the slice file names {len(named)} queries (such as {found!r}), none of them among the {len(queries)} "
            f"that are judged (such as {wanted!r}); name those, a query id and its slice a line"
        )


def _group(queries: Sequence[Query], name: str, named: Mapping[str, str] | None) -> dict[str, tuple[str, ...]]:
    """Return value -> query ids of one way to slice, its values in order."""
    groups: dict[str, list[str]] = {}
    for query in queries:
        groups.setdefault(_value(query, name, named), []).append(query.query_id)
    order = [bucket for _, bucket in BUCKETS] + [OVER] if name == LENGTH else sorted(groups, key=_place)
    return {value: tuple(groups[value]) for value in order if value in groups}


def _value(query: Query, name: str, named: Mapping[str, str] | None) -> str:
    if name == LENGTH:
        return length_bucket(query.text)
    if name == FILED and named:
        return named.get(query.query_id, "").strip() or NONE
    return _text(query.fields.get(name))


def _text(value: Value) -> str:
    """Return a column's value as a slice is called: true, 2, 2.5, us; what is missing or empty is (none)."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return NONE if value is None else str(value).strip() or NONE


def _place(value: str) -> tuple[int, float, str]:
    """Return where a value stands among others: numbers by size, then text, then (none)."""
    if value == NONE:
        return 2, 0.0, value
    try:
        number = float(value)
    except ValueError:
        return 1, 0.0, value
    return (0, number, value) if number == number else (1, 0.0, value)


def _characters(run: str) -> int:
    return max(sum(not unicodedata.category(character).startswith("M") for character in run), 1)
