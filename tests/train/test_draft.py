"""Prompts that texts bring along."""

from searchapp.prompts import Prompts
from searchapp.train.draft import PromptStripper


def test_without_prompts_a_text_stays_as_it_is() -> None:
    stripper = PromptStripper(Prompts())
    assert (stripper.anchor(" bag "), stripper.document("bag ")) == (" bag ", "bag ")
    assert stripper.stripped == 0


def test_a_prompt_alone_is_a_text() -> None:
    stripper = PromptStripper(Prompts("query: ", "passage: "))
    assert (stripper.anchor("query:  "), stripper.document("passage: bag")) == ("query:  ", "bag")
    assert stripper.stripped == 1
