"""Slice files."""

import gzip

import pytest

from searchapp.corpus import read_slices
from searchapp.errors import InputError, RowError

SLICES = {"q1": "ブランド, long", "q 2": "한국어"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("s.tsv", "q1\tブランド, long\n\nq 2\t한국어\n"),
        ("s.txt", "query_id\tslice\r\nq1\tブランド, long\r\nq 2\t 한국어\r\n"),
        ("s", gzip.compress("Query-ID\tkind\nq1\tブランド, long\nq 2\t한국어".encode())),
        ("s.csv", 'q1,"ブランド, long"\nq 2,한국어\n'),
        ("s.csv.gz", gzip.compress('_id,slice\nq1,"ブランド, long"\nq 2,한국어\n'.encode())),
    ],
)
def test_two_columns(write, name: str, content: str | bytes) -> None:
    assert read_slices(write(name, content)) == SLICES


def test_only_the_first_line_can_be_a_header(write) -> None:
    assert read_slices(write("s.tsv", "qid\tslice\nq1\ta\nid\tb\n")) == {"q1": "a", "id": "b"}


@pytest.mark.parametrize(
    ("name", "line", "gist"),
    [
        ("s.tsv", "q2", "found 1 columns, expected 2 with a tab between: query_id, slice"),
        ("s.tsv", "q2\ta\tb", "found 3 columns, expected 2 with a tab between"),
        ("s.tsv", "q2\t ", "the slice is empty; expected a query id and a slice"),
        ("s.tsv", "\ta", "the query id is empty; expected a query id and a slice"),
        ("s.tsv", "q1\tb", "the query 'q1' is in {path}:1 already; expected it once"),
        ("s.csv", "q2,a,b", "found 3 columns, expected 2 with a comma between"),
        ("s.csv", 'q2,"a"b', "no CSV"),
        ("s.csv", 'q2,"a', "no CSV"),
    ],
)
def test_bad_lines(write, name: str, line: str, gist: str) -> None:
    path = write(name, ("q1,a" if name == "s.csv" else "q1\ta") + f"\n{line}\n")
    with pytest.raises(RowError) as caught:
        read_slices(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert gist.replace("{path}", str(path)) in str(caught.value)


def test_a_line_that_is_not_utf8_is_an_error(write) -> None:
    with pytest.raises(RowError, match=":2: byte 0xff"):
        read_slices(write("s.tsv", b"q1\ta\n\xff\tb\n"))


@pytest.mark.parametrize("content", ["", "\n", "query_id\tslice\n"])
def test_an_empty_file_is_an_error(write, content: str) -> None:
    with pytest.raises(InputError, match="holds no slices; expected lines of: query_id, slice with a tab between"):
        read_slices(write("s.tsv", content))


def test_one_file_is_read(write) -> None:
    write("a/s.tsv", "q1\ta\n")
    folder = write("a/t.tsv", "q2\tb\n").parent
    with pytest.raises(InputError, match="names 2 files; name one slice file"):
        read_slices(folder)
