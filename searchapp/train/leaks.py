"""Leaks: rows that hold what the judge asks would be graded on what they taught."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from searchapp.errors import InputError
from searchapp.prompts import Prompts
from searchapp.train.data import retold
from searchapp.train.examples import Example, TrainingData
from searchapp.train.judge import Judge
from searchapp.train.recipe import Leakage

_SHOWN = 80


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is judged on, folded."""

    task: str
    queries: frozenset[str]
    documents: frozenset[str]

    def leak(self, folded: tuple[str, ...]) -> int | None:
        """Return the place of the text by which a row leaks, its anchor first, or None."""
        anchor, positive = folded[:2]
        if self.task == "pairs":
            return next((n for n, text in enumerate(folded) if text in self.queries or text in self.documents), None)
        if anchor in self.queries:
            return 0
        if positive in self.queries and (anchor in self.documents or self.task != "retrieval"):
            return 1
        if self.task == "triplets" and anchor in self.documents and positive in self.documents:
            return 0
        return None


def drop_leaks(data: TrainingData, judge: Judge, *, leakage: Leakage, prompts: Prompts = Prompts()) -> TrainingData:
    """Return the data without the rows that leak what `judge` asks, or raise, or keep them; `about` counts them.

    Texts are compared without the prompts, whatever their case and white space. A row leaks, by the judge's task:

    * retrieval: its anchor is one of the judge's queries, or the row is a judged pair turned around: its positive is a
      query and its anchor a document of the judge. Documents on both sides are no leak: one catalogue serves training
      and test, and what is judged is which of them a new query finds.
    * triplets: its anchor or its positive is one of the judge's anchors, or both of them are among its other texts:
      a comparison the judge will ask for was made in training.
    * pairs: it holds a judged sentence anywhere, negatives too: either sentence of a pair asks as much as the other.

    `about` gets `leaked` (rows that leak), `leaks_kept` (of those, the rows that stayed) and `documents_shared`
    (different positives and negatives of the rows that stay which the judge has among its documents).

    Raises InputError where a row leaks and `leakage` is error, naming the first, or where no row is left.
    """
    judged = _Judged(judge.task, frozenset(_fold(judge.queries, prompts)), frozenset(_fold(judge.documents, prompts)))
    kept: list[Example] = []
    shared: set[str] = set()
    leaked = 0
    for number, example in enumerate(data.examples, 1):
        texts = (example.anchor, example.positive, *example.negatives)
        folded = tuple(_fold(texts, prompts))
        place = judged.leak(folded)
        leaked += place is not None
        if place is not None and leakage == "error":
            raise InputError(_refusal(data.name, number, example, texts[place]))
        if place is None or leakage == "allow":
            kept.append(example)
            shared.update(text for text in folded[1:] if text in judged.documents)
    if not kept:
        raise InputError(
            f"all {leaked:,} rows of {data.name} hold what the judge asks; name other data to train on, or to judge on"
        )
    stayed = leaked - (len(data.examples) - len(kept))
    return retold(data, kept, {"leaked": leaked, "leaks_kept": stayed, "documents_shared": len(shared)})


def _fold(texts: Iterable[str], prompts: Prompts) -> Iterator[str]:
    for text in texts:
        yield " ".join(text.removeprefix(prompts.query).removeprefix(prompts.document).casefold().split())


def _refusal(name: str, number: int, example: Example, text: str) -> str:
    row = f"{example.anchor[:_SHOWN]!r} with {example.positive[:_SHOWN]!r}"
    return (
        f"row {number:,} of {name} ({row}) holds {text[:_SHOWN]!r}, which the judge asks; leave such rows out with"
        " --set data.leakage=drop, keep them with --set data.leakage=allow, or name other data"
    )
