"""Where a model runs in PyTorch, in which numbers, and whether it ran out of memory there."""

import re
from collections.abc import Sequence

from searchapp.errors import ModelError, UsageError
from searchapp.optional import require

_DTYPES = ("auto", "float32", "float16", "bfloat16")
_HALF = ("float16", "bfloat16")
_DEVICE = re.compile(r"cpu|mps|cuda(:all|:\d+)?")

# What devices say beside torch.OutOfMemoryError, which CUDA's allocator raises.
_FULL = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "CUBLAS_STATUS_ALLOC_FAILED",
)


def choose_devices(wanted: str | None) -> tuple[str, ...]:
    """Return the devices that are asked for, by torch's names: more than one are shared by processes.

    None takes CUDA where there is some, else the CPU; `cuda:all` stands for every CUDA device. Raises UsageError for
    what is no device or can't be mixed, ModelError for one that isn't here.
    """
    torch = require("torch", extra="models")
    if wanted is None:
        return ("cuda",) if torch.cuda.is_available() else ("cpu",)
    names = [name.strip() for name in wanted.split(",")]
    kinds = {name.split(":")[0] for name in names}
    if not all(map(_DEVICE.fullmatch, names)):
        raise UsageError(
            f"--device is {wanted!r}; type --device cpu, --device cuda, --device cuda:N, --device mps, or several as "
            "--device cuda:0,cuda:1 or --device cuda:all"
        )
    if len(kinds) > 1:
        raise UsageError(f"--device {wanted} mixes {' and '.join(sorted(kinds))}; name devices of one kind")
    if kinds == {"cuda"}:
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return _cuda_devices(wanted, names, count)
    if kinds == {"mps"}:
        if len(names) > 1:
            raise UsageError(f"--device {wanted} names a device twice that a machine has once; type --device mps")
        if not torch.backends.mps.is_available():
            raise ModelError(f"--device mps: torch {torch.__version__} finds no Apple GPU here; type --device cpu")
    return tuple(names)


def choose_dtype(wanted: str, devices: Sequence[str]) -> str:
    """Return the name of the numbers to compute in: float32 on the CPU, a half type that all GPUs have elsewhere.

    Raises UsageError for an unknown name, and for half numbers on the CPU.
    """
    if wanted not in _DTYPES:
        raise UsageError(f"--dtype is {wanted!r}; type one of {', '.join(_DTYPES)}")
    if devices[0] == "cpu":
        if wanted in _HALF:
            raise UsageError(f"--dtype {wanted} on the CPU is far slower than float32; leave --dtype out")
        return "float32"
    if wanted != "auto":
        return wanted
    # The first of Apple's GPUs have no bfloat16.
    return "bfloat16" if devices[0] != "mps" and all(map(_has_bfloat16, devices)) else "float16"


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether an error means that a device's memory is full."""
    torch = require("torch", extra="models")
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(text in str(error) for text in _FULL)


def free_memory(device: str) -> None:
    """Give a GPU's memory that torch keeps for later back, so that it can be had in other pieces."""
    torch = require("torch", extra="models")
    if device.startswith("cuda"):
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()


def _cuda_devices(wanted: str, names: Sequence[str], count: int) -> tuple[str, ...]:
    torch = require("torch", extra="models")
    if not count:
        raise ModelError(f"--device {wanted}: torch {torch.__version__} finds no CUDA device here; type --device cpu")
    if "cuda:all" in names:
        if len(names) > 1:
            raise UsageError(f"--device {wanted} names devices beside all of them; type --device cuda:all")
        return tuple(f"cuda:{number}" for number in range(count))
    for name in names:
        if int(name.partition(":")[2] or 0) >= count:
            raise ModelError(f"--device {wanted}: there is no {name}, the last one here is cuda:{count - 1}")
    return tuple(names)


def _has_bfloat16(device: str) -> bool:
    cuda = require("torch", extra="models").cuda
    with cuda.device(device):
        # Cards before Ampere only emulate it, slowly.
        return bool(cuda.is_bf16_supported(including_emulation=False))
