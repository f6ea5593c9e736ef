"""A model in PyTorch -> an ONNX graph of all of it, from token ids to sentence vectors, and its tokenizer."""

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer

from searchapp.encoders.base import EncoderCard
from searchapp.encoders.checks import CANARIES
from searchapp.encoders.exported import ONNX
from searchapp.encoders.folder import one_line
from searchapp.encoders.onnx_encoder import OnnxEncoder
from searchapp.encoders.onnx_int8 import quantize
from searchapp.encoders.tokens import limit_of
from searchapp.encoders.torch_encoder import TorchEncoder
from searchapp.errors import ModelError
from searchapp.optional import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

OPSETS = (23, 20)
"""The first has attention in one node, which shows on long texts; some models' other nodes run only in the second."""
SAME = 1e-4
"""Vectors of one text, by the model and by what was written of it, differ by no more of their length."""

_FEW = 64
"""Tokens of a batch where the two are compared: so that there are several, padded ones too."""
_BIG = 1 << 10
"""Bytes from which a tensor lies outside the graph, where it is mapped into memory."""


def write_graph(encoder: TorchEncoder, folder: Path, *, precision: str) -> None:
    """Write model and tokenizer into a folder: `float32`, or `int8` with the products' weights in 8 bits.

    Raises ModelError for a model whose first module wants more than token ids, or that can't be traced.
    """
    name = encoder.card.model
    instead = "type --runtime torch" + (", without --precision int8" if precision == "int8" else "")
    if not encoder.plain:
        raise ModelError(
            f"{name} is more than a transformer and its pooling over a fast tokenizer's ids, which is all that is "
            f"written down as ONNX; {instead}"
        )
    for library in ("onnx", "onnxruntime", "onnxscript"):
        require(library, extra="onnx")
    model = _on_cpu(encoder.model)
    card = replace(encoder.card, dtype="float32")
    reasons: list[str] = []
    for opset in OPSETS:
        try:
            graph = _write_checked(model, card, folder, opset=opset)
        except ModelError as error:
            reasons.append(str(error))
            continue
        if precision == "int8":
            _write(quantize(graph), model.tokenizer, folder)
        return
    raise ModelError(f"{name} can't be written down as ONNX ({reasons[0]}); {instead}")


def _write_checked(model: "SentenceTransformer", card: EncoderCard, folder: Path, *, opset: int) -> Any:
    """Write a model in float32 and return its graph; raise ModelError where that fails or gives other vectors."""
    try:
        graph = _trace(model, opset)
        _write(graph, model.tokenizer, folder)
        _compare(OnnxEncoder(folder, card), TorchEncoder(model, card, budget=_FEW))
    except Exception as error:  # a model's own code may raise anything while it is traced
        raise ModelError(one_line(error)) from error
    return graph


def _write(graph: Any, tokenizer: Any, folder: Path) -> None:
    target, weights, words = ONNX.files
    # Written over, so that nothing is appended to what an earlier try left.
    (folder / weights).unlink(missing_ok=True)
    _forget_where(graph)
    # Saving moves the tensors out of what is saved.
    copied = type(graph)()
    copied.CopyFrom(graph)
    require("onnx", extra="onnx").save_model(
        copied,
        str(folder / target),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=weights,
        size_threshold=_BIG,
    )
    _write_tokenizer(tokenizer, folder / words)


def _compare(found: OnnxEncoder, expected: TorchEncoder) -> None:
    """Raise ModelError unless both give the canary texts the same vectors."""
    for text, one, other in zip(
        CANARIES, found.encode_documents(CANARIES), expected.encode_documents(CANARIES), strict=True
    ):
        apart = float(np.abs(one - other).max() / np.linalg.norm(other))
        if not apart <= SAME:
            raise ModelError(f"what was written gives {text!r} a vector that differs by {apart:.1e}")


def _on_cpu(model: "SentenceTransformer") -> "SentenceTransformer":
    """Return the model in float32 on the CPU: itself, or a copy."""
    torch = require("torch", extra="models")
    if model.device.type == "cpu" and all(one.dtype == torch.float32 for one in model.parameters()):
        return model
    moved: SentenceTransformer = copy.deepcopy(model).to(device="cpu", dtype=torch.float32)
    return moved.eval()


def _trace(model: "SentenceTransformer", opset: int) -> Any:
    """Return an onnx ModelProto with the inputs of the tokenizer and one output (texts, dim)."""
    import torch
    from torch import nn

    tokenizer: Any = model.tokenizer
    names = [str(name) for name in tokenizer.model_input_names]

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *columns: Any) -> Any:
            features = dict(zip(names, columns, strict=True))
            return self.model({**features, "modality": "text"})["sentence_embedding"]

    encoded = tokenizer(["red bag", "a longer one of other words"], padding=True, return_tensors="pt")
    sizes = {0: torch.export.Dim("texts"), 1: torch.export.Dim("tokens")}
    with _quiet():
        program = torch.onnx.export(
            Whole().eval(),
            tuple(encoded[name] for name in names),
            input_names=names,
            output_names=["vectors"],
            dynamic_shapes={"columns": tuple(sizes for _ in names)},
            opset_version=opset,
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ModelError("the exporter gave nothing")
    return program.model_proto


def _write_tokenizer(tokenizer: Any, path: Path) -> None:
    """Write a transformers tokenizer as tokenizers reads it, with the cutting and padding it is used with."""
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.no_truncation()
    if (limit := limit_of(tokenizer.model_max_length)) is not None:
        backend.enable_truncation(limit, direction=tokenizer.truncation_side)
    backend.enable_padding(
        direction=tokenizer.padding_side,
        pad_id=tokenizer.pad_token_id,
        pad_type_id=tokenizer.pad_token_type_id,
        pad_token=tokenizer.pad_token,
    )
    backend.save(str(path))


def _forget_where(graph: Any) -> None:
    """Drop what the exporter notes of this machine's source files: the same model gives the same bytes."""
    for items in (
        graph.graph.node,
        graph.graph.input,
        graph.graph.output,
        graph.graph.value_info,
        [graph.graph],
        [graph],
    ):
        for item in items:
            item.ClearField("metadata_props")
            item.ClearField("doc_string")
    for function in graph.functions:
        for node in function.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's progress, and what it finds missing that nothing here uses, off the terminal."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
