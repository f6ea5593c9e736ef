"""Rows that nothing can be told from; batches themselves are held against a slow way in test_sampler.py."""

import pytest

from searchapp.errors import InputError
from searchapp.train.batches import check_company
from searchapp.train.draft import group_relevant
from searchapp.train.examples import Example, TrainingData


def data_of(*rows: Example) -> TrainingData:
    return TrainingData("shop", rows, group_relevant((one.anchor, one.positive) for one in rows))


@pytest.mark.parametrize(
    "rows",
    [
        [Example("a", "p")],
        [Example("a", "p")] * 3,
        [Example("a", "p"), Example("a", "q"), Example("a", "r")],
        [Example("a", "p"), Example("b", "p"), Example("c", "p")],
        [Example("a", "b"), Example("b", "c"), Example("b", "a")],
    ],
)
def test_rows_of_which_no_two_may_meet_are_refused_unless_they_bring_negatives(rows: list[Example]) -> None:
    with pytest.raises(
        InputError, match=rf"^shop gives .*: {len(rows)} rows without negatives, of which no two differ"
    ):
        check_company(data_of(*rows))
    check_company(data_of(*(Example(row.anchor, row.positive, ("n",)) for row in rows)))
    check_company(data_of(*rows, Example("x", "y")))
    check_company(data_of(*rows, Example("x", "y"), Example("v", "w")))
