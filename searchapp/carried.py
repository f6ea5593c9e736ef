"""The query encoder that an index carries: written down as one step of a build, and shown to give the same vectors."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from searchapp.encoders import CANARIES, Encoder, Vectors
from searchapp.encoders.exported import DESCRIPTION, open_exported, write_description
from searchapp.encoders.runtimes import Export, choose_export
from searchapp.errors import MissingExtraError, ModelError
from searchapp.index.manifest import FileEntry
from searchapp.index.steps import Step, Steps
from searchapp.layout import ENCODER, PARTIAL

SAME = 1e-4
"""Unit vectors of one text, by the model and by what was written of it, differ in no number by more."""
SAME_COSINE = 0.99
"""The same where the model runs in less than float32, and what was written of it doesn't."""
LONGEST = 512
"""max_seq_length up to which a text that is cut is compared too; longer ones take seconds and gigabytes."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What an index will carry."""

    export: Export | None
    reason: str = ""
    """Why nothing, where something is wanted."""

    @property
    def runtime(self) -> str | None:
        """Return what will open it."""
        return None if self.export is None else self.export.form.runtime


NOTHING = Carried(None)


def plan_carried(encoder: Encoder, *, wanted: bool) -> Carried:
    """Choose how an encoder is written down; where it can't be, say why and carry nothing."""
    if not wanted:
        return NOTHING
    try:
        return Carried(choose_export(encoder))
    except (ModelError, MissingExtraError) as error:
        return Carried(None, str(error))


def write_carried(steps: Steps, encoder: Encoder, export: Export) -> Mapping[str, FileEntry]:
    """Write an encoder into the folder of `steps` unless it is there; return its files.

    Raises ModelError where it can't be written down, or what was written gives other vectors.
    """

    def make(paths: Sequence[Path]) -> dict[str, int]:
        staging = paths[0].parent / f"new{PARTIAL}"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir()
        try:
            card = export.write(encoder, staging)
            write_description(staging, card)
            _compare(encoder, open_exported(staging))
            for path in paths:
                (staging / path.name.removesuffix(PARTIAL)).replace(path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return {}

    names = tuple(f"{ENCODER}/{name}" for name in (DESCRIPTION, *export.form.files))
    return steps.finish(Step("encoder", export.form.runtime, names), make).files


def _compare(encoder: Encoder, written: Encoder) -> None:
    """Raise ModelError unless both give the canary texts, and one that is cut, the same vectors."""
    exact = encoder.card.dtype == "float32"
    texts = [*CANARIES, *_too_long(encoder.card.max_seq_length)]
    for role, one, other in (
        ("query", encoder.encode_queries, written.encode_queries),
        ("document", encoder.encode_documents, written.encode_documents),
    ):
        expected, found = _units(one(texts)), _units(other(texts))
        apart = np.abs(expected - found).max(axis=1)
        bad = ~(apart <= SAME) if exact else ~(np.einsum("nd,nd->n", expected, found) >= SAME_COSINE)
        if bad.any():
            first = int(bad.argmax())
            text = textwrap.shorten(texts[first], 80)
            raise ModelError(
                f"what was written of {encoder.card.model} for {written.card.runtime} gives the {role} "
                f"{text!r} another vector than {encoder.card.runtime} (they differ by {apart[first]:.1e})"
            )


def _too_long(limit: int | None) -> list[str]:
    """Return a text that a model cuts, whose two ends are unlike: both must cut it at one place, on one side."""
    if limit is None or limit > LONGEST:
        return []
    return [f"{CANARIES[0]} {' '.join(map(str, range(limit)))} {CANARIES[1]}"]


def _units(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    units: Vectors = vectors / lengths
    return units
