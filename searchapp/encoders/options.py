"""How an encoder is wanted."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EncoderOptions:
    """What may be chosen when a model is loaded; everything else is the model's own."""

    revision: str | None = None
    """A branch, tag or commit of a hub model."""
    device: str | None = None
    """`cpu`, `cuda`, `cuda:N` or `mps`; several, such as `cuda:0,cuda:1`, or `cuda:all`, get a process each.

    None takes CUDA where there is some, else the CPU.
    """
    dtype: str = "auto"
    """`auto`, `float32`, `float16` or `bfloat16`; auto is float32 on the CPU and a half type on a GPU that has one."""
    trust_remote_code: bool = False
    """Run Python code that comes with the model."""
    query_prompt: str | None = None
    """None where not asked for, "" for explicitly none."""
    document_prompt: str | None = None
    token_budget: int | None = None
    """Tokens of a batch, padding included; None takes what was measured to be fast on the device."""
    runtime: str = "auto"
    """`auto`, or a name in RUNTIMES; auto takes the first that suits the model and these options."""
    precision: str = "auto"
    """`auto`, `float32` or `int8`; int8 computes in 8-bit numbers on the CPU, in onnx alone. Auto never does."""
