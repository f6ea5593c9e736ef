"""Operands: what is held against each other, results of a bench, a cell of them, or a run that is yet to be judged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from searchapp.bench.report import Cell, Evidence, Report
from searchapp.bench.stored import read_results
from searchapp.corpus.runs import Order, read_run
from searchapp.errors import InputError, UsageError
from searchapp.layout import BENCH
from searchapp.metrics import Judging, evaluate
from searchapp.records import Hit

MATTERING = ("nDCG@10", "nDCG"), ("RR@10",), ("AP@100",), ("accuracy@1",), ("recall@100",)
"""The measures that are compared unless others are asked for: the first of each group that all sides have."""
NAMED = 3
"""How many ids an error names."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One thing to compare: a bench's results, or one cell of them."""

    text: str
    """As it was typed."""
    report: Report
    cell: str | None = None
    """The cell that was named; None for all of the report."""

    @property
    def cells(self) -> tuple[Cell, ...]:
        """Return the cell that was named, or all. Raises UsageError if the report lacks it."""
        found = tuple(cell for cell in self.report.cells if self.cell in (None, cell.name))
        if not found:
            raise UsageError(f"{self.text}: there is no cell {self.cell!r}; there are: {list_cells(self.report.cells)}")
        return found

    def name(self, cell: Cell) -> str:
        """Return what a cell is called in the table."""
        return f"{self.text}:{cell.name}" if self.cell is None else self.text


@dataclass(frozen=True, slots=True)
class RunOperand:
    """Another one: a run that isn't judged yet."""

    text: str
    run: Mapping[str, Sequence[Hit]]


def open_operand(text: str, *, order: Order = "rank") -> Operand | RunOperand:
    """Open `FOLDER` (all cells of a bench's results), `FOLDER:CELL`, or a TREC run file, its hits in this `order`.

    Raises UsageError where nothing of that name is there or the folder lacks the cell; InputError where it can't be
    read, or holds triplets or scored pairs, which have no values per query.
    """
    if Path(text).is_file() and Path(text).name != BENCH.marker:
        return RunOperand(text, read_run(text, order=order))
    for end in (len(text), *(place for place, letter in enumerate(text) if letter == ":")):
        folder = Path(text[:end].removesuffix(BENCH.marker))
        if text[:end] and folder.is_dir():
            report = read_results(folder)
            if not isinstance(report, Report):
                raise InputError(
                    f"{folder} holds {report.task}, not queries with hits; name the results of a bench of retrieval"
                )
            return Operand(text.rstrip("/"), report, text[end + 1 :] or None)
    raise UsageError(
        f"there is nothing at {text}; name a folder that searchapp bench --out made, FOLDER:CELL, or a TREC run file"
    )


def judge_by(name: str, qrels: Mapping[str, Mapping[str, int]], judging: Judging = Judging()) -> Report:
    """Return a report without cells, for `compare_results` to judge runs by where there is no results folder."""
    relevant, primary, evidence = f"grade >= {judging.threshold}", MATTERING[0][0], Evidence(queries={}, qrels=qrels)
    return Report(name, "", "full-corpus", judging, relevant, primary, 0, {}, {}, (), (), evidence)


def find_frame(operands: Sequence[Operand | RunOperand], judged_by: Report | None) -> Report:
    """Return the report that runs are judged like."""
    stored = next((operand for operand in operands if isinstance(operand, Operand)), None)
    if judged_by is not None and stored is not None:
        raise UsageError(
            f"{judged_by.dataset} was given to judge runs by, but {stored.text} has judgments of its own; "
            "leave --qrels, --gains, --threshold, --no-relevant and --drop-self away"
        )
    frame = stored.report if stored is not None else judged_by
    if frame is None:
        raise UsageError(f"{operands[0].text} is a run, and nothing says what is relevant; add --qrels FILE")
    return frame


def judge_operand(operand: RunOperand, frame: Report, measures: Sequence[str], *, notes: list[str]) -> Operand:
    """Return a run as the only cell of a report, judged as `frame` is."""
    text, run, qrels = operand.text, operand.run, frame.evidence.qrels
    hits = ((query_id, hit.doc_id) for query_id, found in run.items() if query_id in qrels for hit in found)
    unjudged = next(((query_id, doc_id) for query_id, doc_id in hits if doc_id not in qrels[query_id]), None)
    if frame.protocol == "judged-pool" and unjudged is not None:
        raise UsageError(
            f"{frame.dataset} was judged judged-pool, which ranks judged documents only, but {text} ranks others too "
            f"(such as {unjudged[1]!r} for query {unjudged[0]!r}), as full-corpus does; compare results of one protocol"
        )
    if frame.protocol == "full-corpus" and frame.documents and unjudged is None:
        notes.append(f"{text}: every hit is judged; if it ranks judged documents only, its numbers are too high here")
    rankings = {query_id: [hit.doc_id for hit in found] for query_id, found in run.items()}
    result = evaluate(rankings, qrels, measures, judging=frame.judging)
    notes.extend(f"{text}: {note}" for note in result.notes)
    cell = Cell(text, None, None, "run", None, 0, result.query_ids, result.per_query, {}, run, {})
    return Operand(text, replace(frame, cells=(cell,), ship=None), cell=cell.name)


def describe_source(report: Report) -> str:
    """Say what a report was judged on."""
    return f"{report.dataset} {report.split} ({counted(len(report.evidence.qrels), 'query', 'queries')})"


def counted(number: int, one: str, several: str) -> str:
    """Return a number with what it counts.

    >>> counted(1, "query", "queries"), counted(1200, "query", "queries")
    ('1 query', '1,200 queries')
    """
    return f"{number:,} {one if number == 1 else several}"


def list_cells(cells: Sequence[Cell]) -> str:
    """List cells by name."""
    return ", ".join(cell.name for cell in cells)
