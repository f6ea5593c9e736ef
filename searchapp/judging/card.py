"""Numbers as sentence-transformers' model cards have them: keys, tables and the `model-index` of a front matter."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from searchapp.metrics import Measure

KEYS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "nDCG": "ndcg", "RR": "mrr", "AP": "map"}
"""What sentence-transformers calls our measures, in the order of its cards."""
TASKS = {"triplets": "Triplet", "pairs": "Semantic Similarity", "retrieval": "Information Retrieval"}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class CardResult:
    """The numbers of one model at one dim, under what its card calls the data set.

    kind, title: the data set's name in tables and as a type, and in words.
    metrics: value by sentence-transformers' key.
    args: how it was judged, where a card must say.
    """

    kind: str
    title: str
    metrics: Mapping[str, float]
    args: Mapping[str, str] = field(default_factory=dict)


def card_key(name: str) -> str | None:
    """Return sentence-transformers' key of a measure; None for one that it doesn't know.

    >>> card_key("nDCG@10"), card_key("AP@100"), card_key("AP(denominator=R)@100"), card_key("Judged@10")
    ('cosine_ndcg@10', 'cosine_map@100', None, None)
    """
    measure = Measure.parse(name)
    if measure.name not in KEYS or measure.cutoff is None or measure.rel is not None or measure.denominator == "R":
        return None
    return f"cosine_{KEYS[measure.name]}@{measure.cutoff}"


def card_order(key: str) -> tuple[int, int]:
    """Return what a card's keys of retrieval are sorted by."""
    name, _, cutoff = key.removeprefix("cosine_").partition("@")
    return list(KEYS.values()).index(name), int(cutoff)


def card_table(results: Sequence[tuple[str, Mapping[str, float]]], primary: str) -> str:
    """Return a table with a row for each metric and a column for each (name, metrics), the primary row bold."""
    names = [name for name, _ in results] if len(results) > 1 else ["Value"]
    rows = [["Metric", *names]]
    for key in results[0][1]:
        values = [str(round(metrics[key], 4)) for _, metrics in results]
        bold = "**" if key == primary else ""
        rows.append([f"{bold}{key}{bold}", *(f"{bold}{value}{bold}" for value in values)])
    return markdown_table(rows)


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells as a table, the first row its head; all columns begin at the left."""
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "".join(f"| {value.ljust(width)} " for value, width in zip(row, widths, strict=True)) + "|" for row in rows
    ]
    rule = "".join(f"|:{'-' * width}-" for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def index_lines(model: str, results: Sequence[CardResult], task: str) -> Iterator[str]:
    """Yield the YAML of one model of a `model-index`; `task` is a value of TASKS. Strings are JSON's."""
    yield f"- name: {quoted(model)}"
    yield "  results:"
    for result in results:
        yield "  - task:"
        yield f"      type: {task.lower().replace(' ', '-')}"
        yield f"      name: {task}"
        yield "    dataset:"
        yield f"      name: {quoted(result.title)}"
        yield f"      type: {quoted(result.kind)}"
        if result.args:
            yield "      args:"
            yield from (f"        {name}: {quoted(value)}" for name, value in result.args.items())
        yield "    metrics:"
        for key, value in result.metrics.items():
            yield f"    - type: {quoted(key)}"
            yield f"      value: {_number(value)}"
            yield f"      name: {quoted(key.replace('_', ' ').title())}"


def quoted(text: str) -> str:
    """Return a JSON string that is also a YAML one: what YAML takes for unprintable is escaped."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """Return the text with a question mark for everything that YAML takes for unprintable."""
    return _UNPRINTABLE.sub("?", text)


def _number(value: float) -> str:
    """Return the shortest decimal that reads back as the same float, with the point that YAML 1.1 asks of one.

    >>> _number(0.5), _number(1e-05)
    ('0.5', '1.0e-05')
    """
    text = repr(float(value))
    return text if "." in text else text.replace("e", ".0e")
