"""Values of every Arrow type, batches, and damage."""

import datetime
import decimal
import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import ReadOptions, open_corpus
from searchapp.corpus.parquet import Where, read_parquet
from searchapp.corpus.rows import Opaque
from searchapp.corpus.sources import Source
from searchapp.errors import InputError, RowError

DAY = datetime.datetime(2024, 5, 6, 7, 8, 9)
COLUMNS = {
    "id": (pa.array([1, 2], pa.int64()), [1, 2]),
    "text": (pa.array(["赤い", None], pa.large_string()), ["赤い", None]),
    "view": (pa.array(["v", None], pa.string_view()), ["v", None]),
    "category": (pa.array(["c", None]).dictionary_encode(), ["c", None]),
    "price": (pa.array([1.5, float("nan")]), [1.5, None]),
    "half": (pa.array([0.5, None], pa.float16()), [0.5, None]),
    "flag": (pa.array([True, None]), [True, None]),
    "none": (pa.array([None, None], pa.null()), [None, None]),
    "when": (pa.array([DAY, None], pa.timestamp("us")), ["2024-05-06 07:08:09.000000", None]),
    "nanos": (pa.array([1, None], pa.timestamp("ns")), ["1970-01-01 00:00:00.000000001", None]),
    "day": (pa.array([DAY.date(), None]), ["2024-05-06", None]),
    "took": (pa.array([5, None], pa.duration("s")), [5, None]),
    "money": (pa.array([decimal.Decimal("1.20"), None]), ["1.20", None]),
    "bytes": (pa.array(["é".encode(), b"\xff"]), ["é", Opaque("bytes that are not UTF-8 (0xff at position 1)")]),
    "tags": (pa.array([["a"], None]), [Opaque("a list<item: string>"), None]),
    "nested": (pa.array([{"a": 1}, None]), [Opaque("a struct<a: int64>"), None]),
    "a.b": (pa.array(["dot", None]), ["dot", None]),
}


def test_every_type_becomes_plain(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({name: array for name, (array, _) in COLUMNS.items()}), path)
    rows = list(read_parquet(Source(path, "x")))
    for index, row in enumerate(rows):
        found = {name: str(value) if str(value).startswith("Opaque") else value for name, value in row.columns.items()}
        expected = {name: values[index] for name, (_, values) in COLUMNS.items()}
        assert {
            name: value.replace("element", "item") if isinstance(value, str) else value for name, value in found.items()
        } == {name: str(value) if isinstance(value, Opaque) else value for name, value in expected.items()}
    some = next(read_parquet(Source(path, "x"), columns=["text", "id", "a.b"]))
    assert some.columns == {"id": 1, "text": "赤い", "a.b": "dot"}


def test_rows_keep_their_numbers_across_batches_and_filters(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"id": list(range(5000)), "locale": [("us", "jp", None)[i % 3] for i in range(5000)]})
    pq.write_table(table, path, row_group_size=700)
    rows = list(read_parquet(Source(path, "x"), where=Where("locale", "jp")))
    assert [(row.number, row.columns["id"]) for row in rows] == [(i + 1, i) for i in range(1, 5000, 3)]
    assert [row.number for row in read_parquet(Source(path, "x"))] == list(range(1, 5001))


def test_a_column_that_is_no_text_is_refused_as_text(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"id": ["a"], "text": [["b"]]}), path)
    with pytest.raises(RowError, match=f"^{path}:1: the column 'text' holds a list<.*>, expected text or a number"):
        list(open_corpus(path).documents())


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    broken = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"id": ["a", "b"], "text": broken}), path)
    with pytest.raises(RowError, match=f"^{path}:2: the column 'text' holds bytes that are not UTF-8"):
        list(open_corpus(path).documents())


def test_a_file_damaged_inside_is_an_error_after_the_rows_before(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    table = pa.table({"id": [f"{i}" for i in range(5000)], "text": [f"text {i * i}" for i in range(5000)]})
    pq.write_table(table, path, row_group_size=1000, compression="zstd", use_dictionary=False)
    raw = bytearray(path.read_bytes())
    start = pq.ParquetFile(path).metadata.row_group(3).column(1).data_page_offset
    raw[start : start + 2000] = b"\0" * 2000
    path.write_bytes(raw)
    corpus = open_corpus(path, ReadOptions(on_bad_row="skip"))
    with pytest.raises(InputError, match=rf"^{path}:\d{{4}}: the file breaks off here"):
        list(corpus.documents())


def test_a_truncated_parquet_gz_is_an_error(tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"], "text": ["b"]}), tmp_path / "whole")
    path = tmp_path / "x.parquet.gz"
    path.write_bytes(gzip.compress((tmp_path / "whole").read_bytes())[:-9])
    with pytest.raises(InputError, match=f"^{path}: the file breaks off here"):
        open_corpus(path)


def test_a_column_that_is_there_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table([["a"], ["b"], ["c"]], ["id", "text", "id"]), path)
    with pytest.raises(InputError, match="has two columns 'id'"):
        open_corpus(path)
