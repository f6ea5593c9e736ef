"""What to ship: the smallest cell that is as good as the best one, and the Pareto fronts."""

from collections.abc import Callable, Sequence

from searchapp.bench.report import Cell, Rival, Ship
from searchapp.metrics import compare_paired

LEVEL = 0.05
"""A cell whose difference from the best one has a smaller p is taken to be worse."""


def choose(cells: Sequence[Cell], primary: str, *, tolerance: float, budget_bytes: int | None = None) -> Ship | None:
    """Choose among the cells that are no baselines; None where there are none, or none fits into the budget.

    Sizes are those of the derived files: the stored vectors, which rescoring reads, are part of every index folder.
    Eligible is a cell whose mean is at least (1 - tolerance) of the best one's and that a paired test does not tell
    from it. The smallest index file wins, then the smaller median latency, then the better mean.
    """
    candidates = [cell for cell in cells if not cell.is_baseline]
    affordable = [cell for cell in candidates if budget_bytes is None or _bytes(cell) <= budget_bytes]
    if not affordable:
        return None
    best = max(affordable, key=lambda cell: (cell.measures[primary], -_bytes(cell), cell.name))
    rivals = tuple(_rival(cell, best, primary, tolerance) for cell in affordable if cell is not best)
    eligible = {rival.name for rival in rivals if rival.eligible} | {best.name}
    chosen = min(
        (cell for cell in affordable if cell.name in eligible),
        key=lambda cell: (_bytes(cell), _latency(cell), -cell.measures[primary], cell.name),
    )
    return Ship(
        line=_line(chosen, best, primary, tolerance=tolerance, budget_bytes=budget_bytes, candidates=candidates),
        cell=chosen.name,
        best=best.name,
        tolerance=tolerance,
        budget_bytes=budget_bytes,
        rivals=rivals,
        front_bytes=_front(candidates, primary, _bytes),
        front_latency=_front([cell for cell in candidates if cell.cost.latency], primary, _latency),
    )


def _rival(cell: Cell, best: Cell, primary: str, tolerance: float) -> Rival:
    found = compare_paired(best.per_query[primary], cell.per_query[primary])
    near = found.mean_b >= (1 - tolerance) * found.mean_a
    return Rival(cell.name, found.difference, found.interval, found.p, eligible=near and found.p > LEVEL)


def _front(cells: Sequence[Cell], primary: str, cost: Callable[[Cell], float]) -> tuple[str, ...]:
    """Return the names of the cells that nothing cheaper or as cheap beats, cheapest first."""
    front: list[Cell] = []
    for cell in sorted(cells, key=lambda cell: (cost(cell), -cell.measures[primary], cell.name)):
        if not front or cell.measures[primary] > front[-1].measures[primary]:
            front.append(cell)
    return tuple(cell.name for cell in front)


def _line(
    chosen: Cell,
    best: Cell,
    primary: str,
    *,
    tolerance: float,
    budget_bytes: int | None,
    candidates: Sequence[Cell],
) -> str:
    """Say what to ship, and at what it was looked at."""
    models = len({cell.model for cell in candidates})
    under = "" if budget_bytes is None else f" in {budget_bytes:,} bytes"
    what = f"d{chosen.dim} {chosen.label}" + (f" of {chosen.model}" if models > 1 else "")
    line = (
        f"smallest within {tolerance * 100:g} % of the best {primary}{under} (paired test, p > {LEVEL:g}): {what}, "
        f"{_bytes(chosen):,} bytes{_read_too(chosen)}, {primary} {chosen.measures[primary]:.4f}"
    )
    return line if chosen is best else f"{line} (best {best.measures[primary]:.4f}: {best.name})"


def _read_too(cell: Cell) -> str:
    """Say what a search reads beside the index file, where that is what makes a small file good."""
    return f" and {cell.cost.vectors_bytes:,} of stored vectors to rescore from" if cell.rescore else ""


def _bytes(cell: Cell) -> int:
    return cell.cost.index_bytes or 0


def _latency(cell: Cell) -> float:
    return float("inf") if cell.cost.latency is None else cell.cost.latency.p50
