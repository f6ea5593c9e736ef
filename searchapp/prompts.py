"""Prompts: what is put before a query and before a document."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prompts:
    """The two prompts of a model and where they come from.

    `source` is one of `option`, `model`, `family NAME`, `none`; it is told to the user and stored.
    """

    query: str = ""
    document: str = ""
    source: str = "none"


def add_prompt(prompt: str, texts: Sequence[str]) -> tuple[list[str], int]:
    """Put `prompt` before every text that does not begin with it; return the texts and how many did.

    >>> add_prompt("query: ", ["red bag", "query: red bag"])
    (['query: red bag', 'query: red bag'], 1)
    >>> add_prompt("", ["red bag"])
    (['red bag'], 0)
    """
    if not prompt:
        return list(texts), 0
    prefixed = [text if text.startswith(prompt) else prompt + text for text in texts]
    return prefixed, sum(text.startswith(prompt) for text in texts)
