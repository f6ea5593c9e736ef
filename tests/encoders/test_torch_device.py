import pytest
import torch

from searchapp.encoders.torch_device import choose_devices, choose_dtype, is_out_of_memory
from searchapp.errors import ModelError, UsageError

without_cuda = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
without_mps = pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU")


@pytest.mark.parametrize(
    ("wanted", "found"), [("cpu", ("cpu",)), ("cpu,cpu", ("cpu", "cpu")), ("cpu, cpu", ("cpu",) * 2)]
)
def test_devices_that_are_here(wanted: str, found: tuple[str, ...]) -> None:
    assert choose_devices(wanted) == found


@without_cuda
def test_the_cpu_where_nothing_is_asked_for_and_there_is_no_cuda() -> None:
    assert choose_devices(None) == ("cpu",)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("tpu", "--device is 'tpu'; type --device cpu, --device cuda, --device cuda:N, --device mps"),
        ("cuda:x", "--device is 'cuda:x'"),
        ("cpu:0", "--device is 'cpu:0'"),
        ("cpu,", "--device is 'cpu,'"),
        ("", "--device is ''"),
        ("cpu,cuda:0", "--device cpu,cuda:0 mixes cpu and cuda; name devices of one kind"),
        ("mps,mps", "--device mps,mps names a device twice that a machine has once"),
    ],
)
def test_devices_that_make_no_sense(wanted: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose_devices(wanted)


@without_cuda
@pytest.mark.parametrize("wanted", ["cuda", "cuda:3", "cuda:all", "cuda:0,cuda:1"])
def test_cuda_that_is_not_here(wanted: str) -> None:
    with pytest.raises(ModelError, match=f"--device {wanted}: torch .* finds no CUDA device here; type --device cpu"):
        choose_devices(wanted)


@without_mps
def test_an_apple_gpu_that_is_not_here() -> None:
    with pytest.raises(ModelError, match=r"--device mps: torch .* finds no Apple GPU here; type --device cpu"):
        choose_devices("mps")


@pytest.mark.parametrize(
    ("wanted", "devices", "found"),
    [
        ("auto", ("cpu",), "float32"),
        ("auto", ("cpu", "cpu"), "float32"),
        ("float32", ("cpu",), "float32"),
        ("auto", ("mps",), "float16"),
        ("bfloat16", ("mps",), "bfloat16"),
        ("float32", ("cuda:0", "cuda:1"), "float32"),
        ("float16", ("cuda",), "float16"),
    ],
)
def test_dtypes(wanted: str, devices: tuple[str, ...], found: str) -> None:
    assert choose_dtype(wanted, devices) == found


@pytest.mark.parametrize("wanted", ["float16", "bfloat16"])
def test_half_numbers_are_refused_on_the_cpu(wanted: str) -> None:
    with pytest.raises(UsageError, match=f"--dtype {wanted} on the CPU is far slower than float32"):
        choose_dtype(wanted, ("cpu", "cpu"))


def test_a_dtype_that_is_none() -> None:
    with pytest.raises(UsageError, match="--dtype is 'int4'; type one of auto, float32, float16, bfloat16"):
        choose_dtype("int4", ("cuda",))


def test_what_full_memory_sounds_like() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 50)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA: no room"))
    assert is_out_of_memory(MemoryError())
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 17.9 GB)"))
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2, 3) @ torch.ones(2, 3)
    assert not is_out_of_memory(caught.value)
