"""What a model can run in: a row each."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from searchapp.encoders.base import Encoder
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.static_folder import find_static
from searchapp.encoders.static_runtime import load_static, takes
from searchapp.encoders.torch_runtime import load_torch
from searchapp.errors import UsageError


class Load(Protocol):
    """Makes an encoder of a model's folder."""

    def __call__(self, source: ModelFolder, fingerprint: str, *, options: EncoderOptions) -> Encoder:
        """Load the model; `fingerprint` goes into its card."""
        ...


@dataclass(frozen=True, slots=True)
class Runtime:
    """A way to run models."""

    name: str
    suits: Callable[[ModelFolder, EncoderOptions], bool]
    """Whether auto takes it for a model as it is wanted."""
    load: Load


# In the order auto tries them: what starts sooner comes first, what runs everything comes last.
RUNTIMES: tuple[Runtime, ...] = (
    Runtime("static", lambda source, options: takes(options) and find_static(source.path) is not None, load_static),
    Runtime("torch", lambda _source, _options: True, load_torch),
)

RUNTIME_NAMES: tuple[str, ...] = ("auto", *sorted(runtime.name for runtime in RUNTIMES))
"""What may be asked for."""


def choose_runtime(source: ModelFolder, options: EncoderOptions) -> Runtime:
    """Return the runtime that is asked for, or the first that suits; raise UsageError for an unknown name."""
    for runtime in RUNTIMES:
        if options.runtime == runtime.name or (options.runtime == "auto" and runtime.suits(source, options)):
            return runtime
    raise UsageError(f"--runtime is {options.runtime!r}; type one of {', '.join(RUNTIME_NAMES)}")
