"""From option texts to the objects they stand for; kept apart so that --help need not import them."""

from dataclasses import dataclass
from typing import Literal, TypeGuard

from searchapp.corpus import ReadOptions
from searchapp.encoders import EncoderCard, EncoderOptions
from searchapp.errors import UsageError

OnBad = Literal["error", "skip"]
Size = Literal["small", "large"]


@dataclass(frozen=True, slots=True)
class ReadTexts:
    """The reading options as they were typed."""

    format: str
    text: str | None
    id_column: str | None
    store: str | None
    on_bad_row: str
    locale: str | None
    version: str | None


def read_options(typed: ReadTexts, *, split: str | None = None) -> ReadOptions:
    """Check the reading options; raise UsageError naming the one that is wrong."""
    on_bad_row, version = typed.on_bad_row, typed.version
    if not _is_on_bad(on_bad_row):
        raise UsageError(f"--on-bad-row is {on_bad_row!r}; type --on-bad-row error or --on-bad-row skip")
    if not _is_size(version):
        raise UsageError(f"--version is {version!r}; type --version small or --version large")
    store = None if typed.store is None else tuple(part.strip() for part in typed.store.split(",") if part.strip())
    return ReadOptions(
        format=typed.format,
        text=typed.text,
        id_column=typed.id_column,
        store=store,
        on_bad_row=on_bad_row,
        locale=typed.locale,
        version=version,
        split=split,
    )


def describe_model(card: EncoderCard, *, chosen: bool) -> str:
    """Say in one line which model runs and what is put before its texts."""
    prompts = card.prompts
    applied = f"query {prompts.query!r}, document {prompts.document!r} (from {prompts.source})"
    if not prompts.query and not prompts.document:
        applied = prompts.source if prompts.source.startswith("none") else f"none (from {prompts.source})"
    if ", though its base" in prompts.source:
        applied += "; if it was trained with them, type --query-prompt and --document-prompt"
    name = card.model if chosen else f"{card.model} (the default; choose with --model)"
    return f"model {name}: {card.dim} dims, {card.pooling} pooling, {card.runtime} {card.dtype}; prompts: {applied}"


def _is_on_bad(text: str) -> TypeGuard[OnBad]:
    return text in ("error", "skip")


def _is_size(text: str | None) -> TypeGuard[Size | None]:
    return text in {None, "small", "large"}


__all__ = ["EncoderOptions", "ReadTexts", "describe_model", "read_options"]
