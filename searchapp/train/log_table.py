"""The log as the table of a model card: the columns of sentence-transformers' training logs."""

from collections.abc import Sequence

from searchapp.judging.card import markdown_table
from searchapp.train.log import LogRow
from searchapp.train.names import at_every_dim

NOTHING = "-"
"""Stands where nothing was measured."""


def render_log(rows: Sequence[LogRow], *, measure: str | None, best: int | None) -> str:
    """Return the rows of a log as a Markdown table, four decimals, the row of the step that was kept in bold.

    `measure` is the full name of what the best is kept by; it has a column for every dim, and other measures have none.
    Validation loss has a column where there is any. Source: `format_training_logs` of sentence-transformers.
    """
    names = at_every_dim(measure, [row.measures for row in rows])
    validated = any(row.eval_loss is not None for row in rows)
    lines = [["Epoch", "Step", "Training Loss", *(["Validation Loss"] if validated else []), *names]]
    last = max((place for place, row in enumerate(rows) if row.step == best), default=None)
    for place, row in enumerate(rows):
        losses = [row.loss, row.eval_loss] if validated else [row.loss]
        values = [row.epoch, *losses, *(row.measures.get(name) for name in names)]
        epoch, *others = [NOTHING if value is None else f"{value:.4f}" for value in values]
        cells = [epoch, str(row.step), *others]
        lines.append([f"**{cell}**" for cell in cells] if place == last else cells)
    return markdown_table(lines)
