"""Encoders that look up a vector per token and take the mean: NumPy and tokenizers, no torch."""

import shutil
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from searchapp.encoders.base import Encoder, EncoderCard, Vectors
from searchapp.encoders.exported import STATIC
from searchapp.encoders.folder import ModelFolder, one_line
from searchapp.encoders.lengths import TokenCounter, count_with
from searchapp.encoders.options import EncoderOptions
from searchapp.encoders.prompted import PromptedEncoder
from searchapp.encoders.static_folder import StaticFolder, find_static
from searchapp.encoders.token_table import Ids, TokenTable, open_table
from searchapp.errors import ModelError, UsageError
from searchapp.prompts import resolve_prompts

BLOCK = 512
"""Token vectors in memory at once, where no token budget is given: they stay in the caches (benchmarks/static.py)."""
CHUNK_TEXTS, CHUNK_CHARACTERS = 4_096, 1 << 20
"""Texts that are tokenised together, at most; a token costs far more memory than it has bytes."""

_TINY = np.float32(1e-12)
"""What a zero vector's length is taken for, as sentence-transformers' Normalize does: it stays zero."""


class StaticEncoder(PromptedEncoder):
    """A static model as an encoder; `files` is where its parts lie."""

    def __init__(
        self, files: StaticFolder, tokenizer: Tokenizer, table: TokenTable, *, card: EncoderCard, block: int = BLOCK
    ) -> None:
        super().__init__(card)
        self.files = files
        self._tokenizer = tokenizer
        self._table = table
        self._block = block
        truncation = tokenizer.truncation or {}
        self._from_left = truncation.get("direction") == "left"
        # Cut here instead, where what is lost can be counted.
        tokenizer.no_truncation()
        tokenizer.no_padding()

    def token_counter(self) -> TokenCounter:
        """Return a tokenizer that counts as this encoder does."""
        return count_with(self._tokenizer, special=False)

    def _fill(self, texts: list[str], vectors: Vectors) -> Sequence[int]:
        lost: list[int] = []
        for begin, end in _chunks(texts):
            ids, lengths, beyond = self._tokenize(texts[begin:end])
            vectors[begin:end] = self._table.means(ids, lengths, block=self._block)
            lost += beyond
        if self._card.pooling.endswith("normalize"):
            vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _TINY)
        return lost

    def _tokenize(self, texts: list[str]) -> tuple[Ids, Ids, list[int]]:
        """Return the ids of all texts on end and how many each has, cut at max_seq_length, and what each lost."""
        # Without the special tokens, which mean nothing where no token sees another.
        found = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
        limit = self._card.max_seq_length
        lost = [0] * len(found) if limit is None else [max(0, len(ids) - limit) for ids in found]
        if limit is not None:
            found = [ids[tokens:] if self._from_left else ids[:limit] for ids, tokens in zip(found, lost, strict=True)]
        lengths = np.fromiter(map(len, found), np.intp, len(found))
        ids = np.fromiter(chain.from_iterable(found), np.intp, int(lengths.sum()))
        if len(ids) and ids.max() >= self._table.tokens:
            raise ModelError(
                f"the tokenizer of {self._card.model} gives token {ids.max()} and the model has vectors for "
                f"{self._table.tokens}; fetch the model again, or check that its tokenizer and weights belong together"
            )
        return ids, lengths, lost


def load_static(source: ModelFolder, fingerprint: str, *, options: EncoderOptions) -> StaticEncoder:
    """Load a static model; its weights stay in their file, mapped, and are lifted to float32 as they are used.

    Raises ModelError where the folder is no static model or is damaged, UsageError for options that make no sense.
    """
    if not takes(options):
        raise UsageError(
            f"--runtime static computes in float32 on the CPU, and --device is {options.device!r}, --dtype "
            f"{options.dtype!r}; leave them out, or type --runtime torch"
        )
    found = find_static(source.path)
    if found is None:
        raise ModelError(
            f"{source.name} is no static model: expected modules.json with StaticEmbedding (and Normalize) alone, or "
            "a folder saved by model2vec, with model.safetensors and tokenizer.json; leave --runtime static out"
        )
    tokenizer, table = _open_tokenizer(found.tokenizer), open_table(found.tensors)
    limit = (tokenizer.truncation or {}).get("max_length")
    card = EncoderCard(
        model=source.name,
        revision=source.revision,
        fingerprint=fingerprint,
        dim=table.dim,
        prompts=resolve_prompts(source.declared, query=options.query_prompt, document=options.document_prompt),
        pooling="mean+normalize" if found.normalize else "mean",
        max_seq_length=limit,
        dtype="float32",
        runtime="static",
    )
    block = BLOCK if options.token_budget is None else options.token_budget
    if block < 1:
        raise UsageError(f"a token budget of {block} holds no text; give 1 or more")
    return StaticEncoder(found, tokenizer, table, card=card, block=block)


def export_static(encoder: Encoder, folder: Path) -> EncoderCard:
    """Copy what a static encoder is made of; the same model gives the same bytes."""
    if not isinstance(encoder, StaticEncoder):
        raise ModelError(f"{encoder.card.model} is not loaded as a static model, and can't be written down as one")
    for name, file in zip(STATIC.files, (encoder.files.tensors, encoder.files.tokenizer), strict=True):
        shutil.copyfile(file, folder / name)
    return encoder.card


def open_static(folder: Path, card: EncoderCard) -> StaticEncoder:
    """Open what `export_static` wrote; raises ModelError where it is damaged or is not what the card says."""
    tensors, tokenizer = (folder / name for name in STATIC.files)
    table = open_table(tensors)
    if table.dim != card.dim:
        raise ModelError(f"{tensors} holds vectors of {table.dim} dims, and {card.dim} were expected")
    files = StaticFolder(tensors, tokenizer, card.pooling.endswith("normalize"))
    return StaticEncoder(files, _open_tokenizer(tokenizer), table, card=card)


def takes(options: EncoderOptions) -> bool:
    """Say whether what is asked for can be had without torch: float32 on the CPU."""
    return options.device in (None, "cpu") and options.dtype in ("auto", "float32")


def _open_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more special
        raise ModelError(f"{path} can't be read ({one_line(error)}); fetch the model again") from error


def _chunks(texts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the beginning and end of stretches of texts that may be tokenised together."""
    begin = characters = 0
    for end, text in enumerate(texts, 1):
        characters += len(text)
        if end - begin == CHUNK_TEXTS or characters >= CHUNK_CHARACTERS:
            yield begin, end
            begin, characters = end, 0
    if begin < len(texts):
        yield begin, len(texts)
