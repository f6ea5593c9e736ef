"""What a model can run in: a row each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from searchapp.encoders.base import Encoder, EncoderCard
from searchapp.encoders.bert_runtime import export_bert, refuse_bert
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
    refuse: Callable[[Encoder], str | None] = lambda _encoder: None
    """Says why an encoder can't be written so, before anything is; None where it may be tried."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """A way to run models."""

    name: str
    suits: Callable[[ModelFolder, EncoderOptions], bool]
    """Whether auto takes it for a model as it is wanted."""
    load: Load
    exports: tuple[Export, ...] = ()
    """How its encoders can be written down; the first that doesn't refuse is taken."""
    precisions: tuple[str, ...] = ("float32",)
    """What --precision may ask of it."""


_ONNX = Export(ONNX, export_onnx, module="onnxruntime", extra="onnx")

# In the order auto tries them: what starts sooner comes first, what runs everything comes last.
RUNTIMES: tuple[Runtime, ...] = (
    Runtime(
        "static",
        lambda source, options: takes(options) and find_static(source.path) is not None,
        load_static,
        exports=(Export(STATIC, export_static),),
    ),
    Runtime(
        "torch",
        lambda _source, _options: True,
        load_torch,
        # BERT's needs nothing to open, and is half as long in starting.
        exports=(Export(BERT, export_bert, refuse=refuse_bert), _ONNX),
    ),
    # No faster in float32 (benchmarks/encode.py), and its export takes its time, so auto takes it for int8 alone.
    Runtime(
        "onnx",
        lambda _source, _options: True,
        load_onnx,
        exports=(_ONNX,),
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
                f"{precision}; leave --precision out, or type --runtime onnx for a transformer"
            )
        if options.runtime == runtime.name or (options.runtime == "auto" and able and runtime.suits(source, options)):
            return runtime
    raise UsageError(f"--runtime is {options.runtime!r}; type one of {', '.join(RUNTIME_NAMES)}")


def choose_export(encoder: Encoder) -> Export:
    """Return how an encoder is written down for queries.

    Raises ModelError where its runtime has no way to, MissingExtraError where the library for it is not installed.
    """
    name = encoder.card.runtime
    exports = next((runtime.exports for runtime in RUNTIMES if runtime.name == name), ())
    for export in exports:
        if export.refuse(encoder) is None:
            if export.module is not None:
                require(export.module, extra=export.extra)
            return export
    raise ModelError(f"what runs in {name} can't be written down")
