"""Numbers that tell whether vectors are fit to be searched."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchapp.encoders import Vectors

UNIT = 1e-3
"""Lengths this near to 1 are unit lengths, in half precision too."""
CROWDED, COLLAPSING = 0.6, 0.95
"""Mean cosines of unlike texts. E5 and its like lie at .7 to .8 and search well; only at the second is hardly anything
left that tells texts apart."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How vectors lie: lengths, and the mean cosine over all pairs of different rows."""

    count: int
    bad: int
    """Rows with NaN or infinite numbers."""
    zero: int
    shortest: float
    longest: float
    mean_cosine: float
    """NaN where fewer than two rows have a direction."""

    @property
    def is_unit(self) -> bool:
        """Tell whether all lengths are 1."""
        return max(abs(self.shortest - 1), abs(self.longest - 1)) <= UNIT


def measure_spread(vectors: Vectors) -> Spread:
    """Measure float32 (n, dim); rows that are not finite or are zero are counted, and left out of the rest.

    The mean cosine of n unit vectors is (|sum|^2 - n) / (n (n - 1)).

    >>> measure_spread(np.array([[2, 0], [0, 1], [np.nan, 0], [0, 0]], dtype=np.float32))
    Spread(count=4, bad=1, zero=1, shortest=1.0, longest=2.0, mean_cosine=0.0)
    """
    finite = np.isfinite(vectors).all(axis=1)
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    zero = finite & (norms == 0)
    good = finite & (norms > 0)
    lengths = norms[good]
    units = vectors[good] / lengths[:, None]
    many = len(units)
    mean = (float(np.square(units.sum(axis=0)).sum()) - many) / (many * (many - 1)) if many > 1 else float("nan")
    ends = (float(lengths.min()), float(lengths.max())) if many else (float("nan"), float("nan"))
    return Spread(len(vectors), int((~finite).sum()), int(zero.sum()), *ends, mean)


def paired_cosines(left: Vectors, right: Vectors) -> npt.NDArray[np.float64]:
    """Return float64 (n): the cosine of each row with the same row of the other; 0 where one of them is zero.

    >>> paired_cosines(np.array([[1, 0], [3, 4]], dtype=np.float32), np.array([[2, 0], [4, 3]], dtype=np.float32))
    array([1.  , 0.96])
    """
    one, other = left.astype(np.float64), right.astype(np.float64)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    cosines: npt.NDArray[np.float64] = np.einsum("nd,nd->n", one, other) / np.where(lengths == 0, 1, lengths)
    return cosines
