"""Several processes of one training, as `accelerate launch` starts them: the first alone writes and speaks."""

import contextlib
import os
from collections.abc import Iterator, MutableMapping

from searchapp.optional import require


def is_first() -> bool:
    """Tell whether this is the first process of a training, or its only one."""
    return int(os.environ.get("RANK", "0")) == 0


def are_several() -> bool:
    """Tell whether this is one process of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


@contextlib.contextmanager
def first_first(device: str) -> Iterator[None]:
    """Let the first process go through the block before the others do."""
    if not are_several():
        yield
        return
    state = require("accelerate", extra="train").PartialState(cpu=device == "cpu")
    with state.main_process_first():
        yield


def see_one_gpu(device: str | None, environ: MutableMapping[str, str]) -> str | None:
    """Let a process that is the only one see the GPU it trains on and no other; return what it is called then.

    The trainer would share every batch among all it sees. To be called before torch looks. Processes of `accelerate
    launch` are given theirs.
    """
    if "WORLD_SIZE" in environ or (device or "cuda").partition(":")[0] != "cuda" or device == "cuda:all":
        return device
    seen = [name for name in environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name]
    number = (device or "").partition(":")[2]
    if not number.isdigit():
        environ["CUDA_VISIBLE_DEVICES"] = seen[0] if seen else environ.get("CUDA_VISIBLE_DEVICES", "0")
        return device
    if seen and int(number) >= len(seen):
        return device
    environ["CUDA_VISIBLE_DEVICES"] = seen[int(number)] if seen else number
    return "cuda"
