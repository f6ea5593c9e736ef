"""The advice: what the page says of a budget, of what was held against the best, and where there is nothing to ship."""

from dataclasses import replace

import pytest

from searchapp.bench.render.page import render_page
from searchapp.bench.report import Cost, Report, Rival, Ship
from searchapp.metrics import Interval
from tests.bench.render.reports import make_report, with_cells


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


def test_a_budget_is_of_the_index_file(report: Report) -> None:
    ship = report.ship
    assert ship is not None
    page = render_page(replace(report, ship=replace(ship, budget_bytes=20_000)))
    assert '<p class="quiet">The index file was allowed no more than 20.0 kB (20,000 bytes).</p>' in page
    assert "per vector were allowed" not in page


def test_without_advice_it_says_why(report: Report) -> None:
    words = {
        True: '<p class="quiet">Nothing fits the budget; see the notes.</p>',
        False: '<p class="quiet">No advice: no cell&#x27;s size was measured.</p>',
    }
    unmeasured = [replace(cell, cost=Cost()) for cell in report.cells if not cell.is_baseline]
    weighed = [replace(cell, cost=Cost(index_bytes=7)) for cell in report.cells if cell.is_baseline]
    for cells, fits in ((report.cells, True), ([*unmeasured, *weighed], False)):
        page = render_page(with_cells(report, cells))
        assert {key: text in page for key, text in words.items()} == {fits: True, not fits: False}


def test_many_rivals_wait_until_they_are_asked_for(report: Report) -> None:
    ship = report.ship
    assert ship is not None
    few: Ship = replace(ship, rivals=(Rival("alpha-e5-d64-sq8", -0.01, Interval(-0.02, 0.01), 0.3, eligible=True),))
    assert "<summary>Held against 24 cells</summary>" in render_page(report)
    assert "Held against 1 cells" not in render_page(replace(report, ship=few))
