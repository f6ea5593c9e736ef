"""Gains: what a grade is worth to nDCG."""

import math
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from searchapp.errors import MeasureError


@dataclass(frozen=True, slots=True)
class Gains:
    """A gain for every grade, known by its name.

    `by_grade[g]` is the gain of grade g, so `by_grade[0]` is 0; None stands for gain = grade. A negative
    grade and a missing judgment gain 0, as in trec_eval. Raises MeasureError for a gain that is negative or
    not a number, or where grade 0 gains anything.

    >>> Gains.parse("esci").apply(np.array([3, 2, 1, 0, -1])).tolist()
    [1.0, 0.1, 0.01, 0.0, 0.0]
    """

    name: str
    by_grade: tuple[float, ...] | None

    def __post_init__(self) -> None:
        table = self.by_grade
        if table is None:
            return
        if not table or any(not math.isfinite(gain) or gain < 0 for gain in table):
            raise MeasureError(f"gains {self.name!r}: every gain is a number of 0 or more; {_EXAMPLE}")
        if table[0] != 0:
            raise MeasureError(
                f"gains {self.name!r} begin with {table[0]:g}, the gain of grade 0, which is irrelevant and "
                f"gains 0; {_EXAMPLE}"
            )
        if not any(table):
            raise MeasureError(f"gains {self.name!r} are all 0, so nothing could be gained; {_EXAMPLE}")

    @classmethod
    def parse(cls, text: str) -> "Gains":
        """Return the gains of a name, or of a list such as "0,0.01,0.1,1" that starts with grade 0's.

        Raises MeasureError for an unknown name or a list that makes no sense.
        """
        folded = text.strip().lower()
        if folded in NAMED:
            return NAMED[folded]
        try:
            table = tuple(float(part) for part in folded.split(","))
        except ValueError:
            near = get_close_matches(folded, NAMED, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise MeasureError(f"no gains are called {text!r}; {hint}known: {', '.join(NAMED)}; {_EXAMPLE}") from None
        return cls(",".join(repr(gain).removesuffix(".0") for gain in table), table)

    def apply(self, grades: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the gain of every grade, float64 in the shape of `grades`.

        Raises MeasureError for a grade beyond the table.
        """
        positive = np.maximum(grades, 0)
        if self.by_grade is None:
            return positive.astype(np.float64)
        top = int(positive.max(initial=0))
        if top >= len(self.by_grade):
            raise MeasureError(
                f"the judgments hold grade {top}, but gains {self.name!r} end at grade "
                f"{len(self.by_grade) - 1}; give a list with a gain for every grade from 0 to {top}, "
                "or use linear gains"
            )
        return np.asarray(self.by_grade, dtype=np.float64)[positive]

    def __str__(self) -> str:
        return self.name


_EXAMPLE = 'a list holds the gains of grades 0, 1, 2, ... in turn, for example "0,0.01,0.1,1"'

LINEAR = Gains("linear", None)
"""gain = grade, as trec_eval has it."""

ESCI = Gains("esci", (0.0, 0.01, 0.1, 1.0))
"""E 1.0, S 0.1, C 0.01, I 0 (Reddy et al. 2022, Shopping Queries Dataset), grades E=3 S=2 C=1 I=0."""

ESCI_OFFICIAL_SCRIPT_SWAPPED = Gains("esci-official-script-swapped", (0.0, 0.1, 0.01, 1.0))
"""S and C the other way round, as the data set's own script has them (esci-data issues 9 and 18)."""

NAMED = {gains.name: gains for gains in (LINEAR, ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED)}
"""The gains that go by a name; a new one is a line here."""
