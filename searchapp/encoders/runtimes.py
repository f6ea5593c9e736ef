"""What a model can run in: a row each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from searchapp.encoders.base import Encoder, EncoderCard
from searchapp.encoders.bert_runtime import export_bert
from searchapp.encoders.exported import BERT, ONNX, STATIC, Form
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.onnx_runtime import choose_precision, export_onnx, load_onnx
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.static_folder import find_static
from searchapp.encoders.static_runtime import export_static, load_static, takes
from searchapp.encoders.torch_runtime import load_torch
from searchapp.errors import ModelError, UsageError
from searchapp.optional import require


class Load(Protocol):
    """Makes an encoder of a model's folder."""

    def __call__(self, source: ModelFolder, fingerprint: str, *, options: EncoderOptions) -> Encoder:
        """Load the model; `fingerprint` goes into its card."""
        ...


@dataclass(frozen=True, slots=True)
class Export:
    """How an encoder is written down for queries (searchapp/encoders/exported.py)."""

    form: Form
    write: Callable[[Encoder, Path], EncoderCard]
    """Writes the form's files into a folder, the same encoder always the same bytes; returns the card of what opens."""
    module: str | None = None
    """The optional library it needs, if any, and the extra that brings it."""
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A way to run models."""

    name: str
    suits: Callable[[ModelFolder, EncoderOptions], bool]
    """Whether auto takes it for a model as it is wanted."""
    load: Load
    export: Export | None = None
    """None where its encoders can't be written down."""
    precisions: tuple[str, ...] = ("float32",)
    """What --precision may ask of it."""


# In the order auto tries them: what starts sooner comes first, what runs everything comes last.
RUNTIMES: tuple[Runtime, ...] = (
    Runtime(
        "static",
        lambda source, options: takes(options) and find_static(source.path) is not None,
        load_static,
        export=Export(STATIC, export_static),
    ),
    Runtime("torch", lambda _source, _options: True, load_torch, export=Export(BERT, export_bert)),
    # No faster in float32 (benchmarks/encode.py), and its export takes its time, so auto takes it for int8 alone.
    Runtime(
        "onnx",
        lambda _source, _options: True,
        load_onnx,
        export=Export(ONNX, export_onnx, module="onnxruntime", extra="onnx"),
        precisions=("float32", "int8"),
    ),
)

RUNTIME_NAMES: tuple[str, ...] = ("auto", *sorted(runtime.name for runtime in RUNTIMES))
"""What may be asked for."""


def choose_runtime(source: ModelFolder, options: EncoderOptions) -> Runtime:
    """Return the runtime that is asked for, or the first that suits.

    Raises UsageError for an unknown name, or a precision that the runtime doesn't compute in.
    """
    precision = choose_precision(options.precision)
    for runtime in RUNTIMES:
        able = precision in runtime.precisions
        if options.runtime == runtime.name and not able:
            raise UsageError(
                f"--runtime {runtime.name} computes in {' or '.join(runtime.precisions)}, and --precision is "
                f"{precision}; type --runtime onnx"
            )
        if options.runtime == runtime.name or (options.runtime == "auto" and able and runtime.suits(source, options)):
            return runtime
    raise UsageError(f"--runtime is {options.runtime!r}; type one of {', '.join(RUNTIME_NAMES)}")


def choose_export(encoder: Encoder) -> Export:
    """Return how an encoder is written down for queries.

    Raises ModelError where its runtime has no way to, MissingExtraError where the library for it is not installed.
    """
    name = encoder.card.runtime
    export = next((runtime.export for runtime in RUNTIMES if runtime.name == name), None)
    if export is None:
        raise ModelError(f"what runs in {name} can't be written down")
    if export.module is not None:
        require(export.module, extra=export.extra)
    return export
