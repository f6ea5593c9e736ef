"""What is trained on: rows of texts that belong together, and what is known to be relevant to whom."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Example:
    """A row: an anchor, what belongs to it, and hard negatives, as many in every row of a data set."""

    anchor: str
    positive: str
    negatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrainingData:
    """The rows of a training, prompts not yet before them."""

    name: str
    examples: Sequence[Example]
    relevant: Mapping[str, frozenset[str]]
    """anchor -> every text known to be relevant to it: no in-batch negative of that anchor."""
    about: Mapping[str, str | int] = field(default_factory=dict)
    """What a card says of it: source, rows, negatives, what was left out and why."""
    fingerprint: str = ""
    """sha256 over the rows."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of a row's texts: anchor, positive, and negative or negative_1, negative_2 and so on."""
        count = len(self.examples[0].negatives)
        negatives = ("negative",) if count == 1 else (f"negative_{number}" for number in range(1, count + 1))
        return ("anchor", "positive", *negatives)
