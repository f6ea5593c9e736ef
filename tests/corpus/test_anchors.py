"""Rows to train on: pairs and triplets by the names of their columns, or by templates over any."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import AnchorColumns, BadRows, holds_judgments, read_anchors
from searchapp.corpus.template import Template
from searchapp.errors import InputError, RowError, UsageError
from searchapp.records import Triplet

PAIRS = [Triplet("mfuko mwekundu", "Mfuko wa ngozi", ()), Triplet("bolso rojo", "Bolso de cuero, rojo", ())]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("anchor", "positive"),
        ("query", "pos"),
        ("question", "answer"),
        ("query", "passage"),
        ("sentence1", "sentence2"),
    ],
)
def test_pairs_by_the_names_of_their_columns(write_rows, first: str, second: str) -> None:
    rows = [{first: one.anchor, second: f" {one.positive}\n", "id": 7} for one in PAIRS]
    assert list(read_anchors(write_rows("p.jsonl", *rows))) == PAIRS


CSV = 'anchor,positive\nmfuko mwekundu,Mfuko wa ngozi\nbolso rojo,"Bolso de cuero, rojo"\n'


def test_every_format(write, tmp_path: Path) -> None:
    pq.write_table(
        pa.table({"anchor": [one.anchor for one in PAIRS], "positive": [one.positive for one in PAIRS]}),
        tmp_path / "p.parquet",
    )
    places = [write("p.csv", CSV), write("p.csv.gz", gzip.compress(CSV.encode())), tmp_path / "p.parquet"]
    places.append(
        write("p.tsv", 'anchor\tpositive\nmfuko mwekundu\tMfuko wa ngozi\nbolso rojo\t"Bolso de cuero, rojo"\n')
    )
    for path in places:
        assert list(read_anchors(path)) == PAIRS, path


def test_a_folder_and_a_glob_are_read_file_by_file(write, tmp_path: Path) -> None:
    write("rows/b.csv", "anchor,positive\n鞄,赤い鞄\n")
    write("rows/a.jsonl", '{"anchor": "가방", "positive": "빨간 가방"}\n')
    found = [Triplet("가방", "빨간 가방", ()), Triplet("鞄", "赤い鞄", ())]
    assert list(read_anchors(tmp_path / "rows")) == found
    assert list(read_anchors(f"{tmp_path}/rows/*.csv")) == found[1:]


def test_negatives_are_there_or_not_row_by_row(write_rows) -> None:
    path = write_rows(
        "t.jsonl",
        {"anchor": "a", "positive": "p", "negative_2": "n2", "negative_1": "n1"},
        {"anchor": "b", "positive": "q", "negative_1": None},
        {"anchor": "c", "positive": "r", "neg": ["n3", "n4"]},
    )
    assert list(read_anchors(path)) == [
        Triplet("a", "p", ("n1", "n2")),
        Triplet("b", "q", ()),
        Triplet("c", "r", ("n3", "n4")),
    ]


def test_a_list_of_positives_makes_a_row_of_each(write_rows) -> None:
    path = write_rows("f.jsonl", {"query": "a", "pos": ["p", "q"], "neg": ["n"]})
    assert list(read_anchors(path)) == [Triplet("a", "p", ("n",)), Triplet("a", "q", ("n",))]


def test_templates_over_any_columns(write) -> None:
    path = write("t.csv", "abbreviation,expansion,wrong\n5GC,Fifth Generation Core network,\nAP,Access Point,Apple\n")
    columns = AnchorColumns(
        Template.parse("query: {abbreviation}"),
        Template.parse("passage: {expansion} (abbreviation)"),
        Template.parse("passage: {wrong}"),
    )
    assert list(read_anchors(path, columns)) == [
        Triplet("query: 5GC", "passage: Fifth Generation Core network (abbreviation)", ()),
        Triplet("query: AP", "passage: Access Point (abbreviation)", ("passage: Apple",)),
    ]


def test_a_template_reads_scored_pairs(write) -> None:
    path = write("s.tsv", "sentence1\tsentence2\tscore\n赤い\t青い\t2.5\n")
    columns = AnchorColumns(Template.parse("{sentence1}"), Template.parse("{sentence2}"))
    assert list(read_anchors(path, columns)) == [Triplet("赤い", "青い", ())]


BAD = [
    ({"anchor": "a"}, "no positive column (positive, pos, answer, "),
    ({"text": "a", "positive": "b"}, "or say which it is: --set data.anchor='{text}'"),
    ({"anchor": " ", "positive": "b"}, "the column 'anchor' is empty, expected text"),
    ({"anchor": "a", "positive": []}, "the column 'positive' is empty, expected text"),
    ({"anchor": ["a", "b"], "positive": "b"}, "the anchor is 2 texts, expected one; write a row for each"),
    ({"anchor": "a", "positive": 3}, "the column 'positive' holds an integer, expected text"),
    ({"anchor": "a", "positive": "b", "negative": 3}, "the column 'negative' holds an integer, expected text"),
]


@pytest.mark.parametrize(("row", "gist"), BAD)
def test_bad_rows(write_rows, row: object, gist: str) -> None:
    path = write_rows("p.jsonl", {"anchor": "a", "positive": "b"}, row)
    with pytest.raises(RowError) as caught:
        list(read_anchors(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert gist in str(caught.value)
    skipping = BadRows("skip")
    assert list(read_anchors(path, bad_rows=skipping)) == [Triplet("a", "b", ())]
    assert skipping.skipped.count == 1


@pytest.mark.parametrize(
    ("template", "gist"),
    [
        (
            "{expnsion}",
            "the positive '{expnsion}' names 'expnsion', and there are the columns word, expansion; perhaps",
        ),
        ("{expansion}", "the positive '{expansion}' is empty, expected some text"),
    ],
)
def test_bad_templates_are_told_with_the_row(write, template: str, gist: str) -> None:
    path = write("t.csv", "word,expansion\nAP, \n")
    columns = AnchorColumns(Template.parse("{word}"), Template.parse(template))
    with pytest.raises(RowError) as caught:
        list(read_anchors(path, columns))
    assert str(caught.value).startswith(f"{path}:2: {gist}")


def test_a_template_says_where_it_was_typed() -> None:
    with pytest.raises(UsageError, match=r"^--set data.anchor 'query: ' names no column; write it like --set data"):
        Template.parse("query: ", option="--set data.anchor")


@pytest.mark.parametrize(
    ("name", "content", "gist"),
    [
        ("s.tsv", "sentence1\tsentence2\tscore\n赤い\t青い\t2.5\n", "holds scored pairs: they are judged on"),
        ("sts.csv", "main\tx\t2012\t1\t2.500\tA girl.\tA boy.\n", "is a file of the STS benchmark: they are judged on"),
        ("p.txt", "a b\n", "is no file of pairs or triplets: its format is unknown"),
        ("p.jsonl", "", "holds no pairs or triplets; expected at least one"),
    ],
)
def test_files_that_are_none(write, name: str, content: str, gist: str) -> None:
    with pytest.raises(InputError, match=gist):
        list(read_anchors(write(name, content)))


def test_what_is_judgments(write, tmp_path: Path) -> None:
    write("rows/a.csv", CSV)
    write("beir/corpus.jsonl", '{"_id": "1", "text": "a"}\n')
    write("trec/docs", "<DOC><DOCNO>1</DOCNO>a</DOC>")
    assert [holds_judgments(tmp_path / name) for name in ("rows", "beir", "trec")] == [False, True, True]
    assert not holds_judgments(tmp_path / "rows" / "a.csv")
    assert holds_judgments("irds:beir/scifact/train")


def test_real_data(real_data: Path) -> None:
    assert holds_judgments(real_data / "scifact")
    columns = AnchorColumns(Template.parse("{abbreviation}"), Template.parse("{expansion}"))
    telecom = list(read_anchors(real_data / "telecom" / "abbreviations.csv", columns))
    assert len(telecom) == 639
    assert Triplet("5GS", "5G System", ()) in telecom
