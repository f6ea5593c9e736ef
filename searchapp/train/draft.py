"""Rows as they were read: prompts gone, each with the negatives it happens to have."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from searchapp.prompts import Prompts
from searchapp.train.examples import Example


@dataclass(frozen=True, slots=True)
class Draft:
    """What a reader makes: rows with more or fewer negatives, and what was met on the way."""

    examples: list[Example]
    relevant: Mapping[str, frozenset[str]]
    """anchor -> every text known to be relevant to it."""
    about: Mapping[str, str | int] = field(default_factory=dict)


class PromptStripper:
    """Takes a recipe's prompts off texts that begin with them, and counts: the trainer puts them there once."""

    def __init__(self, prompts: Prompts) -> None:
        self.stripped = 0
        self._prompts = prompts

    def anchor(self, text: str) -> str:
        """Return an anchor without the query prompt."""
        return self._strip(text, self._prompts.query)

    def document(self, text: str) -> str:
        """Return a positive or a negative without the document prompt."""
        return self._strip(text, self._prompts.document)

    def _strip(self, text: str, prompt: str) -> str:
        rest = text.removeprefix(prompt).strip() if prompt else ""
        if not rest or rest == text:
            return text
        self.stripped += 1
        return rest


def group_relevant(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Gather (anchor, text relevant to it) by anchor."""
    found: dict[str, set[str]] = {}
    for anchor, text in pairs:
        found.setdefault(anchor, set()).add(text)
    return {anchor: frozenset(texts) for anchor, texts in found.items()}
