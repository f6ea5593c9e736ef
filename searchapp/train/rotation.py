"""A rotation behind a model that stays as it is: what a search needs is turned into the first dims.

A rotation changes no cosine at full width. It is a Dense without bias and activation, whose weight begins as the
principal axes of the training texts' vectors, in whose first dims most of their length lies. It is turned a little
after each step, see `searchapp.train.learner`.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

from searchapp.encoders.base import Vectors
from searchapp.errors import ModelError
from searchapp.optional import require

if TYPE_CHECKING:
    import torch
    from sentence_transformers import SentenceTransformer

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


def axes_of(whole: "SentenceTransformer") -> "torch.Tensor":
    """Return the weight of what `add_rotation` put behind a model, float32 (dim, dim), a row for each axis."""
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
