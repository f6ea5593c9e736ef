"""Queries from every format."""

import pytest

from searchapp.corpus import BadRows, read_queries
from searchapp.errors import InputError, RowError
from searchapp.records import Query


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (
            "q.jsonl",
            '{"_id": 1, "text": " 赤い ", "locale": "jp", "metadata": {}}\n{"_id": "2", "text": "b", "locale": "us"}\n',
        ),
        ("q.csv", "query_id,query,locale\r\n1,赤い,jp\r\n2,b,us\r\n"),
        ("q.tsv", "id\ttext\tlocale\n1\t赤い\tjp\n2\tb\tus\n"),
    ],
)
def test_columns_by_their_names(write, name: str, content: str) -> None:
    expected = [Query("1", "赤い", {"locale": "jp"}), Query("2", "b", {"locale": "us"})]
    assert list(read_queries(write(name, content))) == expected


BAD = [
    ('{"_id": "1", "text": "b"}\n', "the query id '1' is in {path}:1 already"),
    ('{"_id": "2", "text": " "}\n', "the query in 'text' is empty"),
    ('{"_id": "2", "text": 5}\n', "the query in 'text' is an integer, expected text"),
    ('{"_id": "2", "text": "\\ud800"}\n', "the query holds half a surrogate pair"),
    ('{"_id": "2", "text": "a\\u0000"}\n', "the query holds a NUL"),
    ('{"text": "a"}\n', "no query id column (_id, id, query_id, query-id, qid) among the columns text"),
    ('{"_id": "2", "words": "a"}\n', "no query text column (text, query, title) among the columns _id, words"),
    ("{\n", "no JSON"),
]


@pytest.mark.parametrize(("line", "gist"), BAD)
def test_bad_rows(write, line: str, gist: str) -> None:
    path = write("q.jsonl", '{"_id": "1", "text": "a"}\n' + line)
    with pytest.raises(RowError) as caught:
        list(read_queries(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert gist.replace("{path}", str(path)) in str(caught.value)
    skipping = BadRows("skip")
    assert [query.query_id for query in read_queries(path, skipping)] == ["1"]
    assert skipping.skipped.count == 1


@pytest.mark.parametrize(
    ("name", "content", "gist"),
    [
        ("q.jsonl", "", "holds no queries"),
        ("q.txt", "red bag\n", "is no queries file: its format is unknown; expected jsonl, csv, tsv, parquet, topics"),
        ("qrels.txt", "1 0 a 1\n", "is no queries file: it looks like qrels"),
        ("docs", "<DOC>", "it looks like trec"),
    ],
)
def test_files_that_are_no_queries(write, name: str, content: str, gist: str) -> None:
    with pytest.raises(InputError) as caught:
        list(read_queries(write(name, content)))
    assert gist in str(caught.value)
