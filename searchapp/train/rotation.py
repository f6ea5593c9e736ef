"""A rotation behind a model that stays as it is: what a search needs is turned into the first dims.

A rotation changes no cosine at full width. It starts as the principal axes of the training texts' vectors, in whose
first dims most of their length lies, and then follows the Matryoshka loss: the weights that are learnt are those of the
next small turn, a skew-symmetric matrix that is zero again after each step, when the rotation has taken it up (Lezcano
2019, Trivializations for gradient-based optimization on manifolds). The model's own part is done once: training reads
its vectors from memory.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from searchapp.build import Progress, silent
from searchapp.encoders import Encoder
from searchapp.encoders.base import Vectors
from searchapp.errors import ModelError
from searchapp.judging.embedding import Embedder, cut_texts
from searchapp.optional import require
from searchapp.train.examples import TrainingData
from searchapp.train.processes import are_several

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import InputModule, Module
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

_CLOSE = 1e-3
"""How far from the identity a matrix times itself turned over may be, for it to be taken for a rotation."""
_WIDE = 4_096
"""Vectors that are lifted to float64 at once."""


def add_rotation(base: "SentenceTransformer", *, name: str) -> "SentenceTransformer":
    """Put a rotation behind a base, one that turns nothing yet; one that stands there already is gone on with.

    Raises ModelError for a base whose vectors are made by no transformer, or by several.
    """
    torch = require("torch", extra="train")
    modules = require("sentence_transformers.base.modules", extra="train")
    static = require("sentence_transformers.sentence_transformer.modules", extra="train").StaticEmbedding
    if isinstance(base[0], (static, modules.Router)):
        raise ModelError(
            f"{name} begins with {type(base[0]).__name__}, and a rotation is put behind one transformer; name another "
            "base, or train a static model by --recipe static-matryoshka"
        )
    if _is_rotation(base[-1]):
        return base
    width = base.get_embedding_dimension() or 0
    same = torch.eye(width, device=base.device)
    base.append(modules.Dense(width, width, bias=False, activation_function=torch.nn.Identity(), init_weight=same))
    return base


def open_learner(
    whole: "SentenceTransformer",
    encoder: Encoder,
    data: TrainingData,
    held_out: TrainingData | None,
    *,
    progress: Progress = silent,
) -> "SentenceTransformer":
    """Return what is trained: the next turn of a model's rotation, over its base's vectors of all texts.

    `encoder` is `whole` as `add_rotation` left it, whose rotation starts here: as the principal axes of the vectors of
    `data`, the same for the same texts. Memory: a vector for each different text.

    Raises BadVectorsError where the base gives NaN, zeros or one vector for all.
    """
    torch = require("torch", extra="train")
    axes = _axes(whole)
    # Back to where the rotation finds them, which is where they are if it turns nothing yet.
    back = axes.detach().cpu().numpy().copy()
    keys, vectors = _embed(encoder, data, progress)
    vectors = vectors @ back
    rows = {key: row for row, key in enumerate(keys)}
    with torch.no_grad():
        axes.copy_(torch.from_numpy(principal_axes(vectors)))
    if held_out is not None:
        others, more = _embed(encoder, held_out, progress)
        rows = {**{key: len(keys) + row for row, key in enumerate(others)}, **rows}
        vectors = np.concatenate([vectors, more @ back])
    learner: SentenceTransformer = require("sentence_transformers", extra="train").SentenceTransformer(
        modules=[_remember(rows, torch.from_numpy(vectors)), _turn(axes)], device=str(whole.device)
    )
    return learner


def principal_axes(vectors: Vectors) -> Vectors:
    """Return float32 (dim, dim), a row for each axis of vectors (n, dim), that of the largest mean square first.

    They are not centred: what is cut is a vector's length, and cosines know no mean.
    """
    squares = np.zeros((vectors.shape[1], vectors.shape[1]))
    for begin in range(0, len(vectors), _WIDE):
        wide = vectors[begin : begin + _WIDE].astype(np.float64)
        squares += wide.T @ wide
    return np.ascontiguousarray(np.linalg.eigh(squares)[1][:, ::-1].T, dtype=np.float32)


def take_turn(axes: "torch.Tensor", turn: "torch.Tensor") -> None:
    """Turn a rotation (dim, dim) in place by what `skew` reads in a turn, however large, and make the turn zero.

    By Cayley's transform, which is a rotation for any skew-symmetric matrix. A step of Newton and Schulz's iteration
    (Björck & Bowie 1971, An iterative algorithm for computing the best estimate of an orthogonal matrix) takes off what
    rounding has added.
    """
    torch = require("torch", extra="train")
    with torch.no_grad():
        identity = torch.eye(len(axes), dtype=axes.dtype, device=axes.device)
        half = skew(turn) / 2
        axes.copy_(torch.linalg.solve(identity - half, (identity + half) @ axes))
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
        """Turns after each step; where there are several processes, from where the first of them begins."""

        def on_train_begin(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            if are_several():
                require("torch.distributed", extra="train").broadcast(axes.data, src=0)

        def on_optimizer_step(
            self, args: "TrainingArguments", state: "TrainerState", control: "TrainerControl", **others: Any
        ) -> None:
            take_turn(axes, turn)

    return Turner()


def _axes(whole: "SentenceTransformer") -> "torch.Tensor":
    rotation: Any = whole[-1]
    axes: torch.Tensor = rotation.linear.weight
    return axes


def _is_rotation(module: Any) -> bool:
    """Tell whether a module is a Dense that turns vectors and does nothing else."""
    torch = require("torch", extra="train")
    if type(module) is not require("sentence_transformers.base.modules", extra="train").Dense:
        return False
    bare = isinstance(module.activation_function, torch.nn.Identity) and not module.bias and not module.use_residual
    names = {module.module_input_name, module.module_output_name}
    if not bare or module.in_features != module.out_features or names != {"sentence_embedding"}:
        return False
    square = module.linear.weight.detach() @ module.linear.weight.detach().T
    return bool((square - torch.eye(len(square), device=square.device)).abs().max() < _CLOSE)


def _embed(encoder: Encoder, data: TrainingData, progress: Progress) -> tuple[list[str], Vectors]:
    """Return all different texts of some rows, each with its prompt before it, and their vectors (n, dim)."""
    prompts = encoder.card.prompts
    anchors = dict.fromkeys(row.anchor for row in data.examples)
    texts = dict.fromkeys(text for row in data.examples for text in (row.positive, *row.negatives))
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
    return [prompts.query + text for text in anchors] + [prompts.document + text for text in texts], vectors


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
