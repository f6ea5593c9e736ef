"""The weights of a BERT in one safetensors file: read from a model's folder, written for queries, mapped, checked."""

import json
import os
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import Vectors
from searchapp.encoders.tensors import StoredTensor, open_tensors
from searchapp.errors import ModelError

ALIGNMENT = 64
"""Bytes that the numbers in the file begin at a multiple of."""

_EMBEDDINGS = {
    "words": ("embeddings.word_embeddings.weight",),
    "places": ("embeddings.position_embeddings.weight",),
    "types": ("embeddings.token_type_embeddings.weight",),
    "norm.weight": ("embeddings.LayerNorm.weight",),
    "norm.bias": ("embeddings.LayerNorm.bias",),
}
_LAYER = {
    "qkv.{}": tuple(f"attention.self.{part}.{{}}" for part in ("query", "key", "value")),
    "out.{}": ("attention.output.dense.{}",),
    "norm1.{}": ("attention.output.LayerNorm.{}",),
    "wide.{}": ("intermediate.dense.{}",),
    "narrow.{}": ("output.dense.{}",),
    "norm2.{}": ("output.LayerNorm.{}",),
}
_DENSE, _LINEAR = "dense.weight", "linear.weight"
_HEADS = ("", "bert.", "roberta.")
"""What the names of a checkpoint may begin with."""


@dataclass(frozen=True, slots=True)
class Linear:
    """float32 weight (out, in) and bias (out)."""

    weight: Vectors
    bias: Vectors


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: attention and what follows, each with its LayerNorm behind it."""

    qkv: Linear
    out: Linear
    norm1: Linear
    wide: Linear
    narrow: Linear
    norm2: Linear


class WordTable:
    """A float32 matrix (tokens, hidden) in a file that is held open, read row by row.

    Mapped, a few rows would bring all their neighbours into this process's memory: most of the matrix.
    """

    def __init__(self, path: Path, begin: int, shape: tuple[int, int]) -> None:
        self._path = path
        self._begin = begin
        self._shape = shape
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self._descriptor)

    def __len__(self) -> int:
        return self._shape[0]

    def take(self, ids: npt.NDArray[np.intp]) -> Vectors:
        """Return float32 (*ids.shape, hidden); ids are in range. Raises ModelError where the file was cut meanwhile."""
        different, places = np.unique(ids, return_inverse=True)
        rows = np.empty((len(different), self._shape[1]), dtype=np.float32)
        size = 4 * self._shape[1]
        for place, number in enumerate(different.tolist()):
            raw = os.pread(self._descriptor, size, self._begin + number * size)
            if len(raw) != size:
                raise ModelError(f"{self._path} ends before the vector of token {number}; build the index again")
            rows[place] = np.frombuffer(raw, dtype="<f4")
        taken: Vectors = rows[places].reshape(*ids.shape, self._shape[1])
        return taken


@dataclass(frozen=True, slots=True)
class BertWeights:
    """All weights: float32, those of words (tokens, hidden) read by row, the others mapped."""

    words: WordTable
    places: Vectors
    """(longest text, hidden)"""
    types: Vectors
    norm: Linear
    layers: tuple[Layer, ...]
    dense: Vectors | None
    """(dim, dim): what pooled vectors are multiplied by, a row for each dim that comes out; None where by nothing."""


def write_weights(path: Path, source: Path, layers: int, *, dense: Path | None = None) -> None:
    """Write what queries need of a checkpoint, query, key and value as one matrix; the same always as the same bytes.

    `dense` is the checkpoint of what the pooled vectors go through at last. Raises ModelError where one of them lacks
    some of it.
    """
    found = dict(open_tensors(source))
    head = next((head for head in _HEADS if head + _EMBEDDINGS["words"][0] in found), "")
    names = {name: [head + part for part in parts] for name, parts in _names(layers)}
    if dense is not None:
        names[_DENSE] = [_LINEAR]
        found |= {name: tensor for name, tensor in open_tensors(dense).items() if name == _LINEAR}
    if missing := [part for parts in names.values() for part in parts if part not in found]:
        raise ModelError(f"{source} has no {missing[0]}")
    header: dict[str, object] = {}
    begin = 0
    for name, parts in names.items():
        shapes = [found[part].stored.shape for part in parts]
        shape = [sum(shape[0] for shape in shapes), *shapes[0][1:]]
        end = begin + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as handle:
        handle.write(len(text).to_bytes(8, "little") + text)
        for parts in names.values():
            for part in parts:
                handle.write(_lifted(found[part]).astype("<f4", copy=False).tobytes())


def open_weights(path: Path, *, dim: int, heads: int, dense: bool) -> BertWeights:
    """Map what `write_weights` wrote; raises ModelError where it is damaged or its shapes don't fit together.

    `dense` says that pooled vectors go through a matrix at last, which is to be there.
    """
    found = open_tensors(path)
    layers = len({name.split(".")[0] for name in found if name[:1].isdigit()})
    tensors = _Tensors(found, path)
    shape = tensors.take("words", None, dim).shape
    places = tensors.take("places", None, dim)
    if dim % heads:
        raise ModelError(f"{path} has vectors of {dim} dims, which {heads} heads can't share")
    wide = len(tensors.take("0.wide.weight", None, dim))
    return BertWeights(
        words=WordTable(path, found["words"].begin, (shape[0], dim)),
        places=places,
        types=tensors.take("types", None, dim),
        norm=tensors.norm("norm", dim),
        layers=tuple(
            Layer(
                qkv=tensors.linear(f"{number}.qkv", 3 * dim, dim),
                out=tensors.linear(f"{number}.out", dim, dim),
                norm1=tensors.norm(f"{number}.norm1", dim),
                wide=tensors.linear(f"{number}.wide", wide, dim),
                narrow=tensors.linear(f"{number}.narrow", dim, wide),
                norm2=tensors.norm(f"{number}.norm2", dim),
            )
            for number in range(layers)
        ),
        dense=tensors.take(_DENSE, dim, dim) if dense else None,
    )


class _Tensors:
    """The tensors of a file, each with the shape that is asked for."""

    def __init__(self, found: Mapping[str, StoredTensor], path: Path) -> None:
        self._found = found
        self._path = path

    def take(self, name: str, *shape: int | None) -> Vectors:
        """Return a float32 tensor of a shape, None standing for any number but zero; raise ModelError."""
        tensor = self._found.get(name)
        held = None if tensor is None or tensor.dtype != "F32" else tensor.stored.shape
        if held is None or len(held) != len(shape) or any(b not in (None, a) for a, b in zip(held, shape, strict=True)):
            wanted = tuple("any" if size is None else size for size in shape)
            raise ModelError(f"{self._path} holds {name} as {held}, and float32 {wanted} was expected")
        if tensor is None or 0 in held:
            raise ModelError(f"{self._path} holds nothing in {name}")
        vectors: Vectors = tensor.stored
        return vectors

    def linear(self, name: str, out: int, width: int) -> Linear:
        """Return a weight (out, width) and its bias (out)."""
        return Linear(self.take(f"{name}.weight", out, width), self.take(f"{name}.bias", out))

    def norm(self, name: str, dim: int) -> Linear:
        """Return the weight and bias of a LayerNorm, (dim) each."""
        return Linear(self.take(f"{name}.weight", dim), self.take(f"{name}.bias", dim))


def _names(layers: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the name of each tensor that is written, and those of the checkpoint it is made of."""
    yield from _EMBEDDINGS.items()
    for number in range(layers):
        for name, parts in _LAYER.items():
            for kind in ("weight", "bias"):
                yield (
                    f"{number}.{name.format(kind)}",
                    tuple(f"encoder.layer.{number}.{part.format(kind)}" for part in parts),
                )


def _lifted(tensor: StoredTensor) -> Any:
    return tensor.take(np.arange(len(tensor.stored)))
