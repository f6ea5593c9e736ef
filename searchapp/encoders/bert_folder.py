"""A BERT in a model's folder: where it lies, its shape, and whether it is one that is run here."""

import json
from pathlib import Path, PurePosixPath
from typing import Any

from searchapp.encoders.base import EncoderCard
from searchapp.encoders.bert_forward import Shape
from searchapp.encoders.folder import one_line, read_json
from searchapp.errors import ModelError

DENSE = "+dense"
"""Behind a pooling: its vectors go through a square matrix, such as a rotation, and nothing else."""
_PLAIN = ("mean", "cls", "mean+normalize", "cls+normalize")
POOLINGS = (*_PLAIN, *(f"{pooling}{DENSE}" for pooling in _PLAIN))
_DENSE = {"module_input_name": "sentence_embedding", "module_output_name": "sentence_embedding", "use_residual": False}
"""What a Dense takes where its config leaves it out."""
_MATRIX = {**_DENSE, "bias": False, "activation_function": "torch.nn.modules.linear.Identity"}
"""What its config says where it is a mere matrix."""
TYPES = {"bert": False, "roberta": True, "xlm-roberta": True, "camembert": True}
"""The model types that are run here, and whether their places are counted from the padding token's number."""


def read_model(source: Path, card: EncoderCard) -> tuple[Path, Shape, int]:
    """Return where a model's transformer lies, its shape and its layers; raise ModelError for other kinds."""
    if card.pooling not in POOLINGS or card.max_seq_length is None:
        raise ModelError(f"{card.model} is no plain BERT: its vectors are made by {card.pooling}")
    place = _transformer(source)
    config, settings = read_json(place / "config.json"), read_json(place / "tokenizer_config.json")
    shape, layers = _read_config(config, place)
    if settings.get("truncation_side", "right") != "right" or settings.get("padding_side", "right") != "right":
        raise ModelError(f"{place} cuts or pads texts on the left")
    for name in ("model.safetensors", "tokenizer.json"):
        if not (place / name).is_file():
            raise ModelError(f"{place} has no {name}")
    if card.pooling.endswith(DENSE):
        dense_of(source, card)
    return place, shape, layers


def _transformer(folder: Path) -> Path:
    """Return where in a model's folder the transformer lies."""
    kind, place = _module(folder, 0)
    if not kind.startswith("sentence_transformers.") or not kind.endswith(".Transformer"):
        raise ModelError(f"{folder} begins with {kind}, which is no plain transformer")
    return place


def dense_of(folder: Path, card: EncoderCard) -> Path:
    """Return where in a model's folder its last module lies, a Dense; raise ModelError unless it is a mere matrix."""
    kind, place = _module(folder, -1)
    config = {**_DENSE, **read_json(place / "config.json")}
    plain = config == {**_MATRIX, "in_features": card.dim, "out_features": card.dim}
    if not kind.startswith("sentence_transformers.") or not kind.endswith(".Dense") or not plain:
        raise ModelError(f"{place} is more than a square matrix")
    if not (place / "model.safetensors").is_file():
        raise ModelError(f"{place} has no model.safetensors")
    return place


def _module(folder: Path, number: int) -> tuple[str, Path]:
    """Return the kind and the place of a module in a model's folder."""
    try:
        module = json.loads((folder / "modules.json").read_text(encoding="utf-8"))[number]
        kind, place = str(module["type"]), PurePosixPath(module["path"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ModelError(f"{folder / 'modules.json'} can't be read as a list of modules ({one_line(error)})") from error
    if ".." in place.parts or place.is_absolute():
        raise ModelError(f"{folder / 'modules.json'} names {place}, which lies elsewhere")
    return kind, folder / place


def _read_config(config: dict[str, Any], place: Path) -> tuple[Shape, int]:
    """Return the shape and the number of layers that a model's config declares."""
    kind = config.get("model_type")
    plain = config.get("hidden_act") == "gelu" and config.get("position_embedding_type", "absolute") == "absolute"
    if kind not in TYPES or "auto_map" in config or config.get("is_decoder") or not plain:
        raise ModelError(f"{place} is a {kind}, and what can be written down is {', '.join(TYPES)} in their plain form")
    try:
        padding = int(config["pad_token_id"]) if TYPES[str(kind)] else None
        shape = Shape(int(config["num_attention_heads"]), float(config["layer_norm_eps"]), padding)
        return shape, int(config["num_hidden_layers"])
    except (KeyError, TypeError, ValueError) as error:
        # What a config leaves out, transformers fills in by defaults of its own.
        raise ModelError(f"{place / 'config.json'} doesn't spell out its shape ({error!r})") from error
