"""An encoder written down for queries: a folder that is opened without the model, the libraries it needs, or a hub.

encoder/encoder.json     which runtime opens it, and the card: everything that decides the vectors
encoder/tokenizer.json   and whatever else that runtime's form has
"""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from searchapp.encoders.base import Encoder, EncoderCard
from searchapp.errors import ModelError
from searchapp.prompts import Prompts

DESCRIPTION = "encoder.json"
FORMAT, FORMAT_VERSION = "searchapp-encoder", 1
LARGEST_DESCRIPTION = 1 << 20
"""Bytes of an encoder.json that are read; prompts are short."""

_AGAIN = "build the index again, or type --model with its model"
_STRINGS = ("model", "fingerprint", "pooling", "dtype", "runtime")


@dataclass(frozen=True, slots=True)
class Form:
    """What an encoder is written down as."""

    runtime: str
    """Which runtime opens it."""
    files: tuple[str, ...]
    """What lies beside encoder.json."""
    open: Callable[[Path, EncoderCard], Encoder]
    """Makes an encoder of a folder and the card in its encoder.json; raises ModelError where it is damaged."""


def _open_static(folder: Path, card: EncoderCard) -> Encoder:
    from searchapp.encoders.static_runtime import open_static

    return open_static(folder, card)


def _open_bert(folder: Path, card: EncoderCard) -> Encoder:
    from searchapp.encoders.bert_runtime import open_bert

    return open_bert(folder, card)


def _open_onnx(folder: Path, card: EncoderCard) -> Encoder:
    from searchapp.encoders.onnx_encoder import OnnxEncoder

    return OnnxEncoder(folder, card)


STATIC = Form("static", ("model.safetensors", "tokenizer.json"), _open_static)
BERT = Form("bert", ("model.safetensors", "shape.json", "tokenizer.json"), _open_bert)
ONNX = Form("onnx", ("model.onnx", "model.onnx.data", "tokenizer.json"), _open_onnx)

FORMS: tuple[Form, ...] = (STATIC, BERT, ONNX)


def write_description(folder: Path, card: EncoderCard) -> None:
    """Write encoder.json; the same card gives the same bytes."""
    body = {"format": FORMAT, "format_version": FORMAT_VERSION, "card": dataclasses.asdict(card)}
    text = json.dumps(body, ensure_ascii=False, indent=2) + "\n"
    (folder / DESCRIPTION).write_bytes(text.encode("utf-8", "surrogatepass"))


def open_exported(folder: Path) -> Encoder:
    """Open an encoder that was written down.

    Nothing in the folder is run or names a place. Raises ModelError where a file is missing or damaged,
    MissingExtraError naming the line to type where its runtime is not installed.
    """
    card = read_description(folder)
    form = next((form for form in FORMS if form.runtime == card.runtime), None)
    if form is None:
        raise ModelError(
            f"{folder / DESCRIPTION} names the runtime {card.runtime!r}, this searchapp opens "
            f"{', '.join(form.runtime for form in FORMS)}; use the searchapp that made the index, or {_AGAIN}"
        )
    try:
        return form.open(folder, card)
    except ModelError as error:
        raise ModelError(f"the query encoder in {folder} can't be used: {error}; {_AGAIN}") from error


def read_description(folder: Path) -> EncoderCard:
    """Read encoder.json; raise ModelError where it is missing, damaged or of another version."""
    path = folder / DESCRIPTION
    try:
        with path.open("rb") as handle:
            raw = handle.read(LARGEST_DESCRIPTION + 1)
        body = json.loads(raw.decode("utf-8", "surrogatepass")) if len(raw) <= LARGEST_DESCRIPTION else None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} can't be read as a query encoder's description ({error}); {_AGAIN}") from None
    if not isinstance(body, dict) or body.get("format") != FORMAT:
        raise ModelError(f"{path} doesn't describe a query encoder; {_AGAIN}")
    if body.get("format_version") != FORMAT_VERSION:
        raise ModelError(
            f"{path} has format version {body.get('format_version')!r}, this searchapp reads {FORMAT_VERSION}; {_AGAIN}"
        )
    try:
        return _parse(body["card"])
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{path} is damaged ({error!r}); {_AGAIN}") from None


def _parse(card: dict[str, Any]) -> EncoderCard:
    prompts = Prompts(**card["prompts"])
    found = EncoderCard(**{**card, "prompts": prompts})
    texts = [getattr(found, name) for name in _STRINGS] + [prompts.query, prompts.document, prompts.source]
    if bad := [text for text in texts if not isinstance(text, str)]:
        raise TypeError(f"{bad[0]!r} is no text")
    if not isinstance(found.revision, str | None):
        raise TypeError(f"the revision is {found.revision!r}")
    if type(found.dim) is not int or found.dim < 1:
        raise ValueError(f"the dim is {found.dim!r}")
    if found.max_seq_length is not None and (type(found.max_seq_length) is not int or found.max_seq_length < 1):
        raise ValueError(f"the max_seq_length is {found.max_seq_length!r}")
    return found
