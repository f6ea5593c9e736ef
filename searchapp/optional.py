"""The one way to ask for an optional library."""

import importlib
from types import ModuleType

from searchapp.errors import MissingExtraError

_OR = {
    "cpu": "; with a CUDA GPU instead: pip install 'searchapp[gpu]' (both write the same folder: never install both)"
}


def require(module: str, *, extra: str) -> ModuleType:
    """Import `module`, or say which extra brings it.

    Raises MissingExtraError naming the line to type. An import that fails inside an installed library is
    not swallowed: its own error comes through.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtraError(
            f"{module} is not installed, and this needs it; type: pip install 'searchapp[{extra}]'{_OR.get(extra, '')}"
        ) from None
