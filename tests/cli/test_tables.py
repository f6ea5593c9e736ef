"""The bench's tables on a terminal: legible at every width, whatever names runs, models and slices have."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.cells import cell_len

from searchapp.bench.report import Cell, PairwiseReport, Report
from searchapp.cli.console import one_line
from searchapp.cli.tables import print_pairwise, print_report
from tests.bench.render.reports import make_pairwise, make_report, one_query, with_cells

LEAST = ["dim", "kind", "nDCG@10", "bytes"]
COSTS = ["bytes", "p50 ms", "p99 ms"]
KEPT = {
    40: LEAST,
    60: LEAST,
    80: ["dim", "kind", "nDCG@10", "95 %", "bytes"],
    100: ["dim", "kind", "nDCG@10", "95 %", "lost to", *COSTS],
    200: [
        *("dim", "kind", "nDCG@10", "95 %", "lost to", "RR@10", "AP@100", "Judged@10", "accuracy@1"),
        *("recall@100", "accuracy@10", "precision@10", *COSTS, "q/s", "build s"),
    ],
}


class Terminal:
    """Prints at a width and gives back the lines."""

    def __init__(self, patch: pytest.MonkeyPatch, capture: pytest.CaptureFixture[str]) -> None:
        self._patch, self._capture = patch, capture

    def lines(self, report: Report | PairwiseReport, width: int = 100) -> list[str]:
        self._patch.setenv("COLUMNS", str(width))
        print_report(report) if isinstance(report, Report) else print_pairwise(report)
        return self._capture.readouterr().out.splitlines()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Terminal:
    return Terminal(monkeypatch, capsys)


@pytest.fixture(scope="module")
def report() -> Report:
    """One model, without slices, ties and notes: the table is the first line and what follows it."""
    made = make_report(several=False)
    return replace(made, cells=tuple(replace(cell, slices=(), ties={}) for cell in made.cells), notes=())


def kinds(lines: list[str]) -> list[str]:
    """Return what is in the column `kind`, lines of a row joined."""
    head = lines[1]
    found: list[str] = []
    for line in lines[2 : next(n for n, line in enumerate(lines) if "more measures" in line)]:
        part = line[head.index("kind") : head.index("nDCG@10")].strip()
        if line[head.index("nDCG@10") :].strip():
            found.append(part)
        else:
            found[-1] += f" {part}"
    return found


def shown_numbers(cell: Cell) -> dict[str, str]:
    """Return what each column must say of a cell."""
    interval, cost, latency = cell.intervals["nDCG@10"], cell.cost, cell.cost.latency
    found = {name: f"{value:.4f}" for name, value in cell.measures.items()}
    found |= {"95 %": f"{interval.low:.4f}-{interval.high:.4f}"}
    if cell.loss is not None:
        found |= {"lost to": f"{cell.loss.total:.4f}"}
    if latency is not None:
        assert cost.bytes_per_vector is not None and cost.queries_per_second is not None
        assert cost.build_seconds is not None and cell.dim is not None
        found |= {"dim": str(cell.dim), "bytes": f"{cost.bytes_per_vector:,.0f}", "p50 ms": f"{latency.p50:.2f}"}
        found |= {"p99 ms": f"{latency.p99:.2f}", "q/s": f"{cost.queries_per_second:,.0f}"}
        found |= {"build s": f"{cost.build_seconds:.1f}"}
    return found


def numbered_lines(lines: list[str], cells: tuple[Cell, ...]) -> Iterator[tuple[Cell, list[str]]]:
    """Yield each cell with the words of its row's first line, which holds all its numbers."""
    rest = iter(lines[2:])
    for cell in cells:
        yield cell, next(words for line in rest if f"{cell.measures['nDCG@10']:.4f}" in (words := line.split()))


@pytest.mark.parametrize("width", KEPT)
def test_no_number_and_no_heading_is_cut(terminal: Terminal, report: Report, width: int) -> None:
    lines = terminal.lines(report, width)
    assert re.split(r" {2,}", lines[1].strip()) == KEPT[width]
    for cell, words in numbered_lines(lines, report.cells):
        expected = shown_numbers(cell)
        assert [expected[name] for name in KEPT[width] if name in expected] == [
            word for word in words if re.fullmatch(r"[\d.,]+(-[\d.]+)?", word)
        ]
    assert kinds(lines) == [cell.label for cell in report.cells]
    end = next(n for n, line in enumerate(lines) if "more measures" in line)
    assert max(map(cell_len, lines[1:end])) <= width


@pytest.mark.parametrize("several", [False, True])
def test_at_any_width_the_kept_columns_are_whole(terminal: Terminal, several: bool) -> None:
    made = make_report(several=several)
    for width in range(20, 220, 3):
        lines = terminal.lines(made, width)
        assert "…" not in "".join(lines)
        heads = re.split(r" {2,}", lines[1].strip())
        assert {"dim", "kind", "nDCG@10", "bytes"} <= set(heads) <= {"model", *KEPT[200]}
        for cell, words in numbered_lines(lines, made.cells):
            expected = shown_numbers(cell)
            assert {expected[name] for name in heads if name in expected} <= set(words)


def test_what_is_left_out_is_counted(terminal: Terminal, report: Report) -> None:
    known = len(report.cells[0].measures)
    said = {width: next(line for line in terminal.lines(report, width) if "more measures" in line) for width in KEPT}
    ending = "and all intervals, with --json or --out"
    assert said == {
        40: f"{known - 1} more measures, 6 more columns (95 %, lost to, p50 ms, p99 ms, q/s, build s), {ending}",
        60: f"{known - 1} more measures, 6 more columns (95 %, lost to, p50 ms, p99 ms, q/s, build s), {ending}",
        80: f"{known - 1} more measures, 5 more columns (lost to, p50 ms, p99 ms, q/s, build s), {ending}",
        100: f"{known - 1} more measures, {ending}",
        200: f"{known - 8} more measures, {ending}",
    }


NAMES = ["[/x]", "[red]x[/red]", "[link=file:///x]y", "[bold"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_no_markup(terminal: Terminal, report: Report, name: str) -> None:
    made = make_report()
    slices = tuple(replace(part, value=name) for part in made.cells[-1].slices)
    run = replace(made.cells[-1], name=name, kind=name, slices=slices)
    model = replace(made.cells[0], model=name, kind=name)
    lines = terminal.lines(replace(with_cells(made, [model, run]), dataset=name, notes=(name,)))
    assert lines[0].startswith(f"{name} test, ")
    assert [line.split()[0] for line in lines if re.search(r"^\S.* 384 ", line)] == [name]
    assert [line.split()[0] for line in lines if line.startswith(" ")] == [name]
    assert f"{name}, slices (all cells with --json or --out)" in lines
    assert sum(line.startswith(f"locale {name} ") for line in lines) == 3
    assert lines[-1] == f"note: {name}"


def test_what_a_terminal_would_obey_is_shown_as_a_sign(terminal: Terminal, report: Report) -> None:
    evil, shown = "a\n\x1b[31mb\x07", "a \ufffd[31mb\ufffd"
    run = replace(report.cells[-1], name=evil, kind=evil)
    lines = terminal.lines(replace(with_cells(report, [run]), dataset=evil, notes=(evil,)))
    assert lines[0].startswith(f"{shown} test, ")
    assert shown in lines[2]
    assert lines[-1] == f"note: {shown}"
    assert "\x1b" not in "".join(lines)
    assert one_line(None).plain == ""
    assert one_line(7).spans == []


def test_a_long_name_goes_over_lines_and_loses_nothing(terminal: Terminal, report: Report) -> None:
    name = "their-system-of-last-week-with-a-name-that-no-terminal-holds"
    lines = terminal.lines(with_cells(report, [replace(report.cells[-1], name=name, kind=name)]), 40)
    assert kinds(lines)[0].replace(" ", "") == name
    assert max(map(len, lines[1:6])) <= 40


def test_ties_at_the_cutoff_are_told(terminal: Terminal, report: Report) -> None:
    assert not [line for line in terminal.lines(report) if "ties" in line]
    ties = (0, 3, 1, 2, 4, 5, 6, 7)
    cells = [replace(cell, ties={10: n, 100: 9}) for n, cell in zip(ties, report.cells, strict=False)]
    assert "ties at rank 10: d384-sq8 3 queries, d384-ivf16-pq8-nprobe8 1 query" in terminal.lines(
        with_cells(report, cells[:3])
    )
    names = [cell.name for cell in cells]
    told = ", ".join(f"{names[n]} {ties[n]} quer{'y' if ties[n] == 1 else 'ies'}" for n in range(1, 6))
    assert f"ties at rank 10: {told} and 2 more" in terminal.lines(with_cells(report, cells))
    deep = replace(with_cells(report, cells[:1]), primary="AP@100")
    assert "ties at rank 100: d384-flat 9 queries" in terminal.lines(deep)
    theirs = replace(report.cells[-1], name="theirs", kind="theirs", ties={10: 8})
    assert "ties at rank 10: theirs 8 queries" in terminal.lines(with_cells(report, [theirs]))


def test_one_query_has_no_interval(terminal: Terminal, report: Report) -> None:
    alone = one_query(report)
    lines = terminal.lines(alone, 80)
    assert lines[0].startswith("shop <esci> test, full-corpus: 1 query, 1 document, alpha-e5; ")
    assert "95 %" in lines[1]
    value = f"{alone.cells[0].measures['nDCG@10']:.4f}"
    assert lines[2].split() == ["384", "flat", value, "-", "0.0050", "search", "1,536"]


def test_a_slice_of_one_query_has_no_interval(terminal: Terminal) -> None:
    made = make_report(several=False)
    first, second, third = made.cells[0].slices
    parts = (replace(first, queries=1), second, replace(third, queries=0, measures={}, intervals={}))
    lines = terminal.lines(with_cells(made, [replace(made.cells[0], slices=parts)]))
    start = next(n for n, line in enumerate(lines) if line.startswith("slice "))
    low, high = second.intervals["nDCG@10"]
    assert [line.split() for line in lines[start + 1 : start + 4]] == [
        ["locale", "us", "1", f"{first.measures['nDCG@10']:.4f}", "-"],
        ["locale", "jp", "16", f"{second.measures['nDCG@10']:.4f}", f"{low:.4f}-{high:.4f}"],
        ["locale", "es", "0", "-", "-"],
    ]


@pytest.mark.parametrize(("width", "kept"), [(40, 1), (60, 2), (80, 3), (200, 5)])
def test_pairwise_measures_are_whole(terminal: Terminal, width: int, kept: int) -> None:
    made = make_pairwise()
    names = list(made.rows[0].measures)
    lines = terminal.lines(made, width)
    assert re.split(r" {2,}", lines[1].strip()) == ["dim", names[0], "95 %", *names[1:kept]]
    for line, row in zip(lines[2:], made.rows, strict=False):
        low, high = row.intervals[names[0]]
        first, *others = (f"{row.measures[name]:.4f}" for name in names[:kept])
        assert line.split() == [str(row.dim), first, f"{low:.4f}-{high:.4f}", *others]
    more = f"{5 - kept} more measure{'s' * (kept < 4)}, and all intervals, with --json or --out"
    assert (more in lines) == (kept < 5)


def test_one_triplet_has_no_interval(terminal: Terminal) -> None:
    lines = terminal.lines(replace(make_pairwise(), count=1))
    assert lines[0] == "esci-triplets: 1 triplet, nomic"
    assert lines[2].split()[:3] == ["768", "0.7870", "-"]
