"""The query encoder of BERT-like models (BERT, RoBERTa, XLM-R): NumPy and tokenizers, weights mapped, no torch.

For queries, which are few and short; documents are embedded faster by what the index was made with.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from searchapp.encoders.base import Encoder, EncoderCard, Vectors
from searchapp.encoders.batching import plan_batches
from searchapp.encoders.bert_folder import DENSE, POOLINGS, dense_of, read_model
from searchapp.encoders.bert_forward import Shape, run_bert
from searchapp.encoders.bert_weights import BertWeights, open_weights, write_weights
from searchapp.encoders.exported import BERT
from searchapp.encoders.folder import find_folder, fingerprint, hash_files, one_line, read_json
from searchapp.encoders.lengths import TokenCounter, count_with
from searchapp.encoders.prompted import PromptedEncoder
from searchapp.errors import ModelError

BUDGET = 128
"""Tokens of a batch: enough for a matrix product, few enough that it holds texts of like length."""
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
    place, shape, layers = read_model(source, card)
    dense = dense_of(source, card) / "model.safetensors" if card.pooling.endswith(DENSE) else None
    write_weights(folder / _WEIGHTS, place / "model.safetensors", layers, dense=dense)
    body = {"heads": shape.heads, "epsilon": shape.epsilon, "padding": shape.padding}
    (folder / _SHAPE).write_text(json.dumps(body) + "\n", encoding="utf-8")
    shutil.copyfile(place / "tokenizer.json", folder / _TOKENIZER)
    return replace(card, dtype="float32", runtime=BERT.runtime)


def refuse_bert(encoder: Encoder) -> str | None:
    """Say why an encoder can't be written down by `export_bert`; None where it can."""
    try:
        read_model(find_folder(encoder.card.model, revision=encoder.card.revision).path, encoder.card)
    except ModelError as error:
        return str(error)
    return None


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


def _read_shape(path: Path) -> Shape:
    body = read_json(path)
    heads, epsilon, padding = (body.get(name) for name in ("heads", "epsilon", "padding"))
    if type(heads) is not int or heads < 1 or type(epsilon) is not float or not 0 <= epsilon < 1:
        raise ModelError(f"{path} is damaged: it says {body}")
    if padding is not None and (type(padding) is not int or padding < 0):
        raise ModelError(f"{path} is damaged: the padding token is {padding!r}")
    return Shape(heads, epsilon, padding)
