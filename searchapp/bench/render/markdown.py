"""Markdown: results.md, the tables of a report for a reader without a browser."""

import re
from collections.abc import Iterable, Iterator, Sequence

from searchapp.bench.render.advice import no_advice
from searchapp.bench.render.loss_picture import PARTS, loss_parts
from searchapp.bench.render.retention import retention_curves
from searchapp.bench.render.wording import (
    NONE,
    amount,
    bounds,
    cell_title,
    count,
    counted,
    differences,
    lost,
    main_measures,
    number,
    numbered,
    percent,
    read_by_search,
    signed,
    size,
    spread,
    tie_rank,
)
from searchapp.bench.report import Cell, PairwiseReport, Report


def render_markdown(report: Report | PairwiseReport) -> str:
    """Return results.md: what was judged and how, the advice, and the tables with the primary measure's intervals."""
    blocks = _pairwise(report) if isinstance(report, PairwiseReport) else _retrieval(report)
    return "\n\n".join(blocks) + "\n"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1) -> str:
    r"""Return a table whose first `words` columns hold words and the rest numbers, aligned to the right.

    >>> print(markdown_table(["cell", "nDCG@10"], [["a|b", "0.5000"]]))
    | cell | nDCG@10 |
    |:---|---:|
    | a\|b | 0.5000 |
    """
    sides = [":---" if place < words else "---:" for place in range(len(columns))]
    lines = [[plain(name) for name in columns], sides, *([plain(value) for value in row] for row in rows)]
    return "\n".join(f"|{'|'.join(line)}|" if line is sides else f"| {' | '.join(line)} |" for line in lines)


def plain(text: str) -> str:
    """Return text as Markdown that shows exactly it, on one line."""
    return re.sub(r"([\\`*_\[\]<>|&~])", r"\\\1", " ".join(text.split()))


def _retrieval(report: Report) -> Iterator[str]:
    yield f"# {plain(f'{report.dataset} {report.split}'.strip())}"
    gains = report.judging.gains.name
    yield _list(
        [
            f"{report.protocol}: {counted(report)}",
            f"gains {gains}, relevant: {report.relevant}",
            *(
                f"{model.name}: {model.dim} dims, {model.pooling}, prompts: query '{model.query_prompt}', "
                f"document '{model.document_prompt}', {model.runtime}"
                for model in report.models
            ),
        ]
    )
    yield _advice(report)
    yield f"## Cells\n\n{_cells(report)}"
    if report.ship is not None and report.ship.rivals:
        yield f"## Held against the best\n\n{_rivals(report)}"
    split = [cell for cell in report.cells if cell.loss is not None]
    if split:
        yield f"## Where {report.primary} was lost\n\nAgainst full width and flat; a gain is negative."
        yield _losses(split, report)
    yield from _slices(report)
    yield from _notes(report.notes)


def _pairwise(report: PairwiseReport) -> Iterator[str]:
    yield f"# {plain(report.dataset)}"
    known = list(report.rows[0].measures) if report.rows else []
    names = [report.primary, *(name for name in known if name != report.primary)]
    yield _list(
        [numbered(report.count, report.task[:-1]), *(f"{model.name}: {model.dim} dims" for model in report.models)]
    )
    shares = {(curve.name, kept.dim): kept.share for curve in retention_curves(report) for kept in curve.points}
    rows = []
    for row in report.rows:
        share = shares.get((row.model, row.dim))
        first, *others = (number(row.measures.get(name)) for name in names)
        kept = NONE if share is None else percent(share)
        rows.append(
            [row.model, str(row.dim), first, bounds(spread(row.intervals, report.primary, report.count)), kept, *others]
        )
    yield markdown_table(["model", "dims", names[0], "95 % interval", "kept", *names[1:]], rows)
    yield from _notes(report.notes)


def _advice(report: Report) -> str:
    """Return what to ship, with what a search of it reads, or why there is nothing."""
    if report.ship is None:
        return plain(no_advice(report))
    chosen = [cell for cell in report.cells if cell.name == report.ship.cell]
    read = [f"Read by a search: {read_by_search(cell.cost)}." for cell in chosen]
    return "\n\n".join([f"**{plain(report.ship.line)}**", *map(plain, read)])


def _cells(report: Report) -> str:
    first, *others = main_measures(report)
    rank = tie_rank(report)
    columns = ["cell", first, "95 % interval", *others, "bytes", "index", "p50 ms", "p95 ms", "p99 ms", "queries/s"]
    columns += ["build s", "memory", f"ties@{rank}"]
    rows = []
    for cell in report.cells:
        measures = cell.measures
        rows.append(
            [
                cell_title(cell, report) + (" (baseline)" if cell.is_baseline else ""),
                number(measures.get(first)),
                bounds(spread(cell.intervals, first, len(cell.query_ids))),
                *(number(measures.get(name)) for name in others),
                *_costs(cell),
                count(cell.ties.get(rank)),
            ]
        )
    return markdown_table(columns, rows)


def _costs(cell: Cell) -> list[str]:
    cost, latency = cell.cost, cell.cost.latency
    return [
        count(cost.bytes_per_vector),
        size(cost.index_bytes) + (f" + {size(cost.vectors_bytes)}" if cost.vectors_bytes else ""),
        *(amount(time) for time in ((latency.p50, latency.p95, latency.p99) if latency else (None,) * 3)),
        count(cost.queries_per_second),
        amount(cost.build_seconds),
        size(cost.peak_memory_bytes),
    ]


def _rivals(report: Report) -> str:
    titles = {cell.name: cell_title(cell, report) for cell in report.cells}
    rivals = report.ship.rivals if report.ship else ()
    alone = report.counts.get("evaluated") == 1
    rows = [
        [
            titles.get(rival.name, rival.name),
            signed(rival.difference),
            differences(None if alone else rival.interval),
            number(rival.p),
            "yes" if rival.eligible else "no",
        ]
        for rival in rivals
    ]
    return markdown_table(["cell", "difference", "95 % interval", "p", "as good"], rows)


def _losses(split: Sequence[Cell], report: Report) -> str:
    rows = [
        [
            cell_title(cell, report),
            number(cell.loss.reference),
            *(lost(part) for part in loss_parts(cell.loss)),
            lost(cell.loss.total),
        ]
        for cell in split
        if cell.loss is not None
    ]
    return markdown_table(["cell", "full, flat", *PARTS, "in all"], rows)


def _slices(report: Report) -> Iterator[str]:
    names = dict.fromkeys(part.by for cell in report.cells for part in cell.slices)
    for by in names:
        rows = [
            [
                part.value,
                cell_title(cell, report),
                count(part.queries),
                number(part.measures.get(report.primary)),
                bounds(spread(part.intervals, report.primary, part.queries)),
            ]
            for value in dict.fromkeys(part.value for cell in report.cells for part in cell.slices if part.by == by)
            for cell in report.cells
            for part in cell.slices
            if part.by == by and part.value == value
        ]
        yield f"## By {plain(by)}\n\n" + markdown_table(
            [by, "cell", "n", report.primary, "95 % interval"], rows, words=2
        )


def _notes(notes: Sequence[str]) -> Iterator[str]:
    if notes:
        yield f"## Notes\n\n{_list(notes)}"


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"* {plain(line)}" for line in lines)
