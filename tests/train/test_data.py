"""Files and judgments become rows of a training."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from searchapp.corpus import ReadOptions
from searchapp.errors import InputError, RowError, UsageError
from searchapp.prompts import Prompts
from searchapp.train.data import read_training_data
from searchapp.train.examples import Example, TrainingData
from searchapp.train.recipe import DataSpec
from tests.train.files import write_beir, write_rows

E5 = Prompts("query: ", "passage: ")
PLAIN = DataSpec()


def read(path: Path, spec: DataSpec = PLAIN, prompts: Prompts = Prompts(), **options: object) -> TrainingData:
    return read_training_data(path, spec=spec, prompts=prompts, options=ReadOptions(**options))


def test_triplets_as_they_are(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "shop.jsonl",
        {"anchor": "赤い鞄", "positive": "赤い革のハンドバッグ", "negative": "青い靴"},
        {"anchor": "한국 음식", "positive": "전통 음식", "negative": "mesa de madera"},
        {"anchor": "赤い鞄", "positive": "赤いバッグ", "negative": "Mpira"},
    )
    data = read(path)
    assert data.name == "shop"
    assert data.examples == [
        Example("赤い鞄", "赤い革のハンドバッグ", ("青い靴",)),
        Example("한국 음식", "전통 음식", ("mesa de madera",)),
        Example("赤い鞄", "赤いバッグ", ("Mpira",)),
    ]
    assert data.relevant == {
        "赤い鞄": {"赤い革のハンドバッグ", "赤いバッグ"},
        "한국 음식": {"전통 음식"},
    }
    assert data.about == {
        "source": "shop",
        "kind": "rows",
        "skipped": 0,
        "prompts_stripped": 0,
        "negatives": 1,
        "negatives_relevant": 0,
        "negatives_filled": 0,
        "rows_without_negatives": 0,
        "rows": 3,
        "anchors": 2,
    }


def test_the_fingerprint_is_of_the_rows_alone(tmp_path: Path) -> None:
    row = {"anchor": "a", "positive": "p", "negative": "n"}
    one = read(write_rows(tmp_path / "one.jsonl", row))
    again = read(write_rows(tmp_path / "again.jsonl", {**row, "note": "x"}))
    moved = read(write_rows(tmp_path / "moved.jsonl", {"anchor": "ap", "positive": "n", "negative": "x"}))
    assert len(one.fingerprint) == 64
    assert one.fingerprint == again.fingerprint != moved.fingerprint


def test_prompts_that_are_in_the_text_are_taken_off_and_counted(tmp_path: Path) -> None:
    path = write_rows(
        tmp_path / "p.jsonl",
        {"anchor": "query:  5GC", "positive": "passage: 코어 네트워크", "negative": "passage: query: x"},
        {"anchor": "AP", "positive": "query: Access Point", "negative": "passage:"},
    )
    data = read(path, prompts=E5)
    assert data.examples == [
        Example("5GC", "코어 네트워크", ("query: x",)),
        Example("AP", "query: Access Point", ("passage:",)),
    ]
    assert data.about["prompts_stripped"] == 3
    assert data.relevant["5GC"] == {"코어 네트워크"}
    assert read(path).about["prompts_stripped"] == 0


def test_templates_of_the_spec(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("abbreviation,expansion,kind\n5GS,5G System,\nAP,Access Point,Apple\n", encoding="utf-8")
    spec = DataSpec("query: {abbreviation}", "passage: {expansion} (abbreviation)", "{kind}")
    assert read(path, spec, E5).examples == [
        Example("5GS", "5G System (abbreviation)", ("Apple",)),
        Example("AP", "Access Point (abbreviation)", ("Apple",)),
    ]
    for field, wrong in (
        ("anchor", DataSpec("x", "{expansion}")),
        ("positive", DataSpec("{abbreviation}", "x")),
        ("negative", DataSpec("{abbreviation}", "{expansion}", "x")),
    ):
        with pytest.raises(UsageError, match=rf"^--set data\.{field} 'x' names no column"):
            read(path, wrong)


def test_fewer_negatives_are_asked_for(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "t.jsonl", {"anchor": "a", "positive": "p", "negatives": ["x", "y", "z"]})
    asked = {n: read(path, DataSpec(negatives=n)).examples[0].negatives for n in (0, 2, 9)}
    assert asked == {0: (), 2: ("x", "y"), 9: ("x", "y", "z")}


def test_bad_rows_are_told_or_counted(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "t.jsonl", {"anchor": "a", "positive": "p"}, {"anchor": "b", "positive": ""})
    with pytest.raises(RowError, match=r"t\.jsonl:2: the column 'positive' is empty.*--on-bad-row skip"):
        read(path)
    data = read(path, on_bad_row="skip")
    assert (data.about["rows"], data.about["skipped"]) == (1, 1)


def test_rows_whose_every_negative_is_relevant_have_none(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "t.jsonl", {"anchor": "a", "positive": "p", "negative": "p"})
    assert read(path, DataSpec(negatives=0)).examples == [Example("a", "p")]
    assert read(path).examples == [Example("a", "p")]
    assert read(path).about["negatives_relevant"] == 1


DOCUMENTS = {
    "d1": "Steel kettle",
    "d2": "Copper kettle",
    "d3": "Kettle cosy",
    "d4": "Tea pot",
    "d5": "Bolso rojo",
    "d6": "Bolso azul",
    "d7": "Nobody asks for this",
}
QUERIES = {"q1": " kettle ", "q2": "bolso", "q3": "lamp"}
JUDGED = {
    "q1": {"d4": 0, "d2": 2, "d1": 3, "d3": 1, "gone": 3},
    "q2": {"d5": 2, "d6": 1},
    "q3": {"d7": 0},
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_beir(tmp_path / "shop", DOCUMENTS, QUERIES, JUDGED, "train")


def test_judgments_become_rows_of_every_query_and_positive(shop: Path) -> None:
    data = read(shop, DataSpec(positive_grade=2, negative_grade=1, negatives=1))
    assert data.examples == [
        Example("kettle", "Steel kettle", ("Kettle cosy",)),
        Example("kettle", "Copper kettle", ("Tea pot",)),
        Example("bolso", "Bolso rojo", ("Bolso azul",)),
    ]
    assert data.relevant == {"kettle": {"Steel kettle", "Copper kettle"}, "bolso": {"Bolso rojo"}}
    assert data.about == {
        "source": "shop",
        "kind": "beir",
        "skipped": 0,
        "prompts_stripped": 0,
        "split": "train",
        "text": "{title} {text}",
        "positive_grade": 2,
        "negative_grade": 1,
        "queries": 3,
        "queries_without_positives": 1,
        "documents_missing": 1,
        "negatives": 1,
        "negatives_relevant": 0,
        "negatives_filled": 0,
        "rows_without_negatives": 0,
        "rows": 3,
        "anchors": 2,
    }


def test_grades_decide_who_is_what(shop: Path) -> None:
    threshold = read(shop, DataSpec())
    assert [(one.anchor, one.positive) for one in threshold.examples] == [
        ("kettle", "Steel kettle"),
        ("kettle", "Copper kettle"),
        ("kettle", "Kettle cosy"),
        ("bolso", "Bolso rojo"),
        ("bolso", "Bolso azul"),
    ]
    assert {one.negatives for one in threshold.examples[:3]} == {("Tea pot",)}
    above = read(shop, DataSpec(positive_grade=2, negative_grade=7, negatives=2))
    assert above.about["negative_grade"] == 1
    assert above.examples[0].negatives == ("Kettle cosy", "Tea pot")
    assert above.examples[1].negatives == ("Kettle cosy", "Tea pot")


def test_negatives_are_dealt_out_so_that_the_next_positive_gets_the_next(tmp_path: Path) -> None:
    documents = {f"p{n}": f"positive {n}" for n in range(3)} | {f"n{n}": f"negative {n}" for n in range(5)}
    judged = {"q": {f"p{n}": 3 for n in range(3)} | {"n0": 0, "n1": 2, "n2": 1, "n3": 2, "n4": 0}}
    folder = write_beir(tmp_path / "deal", documents, {"q": "query"}, judged, "train")
    data = read(folder, DataSpec(positive_grade=3, negative_grade=2, negatives=2))
    dealt = [" ".join(text[-1] for text in one.negatives) for one in data.examples]
    assert dealt == ["1 3", "2 0", "4 1"]


def test_only_judged_texts_are_asked_of_the_corpus(shop: Path) -> None:
    heard: list[int] = []
    documents = {f"x{n}": f"text {n}" for n in range(2500)} | DOCUMENTS
    write_beir(shop, documents, QUERIES, JUDGED, "train")
    data = read_training_data(shop, spec=DataSpec(), prompts=Prompts(), progress=heard.append)
    assert data.about["rows"] == 5
    assert heard == [1000, 2000]
    assert read(shop).examples == data.examples


def test_what_no_row_is_made_of_is_neither_stripped_nor_missed(tmp_path: Path) -> None:
    queries = {"q1": "query: kettle", "q2": "query: lamp"}
    judged = {"q1": {"d1": 1, "gone": 0}, "q2": {"d2": 0, "gone too": 0}}
    documents = {"d1": "passage: Steel kettle", "d2": "passage: Copper kettle"}
    folder = write_beir(tmp_path / "shop", documents, queries, judged, "train")
    bare, hard = read(folder, DataSpec(negatives=0), E5), read(folder, DataSpec(negatives=1), E5)
    assert bare.examples == hard.examples == [Example("kettle", "Steel kettle")]
    assert (bare.about["documents_missing"], hard.about["documents_missing"]) == (0, 1)
    assert (bare.about["prompts_stripped"], hard.about["prompts_stripped"]) == (2, 2)


def test_a_folder_without_splits_is_trained_on_whole(tmp_path: Path) -> None:
    texts = {
        "docs.trec": "<DOC><DOCNO>d1</DOCNO>Steel kettle</DOC>\n<DOC><DOCNO>d2</DOCNO>Tea pot</DOC>\n",
        "topics.txt": "<top><num>1</num><title>boil water</title></top>\n",
        "qrels": "1 0 d1 1\n1 0 d2 0\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    data = read(tmp_path)
    assert data.examples == [Example("boil water", "Steel kettle", ("Tea pot",))]
    assert data.about["kind"] == "trec"


def test_the_text_of_a_document_is_a_template(tmp_path: Path) -> None:
    folder = write_beir(tmp_path / "b", {"d": "Kettle"}, {"q": "k"}, {"q": {"d": 1}}, "dev")
    write_rows(folder / "corpus.jsonl", {"_id": "d", "title": "Kettle", "text": "", "brand": "Hearth"})
    assert read(folder, DataSpec(split="dev")).examples == [Example("k", "Kettle")]
    spec = DataSpec(split="dev", text="passage: {title}, {brand}")
    assert read(folder, spec, E5).examples == [Example("k", "Kettle, Hearth")]
    assert read(folder, spec, E5).about["prompts_stripped"] == 1


def test_judgments_of_nothing_say_what_there_is(shop: Path) -> None:
    with pytest.raises(InputError, match=r"no judgment of grade 4 or more.*the best is 3; say from which on it is: "):
        read(shop, DataSpec(positive_grade=4))
    write_beir(shop, DOCUMENTS, QUERIES, {"q3": {"d7": 0}}, "poor")
    with pytest.raises(InputError, match=r"no judgment of grade 1 or more.*the best is 0; name another split$"):
        read(shop, DataSpec(split="poor"))
    with pytest.raises(InputError, match="has no split 'dev'"):
        read(shop, DataSpec(split="dev"))
    write_rows(shop / "corpus.jsonl", {"_id": "d4", "title": "Tea pot", "text": ""})
    with pytest.raises(InputError, match="none of the relevant documents of the split 'train' of shop is in its corp"):
        read(shop)


def test_esci_takes_exact_matches_and_grades_below_as_negatives(tmp_path: Path) -> None:
    products = [("B1", "赤い鞄", "北谷", "赤", "jp"), ("B2", "青い鞄", "", "青", "jp"), ("B3", "靴", None, None, "jp")]
    names = ("product_id", "product_title", "product_brand", "product_color", "product_locale")
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in products])
    folder = tmp_path / "esci"
    folder.mkdir()
    pq.write_table(table, folder / "shopping_queries_dataset_products.parquet")
    names = ("query", "query_id", "product_id", "product_locale", "esci_label", "split")
    rows = [(" 鞄 赤 ", 1, f"B{n}", "jp", label, "train") for n, label in ((3, "I"), (2, "S"), (1, "E"))]
    table = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])
    pq.write_table(table, folder / "shopping_queries_dataset_examples.parquet")
    assert read(folder).examples == [Example("鞄 赤", "赤い鞄, 北谷, 赤", ("靴",))]
    two = read(folder, DataSpec(negative_grade=2, negatives=2))
    assert two.examples == [Example("鞄 赤", "赤い鞄, 北谷, 赤", ("青い鞄, 青", "靴"))]
    assert (two.about["kind"], two.about["positive_grade"], two.about["negative_grade"]) == ("esci", 3, 2)


def test_home_depot(real_data: Path) -> None:
    data = read(real_data / "home_depot", DataSpec(positive_grade=5, negative_grade=2))
    assert data.examples[0] == Example(
        "angle bracket",
        "Simpson Strong-Tie 12-Gauge Angle",
        ("Crown Bolt 1 in. x 72 in. Plain Steel Angle with 1/8 in. Thick",),
    )
    assert (data.about["rows"], data.about["anchors"], data.about["queries_without_positives"]) == (13076, 3660, 744)
    assert all(one.positive in data.relevant[one.anchor] for one in data.examples)
    assert not any(text in data.relevant[one.anchor] for one in data.examples for text in one.negatives)
    triplets = read(real_data / "home_depot" / "triplets-train.jsonl")
    assert (triplets.about["rows"], triplets.about["negatives_relevant"]) == (2133, 12)


def test_telecom_has_its_prompts_once(real_data: Path) -> None:
    spec = DataSpec("query: {abbreviation}", "passage: {expansion} (abbreviation)")
    data = read(real_data / "telecom" / "abbreviations.csv", spec, E5)
    assert (data.about["rows"], data.about["prompts_stripped"]) == (639, 2 * 639)
    assert Example("5GS", "5G System (abbreviation)") in data.examples


def test_parallel_sentences(real_data: Path, tmp_path: Path) -> None:
    texts = {
        name: (real_data / "flores" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        for name in ("swh_Latn", "eng_Latn", "kor_Hang", "jpn_Jpan", "spa_Latn")
    }
    pairs = list(zip(texts["swh_Latn"], texts["eng_Latn"], texts["jpn_Jpan"], strict=True))
    path = write_rows(tmp_path / "sw.jsonl", *({"anchor": a, "positive": p, "negative": n} for a, p, n in pairs))
    assert read(path).examples == [Example(a.strip(), p.strip(), (n.strip(),)) for a, p, n in pairs]


def test_esci_rows_that_are_real(real_data: Path) -> None:
    data = read(real_data / "esci_us", DataSpec(split="test", text="{product_title}"))
    assert (data.about["rows"], data.about["queries_without_positives"], data.about["negatives"]) == (138, 62, 0)
    assert data.examples[0].anchor == "mama koala"
