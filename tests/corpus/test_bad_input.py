"""Every bad input there is: the message names path:line, what was found, and what to do."""

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import ReadOptions, open_corpus
from searchapp.errors import InputError, RowError, SearchappError, UsageError

GOOD = '{"_id": "a", "text": "one"}\n'
LONG = 10 << 20

# name of the file, its bytes, the line that is bad, what the message says
ROWS = [
    ("x.jsonl", GOOD + '{"_id": "b", "text"\n', 2, "no JSON: Expecting ':' delimiter at position 21"),
    (
        "x.jsonl",
        GOOD + '["b", "two"]\n',
        2,
        "found a list, expected one object a line; turn a JSON array into lines: jq",
    ),
    ("x.jsonl", GOOD + "17\n", 2, "found an integer, expected one object a line"),
    ("x.jsonl", GOOD + '{"_id": "b", "_id": "c", "text": "two"}\n', 2, "the key '_id' is there twice"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": NaN}\n', 2, "NaN is not allowed in JSON; write null"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": "two", "price": ' + "9" * 5000 + "}\n", 2, "no JSON: Exceeds the limit"),
    ("x.jsonl", GOOD + "[" * 100_000 + "\n", 2, "brackets nested too deep"),
    ("x.jsonl", GOOD + '{"text": "two"}\n', 2, "no column '_id' among the columns text"),
    ("x.jsonl", GOOD + '{"_id": "b", "body": "two"}\n', 2, "no column 'text' among the columns _id, body"),
    ("x.jsonl", GOOD + '{"_id": "", "text": "two"}\n', 2, "the id in '_id' is empty"),
    ("x.jsonl", GOOD + '{"_id": null, "text": "two"}\n', 2, "the id in '_id' is null, expected text or an integer"),
    ("x.jsonl", GOOD + '{"_id": true, "text": "two"}\n', 2, "the id in '_id' is true or false"),
    ("x.jsonl", GOOD + '{"_id": 1.5, "text": "two"}\n', 2, "the id in '_id' is a float"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": ""}\n', 2, "the text '{text}' is empty"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": " \\n\\u3000"}\n', 2, "the text '{text}' is empty"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": null}\n', 2, "the text '{text}' is empty"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": ["two"]}\n', 2, "the column 'text' holds a list, expected text"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": {"en": "two"}}\n', 2, "the column 'text' holds an object"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": 1e999}\n', 2, "the column 'text' holds inf"),
    ("x.jsonl", GOOD + '{"_id": "a", "text": "two"}\n', 2, "the id 'a' is in {path}:1 already"),
    ("x.jsonl", GOOD.encode() + b'{"_id": "b", "text": "caf\xe9"}\n', 2, "byte 0xe9 at position 26 is not UTF-8"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": "cut \\ud83d"}\n', 2, "half a surrogate pair (U+D83D at position 5)"),
    ("x.jsonl", GOOD + '{"_id": "b\\udc00", "text": "two"}\n', 2, "the id holds half a surrogate pair"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": "t", "c": "\\udc00"}\n', 2, "the column 'c' holds half a surrogate pair"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": "t", "\\udc00": 1}\n', 2, "the name of a column holds half a surrogate"),
    (
        "x.jsonl",
        GOOD + '{"_id": "b", "text": "' + "x" * LONG + '"}\n',
        2,
        "a line of 10,485,785 bytes, expected at most",
    ),
    ("x.jsonl", GOOD.encode() + b'{"_id": "b", "text": "\0"}\n', 2, "a NUL byte at position 23"),
    ("x.jsonl", GOOD + '{"_id": "b", "text": "two\\u0000"}\n', 2, "the text holds a NUL character at position 4"),
    ("x.csv", "id,text\na,one\nb,two,three\n", 3, "found 3 cells, expected 2 as in the header (id, text)"),
    ("x.csv", "id,text\na,one\nb\n", 3, "found 1 cells, expected 2"),
    ("x.csv", 'id,text\na,"one"x\n', 2, "no CSV: ',' expected after '\"'"),
    ("x.csv", 'id,text\na,"one\ntwo"\nb,""\n', 4, "the text '{text}' is empty"),
    ("x.csv", 'id,text\na,"one\ntwo"\na,three\n', 4, "the id 'a' is in {path}:2 already"),
    ("x.csv", b'id,text\na,"one\ncaf\xe9"\n', 3, "byte 0xe9 at position 4 is not UTF-8"),
    ("x.csv", b"id,text\na,one\nb,t\0wo\n", 3, "a NUL byte at position 4"),
    ("x.csv", "id,text\na,one\nb," + "x" * LONG + "\n", 3, "a line of 10,485,763 bytes"),
    ("x.tsv", "id\ttext\na\tone\nb\ttwo\tthree\n", 3, "quote a cell that holds a tab"),
    ("x.trec", "<DOC>\n<DOCNO>1</DOCNO>\none\n", 1, "<DOC> is not closed before the end of the file"),
    (
        "x.trec",
        "<DOC>\n<DOCNO>1</DOCNO>a\n<DOC>\n<DOCNO>2</DOCNO>b</DOC>",
        1,
        "not closed before the next one in line 3",
    ),
    ("x.trec", "<DOC>\none\n</DOC>\n", 1, "<DOC> with 0 of <DOCNO>"),
    ("x.trec", "<DOC>\n<DOCNO> </DOCNO>\none\n</DOC>\n", 1, "the id in 'docno' is empty"),
    ("x.trec", "<DOC>\n<DOCNO>1</DOCNO>\none\n</DOC>\nstray\n", 5, "text outside <DOC>: 'stray'"),
    ("x.trec", "<DOC><DOCNO>1</DOCNO>one</DOC>\n</DOC>\n", 2, "</DOC> without <DOC>"),
    ("x.trec", b"<DOC><DOCNO>1</DOCNO>one</DOC>\n\xff\n", 2, "byte 0xff at position 1"),
    (
        "x.trec",
        "\n<DOC><DOCNO>1</DOCNO>\n" + ("a" * 1023 + "\n") * (10 << 10) + "</DOC>",
        2,
        "<DOC> of 10,485,777 characters",
    ),
    ("x.trec", b"<DOC>\n<DOCNO>1</DOCNO>\ncaf\xe9\n</DOC>\n", 3, "byte 0xe9 at position 4 is not UTF-8"),
    ("x.trec", b"<DOC><DOCNO>1</DOCNO>caf\xe9</DOC>\n", 1, "byte 0xe9"),
    ("x.trec", "<DOC>\n<DOCNO>1</DOCNO>\n<b> </b>\n</DOC>\n", 1, "the text '{text}' is empty"),
]


def every_document(path: Path | str, options: ReadOptions = ReadOptions()) -> list[str]:
    return [document.doc_id for document in open_corpus(path, options).documents()]


@pytest.mark.parametrize(("name", "content", "line", "gist"), ROWS, ids=lambda value: str(value)[:40])
def test_a_bad_row_is_an_error_with_its_line(write, name: str, content: str | bytes, line: int, gist: str) -> None:
    path = write(name, content)
    with pytest.raises(RowError) as caught:
        every_document(path)
    message = str(caught.value)
    assert message.startswith(f"{path}:{line}: ")
    assert gist.replace("{path}", str(path)) in message
    assert message.endswith("or leave such rows out with --on-bad-row skip")


@pytest.mark.parametrize(("name", "content", "line", "gist"), ROWS, ids=lambda value: str(value)[:40])
def test_a_bad_row_is_counted_under_skip(write, name: str, content: str | bytes, line: int, gist: str) -> None:
    endings = {"jsonl": '{"_id": "z", "text": "last"}\n', "csv": "z,last\n", "tsv": "z\tlast\n"}
    endings["trec"] = "\n<DOC><DOCNO>z</DOCNO>last</DOC>\n"
    raw = content if isinstance(content, bytes) else content.encode()
    path = write(name, raw + endings[name.split(".")[1]].encode())
    corpus = open_corpus(path, ReadOptions(on_bad_row="skip"))
    documents = list(corpus.documents())
    assert documents[-1].doc_id == "z"
    assert corpus.skipped.count == 1
    (where, reason) = corpus.skipped.rows[0]
    assert where == f"{path}:{line}"
    if "end of the file" not in gist:
        assert gist.replace("{path}", str(path)) in reason
    assert "--on-bad-row" not in reason


GZ = gzip.compress("".join(json.dumps({"_id": f"{i}", "text": f"{i * i:x}"}) + "\n" for i in range(5000)).encode())


@pytest.mark.parametrize("policy", ["error", "skip"])
@pytest.mark.parametrize("cut", [len(GZ) // 2, len(GZ) - 4, 12])
def test_a_truncated_gz_is_an_error_under_any_policy(write, cut: int, policy: str) -> None:
    path = write("x.jsonl.gz", GZ[:cut])
    with pytest.raises(InputError, match=rf"^{path}:\d+: the file breaks off here .*fetch or write it again"):
        every_document(path, ReadOptions(on_bad_row=policy))


def test_the_line_at_which_a_gz_breaks_off_is_the_one_after_the_last_whole_one(write) -> None:
    path = write("x.jsonl.gz", GZ[: len(GZ) // 2])
    read = []
    with pytest.raises(InputError) as caught:
        for document in open_corpus(path).documents():
            read.append(document.doc_id)
    assert read == [str(i) for i in range(len(read))]
    assert len(read) > 100
    assert f"{path}:{len(read) + 1}: " in str(caught.value)


def test_damage_inside_a_gz_is_an_error(write) -> None:
    raw = bytearray(GZ)
    raw[len(raw) // 2] ^= 0xFF
    with pytest.raises(InputError, match=r"x.jsonl.gz:\d+"):
        every_document(write("x.jsonl.gz", bytes(raw)))


def test_a_truncated_zst_is_an_error(write, tmp_path: Path) -> None:
    whole = tmp_path / "whole.zst"
    with pa.CompressedOutputStream(str(whole), "zstd") as stream:
        stream.write(gzip.decompress(GZ))
    path = write("x.jsonl.zst", whole.read_bytes()[:-7])
    with pytest.raises(InputError, match=rf"^{path}:\d+: the file breaks off here"):
        every_document(path)


STRUCTURE = [
    ("x.jsonl", "", "holds no documents; expected at least one"),
    ("x.jsonl", "\n \n", "holds no documents; expected at least one"),
    ("x.csv", "id,text\n", "holds no documents; expected at least one"),
    ("x.csv", 'id,text\na,"one\nb,two\n', ":2: a quote opened in the record that starts here is not closed"),
    (
        "x.csv",
        'id,text\na,b\na,"one\n' + ("b" * 1020 + ",two\n") * (10 << 10),
        ":3: a quote opened in the record that starts here",
    ),
    ("x.csv", "id,text,id\na,b,c\n", ":1: the header names 'id' twice"),
    ("x.csv", b"id,caf\xe9\na,b\n", ":1: the header can't be read: byte 0xe9"),
    ("x.csv", "id;text\na;b\n", ":2: no id column (_id, id, doc_id, docid, product_id) among the columns id;text"),
    ("x.jsonl", GOOD.encode("utf-16"), ":1: this is UTF-16, expected UTF-8; convert the file: iconv"),
    ("x.jsonl", '{"key": "a", "text": "b"}\n', ":1: no id column"),
    ("x.jsonl", '{"key": "a", "text": "b"}\n', "name it, such as --id 'key'"),
    ("x.jsonl", '{"id": "a", "blurb": "b"}\n', ":1: no text column (title, text, ...) among the columns id, blurb"),
    ("x.jsonl", '{"id": "a", "blurb": "b"}\n', "name it, such as --text '{blurb}'"),
    ("x.parquet", GOOD, "can't be read as Parquet"),
    ("x.parquet", b"PAR1" + b"\0" * 100 + b"PAR1", "can't be read as Parquet"),
    ("x.parquet", b"", "can't be read as Parquet"),
    (
        "notes.txt",
        "some words",
        "is no corpus: found notes.txt (unknown); type --format with one of: beir, esci, jsonl",
    ),
    ("topics.txt", "<top><num>1</num><title>x</title></top>", "found topics.txt (topics)"),
]


@pytest.mark.parametrize(("name", "content", "gist"), STRUCTURE)
def test_a_file_that_is_bad_as_a_whole_is_an_error_under_any_policy(write, name, content, gist) -> None:
    path = write(name, content)
    for policy in ("error", "skip"):
        with pytest.raises(InputError) as caught:
            every_document(path, ReadOptions(on_bad_row=policy))
        assert str(path) in str(caught.value)
        assert gist in str(caught.value)


def test_a_truncated_parquet_is_an_error(write, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a"] * 10, "text": ["b"] * 10}), tmp_path / "whole")
    path = write("x.parquet", (tmp_path / "whole").read_bytes()[:-5])
    with pytest.raises(InputError, match=f"^{path} can't be read as Parquet"):
        every_document(path)


def test_nothing_but_bad_rows_is_an_error_that_names_the_first(write) -> None:
    path = write("x.jsonl", "{\n[\n")
    with pytest.raises(InputError, match=rf"holds no good row; of 2 bad ones the first is {path}:1: no JSON"):
        every_document(path, ReadOptions(on_bad_row="skip"))


def test_a_10_mb_line_is_refused_without_being_held(write) -> None:
    path = write("x.jsonl.gz", gzip.compress((GOOD + '{"_id": "b", "text": "' + "x" * (100 << 20)).encode(), 1))
    tracemalloc.start()
    try:
        with pytest.raises(RowError, match=r"x.jsonl.gz:2: a line of 104,857,622 bytes"):
            every_document(path)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


OPTIONS: list[tuple[Callable[[], ReadOptions], type[SearchappError], str]] = [
    (lambda: ReadOptions(format="xml"), UsageError, "--format xml is unknown; type one of: auto, beir, esci, jsonl"),
    (lambda: ReadOptions(on_bad_row="ignore"), UsageError, "type --on-bad-row error or skip"),
    (lambda: ReadOptions(version="tiny"), UsageError, "type --version small or large"),
    (lambda: ReadOptions(store="brand"), UsageError, "give a tuple of columns: ('brand',)"),
    (lambda: ReadOptions(locale="us"), UsageError, "--locale and --version go with ESCI folders"),
    (lambda: ReadOptions(text="title"), UsageError, "names no column; write it like --text '{title}'"),
    (
        lambda: ReadOptions(text="{titel}"),
        InputError,
        ":1: no column 'titel' among the columns id, title, Brand; perhaps",
    ),
    (lambda: ReadOptions(text="{titel}"), InputError, "perhaps --text '{title}'"),
    (lambda: ReadOptions(text="{brand}"), InputError, "perhaps --text '{Brand}'"),
    (lambda: ReadOptions(id_column="ids"), InputError, "perhaps --id 'id'"),
    (lambda: ReadOptions(id_column="zzz"), InputError, "name one of them with --id"),
    (lambda: ReadOptions(store=("bran",)), InputError, "perhaps --store 'Brand'"),
    (lambda: ReadOptions(format="beir"), InputError, "is no folder, and --format beir is one"),
]


@pytest.mark.parametrize(("options", "kind", "gist"), OPTIONS)
def test_options_that_don_t_fit_say_what_to_type(write_rows, options, kind, gist: str) -> None:
    path = write_rows("x.jsonl", {"id": "a", "title": "one", "Brand": "Acme"})
    with pytest.raises(kind) as caught:
        every_document(path, options())
    assert gist in str(caught.value)


def test_a_path_that_is_not_there_names_the_nearest(write) -> None:
    path = write("products.jsonl", GOOD)
    with pytest.raises(InputError, match=rf"product.jsonl does not exist \(there is {path}\)"):
        every_document(path.with_name("product.jsonl"))
    with pytest.raises(InputError, match="names no file"):
        every_document(path.parent / "*.csv")
    with pytest.raises(InputError, match=r"can't be opened|does not exist"):
        every_document("a\0b")


def test_a_column_of_text_that_comes_late_is_not_lost(write) -> None:
    rows = "".join(f'{{"id": {i}, "text": "x"}}\n' for i in range(1500))
    path = write("x.jsonl", rows + '{"id": "z", "text": "two", "title": "t"}\n')
    with pytest.raises(RowError) as caught:
        every_document(path)
    assert f"{path}:1501: a column 'title' that no row had before, while the text is '{{text}}'" in str(caught.value)
    assert "--text '{title} {text}'" in str(caught.value)


def test_a_numeric_title_is_text_and_a_folder_of_nothing_says_so(write, write_rows) -> None:
    path = write_rows("x.jsonl", {"id": 1, "title": 5, "text": True}, {"id": 2, "title": 1.5, "text": False})
    assert [document.text for document in open_corpus(path).documents()] == ["5 true", "1.5 false"]
    write("sub/a.jsonl", "")
    write("sub/b.jsonl", "")
    with pytest.raises(InputError, match=r"sub/a.jsonl \(and 1 more\) holds no documents"):
        every_document(path.parent / "sub")
    (path.parent / "bare").mkdir()
    with pytest.raises(InputError, match="bare holds no files"):
        every_document(path.parent / "bare")
