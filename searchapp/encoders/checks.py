"""Vectors that can't be searched with are refused, with the name of the first document that has one."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import Encoder, Vectors
from searchapp.errors import BadVectorsError

CANARIES: tuple[str, ...] = (
    "A red leather handbag with a gold zip",
    "how to repair a leaking kitchen tap",
    "The mitochondrion is the powerhouse of the cell.",
    "Una mesa de madera para el jardín",
    "赤い革のハンドバッグ",
    "한국의 전통 음식과 요리법",
    "Watoto wanacheza mpira shuleni",
    "0123456789 42 3.14159",
)
"""Texts as unlike as can be: what a working model tells apart. An index keeps their vectors, to know its model by."""

SAME = 1e-5
"""Unit vectors whose numbers are all this near are one vector."""
FEWEST_TEXTS = 8
"""Fewer different texts than this prove no collapse."""

_WEIGHTS = (
    "check that the model's weights are whole, try --dtype float32, and a release of transformers that the model was "
    "made for"
)
# A transformer's special tokens always say something; a static model has nothing to say of a text without tokens.
_TEXT = (
    "if its text has no token that the model knows, nothing could ever find it: give it words, or leave it out; if "
    "other texts give zeros too, check that the model's weights are whole"
)


def check_vectors(vectors: Vectors, texts: Sequence[str], names: Sequence[str]) -> None:
    """Refuse vectors that are not finite, zero, or one and the same for different texts.

    `vectors` is float32 (n, dim), row i for `texts[i]`, which people know as `names[i]`. Texts that differ in case or
    white space alone count as the same; fewer than FEWEST_TEXTS different ones prove nothing. Raises BadVectorsError
    naming the first bad document, or two different ones with one vector, and what to check.
    """
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    _refuse_first(~np.isfinite(norms), names, found="NaN or infinite numbers", advice=_WEIGHTS)
    _refuse_first(norms == 0, names, found="only zeros", advice=_TEXT)
    different = _first_of_each(texts)
    if len(different) < FEWEST_TEXTS or not _all_same(vectors, norms, different):
        return
    raise BadVectorsError(
        f"the model gives one vector to different texts: {names[different[0]]} and {names[different[1]]}, like all "
        f"{len(different)} different texts here; it has collapsed: check that its training "
        "moved (a loss that fell) and that all of its weights were saved, or name another model"
    )


def check_encoder(encoder: Encoder) -> None:
    """Refuse a model that gives NaN, zeros or one vector for every canary, before any work is done with it.

    Raises BadVectorsError.
    """
    names = [f"the test text {text!r}" for text in CANARIES]
    check_vectors(encoder.encode_documents(CANARIES), CANARIES, names)
    check_vectors(encoder.encode_queries(CANARIES), CANARIES, names)


def _refuse_first(bad: npt.NDArray[np.bool_], names: Sequence[str], *, found: str, advice: str) -> None:
    if bad.any():
        first = int(bad.argmax())
        raise BadVectorsError(
            f"the vector of {names[first]} holds {found} ({int(bad.sum())} of {len(bad)} vectors here do); {advice}"
        )


def _first_of_each(texts: Sequence[str]) -> list[int]:
    """Return where each different text stands first."""
    first: dict[str, int] = {}
    for position, text in enumerate(texts):
        first.setdefault(" ".join(text.casefold().split()), position)
    return list(first.values())


def _all_same(vectors: Vectors, norms: npt.NDArray[np.float64], rows: list[int]) -> bool:
    units = vectors[rows] / norms[rows, None]
    return bool(np.abs(units - units[0]).max() <= SAME)
