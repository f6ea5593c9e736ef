"""ESCI in its official files: joins, labels, locales, versions, splits, sources."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import ReadOptions, open_corpus, open_dataset
from searchapp.errors import InputError, RowError, UsageError
from searchapp.records import Query

PRODUCTS = [
    ("B1", "Red <b>Bag</b>", "Acme", "Red", "us"),
    ("B2", "Blue bag", None, "Blue", "us"),
    ("B1", "赤いバッグ", "", None, "jp"),
    ("B3", "Bolso rojo", "Acme", "", "es"),
]
EXAMPLES = [
    (1, "red bag", 10, "B1", "us", "E", 1, 1, "test"),
    (2, "red bag", 10, "B2", "us", "substitute", 0, 1, "test"),
    (3, "赤い バッグ", 20, "B1", "jp", "Exact", 1, 1, "test"),
    (4, "bolso", 30, "B3", "es", "C", 0, 1, "test"),
    (5, "bag strap", 40, "B2", "us", "Irrelevant", 1, 1, "train"),
]
PRODUCT_COLUMNS = ("product_id", "product_title", "product_brand", "product_color", "product_locale")
EXAMPLE_COLUMNS = (
    *("example_id", "query", "query_id", "product_id", "product_locale"),
    *("esci_label", "small_version", "large_version", "split"),
)


def table(rows: list[tuple], columns: tuple[str, ...]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(columns, row, strict=True)) for row in rows])


def folder(path: Path, products=PRODUCTS, examples=EXAMPLES, sources: str | None = None) -> Path:
    path.mkdir(exist_ok=True)
    pq.write_table(table(products, PRODUCT_COLUMNS), path / "shopping_queries_dataset_products.parquet")
    pq.write_table(table(examples, EXAMPLE_COLUMNS), path / "shopping_queries_dataset_examples.parquet")
    if sources is not None:
        (path / "shopping_queries_dataset_sources.csv").write_text(sources)
    return path


def test_products_become_documents(tmp_path: Path) -> None:
    corpus = open_corpus(folder(tmp_path / "shop"))
    documents = list(corpus.documents())
    assert (corpus.name, corpus.format) == ("shop", "esci")
    assert [(document.doc_id, document.text) for document in documents] == [
        ("us:B1", "Red <b>Bag</b>, Acme, Red"),
        ("us:B2", "Blue bag, Blue"),
        ("jp:B1", "赤いバッグ"),
        ("es:B3", "Bolso rojo, Acme"),
    ]
    assert documents[1].fields == dict(zip(PRODUCT_COLUMNS, PRODUCTS[1], strict=True))
    assert documents[3].where.endswith("shopping_queries_dataset_products.parquet:4")


def test_a_locale_restricts_products_and_judgments(tmp_path: Path) -> None:
    path = folder(tmp_path / "shop")
    dataset = open_dataset(path, options=ReadOptions(locale="jp", text="{product_title}"))
    assert [(document.doc_id, document.where[-2:]) for document in dataset.corpus.documents()] == [("jp:B1", ":3")]
    assert dataset.qrels == {"20": {"jp:B1": 3}}
    with pytest.raises(InputError, match=r"has no product of locale 'uk'; type --locale with one of: es, jp, us"):
        open_corpus(path, ReadOptions(locale="uk"))


def test_labels_become_grades_and_queries_keep_their_source(tmp_path: Path) -> None:
    dataset = open_dataset(folder(tmp_path / "shop", sources="query_id,source\n10,negations\n20,other\n40,x\n"))
    assert dataset.qrels == {"10": {"us:B1": 3, "us:B2": 2}, "20": {"jp:B1": 3}, "30": {"es:B3": 1}}
    assert dataset.queries == (
        Query("10", "red bag", {"locale": "us", "source": "negations"}),
        Query("20", "赤い バッグ", {"locale": "jp", "source": "other"}),
        Query("30", "bolso", {"locale": "es"}),
    )
    assert (dataset.gains, dataset.threshold, dataset.labels) == ("esci", 3, ("I", "C", "S", "E"))
    assert (dataset.name, dataset.format, dataset.split) == ("shop", "esci", "test")


def test_version_and_split_choose_judgments(tmp_path: Path) -> None:
    path = folder(tmp_path / "shop")
    assert open_dataset(path, options=ReadOptions(version="small")).qrels == {"10": {"us:B1": 3}, "20": {"jp:B1": 3}}
    assert len(open_dataset(path, options=ReadOptions(version="large")).qrels) == 3
    assert open_dataset(path, split="train").qrels == {"40": {"us:B2": 0}}
    assert open_dataset(path, options=ReadOptions(split="train")).split == "train"
    with pytest.raises(InputError, match=r"has no split 'dev'; type --split .* with one of: test, train"):
        open_dataset(path, split="dev")
    with pytest.raises(InputError, match=r"no judgment under --locale es --version small"):
        open_dataset(path, options=ReadOptions(locale="es", version="small"))
    with pytest.raises(UsageError, match="two splits are asked for, 'dev' and 'train'"):
        open_dataset(path, split="dev", options=ReadOptions(split="train"))
    with pytest.raises(UsageError, match="--id product_id doesn't go with ESCI"):
        open_corpus(path, ReadOptions(id_column="product_id"))


@pytest.mark.parametrize(
    ("row", "gist"),
    [
        ((6, "red bag", 10, "B3", "us", "X", 1, 1, "test"), "the label is 'X', expected E, S, C or I"),
        ((6, "red bag", 10, "B3", "us", None, 1, 1, "test"), "the label is null"),
        ((6, "red bag", 10, "B1", "us", "S", 1, 1, "test"), "document 'us:B1' get grade 2 here and 3 in"),
        ((6, "red bag", 10, "B1", "us", "E", 1, 1, "test"), "document 'us:B1' get grade 3 here and 3 in"),
        (
            (6, "blue bag", 10, "B3", "us", "E", 1, 1, "test"),
            "the query 10 is 'blue bag' in us here and 'red bag' in us",
        ),
        ((6, None, 50, "B3", "us", "E", 1, 1, "test"), "the query is null, expected text"),
        ((6, "", 50, "B3", "us", "E", 1, 1, "test"), "the query is empty, expected text"),
        ((6, "red bag", 10, None, "us", "E", 1, 1, "test"), "the id in 'product_id' is null"),
    ],
)
def test_bad_examples(tmp_path: Path, row: tuple, gist: str) -> None:
    path = folder(tmp_path / "shop", examples=[*EXAMPLES, row])
    with pytest.raises(RowError) as caught:
        open_dataset(path)
    assert f"{path}/shopping_queries_dataset_examples.parquet:6: " in str(caught.value)
    assert gist in str(caught.value)
    assert "--on-bad-row skip" in str(caught.value)
    skipping = open_dataset(path, options=ReadOptions(on_bad_row="skip"))
    assert skipping.qrels == open_dataset(folder(tmp_path / "good")).qrels
    assert skipping.skipped.count == 1


def test_a_product_twice_in_a_locale_is_an_error_with_both_rows(tmp_path: Path) -> None:
    path = folder(tmp_path / "shop", products=[*PRODUCTS, PRODUCTS[0]])
    with pytest.raises(RowError, match=r"products.parquet:5: the id 'us:B1' is in .*products.parquet:1 already"):
        list(open_corpus(path).documents())


def test_a_product_without_an_id_is_a_bad_row(tmp_path: Path) -> None:
    path = folder(tmp_path / "shop", products=[*PRODUCTS, (None, "Bag", None, None, "us")])
    with pytest.raises(RowError, match=r"products.parquet:5: the id in 'product_id' is null"):
        list(open_corpus(path).documents())
    assert open_corpus(path, ReadOptions(on_bad_row="skip")).survey().skipped.count == 1


def test_a_source_twice_is_an_error(tmp_path: Path) -> None:
    path = folder(tmp_path / "shop", sources="query_id,source\n10,negations\n10,other\n")
    with pytest.raises(RowError, match=r"sources.csv:3: the source of query 10 is in .*sources.csv:2 already"):
        open_dataset(path)


def test_missing_files_and_columns_are_named(tmp_path: Path) -> None:
    path = folder(tmp_path / "shop")
    examples = path / "shopping_queries_dataset_examples.parquet"
    pq.write_table(table(EXAMPLES, EXAMPLE_COLUMNS).drop_columns(["esci_label"]), examples)
    with pytest.raises(InputError, match="has no column esci_label, expected the official ones; it has example_id"):
        open_dataset(path)
    examples.unlink()
    with pytest.raises(InputError, match=r"has no shopping_queries_dataset_examples.parquet"):
        open_dataset(path)
    assert open_corpus(path).survey().count == 4


def test_the_real_files(real_data: Path) -> None:
    dataset = open_dataset(real_data / "esci_us")
    grades = [grade for judged in dataset.qrels.values() for grade in judged.values()]
    assert [grades.count(grade) for grade in (3, 2, 1, 0)] == [138, 49, 1, 12]
    assert {doc_id for judged in dataset.qrels.values() for doc_id in judged} == {
        document.doc_id for document in dataset.corpus.documents()
    }
