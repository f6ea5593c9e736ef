"""What a path is judged as, at which dims and by which measure."""

from dataclasses import replace
from pathlib import Path

import pytest

from searchapp.corpus import ReadOptions, open_dataset
from searchapp.errors import InputError, UsageError
from searchapp.prompts import Prompts
from searchapp.train.examples import Example
from searchapp.train.judges import open_judge
from searchapp.train.recipe import DataSpec, JudgeSpec, LossSpec, ModelSpec, Recipe
from tests.fakes import HashEncoder

RECIPE = Recipe("r", "", ModelSpec("some-base"), judge=JudgeSpec(name="eval"))


@pytest.fixture
def triplets(tmp_path: Path) -> Path:
    path = tmp_path / "triplets.csv"
    path.write_text("anchor,positive,negative\nbag,a red bag,a kettle\ntable,an oak table,a red bag\n")
    return path


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    path = tmp_path / "scored.csv"
    path.write_text("sentence1,sentence2,score\nbag,a red bag,5\nbag,a kettle,1\noak,a kettle,0.5\n")
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "shop"
    (path / "qrels").mkdir(parents=True)
    (path / "corpus.jsonl").write_text(
        '{"_id": "1", "title": "bag", "text": "red"}\n{"_id": "2", "title": "table", "text": "oak"}\n'
    )
    (path / "queries.jsonl").write_text('{"_id": "q", "text": "red bag"}\n{"_id": "t", "text": "a table"}\n')
    head = "query-id\tcorpus-id\tscore\n"
    (path / "qrels" / "test.tsv").write_text(head + "q\t1\t2\nq\t2\t1\n")
    (path / "qrels" / "train.tsv").write_text(head + "t\t2\t1\n")
    return path


def test_files_are_known_by_their_columns(triplets: Path, scored: Path, folder: Path) -> None:
    found = [open_judge(path, recipe=RECIPE, width=48) for path in (triplets, scored, folder)]
    assert [judge.task for judge in found] == ["triplets", "pairs", "retrieval"]
    assert [judge.measure for judge in found] == [
        "eval_cosine_accuracy",
        "eval_spearman_cosine",
        "eval_cosine_ndcg@10",
    ]
    assert [list(judge.queries) for judge in found] == [
        ["bag", "table"],
        ["bag", "a red bag", "a kettle", "oak"],
        ["red bag"],
    ]
    assert [list(judge.documents) for judge in found] == [
        ["a red bag", "a kettle", "an oak table"],
        [],
        ["bag red", "table oak"],
    ]


def test_a_folder_is_judged_on_its_test_split_with_the_recipe_s_text(folder: Path) -> None:
    recipe = replace(RECIPE, data=DataSpec(text="{text}! {title}", split="train"))
    judge = open_judge(folder, recipe=recipe, width=48, options=ReadOptions(split="train"))
    assert list(judge.queries) == ["red bag"]
    assert list(judge.documents) == ["red! bag", "oak! table"]
    # Grade 1 counts as the test split says, so that a ranking of both is worth the whole.
    (measures,) = judge.judge(HashEncoder()).values()
    assert measures["cosine_recall@3"] == 1.0
    assert open_dataset(folder).qrels == {"q": {"1": 2, "2": 1}}


def test_dims_are_those_of_the_judge_then_of_matryoshka_then_full_width(triplets: Path) -> None:
    matryoshka = replace(RECIPE, loss=LossSpec(matryoshka_dims=(16, 32)))
    own = replace(matryoshka, judge=JudgeSpec(name="dim", dims=(8, 24)))
    found = [
        list(open_judge(triplets, recipe=recipe, width=48).judge(HashEncoder())) for recipe in (RECIPE, matryoshka, own)
    ]
    assert found == [["eval"], ["eval-32", "eval-16"], ["dim_24", "dim_8"]]
    with pytest.raises(UsageError, match="32 dims: some-base gives 20; type a number from 1 to 20"):
        open_judge(triplets, recipe=matryoshka, width=20)


def test_the_task_may_be_said(triplets: Path, scored: Path) -> None:
    pairs = replace(RECIPE, judge=JudgeSpec(task="pairs"))
    assert open_judge(scored, recipe=pairs, width=48).task == "pairs"
    with pytest.raises(InputError, match="sentence1"):
        open_judge(triplets, recipe=pairs, width=48)
    with pytest.raises(UsageError, match="did you mean spearman_cosine"):
        open_judge(scored, recipe=replace(RECIPE, judge=JudgeSpec(measure="spearman_cosin")), width=48)


def test_rows_of_an_anchor_and_a_positive_are_judged_by_retrieval(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text("anchor,positive\nquery: bag,passage: a red bag\ntable,an oak table\nbag,a leather bag\n")
    recipe = replace(RECIPE, prompts=Prompts("query: ", "passage: "), judge=JudgeSpec(name="e5-eval-real"))
    judge = open_judge(path, recipe=recipe, width=48)
    assert (judge.task, judge.measure) == ("retrieval", "e5-eval-real_cosine_ndcg@10")
    # The trainer and the encoder put prompts before all texts, so that none may be there already.
    assert list(judge.queries) == ["bag", "table"]
    assert list(judge.documents) == ["a red bag", "an oak table", "a leather bag"]
    assert list(judge.examples) == [
        Example("bag", "a red bag"),
        Example("table", "an oak table"),
        Example("bag", "a leather bag"),
    ]


def test_templates_say_which_columns_belong_together(tmp_path: Path) -> None:
    path = tmp_path / "abbreviations.csv"
    path.write_text("abbreviation,expansion,other\nACS,Adjacent Channel Selectivity,Ab\nAPN,Access Point Name,ACS\n")
    data = DataSpec(anchor="{abbreviation}", positive="{expansion} (expansion)")
    judge = open_judge(path, recipe=replace(RECIPE, data=data), width=48)
    assert (judge.task, list(judge.queries)) == ("retrieval", ["ACS", "APN"])
    assert list(judge.documents) == ["Adjacent Channel Selectivity (expansion)", "Access Point Name (expansion)"]
    triplets = open_judge(path, recipe=replace(RECIPE, data=replace(data, negative="{other}")), width=48)
    assert triplets.task == "triplets"
    assert list(triplets.examples)[1] == Example("APN", "Access Point Name (expansion)", ("ACS",))
    asked = replace(RECIPE, data=data, judge=JudgeSpec(task="triplets"))
    with pytest.raises(InputError, match=r"row 1 of .* has no negative.*--set judge.task=retrieval"):
        open_judge(path, recipe=asked, width=48)


def test_scored_pairs_are_that_whatever_is_trained_on(scored: Path) -> None:
    data = DataSpec(anchor="{abbreviation}", positive="{expansion}")
    assert open_judge(scored, recipe=replace(RECIPE, data=data), width=48).task == "pairs"


def test_a_folder_of_rows_is_told_from_one_of_judgments(tmp_path: Path) -> None:
    pairs, triplets = tmp_path / "pairs", tmp_path / "triplets"
    for folder, text in ((pairs, "anchor,positive\nbag,a red bag\n"), (triplets, "anchor,positive,negative\na,b,c\n")):
        folder.mkdir()
        (folder / "rows.csv").write_text(text)
    assert [open_judge(path, recipe=RECIPE, width=48).task for path in (pairs, triplets)] == ["retrieval", "triplets"]


def test_what_is_nothing_to_judge_on_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "prices.csv"
    path.write_text("name,price\nbag,3\n")
    with pytest.raises(InputError, match="anchor"):
        open_judge(path, recipe=RECIPE, width=48)


def test_triplets_that_are_asked_as_retrieval_are(triplets: Path) -> None:
    judge = open_judge(triplets, recipe=replace(RECIPE, judge=JudgeSpec(task="retrieval")), width=48)
    assert (judge.task, list(judge.documents)) == ("retrieval", ["a red bag", "an oak table"])
