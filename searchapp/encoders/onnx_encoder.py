"""Encoders that run in onnxruntime on the CPU, with tokenizers and without torch; the one door to onnxruntime."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from searchapp.encoders.base import EncoderCard, Vectors
from searchapp.encoders.batching import Rows, plan_batches
from searchapp.encoders.cores import run_all
from searchapp.encoders.exported import ONNX
from searchapp.encoders.folder import one_line
from searchapp.encoders.lengths import TokenCounter, count_with
from searchapp.encoders.prompted import PromptedEncoder
from searchapp.encoders.tokens import TokenizedTexts
from searchapp.errors import ModelError
from searchapp.optional import require

BUDGET = 512
"""Tokens of a batch, by benchmarks/encode.py: fewer pay more for each call, more leave the caches."""

_QUIET = 4
"""onnxruntime's level for what ends a call anyway; what it warns of means nothing to a user."""
_ATTRIBUTES = {"input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids"}
"""What tokenizers call the columns."""


class OnnxEncoder(PromptedEncoder):
    """An exported model as an encoder; `folder` holds its files.

    Every core takes a batch of its own. Raises ModelError where the files are damaged or are not what the card says.
    """

    def __init__(self, folder: Path, card: EncoderCard, *, budget: int = BUDGET) -> None:
        super().__init__(card)
        self.folder = folder
        self._budget = budget
        self._tokenizer = _open_tokenizer(folder / ONNX.files[-1])
        self._special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        self._padding = self._tokenizer.padding or {}
        self._tokenizer.no_padding()
        self._session = _open_session(folder / ONNX.files[0])
        self._names = [item.name for item in self._session.get_inputs()]
        self._check()
        self._threads = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._pool: ThreadPoolExecutor | None = None

    def token_counter(self) -> TokenCounter:
        """Return a tokenizer that counts as this encoder does."""
        return count_with(self._tokenizer, special=True)

    def _fill(self, texts: list[str], vectors: Vectors) -> Sequence[int]:
        tokens = self._tokenize(texts)

        def run(rows: Rows) -> None:
            vectors[rows] = self._session.run(None, tokens.padded(rows))[0]

        self._run(run, plan_batches(tokens.lengths, self._budget))
        return tokens.lost

    def _tokenize(self, texts: list[str]) -> TokenizedTexts:
        found = self._tokenizer.encode_batch(texts)
        return TokenizedTexts(
            columns={name: [getattr(item, _ATTRIBUTES[name]) for item in found] for name in self._names},
            padding={
                "input_ids": self._padding["pad_id"],
                "attention_mask": 0,
                "token_type_ids": self._padding["pad_type_id"],
            },
            left=self._padding["direction"] == "left",
            lengths=tuple(len(item.ids) for item in found),
            lost=tuple(sum(len(piece.ids) - self._special for piece in item.overflowing) for item in found),
        )

    def _run(self, run: Callable[[Rows], None], batches: Sequence[Rows]) -> None:
        if self._threads < 2 or len(batches) < 2:
            for rows in batches:
                run(rows)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        run_all(self._pool, run, batches)

    def _check(self) -> None:
        """Raise ModelError where graph, tokenizer and card don't belong together."""
        dim = self._session.get_outputs()[0].shape[-1]
        if not set(self._names) <= set(_ATTRIBUTES) or not self._padding or dim != self._card.dim:
            raise ModelError(
                f"{self.folder} holds a model of {dim} dims that takes {', '.join(self._names)}, and one of "
                f"{self._card.dim} dims that takes some of {', '.join(_ATTRIBUTES)} was expected, beside a tokenizer "
                "that pads"
            )


def _open_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise ModelError(f"{path} can't be read ({one_line(error)})") from error


def _open_session(path: Path) -> Any:
    onnxruntime = require("onnxruntime", extra="onnx")
    options = onnxruntime.SessionOptions()
    # One thread a batch: none waits for another between the layers.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = _QUIET
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's own errors share no other base
        raise ModelError(f"{path} can't be read as a model ({one_line(error)})") from error
