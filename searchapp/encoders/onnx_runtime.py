"""From a model to its exported form, made once and kept; what is kept needs no torch."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from searchapp.encoders.base import Encoder, EncoderCard
from searchapp.encoders.exported import DESCRIPTION, ONNX, read_description, write_description
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.onnx_encoder import BUDGET, OnnxEncoder
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.torch_encoder import TorchEncoder
from searchapp.encoders.torch_runtime import load_torch
from searchapp.errors import IndexFolderError, ModelError, UsageError
from searchapp.layout import FolderFormat, cache_folder, committing_folder, sha256_file
from searchapp.optional import require
from searchapp.prompts import resolve_prompts

PRECISIONS = ("auto", "float32", "int8")
EXPORT = FolderFormat("an exported model", "export.json", "searchapp-export")
EXPORT_VERSION = 1
"""Goes up when the same model would be written differently."""

_MAKERS = ("torch", "transformers", "sentence-transformers", "onnx", "onnxscript")
"""What an export depends on, where it is installed."""


def load_onnx(source: ModelFolder, fingerprint: str, *, options: EncoderOptions) -> OnnxEncoder:
    """Open a model's export, in float32 or int8; made in PyTorch and kept the first time, after that without it.

    Raises ModelError where the model can't be loaded or written down, UsageError for options that make no sense,
    MissingExtraError where a library is missing.
    """
    if options.device not in (None, "cpu") or options.dtype not in ("auto", "float32"):
        asked = ", without --precision int8" if options.precision == "int8" else ""
        raise UsageError(
            f"--runtime onnx computes on the CPU, and --device is {options.device!r}, --dtype {options.dtype!r}; leave "
            f"them out, or type --runtime torch{asked}"
        )
    require("onnxruntime", extra="onnx")
    precision = choose_precision(options.precision)

    def load() -> Encoder:
        wanted = replace(options, device="cpu", dtype="float32", precision="auto", token_budget=None)
        return load_torch(source, fingerprint, options=wanted)

    folder = _kept(fingerprint, precision, load)
    card = replace(
        read_description(folder),
        model=source.name,
        revision=source.revision,
        prompts=resolve_prompts(source.declared, query=options.query_prompt, document=options.document_prompt),
    )
    return OnnxEncoder(folder, card, budget=BUDGET if options.token_budget is None else options.token_budget)


def export_onnx(encoder: Encoder, folder: Path) -> EncoderCard:
    """Write an encoder of PyTorch or onnx into a folder; return the card of what opens, in float32 or in its int8.

    Raises ModelError for an encoder that can't be written down.
    """
    precision = "int8" if encoder.card.dtype == "int8" else "float32"
    if isinstance(encoder, OnnxEncoder):
        kept = encoder.folder
    else:
        # Weights rounded to a half type on a GPU are not those that --runtime onnx opens as the model's.
        rounded = "" if encoder.card.dtype == "float32" else f"-of-{encoder.card.dtype}"
        kept = _kept(encoder.card.fingerprint, f"{precision}{rounded}", lambda: encoder)
    for name in ONNX.files:
        shutil.copyfile(kept / name, folder / name)
    return replace(encoder.card, runtime="onnx", dtype=precision)


def choose_precision(wanted: str) -> str:
    """Return `float32` or `int8`; raise UsageError for another word."""
    if wanted not in PRECISIONS:
        raise UsageError(f"--precision is {wanted!r}; type one of {', '.join(PRECISIONS)}")
    return "float32" if wanted == "auto" else wanted


def _kept(fingerprint: str, numbers: str, load: Callable[[], Encoder]) -> Path:
    """Return the folder of a model's export; where there is none, or it is damaged or of other libraries, make it.

    `numbers` is its precision, then the half type that its weights were rounded to before, if any: int8, float32-of-X.
    """
    path = cache_folder() / "onnx" / f"{fingerprint[:32]}-{numbers}-{EXPORT_VERSION}"
    precision = numbers.partition("-")[0]
    if _is_whole(path):
        return path
    encoder = load()
    if not isinstance(encoder, TorchEncoder):
        raise ModelError(f"{encoder.card.model} is not loaded in one piece, and can't be written down as ONNX")
    # Needs torch and its exporter, which an export that is there doesn't.
    from searchapp.encoders.onnx_export import write_graph

    with _committing(path) as staging:
        write_graph(encoder, staging, precision=precision)
        write_description(staging, replace(encoder.card, runtime="onnx", dtype=precision))
        names = (DESCRIPTION, *ONNX.files)
        body = {
            "format": EXPORT.name,
            "made_by": {name: _installed(name) for name in _MAKERS},
            "files": {name: sha256_file(staging / name) for name in names},
        }
        (staging / EXPORT.marker).write_text(json.dumps(body, indent=2) + "\n", encoding="utf-8")
    return path


@contextmanager
def _committing(path: Path) -> Iterator[Path]:
    try:
        with committing_folder(path, overwrite=True, made=EXPORT) as staging:
            yield staging
    except IndexFolderError as error:
        raise ModelError(f"{error}, with SEARCHAPP_CACHE") from error


def _is_whole(path: Path) -> bool:
    try:
        body = json.loads((path / EXPORT.marker).read_text(encoding="utf-8"))
        makers, files = body["made_by"], body["files"]
        same = all(_installed(name) in (None, makers[name]) for name in _MAKERS)
        return same and all(sha256_file(path / name) == files[name] for name in (DESCRIPTION, *ONNX.files))
    except (OSError, ValueError, LookupError, TypeError):
        return False


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
