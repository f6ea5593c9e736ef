"""Wording: how numbers and names are written in every table, plot and page."""

from collections.abc import Mapping, Sequence

from searchapp.bench.report import Cell, Cost, Report
from searchapp.metrics import Interval, Measure

NONE = "–"
"""Stands where nothing was measured."""

MAIN_MEASURES = ("nDCG@10", "RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100")
"""The measures of the first table, after the primary one; all others are in the second."""


def number(value: float | None) -> str:
    """Return a measure with four decimals, as everywhere."""
    return NONE if value is None else f"{value:.4f}"


def signed(value: float) -> str:
    """Return a difference with four decimals and its sign; what rounds to nothing has none.

    >>> signed(0.01234), signed(-0.5), signed(-0.00001)
    ('+0.0123', '−0.5000', '0.0000')
    """
    text = f"{abs(value):.4f}"
    if float(text) == 0:
        return text
    return ("+" if value > 0 else "−") + text


def lost(value: float) -> str:
    """Return a loss with four decimals; a gain is negative.

    >>> lost(0.01234), lost(-0.5), lost(-0.00001)
    ('0.0123', '−0.5000', '0.0000')
    """
    return signed(value).removeprefix("+")


def bounds(interval: Interval | None) -> str:
    """Return an interval, `0.4812–0.5311`."""
    return NONE if interval is None else f"{interval.low:.4f}–{interval.high:.4f}"


def spread(intervals: Mapping[str, Interval], name: str, queries: int) -> Interval | None:
    """Return a mean's interval; None of fewer than two queries, which say nothing of how far others would lie."""
    return intervals.get(name) if queries > 1 else None


def differences(interval: Interval | None) -> str:
    """Return an interval of differences, `−0.0120 to +0.0031`."""
    return NONE if interval is None else f"{signed(interval.low)} to {signed(interval.high)}"


def count(value: float | None) -> str:
    """Return a whole number with thousands separated; a fraction keeps one decimal."""
    if value is None:
        return NONE
    return f"{value:,.1f}" if value % 1 >= 0.05 and value < 1000 else f"{value:,.0f}"


def numbered(value: int, noun: str) -> str:
    """Return how many there are of something.

    >>> numbered(1, "query"), numbered(2_000, "query"), numbered(0, "thread")
    ('1 query', '2,000 queries', '0 threads')
    """
    if value == 1:
        return f"1 {noun}"
    return f"{value:,} {noun[:-1] + 'ies' if noun.endswith('y') else noun + 's'}"


def size(value: float | None) -> str:
    """Return bytes in the unit that suits them, by thousands.

    >>> size(386), size(1_536), size(4_230_000)
    ('386 B', '1.5 kB', '4.2 MB')
    """
    if value is None:
        return NONE
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.3g} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} TB"


def amount(value: float | None) -> str:
    """Return milliseconds or seconds with three digits."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def percent(share: float) -> str:
    """Return a share as `98.4 %`."""
    return f"{share * 100:.1f} %"


def cell_title(cell: Cell, report: Report) -> str:
    """Return what a cell is called where there is no room for columns: `d128 ivf512-pq32 nprobe64`."""
    model = f"{cell.model} " if len(report.models) > 1 and not cell.is_baseline else ""
    return model + short_title(cell)


def short_title(cell: Cell) -> str:
    """Return what a cell is called beside its model's name."""
    return cell.name if cell.is_baseline else f"d{cell.dim} {cell.label}"


def main_measures(report: Report) -> tuple[str, ...]:
    """Return the primary measure and the main ones that were computed."""
    known = report.cells[0].per_query if report.cells else {}
    return (report.primary, *(name for name in MAIN_MEASURES if name in known and name != report.primary))


def other_measures(report: Report) -> tuple[str, ...]:
    """Return the measures that are not among the main ones."""
    main = main_measures(report)
    return tuple(name for name in (report.cells[0].per_query if report.cells else {}) if name not in main)


def counted(report: Report) -> str:
    """Return over how many queries and documents the numbers were counted, in one line."""
    counts = report.counts
    return (
        f"{count(counts.get('evaluated', 0))} of {numbered(counts.get('judged', 0), 'judged query')} "
        f"({count(counts.get('without_relevant', 0))} without a relevant document), "
        f"{numbered(report.documents, 'document')}"
    )


def read_by_search(cost: Cost) -> str:
    """Return what a search reads: the index file, and the stored vectors where it needs them as well."""
    stored = f" and {size(cost.vectors_bytes)} of stored vectors" if cost.vectors_bytes else ""
    return f"{size(cost.index_bytes)} of index{stored}"


def tie_rank(report: Report) -> int:
    """Return the rank whose ties are told: the primary measure's cutoff, or, if it has none, the other measures' 10."""
    return Measure.parse(report.primary).cutoff or 10


def listed(words: Sequence[str]) -> str:
    """Join words as a sentence does: `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
