"""From a model's name to a folder on this machine, and what that folder declares."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from searchapp.encoders.catalog import CATALOG, open_packaged
from searchapp.errors import ModelError, UsageError
from searchapp.layout import sha256_file
from searchapp.optional import require
from searchapp.prompts import Declared

# The same weights for other runtimes.
_OTHER_RUNTIMES = ("onnx/*", "openvino/*", "coreml/*", "*.onnx", "*.h5", "*.msgpack", "*.ot", "*.gguf", "*.tflite")
# Weights of the root in the old format; they are fetched only where there are none in the new one.
_OLD_WEIGHTS = ("pytorch_model*.bin",)
_DECIDING = {".safetensors", ".bin", ".json", ".txt", ".model", ".vocab", ".spm", ".py"}
_NOT_DECIDING = {"onnx", "openvino", "coreml", "training"}
"""Folders of a model's that hold other forms of it, or how it came about."""
_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?")
_HUB_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model on this machine."""

    name: str
    """What finds it again: the hub or catalog name it was asked for by, or a folder's whole path."""
    path: Path
    revision: str | None
    """The commit of a hub model; None for a folder or a packaged model."""
    packaged: bool
    """Whether it comes as a Python package, so that its checksum is known."""
    declared: Declared


def find_folder(name: str, *, revision: str | None = None) -> ModelFolder:
    """Find the folder that `name` stands for: a folder itself, else a packaged model, else a hub name.

    A hub model is downloaded unless HF_HUB_OFFLINE is set. Raises ModelError where there is no such model,
    MissingExtraError where a package is missing, UsageError for a revision of what has none.
    """
    folder, packaged = Path(name).expanduser(), False
    if name and folder.is_dir() and (name not in CATALOG or _is_model(folder)):
        if not _is_model(folder):
            raise ModelError(f"the folder {name} is no model: it has neither modules.json nor config.json")
        found, commit, also = folder, None, _cached_name(folder)
    elif name in CATALOG:
        found, commit, also, packaged = open_packaged(name), None, CATALOG[name].declared, True
    else:
        found, commit = _from_hub(name, revision)
        also = (name,)
    if revision is not None and commit is None:
        raise UsageError(f"--revision {revision} goes with a hub name, and {name} is a model on this machine")
    called = name if packaged or commit is not None else str(found.resolve())
    return ModelFolder(called, found, commit, packaged, _read_declared(found, also))


def hash_files(folder: Path) -> dict[str, str]:
    """Return the hex sha256 of every file that decides the vectors, by its name in the folder.

    Those are weights, tokenizers, configs and code; not the card, nor what is there for other runtimes, nor weights
    in the old format beside some in the new one.
    """
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in deciding_files(folder)}


def deciding_files(folder: Path) -> list[Path]:
    """Return the files that decide the vectors; see `hash_files`."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and _decides(path, folder)]


def fingerprint(hashes: Mapping[str, str]) -> str:
    """Return the hex sha256 over the files' names and hashes, in the order of the names."""
    return hashlib.sha256(json.dumps(sorted(hashes.items())).encode()).hexdigest()


def _is_model(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("modules.json", "config.json"))


def _decides(path: Path, folder: Path) -> bool:
    parts = path.relative_to(folder).parts
    if path.suffix not in _DECIDING or parts[0] in _NOT_DECIDING or any(part.startswith(".") for part in parts):
        return False
    return path.suffix != ".bin" or not any(path.parent.glob("*.safetensors"))


def _cached_name(folder: Path) -> tuple[str, ...]:
    """Return the hub name that a folder inside the hub's cache stands for."""
    where = folder.resolve().parent
    owner = where.parent.name
    return (owner.removeprefix("models--").replace("--", "/"),) if where.name == "snapshots" else ()


def is_here(name: str, *, revision: str | None = None) -> bool:
    """Tell whether a model is on this machine, so that `find_folder` would fetch nothing."""
    if Path(name).expanduser().is_dir() or name in CATALOG:
        return True
    if not _HUB_NAME.fullmatch(name):
        return False
    hub = require("huggingface_hub", extra="models")
    try:
        hub.snapshot_download(_repository(name), revision=revision, local_files_only=True)
    except (OSError, ValueError, hub.errors.HTTPError, hub.errors.EntryNotFoundError):
        return False
    return True


def _repository(name: str) -> str:
    return name if "/" in name else f"sentence-transformers/{name}"


def _from_hub(name: str, revision: str | None) -> tuple[Path, str | None]:
    if not _HUB_NAME.fullmatch(name):
        raise ModelError(f"there is no folder {name}, and it can't be a hub name (OWNER/MODEL); {_known()}")
    hub = require("huggingface_hub", extra="models")
    repository = _repository(name)
    try:
        path = _download(hub, repository, revision, ignored=_OTHER_RUNTIMES + _OLD_WEIGHTS)
        if not any(path.rglob("*.safetensors")):
            path = _download(hub, repository, revision, ignored=_OTHER_RUNTIMES)
    except (OSError, ValueError, hub.errors.HTTPError, hub.errors.EntryNotFoundError) as error:
        at = f" at revision {revision}" if revision else ""
        if hub.is_offline_mode():
            raise ModelError(
                f"{name}{at} is no folder here and not in the hub cache, and HF_HUB_OFFLINE is set; unset it to "
                f"download {repository}, or {_known()}"
            ) from error
        raise ModelError(
            f"{repository}{at} can't be fetched from the hub ({one_line(error)}); check the name, or {_known()}"
        ) from error
    if not _is_model(path):
        raise ModelError(f"{repository} is no model: it has neither modules.json nor config.json")
    return path, path.name if _HUB_COMMIT.fullmatch(path.name) else revision


def _download(hub: ModuleType, repository: str, revision: str | None, *, ignored: tuple[str, ...]) -> Path:
    offline = hub.is_offline_mode()
    return Path(
        hub.snapshot_download(repository, revision=revision, local_files_only=offline, ignore_patterns=list(ignored))
    )


def _known() -> str:
    return f"name the model's folder, or one that comes as a package: {', '.join(CATALOG)}"


def one_line(error: BaseException) -> str:
    """Return an error's type and the beginning of its text in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}{'...' if len(text) > 300 else ''}"


def _read_declared(folder: Path, asked: tuple[str, ...]) -> Declared:
    own, base = _read_card(folder / "README.md")
    path = read_json(folder / "config.json").get("_name_or_path")
    made_from = (path,) if isinstance(path, str) else ()
    settings = read_json(folder / "config_sentence_transformers.json")
    prompts, default = settings.get("prompts"), settings.get("default_prompt_name")
    return Declared(
        names=(*asked, *own, folder.resolve().name),
        bases=(*base, *made_from),
        prompts={str(key): text for key, text in prompts.items() if isinstance(text, str)}
        if isinstance(prompts, dict)
        else {},
        default=default if isinstance(default, str) else None,
    )


def _read_card(path: Path) -> tuple[list[str], list[str]]:
    """Return the names and the base models that the front matter of a model card declares."""
    if not path.is_file():
        return [], []
    front = re.match(r"---\s*\n(.*?)\n---", path.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    if front is None:
        return [], []
    names = re.findall(r"^(?:model_name:|model-index:\s*\n\s*- name:)[ \t]*(\S.*)$", front[1], re.MULTILINE)
    base = re.search(r"^base_model:[ \t]*(.*(?:\n[ \t]*- .*)*)", front[1], re.MULTILINE)
    bases = re.split(r"[\n,\[\]]|(?:^|\n)\s*- ", base[1]) if base is not None else []
    return _unquoted(names), _unquoted(bases)


def _unquoted(values: list[str]) -> list[str]:
    stripped = [value.strip().removeprefix("- ").strip().strip("'\"") for value in values]
    return [value for value in stripped if value]


def read_json(path: Path) -> dict[str, object]:
    """Return the object in one of a model's JSON files, empty where there is none; raise ModelError for broken JSON."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} can't be read as JSON ({one_line(error)}); fetch the model again") from error
    return found if isinstance(found, dict) else {}
