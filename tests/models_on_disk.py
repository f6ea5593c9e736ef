"""Small randomly initialised models of every architecture this project serves, saved as sentence-transformers folders.

Each has a real tokenizer of its own, trained on a few sentences in five languages, and the pooling, prompts and kind of
tokenizer of the published model it stands for. A builder takes the folder to write and returns it; the same call always
writes the same weights.
"""

import json
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

SENTENCES = (
    "red leather handbag with a gold zip and a long strap",
    "garden table of solid oak, four chairs, green",
    "how to repair a leaking kitchen tap without tools",
    "the heart pumps blood through the body 24 hours a day",
    "search_query: search_document: query: passage: model 0123456789",
    "Represent this sentence for searching relevant passages:",
    "Una mesa de madera para el jardín y un bolso de cuero rojo",
    "赤い革のハンドバッグ と 木のテーブル",
    "한국의 전통 음식과 요리법 을 배우다",
    "Watoto wanacheza mpira shuleni kila siku",
)
MAX_LENGTH = 32
"""max_seq_length of every model here but the nomic one's, in tokens."""
STATIC_DIM = 24
"""Width of the static models here."""


@dataclass(frozen=True)
class Recipe:
    """What a small model is made of."""

    config: str
    """The transformers config class; its model class follows from it."""
    hidden: int
    heads: int
    tokenizer: str
    """`wordpiece`, `bpe` or `unigram`."""
    modules: tuple[str, ...]
    """Pooling mode, then `normalize` where the model has it."""
    prompts: dict[str, str] = field(default_factory=dict)
    max_length: int = MAX_LENGTH
    seed: int = 0


NOMIC = Recipe(
    "NomicBertConfig",
    hidden=48,
    heads=4,
    tokenizer="wordpiece",
    modules=("mean",),
    prompts={"query": "search_query: ", "document": "search_document: "},
    max_length=128,
)
ROBERTA = Recipe("RobertaConfig", hidden=64, heads=4, tokenizer="bpe", modules=("mean",), seed=1)
BGE = Recipe("BertConfig", hidden=64, heads=4, tokenizer="wordpiece", modules=("cls", "normalize"), seed=2)
E5 = Recipe(
    "XLMRobertaConfig",
    hidden=64,
    heads=4,
    tokenizer="unigram",
    modules=("mean", "normalize"),
    prompts={"query": "query: ", "passage": "passage: "},
    seed=3,
)
FIFTY = Recipe("BertConfig", hidden=50, heads=5, tokenizer="wordpiece", modules=("mean",), seed=4)


def make_nomic(folder: Path) -> Path:
    """A: NomicBert, mean, with prompts of its own; vectors are not unit length."""
    return make_model(folder, NOMIC)


def make_roberta(folder: Path) -> Path:
    """B: Roberta, mean, no prompts."""
    return make_model(folder, ROBERTA)


def make_bge(folder: Path) -> Path:
    """C: Bert, cls and Normalize, no prompts."""
    return make_model(folder, BGE)


def make_e5(folder: Path) -> Path:
    """D: XLM-R, mean and Normalize, prompts `query: ` and `passage: `."""
    return make_model(folder, E5)


def make_fifty(folder: Path) -> Path:
    """A 50-dim Bert that works."""
    return make_model(folder, FIFTY)


def make_collapsed(folder: Path) -> Path:
    """E: the same 50-dim Bert after a training that failed: every token, so every text, becomes one vector."""
    return make_model(folder, FIFTY, change=_collapse)


ARCHITECTURES: dict[str, Callable[[Path], Path]] = {
    "nomic": make_nomic,
    "roberta": make_roberta,
    "bge": make_bge,
    "e5": make_e5,
    "fifty": make_fifty,
}


def make_model(
    folder: Path, recipe: Recipe, *, change: Callable[[Any], None] | None = None, dtype: str = "float32"
) -> Path:
    """Write the model of a recipe; `change` may alter the transformers model first, `dtype` is what it is stored in."""
    with quiet():
        import torch
        import transformers
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize, Transformer
        from sentence_transformers.sentence_transformer.modules import Pooling

        tokenizer = make_tokenizer(recipe.tokenizer, max_length=recipe.max_length)
        config = getattr(transformers, recipe.config)(
            vocab_size=len(tokenizer),
            hidden_size=recipe.hidden,
            num_hidden_layers=2,
            num_attention_heads=recipe.heads,
            intermediate_size=2 * recipe.hidden,
            max_position_embeddings=recipe.max_length + 2,
            initializer_range=0.2,
            pad_token_id=tokenizer.pad_token_id,
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            auto: Any = transformers.AutoModel
            model = auto.from_config(config)
        if change is not None:
            change(model)
        raw = folder.parent / f"{folder.name}-raw"
        model.to(getattr(torch, dtype)).save_pretrained(raw)
        tokenizer.save_pretrained(raw)
        modules = [
            Transformer(
                str(raw),
                model_kwargs={"dtype": getattr(torch, dtype)},
                processor_kwargs={"model_max_length": recipe.max_length},
            ),
            Pooling(recipe.hidden, pooling_mode=recipe.modules[0]),
            *(Normalize() for name in recipe.modules if name == "normalize"),
        ]
        built = SentenceTransformer(modules=modules, prompts=recipe.prompts, device="cpu")
        built.save_pretrained(str(folder), create_model_card=False)
    return folder


def make_router(folder: Path, queries: Path, documents: Path) -> Path:
    """A model whose queries and documents go through one of two other models each."""
    with quiet():
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Router

        loaded = [SentenceTransformer(str(side), device="cpu") for side in (queries, documents)]
        sides: list[Any] = [list(model.children()) for model in loaded]
        router = Router.for_query_document(query_modules=sides[0], document_modules=sides[1])
        SentenceTransformer(modules=[router], device="cpu").save_pretrained(str(folder), create_model_card=False)
    return folder


def make_static(
    folder: Path, *, normalize: bool = False, dtype: str = "float32", prompts: dict[str, str] | None = None
) -> Path:
    """A static model of sentence-transformers: a vector per token, their mean, and Normalize if wanted."""
    with quiet():
        import torch
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.base.modules import Normalize
        from sentence_transformers.sentence_transformer.modules import StaticEmbedding

        tokenizer = static_tokenizer()
        weights = torch.from_numpy(token_vectors(tokenizer.get_vocab_size(), STATIC_DIM)).to(getattr(torch, dtype))
        modules = [StaticEmbedding(tokenizer, embedding_weights=weights), *([Normalize()] if normalize else [])]
        built = SentenceTransformer(modules=modules, prompts=prompts or {}, device="cpu")
        built.save_pretrained(str(folder), create_model_card=False)
    return folder


def make_model2vec(
    folder: Path,
    tensors: dict[str, npt.NDArray[Any]],
    *,
    normalize: bool = True,
    modules: bool = True,
) -> Path:
    """Write a static model as model2vec lays it out; releases before 2025 wrote no modules.json."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True)
    static_tokenizer().save(str(folder / "tokenizer.json"))
    save_file(tensors, folder / "model.safetensors")
    config = {"model_type": "model2vec", "architectures": ["StaticModel"], "normalize": normalize, "seq_length": 10**6}
    (folder / "config.json").write_text(json.dumps(config))
    if modules:
        kinds = ["StaticEmbedding", "Normalize"] if normalize else ["StaticEmbedding"]
        rows = [
            {
                "idx": at,
                "name": str(at),
                "path": f"{at}_{kind}" if at else ".",
                "type": f"sentence_transformers.models.{kind}",
            }
            for at, kind in enumerate(kinds)
        ]
        (folder / "modules.json").write_text(json.dumps(rows))
    return folder


def static_tokenizer() -> Any:
    """Return the tokenizer of the static models: each time another object, always with the same words."""
    from tokenizers import Tokenizer

    return Tokenizer.from_str(_words())


@cache
def _words() -> str:
    # Training breaks ties as it likes, so it is done once.
    return str(make_tokenizer("wordpiece", max_length=MAX_LENGTH).backend_tokenizer.to_str())


def token_vectors(count: int, dim: int, *, seed: int = 0) -> npt.NDArray[np.float32]:
    """Vectors of random tokens; the same call always gives the same."""
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def make_tokenizer(kind: str, *, max_length: int) -> Any:
    """Train a tokenizer of a kind on SENTENCES and wrap it for transformers."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    wrapper: Any = PreTrainedTokenizerFast
    if kind == "wordpiece":
        special = {"pad": "[PAD]", "unk": "[UNK]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
        tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer: Any = trainers.WordPieceTrainer(vocab_size=500, special_tokens=list(special.values()))
    else:
        special = {"cls": "<s>", "pad": "<pad>", "sep": "</s>", "unk": "<unk>", "mask": "<mask>"}
        if kind == "bpe":
            tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            tokenizer.decoder = decoders.ByteLevel()
            trainer = trainers.BpeTrainer(
                vocab_size=500,
                special_tokens=list(special.values()),
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            )
        else:
            tokenizer = Tokenizer(models.Unigram())
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
            trainer = trainers.UnigramTrainer(
                vocab_size=300, special_tokens=list(special.values()), unk_token="<unk>", show_progress=False
            )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    ends = [(special[name], tokenizer.token_to_id(special[name])) for name in ("cls", "sep")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{special['cls']} $A {special['sep']}", special_tokens=ends
    )
    columns = ["input_ids", "attention_mask"] + (["token_type_ids"] if kind == "wordpiece" else [])
    return wrapper(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        model_input_names=columns,
        **{f"{name}_token": token for name, token in special.items()},
    )


def _collapse(model: Any) -> None:
    """Let the last LayerNorm forget its input."""
    import torch

    last = model.encoder.layer[-1].output.LayerNorm
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.linspace(-1, 1, len(last.bias)))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the libraries' bars and deprecations out of the tests."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers.utils import logging

        bars: Any = logging
        bars.disable_progress_bar()
        try:
            yield
        finally:
            bars.enable_progress_bar()


def add_dense(
    source: Path, folder: Path, *, bias: bool = False, out: int = 64, residual: bool = False, bounded: bool = False
) -> Path:
    """Copy a model and put a matrix behind its pooling."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Dense

    with quiet():
        model = SentenceTransformer(str(source), device="cpu")
        weight = torch.randn(out, 64, generator=torch.Generator().manual_seed(3))
        activation = torch.nn.Tanh() if bounded else torch.nn.Identity()
        model.append(Dense(64, out, bias, activation, init_weight=weight, use_residual=residual))
        model.save_pretrained(str(folder), create_model_card=False)
    return folder
