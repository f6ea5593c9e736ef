"""A model's folder -> an encoder in PyTorch, on one device."""

import pickle
from typing import TYPE_CHECKING

from searchapp.encoders.base import EncoderCard
from searchapp.encoders.describe import describe_pooling, explain
from searchapp.encoders.folder import ModelFolder
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.quiet import collecting_reports, missing_weights
from searchapp.encoders.tokens import limit_of
from searchapp.encoders.torch_encoder import TorchEncoder
from searchapp.encoders.torch_forward import forward
from searchapp.errors import ModelError
from searchapp.optional import require
from searchapp.prompts import resolve_prompts

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

CPU_BUDGET = 1024
"""Tokens of a batch on the CPU, by benchmarks/encode.py: fewer pay more for Python, more leave the caches."""
GPU_BUDGET = 65_536
GPU_PART = 2_048
"""Texts that are made ready together for a GPU; a window of an index has a few times as many."""


def load_on(device: str, dtype: str, *, source: ModelFolder, fingerprint: str, options: EncoderOptions) -> TorchEncoder:
    """Load a model from its folder to a device, in the numbers of `dtype`, whatever it is stored in.

    Device and dtype of the options are left aside. Raises ModelError where the model can't be loaded.
    """
    with collecting_reports() as reports:
        try:
            model = open_model(source, device, dtype=dtype, trust=options.trust_remote_code)
            dims = {
                task: forward(model, dict(model.preprocess(["probe"], task=task)), task=task).shape[1]
                for task in ("query", "document")
            }
        except loading_errors() as error:
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
    return wrap(model, card, token_budget=options.token_budget)


def wrap(model: "SentenceTransformer", card: EncoderCard, *, token_budget: int | None = None) -> TorchEncoder:
    """Return a model that is in memory as an encoder, on the device where it is."""
    usual, part = (CPU_BUDGET, None) if model.device.type == "cpu" else (GPU_BUDGET, GPU_PART)
    return TorchEncoder(model, card, budget=usual if token_budget is None else token_budget, part=part)


def open_model(source: ModelFolder, device: str, *, dtype: str, trust: bool) -> "SentenceTransformer":
    """Load a model as sentence-transformers does, all of it in `dtype`; raises what the libraries raise."""
    torch = require("torch", extra="models")
    wanted = getattr(torch, dtype)
    model: SentenceTransformer = require("sentence_transformers", extra="models").SentenceTransformer(
        str(source.path),
        device=device,
        trust_remote_code=trust,
        # A folder's own code may lie in another repository; nothing else is ever fetched from here on.
        local_files_only=not trust,
        # Attention is transformers' to choose: PyTorch's fused kernels where the model's class has them.
        model_kwargs={"dtype": wanted},
    )
    # Modules after the first, and buffers, keep what they are stored in otherwise.
    model.to(wanted)
    if device == "cpu":
        # glibc gives freed activations back to the system, and every layer faults their pages in again. Freeing one
        # block just under 32 MiB raises its thresholds to that: a tenth less time.
        torch.empty(31 << 18)
    return model.eval()


def loading_errors() -> tuple[type[Exception], ...]:
    """Return what the libraries raise over a model they can't load."""
    damaged = require("safetensors", extra="models").SafetensorError
    ours = (OSError, ValueError, RuntimeError, LookupError, TypeError, AttributeError, ImportError, AssertionError)
    return (*ours, EOFError, pickle.UnpicklingError, damaged)
