"""The model that a training starts from: a base as it is, its architecture alone, or a static model made of it."""

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from searchapp.encoders.describe import explain
from searchapp.encoders.folder import ModelFolder, find_folder
from searchapp.encoders.quiet import collecting_reports, missing_weights
from searchapp.encoders.torch_load import loading_errors, open_model
from searchapp.errors import ModelError, UsageError
from searchapp.optional import require
from searchapp.prompts import resolve_prompts
from searchapp.train.distil import distil_static
from searchapp.train.recipe import ModelSpec, Recipe
from searchapp.train.rotation import add_rotation

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer


def open_base(recipe: Recipe, source: ModelFolder, *, device: str, trust: bool) -> "SentenceTransformer":
    """Open what is trained, in float32 whatever it is stored in, with the recipe's prompts and length.

    Where a static model is to be made of it, `distil_base` does so.

    Raises ModelError where the base can't be loaded, or lacks weights or the words of its tokenizer.
    """
    spec = recipe.model
    model = _open(spec, source, device=device, trust=trust)
    _check_words(model, source)
    if spec.start == "random":
        _forget(model, recipe.training.seed)
    if model.max_seq_length != math.inf:  # a static model reads all of a text, and takes no other length
        model.max_seq_length = min(spec.max_seq_length, model.max_seq_length or spec.max_seq_length)
    return _settle(model, recipe)


def distil_base(base: "SentenceTransformer", recipe: Recipe, texts: Iterable[str]) -> "SentenceTransformer":
    """Make a static model of what `open_base` opened; `texts` are what is trained on, see `distil_static`."""
    made = distil_static(
        base, recipe.distil, texts=texts, seed=recipe.training.seed, max_seq_length=recipe.model.max_seq_length
    )
    return _settle(made, recipe)


def rotate_base(base: "SentenceTransformer", recipe: Recipe, source: ModelFolder) -> "SentenceTransformer":
    """Put a rotation behind what `open_base` opened; raise UsageError for dims that can't be learnt so."""
    width, dims = base.get_embedding_dimension() or 0, recipe.loss.matryoshka_dims
    if dims[0] > width or dims[-1] >= width:
        narrower = ",".join(str(width // part) for part in (2, 4, 8) if width // part)
        raise UsageError(
            f"loss.matryoshka_dims are {', '.join(map(str, dims))}, and {source.name} has {width}: a rotation serves "
            f"narrower ones; type --set loss.matryoshka_dims={narrower}"
        )
    return add_rotation(base, name=source.name)


def keep_prompts(recipe: Recipe, *, revision: str | None) -> Recipe:
    """Return the recipe with the base's own prompts, where the base is to stay as it is and the recipe names none.

    Raises ModelError where there is no such base.
    """
    if recipe.model.start != "rotate" or recipe.prompts.query or recipe.prompts.document:
        return recipe
    found = resolve_prompts(find_folder(recipe.model.base, revision=revision).declared)
    return replace(recipe, prompts=replace(found, source="recipe" if found.query or found.document else "none"))


def _settle(model: "SentenceTransformer", recipe: Recipe) -> "SentenceTransformer":
    # The base's own prompts are not this model's: it is trained with the recipe's or with none.
    model.prompts = {"query": recipe.prompts.query, "document": recipe.prompts.document}
    model.default_prompt_name = None
    # Its card is ours to write, and nothing is to be asked of a hub for it.
    model.model_card_data.local_files_only = True
    return model


def _open(spec: ModelSpec, source: ModelFolder, *, device: str, trust: bool) -> "SentenceTransformer":
    with collecting_reports() as reports:
        try:
            if (source.path / "modules.json").is_file():
                model = open_model(source, device, dtype="float32", trust=trust)
            else:
                model = _assemble(spec, source, device=device, trust=trust)
        except loading_errors() as error:
            raise ModelError(explain(source, error, trusted=trust)) from error
    if spec.start != "random" and (missing := missing_weights(reports)):
        raise ModelError(
            f"{source.name} lacks {len(missing)} of the weights its config asks for (such as {missing[0]}), which "
            "would be random; fetch the model again, or type --set model.start=random to train all of it from scratch"
        )
    return model


def _check_words(model: "SentenceTransformer", source: ModelFolder) -> None:
    """Refuse a tokenizer that knows no words: without its files transformers makes one of special tokens alone."""
    kind = require("transformers", extra="train").PreTrainedTokenizerBase
    for module in model.modules():
        tokenizer: Any = getattr(module, "tokenizer", None)
        if isinstance(tokenizer, kind) and len(tokenizer) <= len(set(tokenizer.all_special_ids)):
            raise ModelError(
                f"{source.name} has no words: its tokenizer's files are missing (tokenizer.json, vocab.txt or such), "
                "and every text would be unknown tokens; fetch the model again, or copy them there from its original"
            )


def _assemble(spec: ModelSpec, source: ModelFolder, *, device: str, trust: bool) -> "SentenceTransformer":
    """Put pooling, and Normalize if wanted, behind a mere transformer."""
    library = require("sentence_transformers", extra="train")
    parts = require("sentence_transformers.base.modules", extra="train")
    pooling = require("sentence_transformers.sentence_transformer.modules", extra="train").Pooling
    dtype = require("torch", extra="train").float32
    transformer: Any = parts.Transformer(
        str(source.path),
        model_kwargs={"dtype": dtype, "trust_remote_code": trust, "local_files_only": not trust},
        config_kwargs={"trust_remote_code": trust, "local_files_only": not trust},
    )
    modules = [transformer, pooling(transformer.get_embedding_dimension(), pooling_mode=spec.pooling)]
    modules += [parts.Normalize()] if spec.normalize else []
    model: SentenceTransformer = library.SentenceTransformer(modules=modules, device=device)
    return model.to(dtype)


def _forget(model: "SentenceTransformer", seed: int) -> None:
    """Give every transformer in a model fresh weights, as its own class draws them."""
    torch = require("torch", extra="train")
    pretrained = require("transformers", extra="train").PreTrainedModel
    for module in [part for part in model.modules() if isinstance(part, pretrained)]:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = type(module)(module.config)
        module.load_state_dict(fresh.state_dict(), strict=False)
