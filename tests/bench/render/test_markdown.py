"""results.md: a reader without a browser finds the same numbers."""

import re
from dataclasses import replace

import pytest

from searchapp.bench.render.markdown import markdown_table, plain, render_markdown
from searchapp.bench.report import Report
from tests.bench.render.reports import make_pairwise, make_report, one_query, with_cells


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


def tables(text: str) -> dict[str, list[list[str]]]:
    """Return the rows of every table by the heading above it, without the line below the head."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in text.split("\n"):
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|") and not line.startswith("|:"):
            cells = [re.sub(r"\\(.)", r"\1", part.strip()) for part in re.split(r"(?<!\\)\|", line)[1:-1]]
            found.setdefault(heading, []).append(cells)
    return found


def test_every_table_has_a_line_of_sides_as_wide_as_its_rows(report: Report) -> None:
    for text in (render_markdown(report), render_markdown(make_pairwise("pairs"))):
        for head, sides in re.findall(r"\n\n(\|.*)\n(\|.*)\n", text):
            assert re.fullmatch(r"(\|:?---:?)+\|", sides)
            assert sides.count("|") == len(re.findall(r"(?<!\\)\|", head))
        assert text.endswith("|\n") or (text.endswith("\n") and not text.endswith("\n\n"))


def test_the_head_says_what_was_judged_and_how(report: Report) -> None:
    text = render_markdown(report)
    assert text.startswith(r"# shop \<esci\> test" + "\n\n")
    head = text.partition("## ")[0]
    assert "* full-corpus: 48 of 50 judged queries (2 without a relevant document), 240 documents\n" in head
    assert r"* gains esci, relevant: grade \>= 3 (E)" + "\n" in head
    assert (
        "* alpha-e5: 384 dims, mean+normalize, prompts: query 'query: ', document 'passage: ', torch float32\n" in head
    )
    assert report.ship is not None
    assert f"**{plain(report.ship.line)}**" in head
    assert text.endswith("## Notes\n\n* 5 documents were longer than max\\_seq\\_length 256 and lost 73 tokens\n")


def test_cells_have_their_measures_interval_and_costs(report: Report) -> None:
    head, *rows = tables(render_markdown(report))["Cells"]
    assert head[:3] == ["cell", "nDCG@10", "95 % interval"]
    assert len(rows) == len(report.cells)
    for row, cell in zip(rows, report.cells, strict=True):
        shown = dict(zip(head, row, strict=True))
        interval = cell.intervals["nDCG@10"]
        assert shown["95 % interval"] == f"{interval.low:.4f}–{interval.high:.4f}"
        for name in ("nDCG@10", "RR@10", "AP@100", "Judged@10", "accuracy@1", "recall@100"):
            assert shown[name] == f"{cell.measures[name]:.4f}"
        if cell.is_baseline:
            assert shown["cell"] == f"{cell.name} (baseline)"
            assert {shown[name] for name in ("bytes", "p50 ms", "queries/s", "memory")} == {"–"}
        else:
            assert shown["cell"] == f"{cell.model} d{cell.dim} {cell.label}"
            assert float(shown["bytes"].replace(",", "")) == cell.cost.bytes_per_vector


def test_losses_slices_and_rivals_are_there(report: Report) -> None:
    found = tables(render_markdown(report))
    row = found["Where nDCG@10 was lost"][4]
    assert row == [
        "alpha-e5 d384 ivf16-pq8 nprobe8 rescore50",
        "0.8100",
        "0.0000",
        "0.0300",
        "−0.0210",
        "0.0040",
        "0.0130",
    ]
    head, *rows = found["By locale"]
    assert head == ["locale", "cell", "n", "nDCG@10", "95 % interval"]
    assert len(rows) == 3 * len(report.cells)
    part = report.cells[1].slices[2]
    low, high = part.intervals["nDCG@10"]
    title = "alpha-e5 d384 sq8"
    assert ["es", title, "16", f"{part.measures['nDCG@10']:.4f}", f"{low:.4f}–{high:.4f}"] in rows
    assert report.ship is not None
    _, *rivals = found["Held against the best"]
    assert [row[4] for row in rivals] == ["yes" if rival.eligible else "no" for rival in report.ship.rivals]


def test_what_is_missing_has_no_heading(report: Report) -> None:
    baselines = [cell for cell in report.cells if cell.is_baseline]
    assert list(tables(render_markdown(with_cells(report, baselines)))) == ["Cells", "By locale"]


@pytest.mark.parametrize("task", ["triplets", "pairs"])
def test_pairwise_rows_have_every_measure_and_what_is_kept(task: str) -> None:
    report = make_pairwise(task)
    head, *rows = tables(render_markdown(report))["esci-triplets"]
    full = report.rows[0].measures[report.primary]
    for shown, row in zip(rows, report.rows, strict=True):
        values = dict(zip(head, shown, strict=True))
        assert (values["model"], values["dims"]) == (row.model, str(row.dim))
        assert {name: values[name] for name in row.measures} == {
            name: f"{each:.4f}" for name, each in row.measures.items()
        }
        assert values["kept"] == f"{row.measures[report.primary] / full * 100:.1f} %"


def test_text_is_shown_as_it_is() -> None:
    assert plain("a|b_c*d\n<e> `f` [g] ~h~ &amp;") == r"a\|b\_c\*d \<e\> \`f\` \[g\] \~h\~ \&amp;"
    table = markdown_table(["a", "b"], [["x|y", "1"]], words=2)
    assert table == "| a | b |\n|:---|:---|\n| x\\|y | 1 |"


def test_ties_at_the_primary_measure_s_cutoff_have_a_column(report: Report) -> None:
    cells = [replace(cell, ties={10: n, 100: 7}) for n, cell in enumerate(report.cells[:3])]
    cells.append(replace(report.cells[-1], ties={}))
    head, *rows = tables(render_markdown(with_cells(report, cells)))["Cells"]
    assert [row[head.index("ties@10")] for row in rows] == ["0", "1", "2", "–"]
    head, *rows = tables(render_markdown(replace(with_cells(report, cells), primary="AP@100")))["Cells"]
    assert [row[head.index("ties@100")] for row in rows] == ["7", "7", "7", "–"]
    values = {"nDCG": report.cells[0].per_query["nDCG@10"]}
    uncut = replace(cells[1], per_query={**cells[1].per_query, **values})
    head, *rows = tables(render_markdown(replace(with_cells(report, [uncut]), primary="nDCG")))["Cells"]
    assert rows[0][head.index("ties@10")] == "1"


def test_what_a_search_reads_beside_the_index_file_is_told(report: Report) -> None:
    head, *rows = tables(render_markdown(report))["Cells"]
    assert [row[head.index("index")] for row in rows[:4]] == ["368.7 kB", "92.2 kB", "25.0 kB", "25.0 kB + 368.6 kB"]
    ship = report.ship
    assert ship is not None
    assert "\n\nRead by a search: 92.2 kB of index.\n\n## Cells" in render_markdown(report)
    rescored = replace(report, ship=replace(ship, cell="alpha-e5-d64-ivf16-pq8-nprobe8-rescore50"))
    assert "\n\nRead by a search: 5.8 kB of index and 368.6 kB of stored vectors.\n" in render_markdown(rescored)


def test_without_advice_it_says_why(report: Report) -> None:
    none = replace(report, ship=None)
    assert "\n\nNothing fits the budget; see the notes.\n\n## Cells" in render_markdown(none)
    baselines = with_cells(report, [cell for cell in report.cells if cell.is_baseline])
    assert "\n\nNo advice: no cell's size was measured.\n\n## Cells" in render_markdown(baselines)


def test_one_query_has_no_interval(report: Report) -> None:
    text = render_markdown(one_query(report))
    assert "* full-corpus: 1 of 1 judged query (0 without a relevant document), 1 document\n" in text
    found = tables(text)
    for heading in ("Cells", "By locale", "Held against the best"):
        head, *rows = found[heading]
        assert {row[head.index("95 % interval")] for row in rows} == {"–"}


def test_one_triplet_has_no_interval() -> None:
    text = render_markdown(replace(make_pairwise(), count=1))
    assert "\n* 1 triplet\n" in text
    head, *rows = tables(text)["esci-triplets"]
    assert [row[head.index("95 % interval")] for row in rows] == ["–"] * 5
