"""Rows that hold what the judge asks."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from searchapp.corpus import open_dataset, read_scored_pairs
from searchapp.errors import InputError
from searchapp.prompts import Prompts
from searchapp.train.data import read_training_data
from searchapp.train.examples import Example, TrainingData
from searchapp.train.fingerprint import fingerprint_rows
from searchapp.train.leaks import drop_leaks
from searchapp.train.recipe import DataSpec


@dataclass(frozen=True)
class Asks:
    """What a judge says it asks; nothing here is judged."""

    task: str
    queries: tuple[str, ...]
    documents: tuple[str, ...] = ()


def data_of(*rows: Example) -> TrainingData:
    return TrainingData("shop", rows, {"a": frozenset({"p"})}, {"rows": len(rows)}, "")


def kept(data: TrainingData, judge: Asks, prompts: Prompts = Prompts()) -> list[str]:
    return [one.anchor for one in drop_leaks(data, judge, leakage="drop", prompts=prompts).examples]


ROWS = data_of(
    Example("Red  bag", "Leather tote", ("Kettle",)),
    Example("赤い鞄", "革のハンドバッグ", ("青い靴",)),
    Example("Leather TOTE", "red bag", ("chair",)),
    Example("bolso", "Bolso rojo", ("red bag",)),
    Example("mfuko", "leather tote", ("Mpira",)),
)


def test_retrieval_keeps_the_shared_catalogue_and_drops_judged_queries() -> None:
    judge = Asks("retrieval", ("red BAG", "kettle"), (" leather tote", "Mpira", "never trained on"))
    found = drop_leaks(ROWS, judge, leakage="drop")
    assert [one.anchor for one in found.examples] == ["赤い鞄", "bolso", "mfuko"]
    assert found.about == {"rows": 3, "anchors": 3, "leaked": 2, "leaks_kept": 0, "documents_shared": 2}
    assert found.fingerprint == fingerprint_rows(found.examples)
    assert found.relevant == ROWS.relevant


def test_a_positive_that_is_a_query_is_a_leak_only_of_a_pair_turned_around() -> None:
    rows = data_of(Example("tote", "red bag"), Example("x", "red bag"))
    assert kept(rows, Asks("retrieval", ("red bag",), ("tote",))) == ["x"]


def test_documents_of_a_catalogue_may_belong_together_in_training_and_not_where_triplets_are_judged() -> None:
    rows = data_of(Example("tote", "clutch"), Example("x", "clutch"), Example("y", "red bag"))
    documents = ("tote", "clutch")
    assert kept(rows, Asks("retrieval", ("red bag",), documents)) == ["tote", "x", "y"]
    assert kept(rows, Asks("triplets", ("red bag",), documents)) == ["x"]


def test_triplets_ask_for_pairs_whatever_their_order() -> None:
    judge = Asks("triplets", ("red bag",), ("mfuko", "leather tote", "bolso"))
    assert kept(ROWS, judge) == ["赤い鞄", "bolso"]


def test_a_judged_sentence_is_a_leak_wherever_it_is() -> None:
    assert kept(ROWS, Asks("pairs", ("青い靴",), ("mpira",))) == ["Red  bag", "Leather TOTE", "bolso"]
    assert kept(ROWS, Asks("pairs", ("bolso ROJO",), ("Kettle",))) == ["赤い鞄", "Leather TOTE", "mfuko"]


def test_prompts_on_either_side_make_no_difference() -> None:
    rows = data_of(Example("5GC", "core network"), Example("AP", "access point"))
    prompts = Prompts("query: ", "passage: ")
    assert kept(rows, Asks("retrieval", ("query: 5gc",)), prompts) == ["AP"]
    assert kept(rows, Asks("retrieval", ("query: 5gc",))) == ["5GC", "AP"]
    prefixed = data_of(Example("query: 5GC", "x"), Example("AP", "access point"))
    assert kept(prefixed, Asks("retrieval", ("5gc",)), prompts) == ["AP"]
    shared = Asks("retrieval", ("x",), ("passage: Access Point",))
    assert drop_leaks(rows, shared, leakage="drop", prompts=prompts).about["documents_shared"] == 1
    assert drop_leaks(rows, shared, leakage="drop").about["documents_shared"] == 0


def test_an_error_names_the_first_row_and_what_to_type() -> None:
    with pytest.raises(InputError) as caught:
        drop_leaks(ROWS, Asks("retrieval", ("bolso", "mfuko")), leakage="error")
    assert str(caught.value) == (
        "row 4 of shop ('bolso' with 'Bolso rojo') holds 'bolso', which the judge asks; leave such rows out with"
        " --set data.leakage=drop, keep them with --set data.leakage=allow, or name other data"
    )
    for task, rows, held in (
        ("triplets", data_of(Example("tote", "clutch", ("n",))), "tote"),
        ("triplets", data_of(Example("x", "red bag", ("n",))), "red bag"),
        ("pairs", data_of(Example("x", "y", ("n", "tote"))), "tote"),
        ("retrieval", data_of(Example("red bag", "y")), "red bag"),
        ("retrieval", data_of(Example("red " * 30 + "bag", "y")), ("red " * 20)),
    ):
        judge = Asks(task, ("red bag", "red " * 30 + "bag"), ("tote", "clutch"))
        with pytest.raises(InputError, match=f" holds {held!r}, which the judge asks"):
            drop_leaks(rows, judge, leakage="error")
    assert drop_leaks(ROWS, Asks("retrieval", ("none",)), leakage="error").examples == list(ROWS.examples)


def test_leaks_that_are_allowed_are_counted() -> None:
    found = drop_leaks(ROWS, Asks("retrieval", ("red bag",), ("Kettle",)), leakage="allow")
    assert found.examples == list(ROWS.examples)
    assert (found.about["leaked"], found.about["leaks_kept"], found.about["documents_shared"]) == (1, 1, 1)


def test_nothing_left_is_an_error() -> None:
    with pytest.raises(InputError, match="all 1 rows of shop hold what the judge asks; name other data"):
        drop_leaks(data_of(Example("a", "p")), Asks("retrieval", ("A",)), leakage="drop")


def test_splits_of_real_data_share_documents_and_no_query(real_data: Path) -> None:
    test = open_dataset(real_data / "home_depot", split="test")
    titles = {document.doc_id: document.text for document in test.corpus.documents()}
    asked = tuple(query.text for query in test.queries)
    answers = tuple(titles[doc_id] for judged in test.qrels.values() for doc_id in judged)
    spec = DataSpec(positive_grade=5, negatives=0)
    data = read_training_data(real_data / "home_depot", spec=spec, prompts=Prompts())
    found = drop_leaks(data, Asks("retrieval", asked, answers), leakage="drop")
    trained = {one.anchor.casefold() for one in found.examples}
    assert not trained & {text.casefold() for text in asked}
    assert found.about["leaked"] == len(data.examples) - len(found.examples)
    assert int(found.about["documents_shared"]) > 1000


def test_sentences_of_a_real_judge(real_data: Path) -> None:
    pairs = list(read_scored_pairs(real_data / "stsb" / "sts-test.csv"))
    judge = Asks("pairs", tuple(one.sentence1 for one in pairs), tuple(one.sentence2 for one in pairs))
    rows = data_of(Example(pairs[7].sentence2.upper(), "x"), Example("bags", "tote"), Example("y", pairs[0].sentence1))
    assert kept(rows, judge) == ["bags"]
