"""The query encoder of BERT-like models (BERT, RoBERTa, XLM-R): NumPy and tokenizers, weights mapped, no torch.

For queries, which are few and short; documents are embedded faster by what the index was made with.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from searchapp.encoders.base import Encoder, EncoderCard, Vectors
from searchapp.encoders.batching import plan_batches
from searchapp.encoders.bert_forward import Shape, run_bert
from searchapp.encoders.bert_weights import BertWeights, open_weights, write_weights
from searchapp.encoders.exported import BERT
from searchapp.encoders.folder import find_folder, fingerprint, hash_files, one_line, read_json
from searchapp.encoders.lengths import TokenCounter, count_with
from searchapp.encoders.prompted import PromptedEncoder
from searchapp.errors import ModelError

BUDGET = 128
"""Tokens of a batch: enough for a matrix product, few enough that it holds texts of like length."""
DENSE = "+dense"
"""Behind a pooling: its vectors go through a square matrix, such as a rotation, and nothing else."""
_PLAIN = ("mean", "cls", "mean+normalize", "cls+normalize")
POOLINGS = (*_PLAIN, *(f"{pooling}{DENSE}" for pooling in _PLAIN))
TYPES = {"bert": False, "roberta": True, "xlm-roberta": True, "camembert": True}
"""The model types that are run here, and whether their places are counted from the padding token's number."""

_TINY = np.float32(1e-12)
_WEIGHTS, _SHAPE, _TOKENIZER = BERT.files


class BertEncoder(PromptedEncoder):
    """A BERT-like model as an encoder."""

    def __init__(self, weights: BertWeights, shape: Shape, tokenizer: Tokenizer, *, card: EncoderCard) -> None:
        super().__init__(card)
        self._weights = weights
        self._shape = shape
        self._tokenizer = tokenizer
        tokenizer.no_padding()
        if card.max_seq_length is not None:
            direction = (tokenizer.truncation or {}).get("direction", "right")
            tokenizer.enable_truncation(card.max_seq_length, direction=direction)

    def token_counter(self) -> TokenCounter:
        """Return a tokenizer that counts as this encoder does."""
        return count_with(self._tokenizer, special=True)

    def _fill(self, texts: list[str], vectors: Vectors) -> Sequence[int]:
        encodings = self._tokenizer.encode_batch(texts)
        special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        lost = [sum(len(piece) - special for piece in encoding.overflowing) for encoding in encodings]
        for rows in plan_batches([len(encoding) for encoding in encodings], BUDGET):
            vectors[rows] = self._run([encodings[row].ids for row in rows])
        return lost

    def _run(self, batch: Sequence[Sequence[int]]) -> Vectors:
        """Return float32 (n, dim) of the tokens of some texts."""
        lengths = np.array([len(ids) for ids in batch])
        ids = np.zeros((len(batch), max(1, lengths.max())), dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
        mask = np.arange(ids.shape[1]) < lengths[:, None]
        if self._shape.padding is not None:
            ids[~mask] = self._shape.padding
        if ids.max() >= len(self._weights.words):
            raise ModelError(
                f"the tokenizer of {self._card.model} gives token {ids.max()} and the model has vectors for "
                f"{len(self._weights.words)}; its tokenizer and weights don't belong together"
            )
        hidden = run_bert(self._weights, self._shape, ids, mask)
        if self._card.pooling.startswith("cls"):
            pooled = hidden[:, 0]
        else:
            pooled = np.einsum("ntd,nt->nd", hidden, mask.astype(np.float32))
            pooled /= np.maximum(lengths, 1)[:, None].astype(np.float32)
        if self._card.pooling.removesuffix(DENSE).endswith("normalize"):
            pooled = pooled / np.maximum(np.linalg.norm(pooled, axis=1, keepdims=True), _TINY)
        return pooled if self._weights.dense is None else pooled @ self._weights.dense.T


def export_bert(encoder: Encoder, folder: Path) -> EncoderCard:
    """Write what queries need of an encoder's model, from the model's own folder; the same always as the same bytes.

    Raises ModelError where the model is of another kind, or the folder is no longer the one that was loaded.
    """
    card = encoder.card
    source = find_folder(card.model, revision=card.revision).path
    if fingerprint(hash_files(source)) != card.fingerprint:
        raise ModelError(f"{source} has changed since the model was loaded")
    place, shape, layers = _read_model(source, card)
    dense = _dense(source, card) / "model.safetensors" if card.pooling.endswith(DENSE) else None
    write_weights(folder / _WEIGHTS, place / "model.safetensors", layers, dense=dense)
    body = {"heads": shape.heads, "epsilon": shape.epsilon, "padding": shape.padding}
    (folder / _SHAPE).write_text(json.dumps(body) + "\n", encoding="utf-8")
    shutil.copyfile(place / "tokenizer.json", folder / _TOKENIZER)
    return replace(card, dtype="float32", runtime=BERT.runtime)


def refuse_bert(encoder: Encoder) -> str | None:
    """Say why an encoder can't be written down by `export_bert`; None where it can."""
    try:
        _read_model(find_folder(encoder.card.model, revision=encoder.card.revision).path, encoder.card)
    except ModelError as error:
        return str(error)
    return None


def _read_model(source: Path, card: EncoderCard) -> tuple[Path, Shape, int]:
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
        _dense(source, card)
    return place, shape, layers


def open_bert(folder: Path, card: EncoderCard) -> BertEncoder:
    """Open what `export_bert` wrote; raises ModelError where it is damaged or is not what the card says."""
    if card.pooling not in POOLINGS:
        raise ModelError(f"its pooling is {card.pooling!r}, and one of {', '.join(POOLINGS)} was expected")
    shape = _read_shape(folder / _SHAPE)
    dense = card.pooling.endswith(DENSE)
    weights = open_weights(folder / _WEIGHTS, dim=card.dim, heads=shape.heads, dense=dense)
    longest = len(weights.places) - (0 if shape.padding is None else shape.padding + 1)
    if card.max_seq_length is None or card.max_seq_length > longest:
        raise ModelError(f"it takes texts of {card.max_seq_length} tokens, and has places for {longest}")
    try:
        tokenizer = Tokenizer.from_file(str(folder / _TOKENIZER))
    except Exception as error:  # the library raises nothing more special
        raise ModelError(f"{folder / _TOKENIZER} can't be read ({one_line(error)})") from error
    return BertEncoder(weights, shape, tokenizer, card=card)


def _transformer(folder: Path) -> Path:
    """Return where in a model's folder the transformer lies."""
    kind, place = _module(folder, 0)
    if not kind.startswith("sentence_transformers.") or not kind.endswith(".Transformer"):
        raise ModelError(f"{folder} begins with {kind}, which is no plain transformer")
    return place


def _dense(folder: Path, card: EncoderCard) -> Path:
    """Return where in a model's folder its last module lies, a Dense; raise ModelError unless it is a mere matrix."""
    kind, place = _module(folder, -1)
    config = read_json(place / "config.json")
    expected = {
        "in_features": card.dim,
        "out_features": card.dim,
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
        "module_input_name": "sentence_embedding",
        "module_output_name": "sentence_embedding",
    }
    plain = all(config.get(name) == value for name, value in expected.items()) and not config.get("use_residual")
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


def _read_shape(path: Path) -> Shape:
    body = read_json(path)
    heads, epsilon, padding = (body.get(name) for name in ("heads", "epsilon", "padding"))
    if type(heads) is not int or heads < 1 or type(epsilon) is not float or not 0 <= epsilon < 1:
        raise ModelError(f"{path} is damaged: it says {body}")
    if padding is not None and (type(padding) is not int or padding < 0):
        raise ModelError(f"{path} is damaged: the padding token is {padding!r}")
    return Shape(heads, epsilon, padding)
