"""The model card: the numbers as sentence-transformers' cards have them, to paste into a README's front matter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from searchapp.bench.render.about import PROTOCOLS
from searchapp.bench.render.wording import counted, listed, numbered
from searchapp.bench.report import PairwiseReport, Report
from searchapp.judging.card import (
    TASKS,
    CardResult,
    card_key,
    card_order,
    card_table,
    index_lines,
    printable,
    quoted,
)


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
    def on_card(self) -> CardResult:
        title = f"dim {self.dim}" + (f" ({self.protocol})" if self.protocol else "")
        return CardResult(self.kind, title, self.metrics, {"protocol": self.protocol} if self.protocol else {})


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
    lines = [f"# {printable(line)}" for line in about]
    lines += ["model-index:" if results else "model-index: []"]
    for model in models:
        lines += index_lines(model, [result.on_card for result in results if result.model == model], task)
    lines += ["tables:" if results else "tables: {}"]
    for model in models:
        lines += [f"  {quoted(model)}: |"]
        text = _section([result for result in results if result.model == model], task, primary)
        lines += [f"    {line}" if line else "" for line in text.split("\n")]
    return "\n".join(lines) + "\n"


def _flat(report: Report) -> list[_Result]:
    """Return the flat cells that are not rescored, with the measures that a card may name, in its order."""
    results = []
    protocol = "" if report.protocol == "full-corpus" else report.protocol
    for cell in report.cells:
        if cell.model is None or cell.dim is None or cell.kind != "flat" or cell.rescore:
            continue
        keyed = {key: value for name, value in cell.measures.items() if (key := card_key(name))}
        metrics = dict(sorted(keyed.items(), key=lambda item: card_order(item[0])))
        results.append(_Result(cell.model, cell.dim, metrics, protocol))
    return results


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
