"""Findings and reports: levels, what each must say, and what becomes of an error."""

from collections.abc import Iterator

import pytest

from searchapp.doctor.finding import Finding, Level, Report, examine
from searchapp.errors import IndexFolderError


def made(level: Level) -> Finding:
    return Finding("model", "norms", level, "found", "means", "type this")


def test_the_worst_level_and_all_counts() -> None:
    report = Report((made("ok"), made("warning"), made("note"), made("ok")))
    assert report.worst == "warning"
    assert report.counts == {"ok": 2, "note": 1, "warning": 1, "problem": 0}
    assert Report(()).worst == "ok"
    body = report.to_json()
    assert body["findings"] == [one.to_json() for one in report.findings]
    assert (body["worst"], body["counts"]) == ("warning", {"ok": 2, "note": 1, "warning": 1, "problem": 0})
    assert made("warning").to_json() == {
        "part": "model",
        "check": "norms",
        "level": "warning",
        "found": "found",
        "means": "means",
        "next": "type this",
        "figures": {},
    }


@pytest.mark.parametrize(("means", "advice"), [("", "type this"), ("means", "")])
def test_what_is_not_ok_must_say_what_it_means_and_what_to_do(means: str, advice: str) -> None:
    with pytest.raises(ValueError, match="without a meaning or an advice: found"):
        Finding("model", "norms", "note", "found", means, advice)
    assert Finding("model", "norms", "ok", "found").level == "ok"


def test_an_error_of_ours_becomes_a_problem_with_its_own_advice() -> None:
    def look() -> Iterator[Finding]:
        yield made("ok")
        raise IndexFolderError("a.npy is short; it was cut; build the index again")

    assert examine("index", "opens", look, means="nothing works") == [
        Finding("index", "opens", "problem", "a.npy is short; it was cut", "nothing works", "build the index again")
    ]


@pytest.mark.parametrize("error", [IndexError("position 514"), MemoryError(), OSError(5, "broken disk")])
def test_an_error_of_a_library_becomes_a_problem_too(error: Exception) -> None:
    def look() -> Iterator[Finding]:
        raise error

    (found,) = examine("model", "length", look, means="long texts fail")
    assert (found.level, found.found) == ("problem", f"{type(error).__name__}: {error}")
    assert found.advice


def test_an_interrupt_is_no_finding() -> None:
    def look() -> Iterator[Finding]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        examine("model", "length", look, means="")
