import itertools
import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from searchapp.errors import MeasureError
from searchapp.metrics import Interval, bootstrap_mean, compare_paired, holm
from searchapp.metrics.comparison import randomisation_p

RNG = np.random.default_rng(11)
SMALL = RNG.normal(0.05, 0.1, 11)
GRADED = RNG.choice([-0.5, -0.25, 0.0, 0.0, 0.25, 0.5, 1.0], 40)


def mean(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    return np.asarray(np.mean(values, axis=axis))


def by_scipy(differences: NDArray[np.float64], resamples: float) -> float:
    """What scipy's sign-flipping test says; infinitely many resamples ask for the exact one."""
    found = stats.permutation_test(
        (differences,), mean, permutation_type="samples", n_resamples=resamples, rng=np.random.default_rng(2)
    )
    return float(found.pvalue)


def by_hand(differences: list[float]) -> float:
    """All signs, one by one."""
    found = abs(math.fsum(differences))
    sums = [
        math.fsum(sign * value for sign, value in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    return sum(abs(value) >= found - 1e-12 for value in sums) / len(sums)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 11])
def test_few_queries_have_the_exact_p(count: int) -> None:
    differences = SMALL[:count]
    p = randomisation_p(differences)
    assert p == pytest.approx(by_hand(differences.tolist()), abs=1e-15)
    if count > 1:
        assert p == pytest.approx(by_scipy(differences, np.inf), abs=1e-15)


def test_sums_that_tie_count_as_far() -> None:
    # +-.1 +-.2 +-.3 in binary: .1 + .2 is not .3. Sums as far as .6: two of eight; as far as 0: all.
    assert randomisation_p(np.array([0.1, 0.2, 0.3])) == 2 / 8
    assert randomisation_p(np.array([0.1, 0.2, -0.3])) == 1


def test_queries_that_do_not_differ_leave_p_as_it_is() -> None:
    differences = np.array([0.3, 0.0, 0.1, 0.0, 0.2, -0.05, 0.0])
    assert randomisation_p(differences) == by_hand(differences.tolist()) == by_hand([0.3, 0.1, 0.2, -0.05])


def test_the_exact_p_gives_way_to_the_drawn_one() -> None:
    exact = randomisation_p(SMALL, resamples=2048)
    assert (exact * 2048).is_integer()
    drawn = randomisation_p(SMALL, resamples=2047)
    assert (drawn * 2048).is_integer(), "(1 + as far) / (1 + resamples)"
    assert drawn == pytest.approx(exact, abs=4 * math.sqrt(exact * (1 - exact) / 2047))


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.04, 0.06])
def test_many_queries_have_the_p_of_scipy(shift: float) -> None:
    differences = np.random.default_rng(4).normal(shift, 0.3, 203)
    p, theirs = randomisation_p(differences, resamples=40_000), by_scipy(differences, 10_000)
    assert p == pytest.approx(theirs, abs=5 * math.sqrt(theirs * (1 - theirs) / 8000))


def test_values_of_few_grades_have_the_p_of_scipy() -> None:
    p, theirs = randomisation_p(GRADED, resamples=40_000), by_scipy(GRADED, 10_000)
    assert p == pytest.approx(theirs, abs=5 * math.sqrt(theirs * (1 - theirs) / 8000))


def test_p_is_never_0_and_what_none_reaches_has_the_least() -> None:
    assert randomisation_p(np.ones(200), resamples=999) == 1 / 1000


def test_a_comparison_worked_out_by_hand() -> None:
    a, b = np.array([0.5, 0.2, 0.0, 0.4, 1.0]), np.array([0.6, 0.4, 0.3, 0.4, 0.5])
    differences = [0.1, 0.2, 0.3, 0.0, -0.5]
    spread = math.sqrt(sum((value - 0.02) ** 2 for value in differences) / 4)
    found = compare_paired(a, b)
    assert (found.queries, found.wins, found.ties, found.losses) == (5, 3, 1, 1)
    assert (found.mean_a, found.mean_b) == pytest.approx((0.42, 0.44))
    assert found.difference == pytest.approx(0.02)
    assert found.p == by_hand(differences)
    assert found.effect_size == pytest.approx(0.02 / spread)
    assert found.detectable == pytest.approx((1.959963985 + 0.841621234) * spread / math.sqrt(5))
    assert found.interval == pytest.approx(bootstrap_mean(np.array(differences), resamples=10_000), abs=1e-12)


def test_the_other_way_round_is_the_mirror() -> None:
    rng = np.random.default_rng(8)
    a, b = rng.random(300), rng.random(300)
    there, back = compare_paired(a, b), compare_paired(b, a)
    assert back.difference == -there.difference
    assert back.p == there.p
    assert (back.wins, back.losses) == (there.losses, there.wins)
    assert back.interval == pytest.approx((-there.interval.high, -there.interval.low), abs=1e-12)
    assert (back.effect_size, back.detectable) == pytest.approx((-there.effect_size, there.detectable))


def test_the_interval_and_the_test_agree_on_a_clear_case() -> None:
    rng = np.random.default_rng(6)
    a = rng.random(500)
    better, same = compare_paired(a, a + rng.normal(0.05, 0.2, 500)), compare_paired(a, a + rng.normal(0, 0.2, 500))
    assert better.interval.low > 0 and better.p < 0.001
    assert same.interval.low < 0 < same.interval.high and same.p > 0.05


def test_the_seed_decides() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.random(100), rng.random(100)
    assert compare_paired(a, b) == compare_paired(a, b)
    assert compare_paired(a, b, seed=1).interval != compare_paired(a, b, seed=2).interval


def test_neither_side_is_changed() -> None:
    a, b = np.array([0.1, 0.2]), np.array([0.1 + 1e-14, 0.3])
    compare_paired(a, b)
    assert (a.tolist(), b.tolist()) == ([0.1, 0.2], [0.1 + 1e-14, 0.3])


def test_equal_systems_do_not_differ() -> None:
    a = np.array([0.1, 0.7, 1 / 3, 0.0])
    found = compare_paired(a, a + np.array([0, 1e-15, -1e-15, 0]))
    assert (found.wins, found.ties, found.losses, found.difference, found.p) == (0, 4, 0, 0, 1)
    assert (found.effect_size, found.detectable, found.interval) == (0, 0, Interval(0, 0))


def test_a_difference_that_is_the_same_everywhere() -> None:
    a = np.linspace(0, 0.7, 30)
    found = compare_paired(a, a + 0.1)
    assert found.effect_size == math.inf
    assert compare_paired(a + 0.1, a).effect_size == -math.inf
    assert found.interval == pytest.approx((0.1, 0.1), abs=1e-12)
    assert found.detectable == 0
    assert found.p == 1 / 10_001


def test_one_query_shows_nothing() -> None:
    found = compare_paired(np.array([0.2]), np.array([0.5]))
    assert (found.queries, found.wins, found.p, found.detectable) == (1, 1, 1, math.inf)
    assert found.interval == pytest.approx((0.3, 0.3))


def test_two_queries_show_hardly_more() -> None:
    found = compare_paired(np.array([0.2, 0.2]), np.array([0.5, 0.3]))
    assert found.p == 2 / 4
    assert found.interval == pytest.approx((0.1, 0.3))
    assert found.effect_size == pytest.approx(0.2 / math.sqrt(0.02))


def test_what_cannot_be_compared_is_refused() -> None:
    ones = np.ones(3)
    with pytest.raises(MeasureError, match="a has values of 3 queries and system b of 2; expected the same queries"):
        compare_paired(ones, np.ones(2))
    with pytest.raises(MeasureError, match="b: 1 of 3 values are not finite, such as nan at position 2"):
        compare_paired(ones, np.array([1, 1, np.nan]))
    with pytest.raises(MeasureError, match=r"a: found values of shape \(0,\)"):
        compare_paired(np.ones(0), np.ones(0))
    with pytest.raises(MeasureError, match="resamples is 0"):
        compare_paired(ones, ones, resamples=0)


@pytest.mark.parametrize(
    ("p_values", "expected"),
    [
        # Times 4, 3, 2, 1 from the smallest up, and never below the one before: .03 * 1 becomes .04.
        ([0.01, 0.02, 0.03, 0.005], [0.03, 0.04, 0.04, 0.02]),
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),
        ([0.5, 0.6, 0.001], [1.0, 1.0, 0.003]),
        ([0.02, 0.02], [0.04, 0.04]),
        ([0.07], [0.07]),
        ([1.0, 0.0], [1.0, 0.0]),
        ([], []),
    ],
)
def test_holm_by_hand(p_values: list[float], expected: list[float]) -> None:
    assert holm(p_values) == pytest.approx(expected, abs=1e-15)


def test_holm_rejects_what_the_step_down_procedure_rejects() -> None:
    rng = np.random.default_rng(3)
    for _ in range(200):
        p_values = (rng.random(8) ** 3).tolist()
        rejected = set()
        for place, position in enumerate(sorted(range(8), key=p_values.__getitem__)):
            if p_values[position] > 0.05 / (8 - place):
                break
            rejected.add(position)
        assert {position for position, p in enumerate(holm(p_values)) if p <= 0.05} == rejected


@pytest.mark.parametrize("bad", [-0.1, 1.2, math.nan])
def test_holm_refuses_what_is_no_p(bad: float) -> None:
    with pytest.raises(MeasureError, match=r"p value 2 of 2 is .*; expected a number from 0 to 1"):
        holm([0.5, bad])
