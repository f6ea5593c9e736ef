"""Encoders that run in PyTorch; the one door to torch, transformers and sentence-transformers."""

import pickle
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from searchapp.encoders.base import EncodeCounts, EncoderCard, Vectors
from searchapp.encoders.batching import plan_batches
from searchapp.encoders.describe import describe_pooling, explain
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.quiet import collecting_reports, missing_weights
from searchapp.encoders.tokens import COLUMNS, limit_of, measure, tokenize
from searchapp.errors import ModelError, UsageError
from searchapp.optional import require
from searchapp.prompts import add_prompt, resolve_prompts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CPU_BUDGET = 1024
"""Tokens of a batch on the CPU, by benchmarks/encode.py: fewer pay more for Python, more leave the caches."""
GPU_BUDGET = 16_384

_DTYPES = ("auto", "float32", "float16", "bfloat16")
_HALF = ("float16", "bfloat16")

Rows = npt.NDArray[np.intp]
Features = dict[str, Any]


class TorchEncoder:
    """A sentence-transformers model as an encoder."""

    def __init__(self, model: "SentenceTransformer", card: EncoderCard, *, budget: int) -> None:
        self._model = model
        self._plain = _is_plain(model)
        self._budget = budget
        self._card = card
        self._counts = EncodeCounts()
        self._cores = _Cores()

    @property
    def card(self) -> EncoderCard:
        """Return what decides the vectors."""
        return self._card

    @property
    def counts(self) -> EncodeCounts:
        """Return what happened to the texts so far."""
        return self._counts

    def encode_queries(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the query prompt; row i belongs to text i."""
        return self._encode(texts, self._card.prompts.query, task="query")

    def encode_documents(self, texts: Sequence[str]) -> Vectors:
        """Return float32 vectors (n, dim) of the texts with the document prompt; row i belongs to text i."""
        return self._encode(texts, self._card.prompts.document, task="document")

    def _encode(self, texts: Sequence[str], prompt: str, *, task: str) -> Vectors:
        if isinstance(texts, str):
            raise UsageError("texts is one text; give a list of texts, also for one")
        vectors = np.empty((len(texts), self._card.dim), dtype=np.float32)
        if not texts:
            return vectors
        prefixed, already = add_prompt(prompt, texts)
        prepare = self._prepare_plain if self._plain else self._prepare_any
        features, lengths, lost = prepare(prefixed, prompt, task)
        self._counts.texts += len(texts)
        self._counts.already_prefixed += already
        self._counts.truncated += sum(tokens > 0 for tokens in lost)
        self._counts.tokens_lost += sum(lost)

        def run(rows: Rows) -> None:
            vectors[rows] = _forward(self._model, features(rows), task)

        # A model's own first module may keep state in its tokenizer, so it is asked by one thread only.
        parallel = self._plain and self._model.device.type == "cpu"
        self._cores.run(run, plan_batches(lengths, self._budget), parallel=parallel)
        return vectors

    def _prepare_plain(
        self, prefixed: list[str], prompt: str, task: str
    ) -> tuple[Callable[[Rows], Features], Sequence[int], Sequence[int]]:
        """Tokenise once; batches are cut from the ids."""
        del prompt, task  # part of the texts already, and of no meaning to a plain model
        from_numpy = require("torch", extra="models").from_numpy
        tokens = tokenize(self._model.tokenizer, prefixed)

        def features(rows: Rows) -> Features:
            return {name: from_numpy(block) for name, block in tokens.padded(rows).items()} | {"modality": "text"}

        return features, tokens.lengths, tokens.lost

    def _prepare_any(
        self, prefixed: list[str], prompt: str, task: str
    ) -> tuple[Callable[[Rows], Features], Sequence[int], Sequence[int]]:
        """Let the model's own first module make the batches; it wants text and prompt apart, to tell their tokens."""
        bare = [text[len(prompt) :] for text in prefixed]
        lengths, limit = measure(self._model[0], prefixed, task=task)

        def features(rows: Rows) -> Features:
            return dict(self._model.preprocess([bare[row] for row in rows], prompt=prompt or None, task=task))

        if limit is None:
            return features, lengths, [0] * len(lengths)
        return features, [min(length, limit) for length in lengths], [max(0, length - limit) for length in lengths]


def load_torch(source: ModelFolder, fingerprint: str, *, options: EncoderOptions) -> TorchEncoder:
    """Load a model from its folder in float32 on the CPU, whatever it is stored in, or as asked for on a GPU.

    Raises ModelError where the model or the device can't be had, UsageError for options that make no sense,
    MissingExtraError where the libraries are not installed.
    """
    with collecting_reports() as reports:
        require("sentence_transformers", extra="models")
        device = _choose_device(options.device)
        dtype = _choose_dtype(options.dtype, device)
        try:
            model = _load(source, device, dtype, trust=options.trust_remote_code)
            dims = {
                task: _forward(model, dict(model.preprocess(["probe"], task=task)), task).shape[1]
                for task in ("query", "document")
            }
        except _loading_errors() as error:
            raise ModelError(explain(source, error, trusted=options.trust_remote_code)) from error
    if missing := missing_weights(reports):
        raise ModelError(
            f"{source.name} lacks {len(missing)} of the weights its config asks for (such as {missing[0]}), which "
            "would be random; fetch the model again, or check that config and weights belong together"
        )
    if dims["query"] != dims["document"]:
        raise ModelError(f"{source.name} gives queries {dims['query']} dimensions and documents {dims['document']}")
    card = EncoderCard(
        model=source.name,
        revision=source.revision,
        fingerprint=fingerprint,
        dim=dims["document"],
        prompts=resolve_prompts(source.declared, query=options.query_prompt, document=options.document_prompt),
        pooling=describe_pooling(list(model), assumed=not (source.path / "modules.json").is_file()),
        max_seq_length=limit_of(model.max_seq_length),
        dtype=dtype,
        runtime="torch",
    )
    usual = CPU_BUDGET if device == "cpu" else GPU_BUDGET
    return TorchEncoder(model, card, budget=usual if options.token_budget is None else options.token_budget)


def _load(source: ModelFolder, device: str, dtype: str, *, trust: bool) -> "SentenceTransformer":
    torch = require("torch", extra="models")
    wanted = getattr(torch, dtype)
    model: SentenceTransformer = require("sentence_transformers", extra="models").SentenceTransformer(
        str(source.path),
        device=device,
        trust_remote_code=trust,
        # A folder's own code may lie in another repository; nothing else is ever fetched from here on.
        local_files_only=not trust,
        model_kwargs={"dtype": wanted},
    )
    # Modules after the first, and buffers, keep what they are stored in otherwise.
    model.to(wanted)
    if device == "cpu":
        # glibc gives freed activations back to the system, and every layer faults their pages in again. Freeing one
        # block just under 32 MiB raises its thresholds to that: a tenth less time.
        torch.empty(31 << 18)
    return model.eval()


def _forward(model: "SentenceTransformer", features: Features, task: str) -> Vectors:
    """Run one batch and return float32 (n, dim)."""
    torch = require("torch", extra="models")
    with torch.inference_mode():
        moved = {
            name: value.to(model.device) if isinstance(value, torch.Tensor) else value
            for name, value in features.items()
        }
        vectors: Vectors = model(moved, task=task)["sentence_embedding"].float().cpu().numpy()
    return vectors


class _Cores:
    """Runs batches, on the CPU one per core at a time.

    A core that has a batch to itself waits for no other between the layers, which is worth most on a busy machine. The
    threads live as long as the encoder: each that ends leaves its matrix-product buffers behind, about 1 MB.
    """

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None

    def run(self, run: Callable[[Rows], None], batches: Sequence[Rows], *, parallel: bool) -> None:
        """Run every batch; raise what the first failing one raises, with none left running."""
        torch = require("torch", extra="models")
        threads = torch.get_num_threads()
        if not parallel or threads < 2 or len(batches) < threads:
            for batch in batches:
                run(batch)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
        futures = [self._pool.submit(run, batch) for batch in batches]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)
            torch.set_num_threads(threads)  # the number is also what later threads begin with


def _is_plain(model: "SentenceTransformer") -> bool:
    """Say whether the ids of a fast tokenizer, padded, are all that the first module makes of texts."""
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


def _choose_device(wanted: str | None) -> str:
    torch = require("torch", extra="models")
    if wanted is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    if not re.fullmatch(r"cpu|cuda(:\d+)?", wanted):
        raise UsageError(f"--device is {wanted!r}; type --device cpu, --device cuda or --device cuda:N")
    if wanted != "cpu" and not torch.cuda.is_available():
        raise ModelError(f"--device {wanted}: torch {torch.__version__} finds no CUDA device here; type --device cpu")
    return wanted


def _choose_dtype(wanted: str, device: str) -> str:
    if wanted not in _DTYPES:
        raise UsageError(f"--dtype is {wanted!r}; type one of {', '.join(_DTYPES)}")
    if device == "cpu":
        if wanted in _HALF:
            raise UsageError(f"--dtype {wanted} on the CPU is far slower than float32; leave --dtype out")
        return "float32"
    if wanted != "auto":
        return wanted
    return "bfloat16" if require("torch", extra="models").cuda.is_bf16_supported() else "float16"


def _loading_errors() -> tuple[type[Exception], ...]:
    """Return what the libraries raise over a model they can't load."""
    damaged = require("safetensors", extra="models").SafetensorError
    ours = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError, AssertionError)
    return (*ours, EOFError, pickle.UnpicklingError, damaged)
