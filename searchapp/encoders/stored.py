"""What a model's weights are stored in, read off their files' headers."""

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from searchapp.encoders.folder import deciding_files, one_line
from searchapp.errors import ModelError


@dataclass(frozen=True, slots=True)
class StoredWeights:
    """How many numbers are stored in which type, the commonest first, and files that only running them would tell."""

    numbers: dict[str, int]
    """By the names of safetensors: F32, F16, BF16, I8, ..."""
    pickles: tuple[Path, ...]


def read_stored(folder: Path) -> StoredWeights:
    """Read what the weights in a model's folder are stored in, without loading them.

    Raises ModelError for a file that is damaged.
    """
    numbers: Counter[str] = Counter()
    pickles = []
    for path in deciding_files(folder):
        if path.suffix == ".bin":
            pickles.append(path)
        if path.suffix != ".safetensors":
            continue
        try:
            with safe_open(path, framework="np") as tensors:
                for name in list(tensors.keys()):
                    part = tensors.get_slice(name)
                    numbers[part.get_dtype()] += math.prod(part.get_shape())
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path} can't be read ({one_line(error)}); fetch the model again") from error
    return StoredWeights(dict(numbers.most_common()), tuple(pickles))
