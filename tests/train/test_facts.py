"""What a card tells is what the model, the loss and the trainer were."""

import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from searchapp.train.card import JudgedFacts
from searchapp.train.examples import Example, TrainingData
from searchapp.train.facts import describe_judge, gather_facts
from searchapp.train.log import LogRow
from searchapp.train.model_folder import Made
from searchapp.train.recipe import LossSpec
from searchapp.train.trainer import Session
from tests.encoders.conftest import Build
from tests.models_on_disk import quiet
from tests.train.small import small_recipe

pytest.importorskip("sentence_transformers")

EXAMPLES = (Example("red bag", "a red bag", ("tap",)), Example("tap", "kitchen tap", ("a red bag and more",)))
DATA = TrainingData("shop", EXAMPLES, {}, {"rows": 2})
JUDGED = JudgedFacts("held-out.jsonl", "triplets", "held-out_cosine_accuracy", 3, 4)


@dataclass(frozen=True)
class Asks:
    """A judge that is only described."""

    task: str = "triplets"
    measure: str = "held-out_cosine_accuracy"
    queries: tuple[str, ...] = ("a", "b", "c")
    documents: tuple[str, ...] = ("d", "e", "f", "g")


def load(folder: Path) -> Any:
    from sentence_transformers import SentenceTransformer

    with quiet():
        return SentenceTransformer(str(folder), device="cpu")


def test_everything_is_asked_of_what_was_there(built: Build, tmp_path: Path) -> None:
    base = built("roberta")
    recipe = replace(small_recipe(base), loss=LossSpec(matryoshka_dims=(64, 16)))
    made = Made(tmp_path / "shop", recipe, "roberta", {}, {}, (LogRow(1.0, 6, 2.5),), 6, JUDGED.measure, 7.5)
    model = load(base)
    session = Session(recipe, model, model, DATA, None, tmp_path / "checkpoints", "cpu")
    facts = gather_facts(made, session, judged=JUDGED, weights=base)
    assert (facts.name, facts.base, facts.recipe, facts.judged) == ("shop", "roberta", recipe, JUDGED)
    assert (facts.rows, facts.step, facts.seconds, facts.device) == (made.rows, 6, 7.5, "cpu")
    assert (facts.modules, facts.dim, facts.max_seq_length, facts.data) == (str(model), 64, 32, DATA)
    tokens = [
        [len(model.tokenizer(text)["input_ids"]) for text in texts]
        for texts in zip(*map(texts_of, EXAMPLES), strict=True)
    ]
    assert [(one.name, one.fewest, one.mean, one.most) for one in facts.columns] == [
        (name, min(counts), sum(counts) / 2, max(counts))
        for name, counts in zip(("anchor", "positive", "negative"), tokens, strict=True)
    ]
    assert [name for name, _ in facts.losses] == ["MatryoshkaLoss", "MultipleNegativesRankingLoss"]
    assert facts.settings["per_device_train_batch_size"] == facts.changed["per_device_train_batch_size"] == 4
    assert "adam_beta1" in facts.settings
    assert "adam_beta1" not in facts.changed
    assert facts.versions["Python"] == platform.python_version()
    assert {"torch", "sentence-transformers", "accelerate", "datasets"} <= set(facts.versions)
    assert all(isinstance(value, str) for value in facts.versions.values())


def texts_of(example: Example) -> tuple[str, ...]:
    return example.anchor, example.positive, *example.negatives


def test_without_a_tokenizer_that_can_be_used_alone_no_tokens_are_counted(built: Build, tmp_path: Path) -> None:
    base = built("roberta")
    recipe = small_recipe(base)
    made = Made(tmp_path / "shop", recipe, "roberta", {}, {}, (), 6, None, 7.5)
    model = load(base)
    session = Session(recipe, model, model, DATA, None, tmp_path / "checkpoints", "cpu:0")
    facts = gather_facts(made, session, judged=None, weights=tmp_path)
    assert (facts.columns, facts.judged, facts.device) == ((), None, "cpu:0")


def test_a_judge_is_told_by_the_last_part_of_its_path() -> None:
    assert describe_judge(Asks(), "data/deep/held-out.jsonl") == JUDGED
    assert describe_judge(Asks(), Path("data") / "held-out.jsonl") == JUDGED
    assert describe_judge(None, "held-out.jsonl") is describe_judge(Asks(), None) is None
