"""What is said about a model before it is used."""

from dataclasses import replace

import pytest

from searchapp.cli.assemble import describe_model
from searchapp.prompts import Prompts
from tests.fakes import HashEncoder

BASE = "none, though its base intfloat/e5-base takes 'query: ' for queries and 'passage: ' for documents"


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        (Prompts(), "prompts: none"),
        (Prompts("", "", "option"), "prompts: none (from option)"),
        (Prompts("q: ", "", "model"), "prompts: query 'q: ', document '' (from model)"),
        (
            Prompts("", "", BASE),
            f"prompts: {BASE}; if it was trained with them, type --query-prompt and --document-prompt",
        ),
    ],
)
def test_prompts_are_told_with_their_source(prompts: Prompts, said: str) -> None:
    card = replace(HashEncoder().card, prompts=prompts)
    assert describe_model(card, chosen=True) == f"model hash-0: 48 dims, sum pooling, numpy float32; {said}"
    assert "(the default; choose with --model)" in describe_model(card, chosen=False)
