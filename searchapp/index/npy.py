"""Arrays of numbers in .npy files that are not trusted: mapped, never parsed as Python, never larger than the file."""

import math
import os
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from searchapp.index.mapped import map_bytes

_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    rb"\{'descr': '(<[fiu][248]|\|[iu]1)', 'fortran_order': False, 'shape': \(((?:\d{1,15}, ?)*(?:\d{1,15})?)\), \} *\n"
)
"""What NumPy writes before an array of numbers."""


def map_array(path: os.PathLike[str]) -> npt.NDArray[Any]:
    """Return the array in a file, mapped and read-only, of whatever shape and type of number it has.

    Raises ValueError unless the file holds just that, OSError where it can't be opened.
    """
    raw = map_bytes(path)
    if raw[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it does not begin as an array of NumPy does")
    start = len(_MAGIC) + 2
    begins = start + int.from_bytes(raw[len(_MAGIC) : start], "little")
    header = _HEADER.fullmatch(raw[start:begins])
    if header is None:
        raise ValueError("its header is not that of an array of numbers")
    dtype = np.dtype(header[1].decode())
    shape = tuple(int(part) for part in header[2].split(b",") if part.strip())
    count = math.prod(shape)
    if len(raw) - begins != count * dtype.itemsize:
        raise ValueError(f"its header says {dtype} {shape}, and {len(raw) - begins:,} bytes follow")
    array: npt.NDArray[Any] = np.frombuffer(raw, dtype, count, begins).reshape(shape)
    return array
