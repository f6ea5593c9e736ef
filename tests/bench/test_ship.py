"""What to ship: fronts against the definition, tolerance, tests and budget."""

import numpy as np

from searchapp.bench.report import Cell, Cost, Latency
from searchapp.bench.ship import choose
from searchapp.metrics import Interval

QUERIES = 400


def _cell(name: str, values: np.ndarray, *, size: int, p50: float, baseline: bool = False) -> Cell:
    return Cell(
        name=name,
        model=None if baseline else "m",
        dim=None if baseline else 8,
        kind=name,
        nprobe=None,
        rescore=0,
        query_ids=tuple(map(str, range(len(values)))),
        per_query={"nDCG@10": values},
        intervals={"nDCG@10": Interval(0, 1)},
        run={},
        ties={},
        cost=Cost(index_bytes=size, latency=Latency(p50, p50, p50, queries=9, k=10, threads=2)),
    )


def _cells() -> list[Cell]:
    rng = np.random.default_rng(3)
    best = rng.uniform(0.3, 0.9, QUERIES)
    noise = rng.standard_normal(QUERIES) * 0.05
    noise -= noise.mean()
    return [
        _cell("flat", best, size=1000, p50=3.0),
        _cell("near", best - 0.001 + noise, size=400, p50=1.0),
        _cell("surely-worse", best - 0.002, size=200, p50=0.5),
        _cell("far", best - 0.2, size=100, p50=2.0),
        _cell("dominated", best - 0.1, size=900, p50=9.0),
        _cell("bm25", best + 0.1, size=1, p50=0.1, baseline=True),
    ]


def test_the_smallest_that_is_near_and_not_shown_to_be_worse_is_shipped() -> None:
    ship = choose(_cells(), "nDCG@10", tolerance=0.01)
    assert ship is not None
    assert (ship.best, ship.cell) == ("flat", "near")
    eligible = {rival.name: rival.eligible for rival in ship.rivals}
    # A constant loss of .002 is within the tolerance, and the paired test is sure of it.
    assert eligible == {"near": True, "surely-worse": False, "far": False, "dominated": False}
    p = {rival.name: rival.p for rival in ship.rivals}
    assert p["near"] > 0.05 > p["surely-worse"]
    assert "smallest within 1 % of the best nDCG@10 (paired test, p > 0.05): d8 near, 400 bytes" in ship.line


def test_the_tolerance_and_the_budget_steer() -> None:
    strict = choose(_cells(), "nDCG@10", tolerance=0.0001)
    assert strict is not None
    assert strict.cell == "flat"
    within = choose(_cells(), "nDCG@10", tolerance=0.01, budget_bytes=300)
    assert within is not None
    assert (within.best, within.cell) == ("surely-worse", "surely-worse")
    assert "in 300 bytes" in within.line
    assert choose(_cells(), "nDCG@10", tolerance=0.01, budget_bytes=50) is None
    assert choose(_cells()[-1:], "nDCG@10", tolerance=0.01) is None


def test_a_front_holds_what_nothing_cheaper_beats() -> None:
    cells = _cells()
    ship = choose(cells, "nDCG@10", tolerance=0.01)
    assert ship is not None
    own = [cell for cell in cells if not cell.is_baseline]
    for front, cost in (
        (ship.front_bytes, lambda cell: cell.cost.index_bytes),
        (ship.front_latency, lambda cell: cell.cost.latency.p50),
    ):
        expected = [
            one
            for one in own
            if not any(
                other is not one and cost(other) <= cost(one) and other.measures["nDCG@10"] >= one.measures["nDCG@10"]
                for other in own
            )
        ]
        assert list(front) == [cell.name for cell in sorted(expected, key=cost)]
    assert ship.front_bytes == ("far", "surely-worse", "near", "flat")
    assert ship.front_latency == ("surely-worse", "near", "flat")
