"""Several processes of one training, as `accelerate launch` starts them: the first alone writes and speaks."""

import contextlib
import os
from collections.abc import Iterator

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
