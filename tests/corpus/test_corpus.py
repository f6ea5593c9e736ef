"""Corpora: formats, folders, globs, streams, duplicates, surveys; and real ones."""

import contextlib
import gzip
import hashlib
import json
import os
import subprocess
import sys
import threading
import unicodedata
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import Corpus, ReadOptions, open_corpus
from searchapp.errors import InputError, RowError, UsageError
from searchapp.records import Document

ROWS = [
    {"_id": "ja-1", "title": "赤い革のバッグ", "text": "本革、ショルダー付き"},
    {"_id": "ko-1", "title": "빨간 가죽 가방", "text": "어깨끈 포함"},
    {"_id": "es-1", "title": "Bolso de cuero", "text": "rojo, español, ¿cuánto?"},
    {"_id": "sw-1", "title": "Mkoba wa ngozi", "text": "mwekundu"},
    {"_id": "em-1", "title": "👜", "text": 'say "red", \\ and\u2028more'},
]
TEXTS = [f"{row['title']} {row['text']}" for row in ROWS]


def jsonl(rows: list[dict[str, str]]) -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def delimited(rows: list[dict[str, str]], separator: str) -> bytes:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"'

    lines = [separator.join(rows[0])] + [separator.join(map(cell, row.values())) for row in rows]
    return "\r\n".join(lines).encode()


def zstd(raw: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(raw)
    return sink.getvalue().to_pybytes()


def parquet(rows: list[dict[str, str]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=2)
    return sink.getvalue().to_pybytes()


MAKERS = {
    "jsonl": jsonl,
    "csv": lambda rows: delimited(rows, ","),
    "tsv": lambda rows: delimited(rows, "\t"),
    "parquet": parquet,
}


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize(
    ("ending", "pack"), [("", bytes), (".gz", gzip.compress), (".zst", zstd), (".zstd", zstd)], ids=lambda v: str(v)[:5]
)
def test_every_format_gives_the_same_documents_plain_and_compressed(write, kind, ending, pack) -> None:
    path = write(f"shop.{kind}{ending}", pack(MAKERS[kind](ROWS)))
    corpus = open_corpus(path)
    documents = list(corpus.documents())
    assert (corpus.name, corpus.format, corpus.text_template) == ("shop", kind, "{title} {text}")
    assert [document.doc_id for document in documents] == [row["_id"] for row in ROWS]
    assert [document.text for document in documents] == TEXTS
    assert [dict(document.fields) for document in documents] == [
        {"title": row["title"], "text": row["text"]} for row in ROWS
    ]
    first = 2 if kind in ("csv", "tsv") else 1
    assert [document.where for document in documents] == [f"{path}:{first + i}" for i in range(len(ROWS))]


@pytest.mark.parametrize("how", ["folder", "glob"])
def test_a_folder_and_a_glob_are_read_in_order_of_names(write, tmp_path: Path, how: str) -> None:
    for name, row in zip(("b.jsonl.gz", "a.jsonl", "c.jsonl"), ROWS[:3], strict=True):
        raw = jsonl([row])
        write(f"parts/{name}", gzip.compress(raw) if name.endswith("gz") else raw)
    for stray in ("README.md", "_SUCCESS", ".hidden.jsonl"):
        write(f"parts/{stray}", "not a corpus")
    corpus = open_corpus(tmp_path / "parts" if how == "folder" else f"{tmp_path}/parts/[a-c].jsonl*")
    assert corpus.name == "parts"
    assert [document.doc_id for document in corpus.documents()] == ["ko-1", "ja-1", "es-1"]


def test_a_relative_glob_works(write, tmp_path: Path) -> None:
    write("sub/x.jsonl", jsonl(ROWS))
    with contextlib.chdir(tmp_path):
        assert open_corpus("*/x.jsonl").survey().count == 5
        assert open_corpus("sub").name == "sub"
    with pytest.raises((UsageError, InputError), match="glob"):
        open_corpus("**x/[")


@pytest.mark.parametrize("pattern", ["[?]*/.", "?/../.", "*/..", "**x/[", "*\0", "[!]", "***"])
def test_an_ugly_glob_is_told_in_one_line(tmp_path: Path, pattern: str) -> None:
    with contextlib.chdir(tmp_path), pytest.raises((UsageError, InputError), match=r"write (it|the glob) like"):
        open_corpus(pattern)


def test_mixed_formats_in_a_folder_are_refused_and_can_be_forced(write, tmp_path: Path) -> None:
    write("a.jsonl", jsonl(ROWS[:1]))
    write("b.csv", delimited(ROWS[1:2], ","))
    with pytest.raises(InputError, match=r"mixes csv and jsonl \(b.csv, a.jsonl\); type --format"):
        open_corpus(tmp_path)
    forced = open_corpus(tmp_path, ReadOptions(format="csv"))
    assert [document.doc_id for document in forced.documents()] == ["ko-1"]


def test_a_format_can_be_forced_and_is_sniffed_without_an_ending(write) -> None:
    named = write("rows.txt", delimited(ROWS, "\t"))
    assert open_corpus(named, ReadOptions(format="tsv")).survey().count == 5
    for maker, kind in ((jsonl, "jsonl"), (parquet, "parquet")):
        assert open_corpus(write("rows", maker(ROWS))).format == kind
    assert open_corpus(write("docs", "\ufeff\n<doc>\n<docno>1</docno>x</doc>")).format == "trec"


def test_standard_input_is_json_lines_read_twice(write) -> None:
    program = (
        "from searchapp.corpus import open_corpus\n"
        "corpus = open_corpus('-')\n"
        "assert corpus.survey().count == 5\n"
        "print(corpus.name, corpus.format, [d.doc_id for d in corpus.documents()][0])\n"
        "print(next(corpus.documents()).where)\n"
    )
    root = Path(__file__).resolve().parents[2]
    for raw in (jsonl(ROWS), gzip.compress(jsonl(ROWS))):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], input=raw, capture_output=True, cwd=root, check=True
        )
        assert done.stdout.decode().split() == ["stdin", "jsonl", "ja-1", "<stdin>:1"]
        assert done.stderr == b""


def test_a_stream_that_is_no_file_is_spooled(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(jsonl(ROWS),))
    writer.start()
    corpus = open_corpus(pipe)
    writer.join()
    assert corpus.survey().count == 5
    assert next(corpus.documents()).where == f"{pipe}:1"


def test_a_duplicate_names_both_lines_across_files_and_windows(write, tmp_path: Path) -> None:
    many = [{"id": f"d{i}", "text": f"text {i}"} for i in range(20_000)]
    write("a.jsonl", jsonl(many))
    write("b.jsonl", jsonl([{"id": "new", "text": "n"}, {"id": "d123", "text": "again"}]))
    with pytest.raises(RowError) as caught:
        list(open_corpus(tmp_path).documents())
    assert str(caught.value).startswith(
        f"{tmp_path}/b.jsonl:2: the id 'd123' is in {tmp_path}/a.jsonl:124 already; expected every id once"
    )
    skipping = open_corpus(tmp_path, ReadOptions(on_bad_row="skip"))
    survey = skipping.survey()
    assert (survey.count, survey.skipped.count) == (20_001, 1)
    assert skipping.skipped == survey.skipped


def test_a_triple_duplicate_names_the_first_place_each_time(write) -> None:
    path = write("x.jsonl", jsonl([{"id": "a", "text": "x"}] * 3))
    corpus = open_corpus(path, ReadOptions(on_bad_row="skip"))
    assert len(list(corpus.documents())) == 1
    assert [(where, f"{path}:1" in reason) for where, reason in corpus.skipped.rows] == [
        (f"{path}:2", True),
        (f"{path}:3", True),
    ]


def test_what_is_good_before_a_bad_row_comes_first(write) -> None:
    path = write("x.jsonl", jsonl(ROWS[:2]) + b"{\n" + jsonl(ROWS[2:]))
    seen = []
    with pytest.raises(RowError, match=":3: "):
        for document in open_corpus(path).documents():
            seen.append(document.doc_id)
    assert seen == ["ja-1", "ko-1"]


def test_a_hundred_skipped_rows_are_listed_and_all_are_counted(write) -> None:
    path = write("x.jsonl", b"{\n" * 150 + jsonl(ROWS) + b"{\n" * 50)
    survey = open_corpus(path, ReadOptions(on_bad_row="skip")).survey()
    assert (survey.count, survey.skipped.count, len(survey.skipped.rows)) == (5, 200, 100)
    assert survey.skipped.rows[99][0] == f"{path}:100"


def test_every_pass_is_fresh(write) -> None:
    corpus = open_corpus(write("x.jsonl", jsonl(ROWS) + b"{\n"), ReadOptions(on_bad_row="skip"))
    assert [document.text for document in corpus.documents()] == TEXTS
    assert corpus.skipped.count == 1
    assert [document.text for document in corpus.documents()] == TEXTS
    assert corpus.skipped.count == 1
    next(corpus.documents())


def framed(text: str) -> bytes:
    raw = text.encode()
    return len(raw).to_bytes(8, "little") + raw


def test_the_fingerprint_is_over_ids_texts_and_fields(write) -> None:
    corpus = open_corpus(write("x.jsonl", '{"id": 7, "text": "七", "n": 1, "b": null}\n'))
    expected = hashlib.sha256(
        b"".join(map(framed, ["7", "七", "3", "b", "NoneType:None", "n", "int:1", "text", "str:七"]))
    ).hexdigest()
    assert corpus.survey().fingerprint == expected
    seen = {expected}
    for other in ('{"id": "7", "text": "七", "n": "1", "b": null}', '{"id": 77, "text": "七", "n": 1, "b": null}'):
        seen.add(open_corpus(write("x.jsonl", other)).survey().fingerprint)
    assert len(seen) == 3


def test_survey_reports_progress(write) -> None:
    calls: list[int] = []
    many = [{"id": i, "text": "x"} for i in range(2500)]
    open_corpus(write("x.jsonl", jsonl(many))).survey(calls.append)
    assert calls == [1000, 2000, 2500]


def one(path: Path, options: ReadOptions = ReadOptions()) -> Document:
    (document,) = open_corpus(path, options).documents()
    return document


@pytest.mark.parametrize(
    ("row", "template", "text"),
    [
        ({"id": 1, "title": " T ", "text": "x "}, "{title} {text}", "T  x"),
        ({"id": 1, "title": "", "text": "x"}, "{title} {text}", "x"),
        ({"id": 1, "title": "T", "text": None}, "{title} {text}", "T"),
        ({"id": 1, "text": "x", "body": "y"}, "{text}", "x"),
        ({"id": 1, "title": "T", "body": "y"}, "{title} {body}", "T y"),
        ({"id": 1, "contents": "y"}, "{contents}", "y"),
        ({"id": 1, "title": "T", "brand": "B"}, "{title}", "T"),
        ({"id": 1, "name": "N"}, "{name}", "N"),
        ({"_id": 1, "product_title": "P", "product_color": "red"}, "{product_title}, {product_color}", "P, red"),
    ],
)
def test_the_text_is_chosen_by_the_names_of_columns(write_rows, row, template: str, text: str) -> None:
    path = write_rows("x.jsonl", row)
    assert (open_corpus(path).text_template, one(path).text) == (template, text)


def test_the_id_is_chosen_by_its_name_and_integers_are_ids(write_rows) -> None:
    row = {"text": "x", "product_id": "p", "docid": "d", "doc_id": "e", "id": 12, "_id": "u"}
    for expected, name in (("u", "_id"), ("12", "id"), ("e", "doc_id"), ("d", "docid"), ("p", "product_id")):
        assert one(write_rows("x.jsonl", row)).doc_id == expected
        del row[name]
    assert one(write_rows("x.jsonl", {"sku": "s", "text": "x"}), ReadOptions(id_column="sku")).doc_id == "s"


def test_a_default_title_may_be_missing_in_some_rows(write_rows) -> None:
    path = write_rows("x.jsonl", {"id": 1, "text": "x"}, {"id": 2, "title": "T", "text": "y"}, {"id": 3, "title": "U"})
    assert [document.text for document in open_corpus(path).documents()] == ["x", "T y", "U"]
    with pytest.raises(RowError, match=":1: no column 'title'"):
        list(open_corpus(path, ReadOptions(text="{title} {text}")).documents())


STORED = {"id": 1, "text": "x", "brand": "B", "n": 3, "f": 1.5, "t": True, "no": None, "long": "l" * 513, "tags": ["a"]}


def test_all_small_columns_are_stored_by_default(write_rows) -> None:
    path = write_rows("x.jsonl", STORED)
    assert one(path).fields == {"text": "x", "brand": "B", "n": 3, "f": 1.5, "t": True, "no": None}


def test_named_columns_are_stored_whole(write_rows) -> None:
    path = write_rows("x.jsonl", STORED)
    assert one(path, ReadOptions(store=("long", "id"))).fields == {"long": "l" * 513, "id": 1}
    assert one(path, ReadOptions(store=())).fields == {}
    with pytest.raises(RowError, match=":1: the column 'tags' holds a list, which can't be stored"):
        one(path, ReadOptions(store=("tags",)))


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_unicode_forms_are_left_alone_and_a_mark_is_dropped(write, form: str) -> None:
    text = unicodedata.normalize(form, "café ガ 가방")
    document = one(write("x.csv", b"\xef\xbb\xbf" + f"id,text\n1,{text}\n".encode()))
    assert (document.doc_id, document.text) == ("1", text)
    assert one(write("x.jsonl", "\ufeff" + json.dumps({"id": 1, "text": text}))).text == text


@pytest.mark.parametrize("language", ["jpn_Jpan", "kor_Hang", "spa_Latn", "swh_Latn", "eng_Latn"])
@pytest.mark.parametrize("kind", MAKERS)
def test_real_sentences_come_through_every_format(write, real_data: Path, language: str, kind: str) -> None:
    sentences = (real_data / "flores" / f"{language}.txt").read_text("utf-8").splitlines()
    rows = [{"id": f"{i}", "text": sentence} for i, sentence in enumerate(sentences)]
    documents = open_corpus(write(f"x.{kind}", MAKERS[kind](rows))).documents()
    assert [document.text for document in documents] == [sentence.strip() for sentence in sentences]


def surveyed(corpus: Corpus) -> tuple[str, str, str, int]:
    return corpus.name, corpus.format, corpus.text_template, corpus.survey().count


@pytest.mark.parametrize(
    "expected",
    [
        ("scifact", "beir", "{title} {text}", 5_183),
        ("nfcorpus", "beir", "{title} {text}", 3_633),
        ("home_depot", "beir", "{title} {text}", 54_667),
        ("vaswani", "trec", "{text}", 11_429),
        ("esci_us", "esci", "{product_title}, {product_brand}, {product_color}", 200),
    ],
)
def test_real_corpora(real_data: Path, expected: tuple[str, str, str, int]) -> None:
    assert surveyed(open_corpus(real_data / expected[0])) == expected


def test_scifact_texts_are_title_and_text(real_data: Path) -> None:
    lines = (real_data / "scifact" / "corpus.jsonl").read_text("utf-8").splitlines()
    for document, line in zip(open_corpus(real_data / "scifact").documents(), lines, strict=True):
        row = json.loads(line)
        assert document.doc_id == row["_id"]
        assert document.text == (row["title"] + " " + row["text"]).strip()


def test_a_real_csv_with_repeated_ids_is_refused_with_both_lines(real_data: Path) -> None:
    path = real_data / "telecom" / "abbreviations.csv"
    with pytest.raises(RowError, match=rf"^{path}:3: the id 'NOTE 1:' is in {path}:2 already"):
        list(open_corpus(path, ReadOptions(id_column="abbreviation", text="{expansion}")).documents())
