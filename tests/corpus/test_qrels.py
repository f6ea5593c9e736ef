"""Judgments in TREC's and BEIR's form, with odd white space and bad rows."""

import gzip
from pathlib import Path

import pytest
import pytrec_eval

from searchapp.corpus import BadRows, read_qrels
from searchapp.errors import InputError, RowError

EXPECTED = {"q1": {"a": 1, "b": 0}, "q2": {"a": -2}}


@pytest.mark.parametrize(
    "content",
    [
        "q1 0 a 1\nq1 0 b 0\nq2 0 a -2\n",
        "q1\t0\ta\t1\nq1  0\t \tb   0\t\n\n  q2 Q0 a -2",
        "\ufeffq1 0 a 1\r\nq1 0 b 0.0\r\n \r\nq2 0 a -2  \r\n",
        "q1 0\ta\t1\nq1 0\tb\t0\nq2 0\ta\t-2\n",
        "query-id\tcorpus-id\tscore\nq1\ta\t1\nq1\tb\t0\nq2\ta\t-2\n",
        "Query-ID\tcorpus-id\tscore\r\nq1\ta\t1.0\r\n\r\nq1\tb\t0\r\nq2\ta\t-2\r\n",
        "score\tdoc_id\tquery_id\n1\ta\tq1\n0\tb\tq1\n-2\ta\tq2\n",
    ],
)
def test_every_form_reads_the_same(write, content: str) -> None:
    assert read_qrels(write("qrels", content)) == EXPECTED
    assert read_qrels(write("qrels.gz", gzip.compress(content.encode()))) == EXPECTED


def test_ids_may_hold_what_is_no_ascii_white_space(write) -> None:
    assert read_qrels(write("qrels", "問\u3000一 0 a\u00a0b 1\n")) == {"問\u3000一": {"a\u00a0b": 1}}
    assert read_qrels(write("x.tsv", "query-id\tcorpus-id\tscore\nq 1\td 1\t1\n")) == {"q 1": {"d 1": 1}}


BAD = [
    ("q1 0 a 1\nq1 0 a\n", 2, "found 3 columns, expected 4 (query_id 0 doc_id grade)"),
    ("q1 0 a 1\nq1 0 b 1 x\n", 2, "found 5 columns, expected 4"),
    ("q1 0 a 1\nq1 0 b E\n", 2, "the grade is 'E', expected a whole number"),
    ("q1 0 a 1\nq1 0 b 0.5\n", 2, "the grade is '0.5', expected a whole number"),
    ("q1 0 a 1\nq1 0 b 1_0\n", 2, "the grade is '1_0'"),
    ("q1 0 a 1\nq1 0 b ١\n", 2, "the grade is '١'"),
    ("q1 0 a 1\n\nq1 0 a 2\n", 3, "document 'a' get grade 2 here and 1 in {path}:1"),
    ("q1 0 a 1\nq1 0 a 1\n", 2, "document 'a' get grade 1 here and 1 in {path}:1"),
    ("q1 0 a 1\nq1 0 \ufffd 1\n".encode().replace("\ufffd".encode(), b"\xff"), 2, "byte 0xff"),
    ("q1 0 a 1\nq1 0 b\0 1\n", 2, "a NUL byte"),
    ("query-id\tcorpus-id\tscore\nq1\ta\t1\nq1 b 1\n", 3, "found 1 columns, expected 3 with tabs"),
    ("query-id\tcorpus-id\tscore\nq1\ta\t1\n\tb\t1\n", 3, "an id is empty"),
]


@pytest.mark.parametrize(("content", "line", "gist"), BAD)
def test_bad_rows(write, content: str | bytes, line: int, gist: str) -> None:
    path = write("qrels", content)
    with pytest.raises(RowError) as caught:
        read_qrels(path)
    assert str(caught.value).startswith(f"{path}:{line}: ")
    assert gist.replace("{path}", str(path)) in str(caught.value)
    skipping = BadRows("skip")
    assert read_qrels(path, skipping) == {"q1": {"a": 1}}
    assert skipping.skipped.count == 1


@pytest.mark.parametrize(
    ("content", "gist"),
    [
        ("", "holds no judgments"),
        ("query-id\tcorpus-id\tscore\n", "holds no judgments"),
        ("q1\ta\t1\n", ":1: found the header ['q1', 'a', '1'], expected query-id, corpus-id, score"),
        (b"\xff\n", ":1: the first line can't be read: byte 0xff"),
        (gzip.compress(b"".join(b"q1 0 %d 1\n" % i for i in range(999)))[:-9], "the file breaks off here"),
    ],
)
def test_files_that_are_no_qrels(write, content: str | bytes, gist: str) -> None:
    with pytest.raises(InputError) as caught:
        read_qrels(write("qrels", content))
    assert gist in str(caught.value)


def test_vaswani_reads_as_trec_eval_reads_it(real_data: Path) -> None:
    path = real_data / "vaswani" / "qrels"
    with path.open() as handle:
        assert read_qrels(path) == pytrec_eval.parse_qrel(handle)
