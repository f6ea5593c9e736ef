"""Tensors of a safetensors file, left in the file until their numbers are asked for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from searchapp.encoders.base import Vectors
from searchapp.encoders.folder import one_line
from searchapp.errors import ModelError

# The format's names for what NumPy can map. NumPy has no bfloat16: its numbers are the upper halves of float32's.
_DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"} | {
    f"{sign}{8 * size}": f"<{sign.lower()}{size}" for sign in "IU" for size in (1, 2, 4, 8)
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor as it lies in its file: nothing of it is in memory before it is taken."""

    dtype: str
    """The format's name of it: F32, F16, BF16, I8, ..."""
    stored: npt.NDArray[Any]
    begin: int = 0
    """The byte of its file that it begins at."""

    def take(self, rows: npt.NDArray[np.intp]) -> Vectors:
        """Return the numbers of some rows as float32, whatever they are stored in; `rows` of any shape, in range."""
        taken = self.stored.take(rows, axis=0)
        if self.dtype == "BF16":
            return (taken.astype(np.uint32) << 16).view(np.float32)
        return taken.astype(np.float32, copy=False)


def tensor_names(path: Path) -> list[str]:
    """Return the names of the tensors in a safetensors file; raise ModelError where it is damaged."""
    try:
        with safe_open(path, framework="np") as checked:
            return list(checked.keys())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} can't be read ({one_line(error)}); fetch the model again") from error


def open_tensors(path: Path) -> Mapping[str, StoredTensor]:
    """Map the tensors of a safetensors file, by their names.

    Raises ModelError for a file that is damaged or holds what NumPy has no numbers for.
    """
    names = tensor_names(path)
    # The library has checked the file, and copies a tensor whole; a query needs a few rows of it, so it is mapped.
    with path.open("rb") as handle:
        size = int.from_bytes(handle.read(8), "little")
        header = json.loads(handle.read(size))
    return {name: _map(path, name, header[name], start=8 + size) for name in names}


def _map(path: Path, name: str, entry: Mapping[str, Any], *, start: int) -> StoredTensor:
    dtype, shape = str(entry["dtype"]), tuple(entry["shape"])
    if dtype not in _DTYPES:
        raise ModelError(f"{name} in {path} is stored as {dtype}; expected one of {', '.join(_DTYPES)}")
    if 0 in shape:
        return StoredTensor(dtype, np.empty(shape, _DTYPES[dtype]))
    begin = start + entry["data_offsets"][0]
    mapped = np.memmap(path, _DTYPES[dtype], mode="r", offset=begin, shape=shape)
    return StoredTensor(dtype, np.asarray(mapped), begin)
