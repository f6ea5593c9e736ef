"""Judging: how judgments are read before anything is counted."""

from dataclasses import dataclass
from typing import Literal

from searchapp.errors import MeasureError
from searchapp.metrics.gains import LINEAR, Gains


@dataclass(frozen=True, slots=True)
class Judging:
    """The choices that every number of an evaluation depends on; kept beside the numbers.

    gains: what a grade is worth to nDCG.
    threshold: the smallest grade that counts as relevant to the binary measures, 1 or more. A measure that
        names its own level, such as `RR(rel=2)@10`, keeps to that.
    drop_self: take a document whose id equals the query's id out of the ranking first, as BEIR does
        (ArguAna); its judgment, if it has one, stays in the ideal.
    no_relevant: what becomes of a query without a document of grade `threshold` or more. "drop" leaves it out
        of every mean (as sentence-transformers does), "zero" keeps it: all binary measures are then 0 for it
        (as in trec_eval), nDCG and Judged what they are.

    Raises MeasureError for a threshold below 1 or an unknown `no_relevant`.
    """

    gains: Gains = LINEAR
    threshold: int = 1
    drop_self: bool = False
    no_relevant: Literal["drop", "zero"] = "drop"

    def __post_init__(self) -> None:
        if self.threshold < 1:
            raise MeasureError(
                f"a relevance threshold of {self.threshold} would make irrelevant documents (grade 0) "
                "relevant; give the smallest relevant grade, 1 or more"
            )
        if self.no_relevant not in ("drop", "zero"):
            raise MeasureError(f'no_relevant is {self.no_relevant!r}; it is "drop" or "zero"')
