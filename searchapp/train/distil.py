"""A static model made of a transformer: a vector per token, weighed by how rare the token is.

The vector of a token is the mean of the transformer's states for it alone (Tulkens & van Dongen 2024, model2vec),
centred and cut to the wanted width by principal components. A random vector is added to each: the transformer draws
words of one kind together, and a search must also tell them apart. The length of the vector is the token's inverse
document frequency in the texts that are trained on, so that the mean over a text is a weighted one.
"""

from collections.abc import Iterable
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from searchapp.encoders.base import Vectors
from searchapp.errors import ModelError
from searchapp.optional import require
from searchapp.train.recipe import DistilSpec

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_TOKENS, _TEXTS = 512, 4_096
"""How many tokens go through the transformer, and how many texts are tokenised, at once."""


def distil_static(
    base: "SentenceTransformer", spec: DistilSpec, *, texts: Iterable[str], seed: int, max_seq_length: int
) -> "SentenceTransformer":
    """Return a static model of a transformer's tokens, on its device, the weights scaled to a root mean square of 1.

    `texts` are what the weights of the tokens are counted in, once each time they are met; `seed` decides the random
    part; texts are cut at `max_seq_length` tokens. The same arguments give the same weights. Raises ModelError where
    the base has no fast tokenizer, or fewer dimensions than are wanted.
    """
    library = require("sentence_transformers", extra="train")
    parts = require("sentence_transformers.sentence_transformer.modules", extra="train")
    fast = getattr(base.tokenizer, "backend_tokenizer", None)
    if not isinstance(fast, Tokenizer):
        raise ModelError(
            f"the base's tokenizer is a {type(base.tokenizer).__name__}, and a static model needs a fast one; name a "
            "base with a tokenizer.json"
        )
    tokenizer: Tokenizer = Tokenizer.from_str(fast.to_str())
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_seq_length)
    seen, rarity = token_rarity(tokenizer, texts)
    states = token_states(base, tokenizer)
    if states.shape[1] < spec.dim:
        raise ModelError(
            f"the base has {states.shape[1]} dimensions and distil.dim is {spec.dim}; type --set "
            f"distil.dim={states.shape[1]}"
        )
    weights = token_vectors(states, seen=seen, dim=spec.dim, random=spec.random, seed=seed) * rarity[:, None]
    weights /= np.sqrt(np.mean(np.square(weights), dtype=np.float64)).astype(np.float32)
    modules = [parts.StaticEmbedding(tokenizer, embedding_weights=weights)]
    modules += [parts.Normalize()] if spec.normalize else []
    made: SentenceTransformer = library.SentenceTransformer(modules=modules, device=str(base.device))
    return made


def token_rarity(tokenizer: Tokenizer, texts: Iterable[str]) -> tuple[npt.NDArray[np.bool_], Vectors]:
    """Return which tokens the texts hold, and every token's rarity, float32: ln((n + 1) / (df + 1)), in df of n texts.

    A token of every text is worth a thousandth rather than nothing: where all are, none is to be lost.
    """
    frequency = np.zeros(tokenizer.get_vocab_size(), dtype=np.int64)
    count = 0
    rest = iter(texts)
    while some := list(islice(rest, _TEXTS)):
        for encoding in tokenizer.encode_batch_fast(some, add_special_tokens=False):
            frequency[np.unique(np.asarray(encoding.ids, dtype=np.intp))] += 1
        count += len(some)
    rarity = np.log((count + 1) / (frequency + 1))
    return frequency > 0, np.maximum(rarity, 1e-3).astype(np.float32)


def token_states(base: "SentenceTransformer", tokenizer: Tokenizer) -> Vectors:
    """Return float32 (tokens, width): for each the mean of the states of it and the special tokens around it.

    `tokenizer` is the base's, without padding.
    """
    torch = require("torch", extra="train")
    transformer: Any = base[0]
    count = tokenizer.get_vocab_size()
    probe = tokenizer.encode("a")
    special = [(mark, bool(is_special)) for mark, is_special in zip(probe.ids, probe.special_tokens_mask, strict=True)]
    before = [mark for mark, _ in takewhile(lambda pair: pair[1], special)]
    after = [mark for mark, _ in takewhile(lambda pair: pair[1], reversed(special))][::-1]
    found = []
    with torch.inference_mode():
        for begin in range(0, count, _TOKENS):
            ids = range(begin, min(begin + _TOKENS, count))
            inputs = torch.tensor([[*before, token, *after] for token in ids])
            features = {"input_ids": inputs, "attention_mask": torch.ones_like(inputs)}
            states = transformer({name: value.to(base.device) for name, value in features.items()})["token_embeddings"]
            found.append(states.mean(dim=1).float().cpu().numpy())
    return np.concatenate(found)


def token_vectors(states: Vectors, *, seen: npt.NDArray[np.bool_], dim: int, random: float, seed: int) -> Vectors:
    """Return float32 (tokens, dim): unit principal components of the states, plus `random` times a random unit vector.

    The components are those of the tokens that are `seen`, or of all where fewer are seen than there are dimensions.
    """
    centred = _unit(states) - _unit(states).mean(axis=0)
    known = centred[seen] if seen.sum() >= dim else centred
    axes = np.linalg.eigh(known.T.astype(np.float64) @ known)[1][:, ::-1][:, :dim]
    noise = np.random.default_rng(seed).standard_normal((len(states), dim)).astype(np.float32)
    return _unit((centred @ axes).astype(np.float32)) + np.float32(random) * _unit(noise)


def _unit(vectors: Vectors) -> Vectors:
    unit: Vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))
    return unit
