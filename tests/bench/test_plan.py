"""Which cells follow from the options."""

from dataclasses import replace

from searchapp.bench.plan import plan_cells
from tests.bench.benching import PLAIN

LISTS = replace(PLAIN, dims=(8,), kinds=("ivf-pq",))


def _rescores(**options: object) -> list[int]:
    return [cell.rescore for cell in plan_cells(replace(LISTS, **options), rows=1000, width=8)]  # type: ignore[arg-type]


def test_rescoring_goes_as_deep_as_the_measures_look_and_no_deeper_than_the_corpus() -> None:
    assert _rescores() == [100]
    assert _rescores(drop_self=True) == [101]
    assert _rescores(rescore=(0, 200, 99_999_999)) == [0, 200, 1000]


def test_a_judged_pool_is_rescored_whole_or_not_at_all() -> None:
    assert _rescores(protocol="judged-pool", rescore=(0, 5)) == [0, 5]
    assert len(_rescores(protocol="judged-pool", rescore=(0, 5, 100))) == 2
