"""Where a static model's parts lie in its folder, and whether it is one."""

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from searchapp.encoders.folder import one_line, read_json
from searchapp.encoders.tensors import tensor_names
from searchapp.encoders.token_table import EMBEDDINGS
from searchapp.errors import ModelError

_LIBRARY = "sentence_transformers."
_POOLED = "sentence_embedding"
"""What a Normalize module works on where it is not told otherwise."""


@dataclass(frozen=True, slots=True)
class StaticFolder:
    """A static model's parts."""

    tensors: Path
    tokenizer: Path
    normalize: bool


def find_static(folder: Path) -> StaticFolder | None:
    """Find the parts of a static model in a folder; None where it is another kind of model.

    Static are the folders of sentence-transformers whose modules are StaticEmbedding, maybe with Normalize behind it,
    and those of model2vec, which older releases save without a modules.json. Raises ModelError for broken files.
    """
    if (folder / "modules.json").is_file():
        modules = _read_modules(folder)
        kinds = [kind for kind, _ in modules]
        if kinds[:1] != ["StaticEmbedding"] or set(kinds[1:]) - {"Normalize"}:
            return None
        place, normalize = modules[0][1], len(kinds) > 1
    elif _is_model2vec(folder / "model.safetensors"):
        place, normalize = folder, read_json(folder / "config.json").get("normalize") is True
    else:
        return None
    found = StaticFolder(place / "model.safetensors", place / "tokenizer.json", normalize)
    return found if found.tensors.is_file() and found.tokenizer.is_file() else None


def _read_modules(folder: Path) -> list[tuple[str, Path]]:
    """Return the kinds and places of a folder's modules.

    The kind is the class's name; the whole of it for a class that is not the library's, or does something else here.
    """
    path = folder / "modules.json"
    try:
        found = [
            (str(module["type"]), PurePosixPath(module["path"]))
            for module in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(
            f"{path} can't be read as a list of modules ({one_line(error)}); fetch the model again"
        ) from error
    modules = []
    for kind, place in found:
        if place.is_absolute() or ".." in place.parts:
            raise ModelError(f"{path} names {place}, which is outside its folder; get the model from who made it")
        own = read_json(folder / place / "config.json") if place.parts else {}
        usual = kind.startswith(_LIBRARY) and own.get("module_input_name", _POOLED) == _POOLED
        modules.append((kind.rpartition(".")[2] if usual else kind, folder / place))
    return modules


def _is_model2vec(path: Path) -> bool:
    return path.is_file() and EMBEDDINGS in tensor_names(path)
