"""Whatever the bytes, there are documents or an error a person can act on; never anything else."""

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchapp.corpus import ReadOptions, open_corpus, open_dataset, read_qrels, read_queries, read_run
from searchapp.errors import SearchappError

NAMES = ("x.jsonl", "x.csv", "x.tsv", "x.parquet", "x.trec", "x", "x.jsonl.gz", "x.csv.zst")
PIECES = [
    *(
        b'{"_id": "a", "text": "b"}',
        b'{"id":1,"title":null}',
        b"{",
        b"}",
        b"[",
        b'"',
        b",",
        b"\t",
        b"\n",
        b"\r\n",
        b"\r",
    ),
    *(b"id,text", b"a,b", b"id\ttext", b"<DOC>", b"</DOC>", b"<DOCNO>", b"1</DOCNO>", b"<top>", b"</top>", b"<num>1"),
    *(
        b"<title>x",
        b"1 0 a 1",
        b"q Q0 d 1 0.5 t",
        b"query-id\tcorpus-id\tscore",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b"PAR1",
    ),
    *(b"\xed\xa0\x80", b"\\ud800", "日本語".encode(), b"1e999", b"NaN", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"\xff\xfe"),
]
CONTENT = st.one_of(st.binary(max_size=200), st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join))
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def check_everything(path: Path) -> None:
    """Read a file in every way there is: only an error of ours may come out, with a text that can be printed."""
    calls = [
        lambda: open_corpus(path).survey(),
        lambda: open_corpus(path, ReadOptions(on_bad_row="skip")).survey(),
        lambda: open_corpus(path, ReadOptions(text="{text}", store=("text",), on_bad_row="skip")).survey(),
        lambda: open_corpus(path.parent).survey(),
        lambda: open_dataset(path.parent),
        lambda: list(read_queries(path)),
        lambda: read_qrels(path),
        lambda: read_run(path),
    ]
    for call in calls:
        try:
            call()
        except SearchappError as error:
            assert str(error).strip()
            str(error).encode("utf-8")


@pytest.mark.parametrize("name", NAMES)
@SETTINGS
@given(CONTENT)
def test_random_bytes(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    check_everything(path)


def _zstd(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(raw)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize("pack", [gzip.compress, _zstd])
@SETTINGS
@given(st.data())
def test_compressed_files_with_bytes_changed(tmp_path: Path, pack, data: st.DataObject) -> None:
    raw = bytearray(pack(b"".join(b'{"_id": "%d", "text": "t%d"}\n' % (i, i * i) for i in range(50))))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    check_everything(path)
    if pack is gzip.compress:
        # gzip carries a checksum, so what can be read at all is what was written; zstd as written here has none.
        try:
            found = [(document.doc_id, document.text) for document in open_corpus(path).documents()]
        except SearchappError:
            return
        assert found == [(str(i), f"t{i * i}") for i in range(50)]


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@pytest.mark.parametrize(("name", "dialect"), [("x.csv", "excel"), ("x.tsv", "excel-tab")])
@SETTINGS
@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=8))
def test_what_the_csv_module_writes_is_read_back(tmp_path: Path, name: str, dialect: str, texts: list[str]) -> None:
    sink = io.StringIO(newline="")
    writer = csv.writer(sink, dialect)
    writer.writerow(["id", "text"])
    starts = []
    for number, text in enumerate(texts):
        starts.append(sink.getvalue().count("\n") + 1)
        writer.writerow([number, text])
    path = tmp_path / name
    path.write_bytes(sink.getvalue().encode("utf-8"))
    documents = list(open_corpus(path, ReadOptions(store=("text",))).documents())
    assert [document.fields["text"] for document in documents] == texts
    assert [document.where for document in documents] == [f"{path}:{start}" for start in starts]


@SETTINGS
@given(st.lists(TEXTS.filter(str.strip), min_size=1, max_size=8), st.booleans())
def test_what_the_json_module_writes_is_read_back(tmp_path: Path, texts: list[str], ascii_only: bool) -> None:
    rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    path = tmp_path / "x.jsonl"
    path.write_text("\n".join(json.dumps(row, ensure_ascii=ascii_only) for row in rows), "utf-8", newline="")
    documents = list(open_corpus(path).documents())
    assert [(document.doc_id, document.text) for document in documents] == [
        (str(number), text.strip()) for number, text in enumerate(texts)
    ]
