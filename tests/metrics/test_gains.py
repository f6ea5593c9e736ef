import numpy as np
import pytest

from searchapp.errors import MeasureError
from searchapp.metrics import ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, LINEAR, Gains

GRADES = np.array([[4, 3, 2], [1, 0, -1]])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("linear", [[4, 3, 2], [1, 0, 0]]),
        ("0,1,3,7,15", [[15, 7, 3], [1, 0, 0]]),
        (" 0, 0.5, 0.25, 1, 2e0", [[2, 1, 0.25], [0.5, 0, 0]]),
    ],
)
def test_gains_by_grade(text: str, expected: list[list[float]]) -> None:
    gained = Gains.parse(text).apply(GRADES)
    assert gained.dtype == np.float64
    assert gained.tolist() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [("esci", [1.0, 0.1, 0.01, 0.0]), ("ESCI-official-script-swapped", [1.0, 0.01, 0.1, 0.0])],
)
def test_esci_gains_of_exact_substitute_complement_irrelevant(name: str, expected: list[float]) -> None:
    assert Gains.parse(name).apply(np.array([3, 2, 1, 0])).tolist() == expected


@pytest.mark.parametrize("gains", [LINEAR, ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, Gains.parse("0,0.01,0.1,1")])
def test_a_name_is_read_again(gains: Gains) -> None:
    assert Gains.parse(str(gains)) == gains


def test_a_list_of_many_digits_keeps_them() -> None:
    gains = Gains.parse("0,0.123456789")
    assert Gains.parse(str(gains)).apply(np.array([1])).tolist() == [0.123456789]


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("ecsi", "no gains are called 'ecsi'", "did you mean esci?"),
        ("exponential", "no gains are called 'exponential'", "known: linear, esci, esci-official-script-swapped"),
        ("", "no gains are called ''", "0,0.01,0.1,1"),
        ("0,-1", "every gain is a number of 0 or more", "0,0.01,0.1,1"),
        ("0,nan", "every gain is a number of 0 or more", "0,0.01,0.1,1"),
        ("0,inf", "every gain is a number of 0 or more", "0,0.01,0.1,1"),
        ("1,2", "begin with 1, the gain of grade 0, which is irrelevant", "grades 0, 1, 2"),
        ("0,0", "are all 0", "0,0.01,0.1,1"),
    ],
)
def test_gains_that_make_no_sense_are_refused(text: str, found: str, hint: str) -> None:
    with pytest.raises(MeasureError) as caught:
        Gains.parse(text)
    assert found in str(caught.value)
    assert hint in str(caught.value)


def test_a_grade_beyond_the_list_is_refused() -> None:
    with pytest.raises(MeasureError, match=r"grade 4, but gains 'esci' end at grade 3; give a list with .* 0 to 4"):
        ESCI.apply(GRADES)
