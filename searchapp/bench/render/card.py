"""The model card: the numbers as sentence-transformers' cards have them, to paste into a README's front matter."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from searchapp.bench.render.about import PROTOCOLS
from searchapp.bench.render.wording import counted, listed, numbered
from searchapp.bench.report import PairwiseReport, Report
from searchapp.metrics import Measure

KEYS = {"accuracy": "accuracy", "precision": "precision", "recall": "recall", "nDCG": "ndcg", "RR": "mrr", "AP": "map"}
"""What sentence-transformers calls our measures, in the order of its cards."""
TASKS = {"triplets": "Triplet", "pairs": "Semantic Similarity", "retrieval": "Information Retrieval"}
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class _Result:
    """One model at one dim: what its card calls the data set, and its numbers by key.

    `protocol` is empty where it is full-corpus, the only one that sentence-transformers knows: anything else is named.
    """

    model: str
    dim: int
    metrics: Mapping[str, float]
    protocol: str = ""

    @property
    def kind(self) -> str:
        return f"dim_{self.dim}" + (f"_{self.protocol.replace('-', '_')}" if self.protocol else "")

    @property
    def title(self) -> str:
        return f"dim {self.dim}" + (f" ({self.protocol})" if self.protocol else "")


def render_card(report: Report | PairwiseReport) -> str:
    """Return model-card.yaml: the `model-index` block, and the Markdown tables that go with it.

    One result for each model and dim, searched exactly (flat). Source: the model card of sentence-transformers
    (`format_eval_metrics`), whose evaluators are named by dim. Strings are JSON's, which YAML reads too.
    """
    if isinstance(report, PairwiseReport):
        task = TASKS[report.task]
        results = [_Result(row.model, row.dim, row.measures) for row in report.rows]
        primary = report.primary
        about = [f"{report.dataset}: {numbered(report.count, report.task[:-1])}"]
    else:
        task = TASKS["retrieval"]
        results = _flat(report)
        primary = card_key(report.primary) or ""
        about = [
            f"{report.dataset} {report.split}, {report.protocol}: {counted(report)}",
            f"gains {report.judging.gains.name}, relevant: {report.relevant}",
        ]
        if not results:
            about.append("no cell is flat and without rescoring, so there is nothing to put on a card")
    models = list(dict.fromkeys(result.model for result in results))
    lines = [f"# {_printable(line)}" for line in about]
    lines += ["model-index:" if results else "model-index: []"]
    for model in models:
        lines += _index(model, [result for result in results if result.model == model], task)
    lines += ["tables:" if results else "tables: {}"]
    for model in models:
        lines += [f"  {_quoted(model)}: |"]
        text = _section([result for result in results if result.model == model], task, primary)
        lines += [f"    {line}" if line else "" for line in text.split("\n")]
    return "\n".join(lines) + "\n"


def card_key(name: str) -> str | None:
    """Return sentence-transformers' key of a measure; None for one that it doesn't know.

    >>> card_key("nDCG@10"), card_key("AP@100"), card_key("AP(denominator=R)@100"), card_key("Judged@10")
    ('cosine_ndcg@10', 'cosine_map@100', None, None)
    """
    measure = Measure.parse(name)
    if measure.name not in KEYS or measure.cutoff is None or measure.rel is not None or measure.denominator == "R":
        return None
    return f"cosine_{KEYS[measure.name]}@{measure.cutoff}"


def card_table(results: Sequence[tuple[str, Mapping[str, float]]], primary: str) -> str:
    """Return a table with a row for each metric and a column for each (name, metrics), the primary row bold."""
    names = [name for name, _ in results] if len(results) > 1 else ["Value"]
    rows = [["Metric", *names]]
    for key in results[0][1]:
        values = [str(round(metrics[key], 4)) for _, metrics in results]
        bold = "**" if key == primary else ""
        rows.append([f"{bold}{key}{bold}", *(f"{bold}{value}{bold}" for value in values)])
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "".join(f"| {value.ljust(width)} " for value, width in zip(row, widths, strict=True)) + "|" for row in rows
    ]
    rule = "".join(f"|:{'-' * width}-" for width in widths) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def _flat(report: Report) -> list[_Result]:
    """Return the flat cells that are not rescored, with the measures that a card may name, in its order."""
    results = []
    protocol = "" if report.protocol == "full-corpus" else report.protocol
    for cell in report.cells:
        if cell.model is None or cell.dim is None or cell.kind != "flat" or cell.rescore:
            continue
        keyed = {key: value for name, value in cell.measures.items() if (key := card_key(name))}
        metrics = dict(sorted(keyed.items(), key=lambda item: _order(item[0])))
        results.append(_Result(cell.model, cell.dim, metrics, protocol))
    return results


def _order(key: str) -> tuple[int, int]:
    name, _, cutoff = key.removeprefix("cosine_").partition("@")
    return list(KEYS.values()).index(name), int(cutoff)


def _index(model: str, results: Sequence[_Result], task: str) -> Iterator[str]:
    yield f"- name: {_quoted(model)}"
    yield "  results:"
    for result in results:
        yield "  - task:"
        yield f"      type: {task.lower().replace(' ', '-')}"
        yield f"      name: {task}"
        yield "    dataset:"
        yield f"      name: {result.title}"
        yield f"      type: {result.kind}"
        if result.protocol:
            yield "      args:"
            yield f"        protocol: {result.protocol}"
        yield "    metrics:"
        for key, value in result.metrics.items():
            yield f"    - type: {_quoted(key)}"
            yield f"      value: {_number(value)}"
            yield f"      name: {_quoted(key.replace('_', ' ').title())}"


def _section(results: Sequence[_Result], task: str, primary: str) -> str:
    names = [f"`{result.kind}`" for result in results]
    protocol = results[0].protocol
    heading, note = task, ""
    if protocol:
        heading, note = f"{task} ({protocol})", f"* Protocol: {PROTOCOLS[protocol]}\n"
    table = card_table([(result.kind, result.metrics) for result in results], primary)
    plural = "s" if len(names) > 1 else ""
    about = f"* Dataset{plural}: {listed(names)}\n{note}* Evaluated with <code>searchapp bench</code>"
    return f"#### {heading}\n\n{about}\n\n{table}"


def _quoted(text: str) -> str:
    """Return a JSON string that is also a YAML one: what YAML takes for unprintable is escaped."""
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(text, ensure_ascii=False))


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("?", text)


def _number(value: float) -> str:
    """Return the shortest decimal that reads back as the same float, with the point that YAML 1.1 asks of one.

    >>> _number(0.5), _number(1e-05)
    ('0.5', '1.0e-05')
    """
    text = repr(float(value))
    return text if "." in text else text.replace("e", ".0e")
