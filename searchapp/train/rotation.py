"""A rotation behind a model that stays as it is: what a search needs is turned into the first dims.

A rotation changes no cosine at full width. It starts as the principal axes of the training texts' vectors, in whose
first dims most of their length lies, and then follows the Matryoshka loss: the weights that are learnt are those of the
next small turn, a skew-symmetric matrix that is zero again after each step, when the rotation has taken it up (Lezcano
2019, Trivializations for gradient-based optimization on manifolds). The model's own part is done once: training reads
its vectors from memory.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from searchapp.build import Progress, silent
from searchapp.encoders import Encoder
from searchapp.encoders.base import Vectors
from searchapp.judging.embedding import Embedder, cut_texts
from searchapp.optional import require
from searchapp.train.examples import TrainingData

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import InputModule, Module
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_ITERATIONS = 4
"""Each about squares how far a matrix is from a rotation; a step leaves it less than a tenth away."""


def add_rotation(base: "SentenceTransformer") -> "SentenceTransformer":
    """Return a base with a rotation behind it that turns nothing yet; the base's own weights stay as they are."""
    torch = require("torch", extra="train")
    dense = require("sentence_transformers.base.modules", extra="train").Dense
    width = base.get_embedding_dimension() or 0
    rotation = dense(width, width, bias=False, activation_function=torch.nn.Identity(), init_weight=torch.eye(width))
    whole: SentenceTransformer = require("sentence_transformers", extra="train").SentenceTransformer(
        modules=[*base, rotation], device=str(base.device)
    )
    return whole


def open_learner(
    whole: "SentenceTransformer", encoder: Encoder, parts: Iterable[TrainingData], *, progress: Progress = silent
) -> "SentenceTransformer":
    """Return what is trained: the next turn of a model's rotation, over its base's vectors of the texts of `parts`.

    `encoder` is `whole` as `add_rotation` left it, whose rotation starts here: as the principal axes of those vectors,
    the same for the same texts. Memory: a vector for each different text.

    Raises BadVectorsError where the base gives NaN, zeros or one vector for all.
    """
    torch = require("torch", extra="train")
    rows, vectors = _embed(encoder, list(parts), progress)
    axes = _axes(whole)
    with torch.no_grad():
        axes.copy_(torch.from_numpy(principal_axes(vectors)))
    learner: SentenceTransformer = require("sentence_transformers", extra="train").SentenceTransformer(
        modules=[_remember(rows, torch.from_numpy(vectors)), _turn(axes)], device=str(whole.device)
    )
    return learner


def principal_axes(vectors: Vectors) -> Vectors:
    """Return float32 (dim, dim), a row for each axis of vectors (n, dim), that of the largest mean square first.

    They are not centred: what is cut is a vector's length, and cosines know no mean.
    """
    torch = require("torch", extra="train")
    wide = torch.from_numpy(vectors).double()
    axes = torch.linalg.eigh(wide.T @ wide / len(wide)).eigenvectors.flip(1).T
    found: Vectors = axes.float().contiguous().numpy()
    return found


def take_turn(axes: "torch.Tensor", turn: "torch.Tensor") -> None:
    """Turn a rotation (dim, dim) in place by a small turn, as `skew` reads it, and make the turn zero.

    What comes of it is the nearest rotation to (1 + skew) axes, by Newton and Schulz's iteration (Björck & Bowie 1971,
    An iterative algorithm for computing the best estimate of an orthogonal matrix).
    """
    torch = require("torch", extra="train")
    with torch.no_grad():
        axes.add_(skew(turn) @ axes)
        identity = torch.eye(len(axes), dtype=axes.dtype, device=axes.device)
        for _ in range(_ITERATIONS):
            axes.copy_(axes @ (1.5 * identity - 0.5 * (axes.T @ axes)))
        turn.zero_()


def skew(turn: "torch.Tensor") -> "torch.Tensor":
    """Return the skew-symmetric matrix of which a matrix holds what is below the diagonal."""
    below = turn.tril(-1)
    return below - below.T


def make_turner(whole: "SentenceTransformer", learner: "SentenceTransformer") -> "TrainerCallback":
    """Return the trainer's callback by which the rotation of a model takes up what its learner has learnt."""
    from transformers import TrainerCallback

    axes = _axes(whole)
    turn = next(iter(learner.parameters()))

    class Turner(TrainerCallback):
        """Turns after each step."""

        def on_optimizer_step(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            take_turn(axes, turn)

    return Turner()


def _axes(whole: "SentenceTransformer") -> "torch.Tensor":
    rotation: Any = whole[-1]
    axes: torch.Tensor = rotation.linear.weight
    return axes


def _embed(encoder: Encoder, parts: Sequence[TrainingData], progress: Progress) -> tuple[dict[str, int], Vectors]:
    """Return the rows of all texts, each with its prompt before it, and their vectors."""
    rows = [row for part in parts for row in part.examples]
    prompts = encoder.card.prompts
    anchors = dict.fromkeys(row.anchor for row in rows)
    texts = dict.fromkeys(text for row in rows for text in (row.positive, *row.negatives))
    if prompts.query == prompts.document:
        texts = {text: None for text in texts if text not in anchors}
    total = len(anchors) + len(texts)
    embedder = Embedder(encoder, progress=progress)
    vectors: Vectors = np.concatenate(
        [
            embedder.embed(cut_texts(anchors), encoder.encode_queries, rows=len(anchors), total=total),
            embedder.embed(cut_texts(texts), encoder.encode_documents, rows=len(texts), total=total),
        ]
    )
    keys = [prompts.query + text for text in anchors] + [prompts.document + text for text in texts]
    return {key: row for row, key in enumerate(keys)}, vectors


def _remember(rows: Mapping[str, int], vectors: "torch.Tensor") -> "InputModule":
    """Return a first module that knows the vectors of some texts by heart."""
    from sentence_transformers.base.modules import InputModule

    class Remembered(InputModule):
        """Reads vectors where a model would make them; it has no weights and can't be saved."""

        def preprocess(self, inputs: Sequence[Any], prompt: str | None = None, **_others: Any) -> dict[str, Any]:
            return {"sentence_embedding": vectors[[rows[(prompt or "") + text] for text in inputs]]}

        def forward(self, features: dict[str, Any], **_others: Any) -> dict[str, Any]:
            return dict(features)

        def get_embedding_dimension(self) -> int:
            return int(vectors.shape[1])

        def save(self, output_path: str, *_others: Any, **_more: Any) -> None:
            raise NotImplementedError("the model that was remembered is saved instead")

    made: Any = Remembered  # its constructor has no types
    known: InputModule = made()
    return known


def _turn(axes: "torch.Tensor") -> "Module":
    """Return a last module that turns vectors by some axes, and then by a small turn, which is what is learnt."""
    import torch
    from sentence_transformers.base.modules import Module

    class Turn(Module):
        """Turns vectors; it can't be saved."""

        turn: torch.nn.Parameter

        def forward(self, features: dict[str, Any], **_others: Any) -> dict[str, Any]:
            turned = features["sentence_embedding"] @ axes.detach().T
            return {**features, "sentence_embedding": turned + turned @ skew(self.turn).T}

        def save(self, output_path: str, *_others: Any, **_more: Any) -> None:
            raise NotImplementedError("the model whose axes they are is saved instead")

    made: Any = Turn  # its constructor has no types
    turning: Module = made()
    turning.register_parameter("turn", torch.nn.Parameter(torch.zeros_like(axes)))
    return turning
