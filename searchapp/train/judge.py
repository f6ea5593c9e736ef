"""The judge of a training: the project's own measures, at every dim, under the names of the reference cards."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias

from searchapp.encoders import Encoder
from searchapp.train.examples import Example

Measures: TypeAlias = Mapping[str, Mapping[str, float]]
"""The judge's name with its dim (`sts-dev-768`, `dim_768`, `triplet-esci`) -> key (`spearman_cosine`) -> value."""


class Judge(Protocol):
    """Data to judge on, held; the same numbers for the same vectors, whoever asks."""

    @property
    def task(self) -> str:
        """Return triplets, pairs or retrieval."""
        ...

    @property
    def measure(self) -> str:
        """Return the full name of what the best is kept by: that of its widest dim, an underscore, the key."""
        ...

    @property
    def queries(self) -> Sequence[str]:
        """Return the texts that are asked: no training row may hold one of them."""
        ...

    @property
    def documents(self) -> Sequence[str]:
        """Return the texts that are judged as answers."""
        ...

    @property
    def examples(self) -> Sequence[Example]:
        """Return rows that the loss can be computed on, as many negatives in each; empty where there are none."""
        ...

    @property
    def fingerprint(self) -> str:
        """Return sha256 of what is judged on: texts, and what people said of them."""
        ...

    def judge(self, encoder: Encoder) -> Measures:
        """Measure every dim; raises MeasureError for NaN, BadVectorsError for vectors that are bad or all the same."""
        ...
