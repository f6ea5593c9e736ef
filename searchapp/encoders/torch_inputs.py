"""Texts -> what a sentence-transformers model takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias

from searchapp.encoders.batching import Rows
from searchapp.encoders.lengths import TokenCounter, count_with
from searchapp.encoders.tokens import COLUMNS, measure, tokenize
from searchapp.errors import ModelError
from searchapp.optional import require

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

Features: TypeAlias = dict[str, Any]
"""What a model's first module is given: tensors of a row per text, and what it likes to know beside them."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """Some texts, measured and ready to become batches."""

    task: str
    """`query` or `document`."""
    lengths: Sequence[int]
    """Tokens of each text as the model sees it, cut at max_seq_length."""
    lost: Sequence[int]
    """Tokens of each beyond that."""
    features: Callable[[Rows], Features]
    """Makes the input of the texts at some rows, on the CPU."""


class InputMaker:
    """What stands before a model: its tokenizer, or a first module that does more.

    `plain` says that the ids of a fast tokenizer, padded, are all that the first module makes of texts.
    """

    def __init__(self, model: "SentenceTransformer") -> None:
        self.plain = _is_plain(model)
        self._model = model
        # A model's own first module may keep state in its tokenizer, so it is asked by one thread at a time.
        self._asking = Lock()

    def prepare(self, prefixed: list[str], *, prompt: str, task: str) -> Inputs:
        """Measure texts that begin with the prompt."""
        return self._prepare_plain(prefixed, task) if self.plain else self._prepare_any(prefixed, prompt, task)

    def token_counter(self) -> TokenCounter:
        """Return a tokenizer that tells tokens as the model's own; raise ModelError where that is no fast one."""
        first: Any = self._model[0]
        routes = dict(getattr(first, "sub_modules", {}))
        first = routes["document"][0] if "document" in routes else first
        tokenizer: Any = getattr(first, "tokenizer", None)
        if not getattr(tokenizer, "is_fast", False) or getattr(first, "document_length", None):
            raise ModelError(
                f"the model reads documents by {type(tokenizer).__name__} in {type(first).__name__}, which doesn't "
                "tell where in a text its tokens are; type --on-truncate warn, and cut long documents yourself"
            )
        return count_with(tokenizer.backend_tokenizer, special=True)

    def _prepare_plain(self, prefixed: list[str], task: str) -> Inputs:
        """Tokenise once; batches are cut from the ids."""
        from_numpy = require("torch", extra="models").from_numpy
        tokens = tokenize(self._model.tokenizer, prefixed)

        def features(rows: Rows) -> Features:
            return {name: from_numpy(block) for name, block in tokens.padded(rows).items()} | {"modality": "text"}

        return Inputs(task, tokens.lengths, tokens.lost, features)

    def _prepare_any(self, prefixed: list[str], prompt: str, task: str) -> Inputs:
        """Let the model's own first module make the batches; it wants text and prompt apart, to tell their tokens."""
        bare = [text[len(prompt) :] for text in prefixed]
        with self._asking:
            lengths, limit = measure(self._model[0], prefixed, task=task)

        def features(rows: Rows) -> Features:
            with self._asking:
                return dict(self._model.preprocess([bare[row] for row in rows], prompt=prompt or None, task=task))

        if limit is None:
            return Inputs(task, lengths, [0] * len(lengths), features)
        lost = [max(0, length - limit) for length in lengths]
        return Inputs(task, [min(length, limit) for length in lengths], lost, features)


def pin(features: Features) -> Features:
    """Move a batch's tensors to where CUDA fetches them from by itself."""
    torch = require("torch", extra="models")
    return {name: value.pin_memory() if isinstance(value, torch.Tensor) else value for name, value in features.items()}


def _is_plain(model: "SentenceTransformer") -> bool:
    first: Any = model[0]
    modules = require("sentence_transformers.base.modules", extra="models")
    tokenizer: Any = getattr(first, "tokenizer", None)
    if type(first) is not modules.Transformer or first.processor is not tokenizer or tokenizer is None:
        return False
    unchanged = (first.processing_kwargs, first.query_length, first.document_length, first.query_expansion)
    return bool(
        not any(unchanged)
        and list(first.modality_config) == ["text"]
        and tokenizer.is_fast
        and tokenizer.pad_token_id is not None
        and set(tokenizer.model_input_names) <= COLUMNS
        and all(getattr(module, "include_prompt", True) for module in model)
    )
