"""A BERT in NumPy: what one query needs is over before a library for tensors has started."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import Vectors
from searchapp.encoders.bert_weights import BertWeights, Layer, Linear

Ids = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# erf(x) = x P(x²) / Q(x²) for |x| <= 4, in float32 to its last digits: the rational form that Eigen uses.
_P = (
    *(-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05),
    *(-7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02),
)
_Q = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the weights don't say."""

    heads: int
    epsilon: float
    """Added to the variance in a LayerNorm."""
    padding: int | None
    """The token that has no place (RoBERTa counts places from the one after it); None where places are 0, 1, 2, ..."""


def run_bert(weights: BertWeights, shape: Shape, ids: Ids, mask: Mask) -> Vectors:
    """Return float32 (texts, tokens, hidden), a vector per token.

    `ids` int64 and `mask` bool are (texts, tokens), the mask false where a text is padded.
    """
    hidden = weights.words.take(ids) + weights.places[_places(ids, shape.padding)] + weights.types[0]
    hidden = _norm(hidden, weights.norm, shape.epsilon)
    # What is added to a score: nothing, or enough to leave no share to a place that is padded.
    penalty = None if mask.all() else np.where(mask, np.float32(0), np.finfo(np.float32).min)[:, None, None, :]
    for layer in weights.layers:
        hidden = _run_layer(layer, hidden, penalty, shape)
    return hidden


def _run_layer(layer: Layer, hidden: Vectors, penalty: Vectors | None, shape: Shape) -> Vectors:
    texts, tokens, dim = hidden.shape
    flat = hidden.reshape(-1, dim)
    # (part, text, head, token, width of a head)
    parts = _linear(flat, layer.qkv).reshape(texts, tokens, 3, shape.heads, -1).transpose(2, 0, 3, 1, 4)
    scores: Vectors = parts[0] @ parts[1].swapaxes(-1, -2)
    scores *= np.float32(1 / np.sqrt(dim // shape.heads))
    if penalty is not None:
        scores += penalty
    scores -= scores.max(axis=-1, keepdims=True)
    np.exp(scores, out=scores)
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ parts[2]).transpose(0, 2, 1, 3).reshape(-1, dim)
    flat = _norm(_linear(mixed, layer.out) + flat, layer.norm1, shape.epsilon)
    flat = _norm(_linear(_gelu(_linear(flat, layer.wide)), layer.narrow) + flat, layer.norm2, shape.epsilon)
    return flat.reshape(texts, tokens, dim)


def _linear(vectors: Vectors, linear: Linear) -> Vectors:
    result: Vectors = vectors @ linear.weight.T
    result += linear.bias
    return result


def _norm(vectors: Vectors, norm: Linear, epsilon: float) -> Vectors:
    vectors -= vectors.mean(axis=-1, keepdims=True)
    variance = np.square(vectors).mean(axis=-1, keepdims=True)
    vectors /= np.sqrt(variance + np.float32(epsilon))
    vectors *= norm.weight
    vectors += norm.bias
    return vectors


def _gelu(vectors: Vectors) -> Vectors:
    """Return x (1 + erf(x / √2)) / 2, in place of the input."""
    x = np.clip(vectors * np.float32(1 / np.sqrt(2)), -4, 4)
    square = np.square(x)
    x *= _polynomial(square, _P)
    x /= _polynomial(square, _Q)
    x += 1
    vectors *= x
    vectors *= np.float32(0.5)
    return vectors


def _polynomial(x: Vectors, coefficients: tuple[float, ...]) -> Vectors:
    total = x * np.float32(coefficients[0])
    for coefficient in coefficients[1:-1]:
        total += np.float32(coefficient)
        total *= x
    total += np.float32(coefficients[-1])
    return total


def _places(ids: Ids, padding: int | None) -> Ids:
    """Return the place of every token, of the shape of `ids`."""
    if padding is None:
        return np.broadcast_to(np.arange(ids.shape[1]), ids.shape)
    real = (ids != padding).astype(np.int64)
    places: Ids = np.cumsum(real, axis=1) * real + padding
    return places
