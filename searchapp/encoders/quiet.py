"""Loading without chatter: the libraries' bars and advice are kept off the terminal, their reports are read."""

import contextlib
import logging
import re
import warnings
from collections.abc import Iterable, Iterator

from searchapp.optional import require

UNUSED = "pooler."
"""A head that sentence embeddings don't use; many published checkpoints come without it."""


class _Collector(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


@contextlib.contextmanager
def collecting_reports() -> Iterator[list[str]]:
    """Give the list that transformers' warnings go to instead of the terminal; at the end all is as it was."""
    ours, theirs = logging.getLogger("transformers"), logging.getLogger("sentence_transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        bars = require("transformers.utils.logging", extra="models")
        handlers, levels, shown = ours.handlers[:], (ours.level, theirs.level), bars.is_progress_bar_enabled()
        collector = _Collector()
        ours.handlers[:] = [collector]
        ours.setLevel(logging.WARNING)
        theirs.setLevel(logging.ERROR)
        bars.disable_progress_bar()
        try:
            yield collector.texts
        finally:
            ours.handlers[:] = handlers
            ours.setLevel(levels[0])
            theirs.setLevel(levels[1])
            if shown:
                bars.enable_progress_bar()


def missing_weights(reports: Iterable[str]) -> list[str]:
    r"""Return the weights that a load report calls missing: they were not in the checkpoint and are random now.

    >>> missing_weights(["encoder.0.weight | MISSING | \npooler.dense.bias | MISSING | \nnorm.bias | UNEXPECTED | "])
    ['encoder.0.weight']
    """
    found = (name for text in reports for name in re.findall(r"^\s*(\S.*?)\s*\|\s*MISSING\b", text, re.MULTILINE))
    return [name for name in found if not name.startswith(UNUSED) and f".{UNUSED}" not in name]
