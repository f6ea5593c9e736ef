"""What a model card tells of the rows that were trained on: counts, tokens of every column, a few samples."""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from searchapp.judging.card import markdown_table
from searchapp.train.examples import Example, TrainingData

MEASURED = 1000
"""Rows whose tokens are counted."""
SAMPLES = 3
_SHOWN = 300
"""Characters of a sample."""
_LOST = (
    *("skipped", "leaked", "leaks_kept", "documents_shared", "documents_missing", "queries_without_positives"),
    *("prompts_stripped", "negatives_relevant", "negatives_filled", "rows_without_negatives"),
)
"""Of what is told of rows: what was done to them that nobody asked for."""
_MARKUP = re.compile(r"[|*_`\[\]\\~$]")


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """Tokens of the texts of one column: fewest, mean and most."""

    name: str
    fewest: int
    mean: float
    most: int


def describe_columns(data: TrainingData, count: Callable[[Sequence[str]], Sequence[int]]) -> tuple[ColumnFacts, ...]:
    """Count the tokens of the first 1,000 rows, by column; `count` gives those of each text as the model reads it."""
    columns = zip(data.columns, zip(*map(texts_of, data.examples[:MEASURED]), strict=True), strict=True)
    found = []
    for name, texts in columns:
        tokens = list(count(texts))
        found.append(ColumnFacts(name, min(tokens), sum(tokens) / len(tokens), max(tokens)))
    return tuple(found)


def texts_of(example: Example) -> tuple[str, ...]:
    """Return the texts of a row, in the order of its columns."""
    return (example.anchor, example.positive, *example.negatives)


def describe_lost(data: TrainingData) -> str:
    """Say in one line what became of rows and texts that are not trained on as they were; nothing if all of them are.

    >>> describe_lost(TrainingData("shop", [Example("a", "b")], {}, {"rows": 1, "skipped": 0, "leaked": 2}))
    'trains on 1 row of shop; leaked 2'
    """
    found = [f"{_words(name)} {value:,}" for name in _LOST if isinstance(value := data.about.get(name), int) and value]
    count = len(data.examples)
    return f"trains on {count:,} row{'s'[: count > 1]} of {data.name}; {', '.join(found)}" if found else ""


def data_lines(data: TrainingData, columns: Sequence[ColumnFacts]) -> Iterator[str]:
    """Yield the card's account of a data set."""
    yield f"#### {data.name}"
    yield ""
    yield f"* Dataset: {data.name}"
    yield f"* Size: {len(data.examples):,} training samples"
    yield f"* Columns: {_listed([f'<code>{name}</code>' for name in data.columns])}"
    told = ", ".join(f"{_words(name)} {_told(value)}" for name, value in data.about.items() if value)
    if told:
        yield f"* As read: {told}"
    if data.fingerprint:
        yield f"* Fingerprint of the rows: `{data.fingerprint}`"
    if columns:
        yield f"* Approximate statistics based on the first {min(len(data.examples), MEASURED)} samples:"
        yield _indented(_statistics(columns))
    yield "* Samples:"
    yield _indented(_samples(data))


def _statistics(columns: Sequence[ColumnFacts]) -> str:
    details = [
        f"<ul><li>min: {one.fewest} tokens</li><li>mean: {one.mean:.2f} tokens</li><li>max: {one.most} tokens</li></ul>"
        for one in columns
    ]
    names, types = [one.name for one in columns], ["string"] * len(columns)
    return markdown_table([["", *names], ["type", *types], ["details", *details]])


def _samples(data: TrainingData) -> str:
    rows = [[_code(text) for text in texts_of(example)] for example in data.examples[:SAMPLES]]
    return markdown_table([list(data.columns), *rows])


def _code(text: str) -> str:
    """Return a text as a cell of a table: no mark-up in it means anything, and it is one line."""
    line = " ".join(text.split())
    shown = line if len(line) <= _SHOWN else f"{line[:_SHOWN]}..."
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", html.escape(shown, quote=False))
    return f"<code>{escaped}</code>"


def _words(name: str) -> str:
    return name.replace("_", " ")


def _told(value: str | int) -> str:
    return f"{value:,}" if isinstance(value, int) else _code(value)


def _listed(words: Sequence[str]) -> str:
    if len(words) < 3:
        return " and ".join(words)
    return f"{', '.join(words[:-1])}, and {words[-1]}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
