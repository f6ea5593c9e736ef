"""How a corpus is to be read."""

from dataclasses import dataclass
from typing import Literal

from searchapp.errors import UsageError


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a corpus or data set; every default means "as the files say".

    `format` forces a format of the table in `formats.py`. `text` is a template over columns, such as
    `"{title}. {brand}"`. `id_column` names the column of ids, `store` the columns kept for display (None
    keeps all small ones, an empty tuple none). `on_bad_row` is "error" or "skip". `locale` and `version`
    ("small" or "large") restrict ESCI folders, `split` names the judgments of a data set. Raises UsageError
    for a value that no reader knows.
    """

    format: str = "auto"
    text: str | None = None
    id_column: str | None = None
    store: tuple[str, ...] | None = None
    on_bad_row: Literal["error", "skip"] = "error"
    locale: str | None = None
    version: Literal["small", "large"] | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        _one_of("--on-bad-row", self.on_bad_row, ("error", "skip"))
        _one_of("--version", self.version, (None, "small", "large"))
        if isinstance(self.store, str):
            raise UsageError(f"store is the string {self.store!r}; give a tuple of columns: ({self.store!r},)")


def _one_of(option: str, value: object, choices: tuple[object, ...]) -> None:
    if value not in choices:
        known = " or ".join(str(choice) for choice in choices if choice is not None)
        raise UsageError(f"{option} is {value!r}; type {option} {known}")


DEFAULTS = ReadOptions()
