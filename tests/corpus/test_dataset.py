"""Data sets: BEIR and TREC folders, parts, and what is missing from them."""

import gzip
from pathlib import Path

import pytest

from searchapp.corpus import DatasetParts, ReadOptions, open_corpus, open_dataset
from searchapp.errors import InputError, RowError, UsageError
from searchapp.records import Query

CORPUS = (
    '{"_id": "a", "title": "", "text": "uno"}\n'
    '{"_id": "b", "title": "T", "text": "dos"}\n'
    '{"_id": "c", "text": "tres"}\n'
)
QUERIES = '{"_id": "1", "text": "one", "metadata": {}}\n{"_id": "2", "text": "two"}\n{"_id": "3", "text": "three"}\n'
QRELS = "query-id\tcorpus-id\tscore\n1\ta\t1\n3\tb\t2\n"


@pytest.fixture
def beir(write, tmp_path: Path) -> Path:
    write("set/corpus.jsonl", CORPUS)
    write("set/queries.jsonl.gz", gzip.compress(QUERIES.encode()))
    write("set/qrels/test.tsv", QRELS)
    write("set/qrels/dev.tsv", "query-id\tcorpus-id\tscore\n2\ta\t1\n")
    return tmp_path / "set"


def test_a_beir_folder(beir: Path) -> None:
    dataset = open_dataset(beir)
    assert (dataset.name, dataset.format, dataset.split) == ("set", "beir", "test")
    assert dataset.queries == (Query("1", "one"), Query("3", "three"))
    assert dataset.qrels == {"1": {"a": 1}, "3": {"b": 2}}
    assert [document.text for document in dataset.corpus.documents()] == ["uno", "T dos", "tres"]
    assert (dataset.gains, dataset.threshold, dataset.labels) == ("linear", 1, ())
    assert open_dataset(beir, split="dev").queries == (Query("2", "two"),)


def test_a_beir_folder_says_what_it_lacks(beir: Path) -> None:
    with pytest.raises(InputError, match=r"has no split 'train'; type --split .* with one of: dev, test"):
        open_dataset(beir, split="train")
    with pytest.raises(InputError, match=r"has no split '../qrels/test'"):
        open_dataset(beir, split="../qrels/test")
    (beir / "qrels/test.tsv").write_text(QRELS + "9\ta\t1\n8\ta\t1\n")
    with pytest.raises(InputError, match=r"queries.jsonl.gz lacks 2 of 4 judged queries, the first 8, 9"):
        open_dataset(beir)
    (beir / "queries.jsonl.gz").unlink()
    (beir / "qrels/test.tsv").write_text(QRELS)
    with pytest.raises(InputError, match=r"has no queries.jsonl"):
        open_dataset(beir)
    for path in beir.glob("qrels/*"):
        path.unlink()
    with pytest.raises(InputError, match=r"has no qrels/\*.tsv; expected qrels/test.tsv"):
        open_dataset(beir)
    (beir / "corpus.jsonl.gz").write_bytes(b"")
    with pytest.raises(InputError, match=r"holds corpus.jsonl and corpus.jsonl.gz; keep one"):
        open_corpus(beir)


def test_skipped_rows_of_queries_and_judgments_are_counted_together(beir: Path) -> None:
    (beir / "qrels/test.tsv").write_text(QRELS + "3\tb\t1\n")
    (beir / "queries.jsonl.gz").write_text(QUERIES + "{\n")
    with pytest.raises(RowError, match=r"test.tsv:4: .*or leave such rows out with --on-bad-row skip"):
        open_dataset(beir)
    dataset = open_dataset(beir, options=ReadOptions(on_bad_row="skip"))
    assert [where for where, _ in dataset.skipped.rows] == [f"{beir}/qrels/test.tsv:4", f"{beir}/queries.jsonl.gz:4"]
    assert dataset.qrels == {"1": {"a": 1}, "3": {"b": 2}}


TREC = "<DOC><DOCNO>a</DOCNO>uno</DOC>\n"
TOPICS = "<top><num>1</num><title>one</title></top>\n<top><num>2</num><title>two</title></top>"


def test_a_trec_folder_is_recognised_by_what_is_in_it(write, tmp_path: Path) -> None:
    write("trec/README", "A collection")
    write("trec/part-1", TREC)
    write("trec/part-2.gz", gzip.compress(TREC.replace(">a<", ">b<").encode()))
    write("trec/topics.txt", TOPICS)
    write("trec/qrels.txt", "1\t0 a  1 \r\n1 0 b 0\r\n")
    dataset = open_dataset(tmp_path / "trec")
    assert (dataset.name, dataset.format, dataset.corpus.format) == ("trec", "trec", "trec")
    assert [document.doc_id for document in dataset.corpus.documents()] == ["a", "b"]
    assert (dataset.queries, dataset.qrels) == ((Query("1", "one"),), {"1": {"a": 1, "b": 0}})
    with pytest.raises(UsageError, match="--split train goes with BEIR and ESCI folders"):
        open_dataset(tmp_path / "trec", split="train")
    write("trec/topics2.txt", TOPICS)
    with pytest.raises(InputError, match=r"should hold one topics file .*, found topics.txt, topics2.txt"):
        open_dataset(tmp_path / "trec")


@pytest.mark.parametrize("qrels", ["1 0 a 1\n3 0 b 2\n", QRELS])
def test_parts_of_any_format(write, qrels: str) -> None:
    parts = DatasetParts(
        write("shop.csv", "id,text\na,uno\nb,dos\n"),
        write("q.tsv", "query_id\tquery\n1\tone\n2\ttwo\n3\tthree\n"),
        write("judged", qrels),
    )
    dataset = open_dataset(parts=parts)
    assert (dataset.name, dataset.format, dataset.corpus.format) == ("shop", "parts", "csv")
    assert dataset.queries == (Query("1", "one"), Query("3", "three"))
    assert dataset.qrels == {"1": {"a": 1}, "3": {"b": 2}}


def test_what_is_no_data_set_says_so(write, tmp_path: Path) -> None:
    path = write("x/x.jsonl", CORPUS)
    with pytest.raises(InputError, match=r"is no beir, esci or trec folder \(it holds x.jsonl\)"):
        open_dataset(path.parent)
    with pytest.raises(InputError, match="is no folder; name a BEIR, ESCI or TREC folder"):
        open_dataset(path)
    with pytest.raises(UsageError, match="name either the folder or corpus, queries, qrels"):
        open_dataset()
    with pytest.raises(UsageError, match="name either"):
        open_dataset(path, parts=DatasetParts(path, path, path))


@pytest.mark.parametrize(
    ("name", "split", "queries", "judgments"),
    [
        ("scifact", "test", 300, 339),
        ("scifact", "train", 809, 919),
        ("nfcorpus", "dev", 324, 11_385),
        ("home_depot", "test", 1_447, 8_911),
        ("home_depot", "train", 4_404, 27_778),
        ("vaswani", "test", 93, 2_083),
    ],
)
def test_real_data_sets(real_data: Path, name: str, split: str, queries: int, judgments: int) -> None:
    dataset = open_dataset(real_data / name, split=split)
    assert (len(dataset.queries), sum(map(len, dataset.qrels.values()))) == (queries, judgments)
    assert {query.query_id for query in dataset.queries} == set(dataset.qrels)
    assert dataset.name == name
