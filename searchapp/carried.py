"""The query encoder that an index carries: written down as one step of a build, and shown to give the same vectors."""

import shutil
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
    """Raise ModelError unless both give the canary texts the same vectors."""
    exact = encoder.card.dtype == "float32"
    for role, one, other in (
        ("query", encoder.encode_queries, written.encode_queries),
        ("document", encoder.encode_documents, written.encode_documents),
    ):
        expected, found = _units(one(CANARIES)), _units(other(CANARIES))
        apart = np.abs(expected - found).max(axis=1)
        bad = ~(apart <= SAME) if exact else ~(np.einsum("nd,nd->n", expected, found) >= SAME_COSINE)
        if bad.any():
            first = int(bad.argmax())
            raise ModelError(
                f"what was written of {encoder.card.model} for {written.card.runtime} gives the {role} "
                f"{CANARIES[first]!r} another vector than {encoder.card.runtime} (they differ by {apart[first]:.1e})"
            )


def _units(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    units: Vectors = vectors / lengths
    return units
