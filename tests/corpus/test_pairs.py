"""Scored pairs from every format, and the STS benchmark's own."""

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import BadRows, read_scored_pairs
from searchapp.errors import InputError, RowError
from searchapp.records import ScoredPair

PAIRS = [
    ScoredPair("赤い革のハンドバッグ", "赤い鞄", 4.5),
    ScoredPair("Watoto wanacheza mpira", "한국의 전통 음식", 0.0),
    ScoredPair('una "mesa" de madera', "mesa", 3.0),
]
JSONL = """{"sentence1": " 赤い革のハンドバッグ", "sentence2": "赤い鞄", "score": 4.5}
{"sentence1": "Watoto wanacheza mpira", "sentence2": "한국의 전통 음식", "score": "0"}
{"sentence1": "una \\"mesa\\" de madera", "sentence2": "mesa", "score": 3}
"""
CSV = """score,sentence1,sentence2
4.5,赤い革のハンドバッグ,赤い鞄
0,Watoto wanacheza mpira,한국의 전통 음식
" 3e0 ","una ""mesa"" de madera",mesa
"""
STSB = """main-news\theadlines\t2016\t0001\t4.500\t赤い革のハンドバッグ\t赤い鞄
main-news\theadlines\t2016\t0002\t0.000\tWatoto wanacheza mpira\t한국의 전통 음식\thttp://a\thttp://b

main-news\theadlines\t2016\t0003\t3.000\tuna "mesa" de madera\tmesa
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("p.jsonl", JSONL),
        ("p.csv", CSV),
        ("p.tsv", CSV.replace(",", "\t")),
        ("p.csv.gz", gzip.compress(CSV.encode())),
        ("sick.csv", CSV.replace("sentence1,sentence2", "sentence_A,sentence_B").replace("score", "relatedness_score")),
        ("sts-test.csv", STSB),
        ("sts-test.tsv", STSB.replace("\n", "\r\n")),
        ("sts-test", gzip.compress(STSB.encode())),
    ],
)
def test_columns_by_their_names(write, name: str, content: str | bytes) -> None:
    assert list(read_scored_pairs(write(name, content))) == PAIRS


def test_parquet(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    rows = [{"sentence1": one.sentence1, "sentence2": one.sentence2, "score": one.score} for one in PAIRS]
    pq.write_table(pa.Table.from_pylist(rows), path)
    assert list(read_scored_pairs(path)) == PAIRS


BAD = [
    ('{"sentence1": "a", "score": 1}', "no sentence2 column (sentence2, sentence_2, sentence_B, text2) among"),
    ('{"sentence1": "a", "sentence2": "b"}', "no score column (score, similarity_score, relatedness_score, "),
    ('{"sentence1": "", "sentence2": "b", "score": 1}', "the column 'sentence1' is empty, expected text"),
    ('{"sentence1": "a", "sentence2": null, "score": 1}', "the column 'sentence2' holds null, expected text"),
    ('{"sentence1": "a", "sentence2": "b", "score": "much"}', "the score in 'score' is 'much', expected a finite"),
    ('{"sentence1": "a", "sentence2": "b", "score": "nan"}', "the score in 'score' is 'nan', expected a finite number"),
    ('{"sentence1": "a", "sentence2": "b", "score": 1e999}', "the score in 'score' is inf, expected a finite number"),
    ('{"sentence1": "a", "sentence2": "b", "score": true}', "the score in 'score' is true or false, expected a finite"),
    ('{"sentence1": "a", "sentence2": "b", "score": null}', "the score in 'score' is null, expected a finite number"),
    ('{"sentence1": "a", "sentence2": "b", "score": 1' + 400 * "0" + "}", "the score in 'score' is an integer"),
]


@pytest.mark.parametrize(("line", "gist"), BAD)
def test_bad_rows(write, line: str, gist: str) -> None:
    path = write("p.jsonl", '{"sentence1": "a", "sentence2": "b", "score": 1}\n' + line + "\n")
    with pytest.raises(RowError) as caught:
        list(read_scored_pairs(path))
    assert str(caught.value).startswith(f"{path}:2: ")
    assert gist in str(caught.value)
    skipping = BadRows("skip")
    assert list(read_scored_pairs(path, skipping)) == [ScoredPair("a", "b", 1.0)]
    assert skipping.skipped.count == 1


@pytest.mark.parametrize(
    ("line", "gist"),
    [
        (
            "main\tnews\t2016\t0002\t1.0\tone",
            "found 6 columns, expected at least 7 with tabs between: genre, file, year",
        ),
        ("main\tnews\t2016\t0002\tx\tone\ttwo", "the score in 'score' is 'x'"),
        ("main\tnews\t2016\t0002\t1.0\tone\t ", "the column 'sentence2' is empty"),
    ],
)
def test_bad_lines_of_the_sts_benchmark(write, line: str, gist: str) -> None:
    path = write("sts-dev.csv", STSB + line + "\n")
    with pytest.raises(RowError) as caught:
        list(read_scored_pairs(path))
    assert str(caught.value).startswith(f"{path}:5: ")
    assert gist in str(caught.value)


def test_a_line_that_is_not_utf8_is_a_bad_row(write) -> None:
    path = write("sts-dev.csv", STSB.encode() + b"main\tnews\t2016\t0002\t1.0\t\xff\ttwo\n")
    with pytest.raises(RowError, match=r":5: byte 0xff"):
        list(read_scored_pairs(path))


@pytest.mark.parametrize(
    ("name", "content", "gist"),
    [
        ("p.jsonl", "", "holds no scored pairs; expected at least one"),
        ("p.txt", "red bag\n", "is no file of scored pairs: its format is unknown; expected jsonl, csv, tsv, parquet"),
        ("p.txt", "a\tb\tc\td\te\tf\tg\n", "its format is unknown"),
    ],
)
def test_files_that_are_no_pairs(write, name: str, content: str, gist: str) -> None:
    with pytest.raises(InputError) as caught:
        list(read_scored_pairs(write(name, content)))
    assert gist in str(caught.value)


@pytest.mark.parametrize(("split", "count"), [("train", 5749), ("dev", 1500), ("test", 1379)])
def test_the_whole_sts_benchmark(real_data: Path, split: str, count: int) -> None:
    path = real_data / "stsb" / f"sts-{split}.csv"
    found = list(read_scored_pairs(path))
    assert len(found) == count
    cells = [line.rstrip("\r\n").split("\t") for line in path.read_text(encoding="utf-8").split("\n") if line]
    assert [one.score for one in found] == [float(row[4]) for row in cells]
    assert [one.sentence2 for one in found] == [row[6].strip() for row in cells]
