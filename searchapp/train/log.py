"""The log of a training: a row whenever something was logged or judged, a JSON line each, kept through any stop."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from searchapp.layout import replacing_file
from searchapp.train.judge import Measures
from searchapp.train.names import full_name


@dataclass(frozen=True, slots=True)
class LogRow:
    """What was known after a step; step 0 is the base as it comes."""

    epoch: float
    step: int
    loss: float | None = None
    """Mean over the steps since the row before."""
    eval_loss: float | None = None
    """The same loss on rows that are held out."""
    measures: Mapping[str, float] = field(default_factory=dict)
    """The judge's name with its dim, an underscore and the key -> value; empty where nothing was judged."""
    learning_rate: float = 0.0
    seconds: float = 0.0
    """Since the call began that made this row."""

    def as_json(self) -> dict[str, Any]:
        """Return the row as a JSON line holds it."""
        return asdict(self)


def flatten(measures: Measures) -> dict[str, float]:
    """Return a judge's measures by their full names.

    >>> flatten({"dim_64": {"cosine_ndcg@10": 0.5}})
    {'dim_64_cosine_ndcg@10': 0.5}
    """
    return {full_name(name, key): value for name, row in measures.items() for key, value in row.items()}


def append_row(path: Path, row: LogRow) -> None:
    """Add a row at the end of a log; a line that a kill tore off before is ended first."""
    with path.open("ab+") as handle:
        if handle.tell():
            handle.seek(-1, 2)
            torn = handle.read(1) != b"\n"
            handle.write(b"\n" if torn else b"")
        handle.write(json.dumps(row.as_json(), ensure_ascii=False).encode() + b"\n")


def read_rows(path: Path) -> list[LogRow]:
    """Return the rows of a log in order; what is no whole row, as a kill leaves it, is left out."""
    rows = []
    for line in path.read_bytes().split(b"\n") if path.is_file() else ():
        try:
            rows.append(LogRow(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return rows


def write_rows(path: Path, rows: Iterable[LogRow]) -> None:
    """Write a log whole."""
    with replacing_file(path) as temporary:
        lines = (json.dumps(row.as_json(), ensure_ascii=False) + "\n" for row in rows)
        temporary.write_text("".join(lines), encoding="utf-8")


def keep_rows(path: Path, *, until: int) -> None:
    """Drop the rows behind a step, which is gone on from and will log them again; none at all for step 0."""
    rows = read_rows(path)
    if rows:
        write_rows(path, [row for row in rows if until > 0 and row.step <= until])


def best_step(rows: Sequence[LogRow], measure: str) -> int | None:
    """Return the step with the highest value of a measure, the first of several; the base, step 0, is none of them."""
    judged = [row for row in rows if row.step and measure in row.measures]
    return max(judged, key=lambda row: (row.measures[measure], -row.step)).step if judged else None
