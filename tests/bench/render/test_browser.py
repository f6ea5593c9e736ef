"""The page in a browser: what is shown, sorted and found there is what results.json says."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from searchapp.bench.as_json import report_to_json
from searchapp.bench.render.page import render_page, render_pairwise_page
from searchapp.bench.report import Cell, Report
from tests.bench.render.reports import make_pairwise, make_report, one_query

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.chrome.service import Service  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.select import Select  # noqa: E402

FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


@pytest.fixture(scope="module")
def results(report: Report) -> dict[str, Any]:
    """results.json, read as anybody would read it."""
    cells = json.loads(json.dumps(report_to_json(report)))["cells"]
    return {cell["name"]: cell for cell in cells}


@pytest.fixture(scope="module")
def files(report: Report, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    (folder / "report.html").write_text(render_page(report), encoding="utf-8")
    (folder / "pairwise.html").write_text(render_pairwise_page(make_pairwise()), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if binary is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed (apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.fixture
def page(browser: Any, files: Path) -> Any:
    """The report, freshly opened in a wide and light window."""
    return opened(browser, files / "report.html")


def opened(browser: Any, path: Path, *, width: int = 1280, theme: str = "light") -> Any:
    window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get_log("browser"), browser.get_log("performance")
    browser.get(path.as_uri())
    return browser


def button(page: Any, heading: str) -> Any:
    """Return the button that sorts the matrix by a column."""
    return page.find_element(By.XPATH, f"//table[@id='matrix']//th/button[normalize-space()='{heading}']")


def shown_order(page: Any, report: Report) -> list[str]:
    """Return the names of the matrix's rows from top to bottom."""
    lines = page.execute_script(
        "return Array.from(document.querySelectorAll('#matrix tbody th'), (cell) => cell.dataset.sort)"
    )
    named = {
        cell.name if cell.is_baseline else f"{cell.model} d{cell.dim} {cell.label}": cell.name for cell in report.cells
    }
    return [named[line] for line in lines]


def choose(page: Any, a: Cell, b: Cell, report: Report) -> None:
    for side, cell in (("cell-a", a), ("cell-b", b)):
        Select(page.find_element(By.ID, side)).select_by_index(report.cells.index(cell))


def side(page: Any, number: int) -> list[dict[str, str]]:
    """Return the hits shown on one side: rank, doc_id, title, label, what moved."""
    return page.execute_script(
        """
        const word = (item, css) => item.querySelector(css)?.firstChild.textContent ?? "";
        return Array.from(document.querySelectorAll(".side")[arguments[0]].querySelectorAll("li"), (item) => ({
          rank: word(item, ".rank"), doc: item.dataset.doc, title: word(item, ".title"), label: word(item, ".badge"),
          colour: item.querySelector(".badge").className.replace("badge ", ""), moved: word(item, ".moved"),
        }));
        """,
        number,
    )


def listed(page: Any) -> list[str]:
    return page.execute_script(
        "return Array.from(document.querySelectorAll('#query-list button'), (b) => b.dataset.id)"
    )


def values(cell: Cell) -> dict[str, float]:
    return dict(zip(cell.query_ids, cell.per_query["nDCG@10"].tolist(), strict=True))


def test_nothing_is_asked_of_the_network_and_nothing_complains(page: Any, files: Path) -> None:
    events = [json.loads(entry["message"])["message"] for entry in page.get_log("performance")]
    asked = {event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"}
    assert asked - {"data:,"} == {(files / "report.html").as_uri()}
    assert page.get_log("browser") == []


@pytest.mark.parametrize(("heading", "key", "first"), [("nDCG@10", "nDCG@10", -1), ("bytes", "bytes_per_vector", 1)])
def test_the_matrix_sorts_by_a_column(
    page: Any, report: Report, results: dict[str, Any], heading: str, key: str, first: int
) -> None:
    known = {name: cell["measures"].get(key, cell.get(key)) for name, cell in results.items()}
    before = shown_order(page, report)
    assert before == list(results)
    orders = {1: "ascending", -1: "descending"}
    for sign in (first, -first):
        button(page, heading).click()
        shown = shown_order(page, report)
        there = sorted((value for value in known.values() if value is not None), key=lambda value: sign * value)
        assert [known[name] for name in shown] == [*there, *[None] * (len(known) - len(there))]
        assert sorted(shown) == sorted(known)
        states = page.execute_script(
            "return Array.from(document.querySelectorAll('#matrix th[aria-sort]'),"
            " (heading) => [heading.innerText.split('\\n')[0], heading.ariaSort])"
        )
        assert states == [[heading, orders[sign]]]


def test_the_keyboard_sorts_too(page: Any, report: Report) -> None:
    page.execute_script("arguments[0].focus()", button(page, "p50"))
    page.switch_to.active_element.send_keys("\n")
    shown = [report.cell(name).cost.latency for name in shown_order(page, report)]
    times = [latency.p50 for latency in shown if latency]
    assert times == sorted(times)
    assert shown[-2:] == [None, None]


def test_numbers_shown_are_those_of_results_json(page: Any, results: dict[str, Any]) -> None:
    rows = page.execute_script(
        "return Array.from(document.querySelectorAll('#matrix tbody tr'),"
        " (row) => Array.from(row.cells, (cell) => cell.innerText))"
    )
    for row, cell in zip(rows, results.values(), strict=True):
        low, high = cell["intervals"]["nDCG@10"]
        assert row[1].split() == [f"{cell['measures']['nDCG@10']:.4f}", f"{low:.4f}–{high:.4f}"]


@pytest.mark.parametrize(
    ("typed", "expected"), [("가방", "가방"), ("mfuko ngozi", "mfuko"), ("赤い", "赤い"), ("BOLSO", "bolso")]
)
def test_a_query_is_found_by_its_words(page: Any, report: Report, typed: str, expected: str) -> None:
    page.find_element(By.ID, "find").send_keys(typed)
    known = {query_id for query_id in report.cells[0].query_ids if expected in report.evidence.queries[query_id]}
    assert set(listed(page)) == known
    assert page.find_element(By.ID, "found").text == f"{len(known)} of 48 queries"


def test_what_nothing_matches_is_said(page: Any) -> None:
    page.find_element(By.ID, "find").send_keys("zzz")
    assert listed(page) == []
    assert page.find_element(By.ID, "found").text == "No query has all of these words."
    assert page.find_element(By.ID, "shown").text == ""


def test_two_cells_are_shown_side_by_side_with_labels_and_what_moved(page: Any, report: Report) -> None:
    a, b = report.cell("alpha-e5-d384-flat"), report.cell("bm25")
    choose(page, a, b, report)
    for query_id in ("q01", "q05", "q30"):
        page.find_element(By.CSS_SELECTOR, f'#query-list button[data-id="{query_id}"]').click()
        judged = report.evidence.qrels[query_id]
        hits = {cell.name: [hit.doc_id for hit in cell.run[query_id][:10]] for cell in (a, b)}
        for number, cell, other in ((0, a, b), (1, b, a)):
            shown = side(page, number)
            assert [hit["doc"] for hit in shown] == hits[cell.name]
            for rank, hit in enumerate(shown):
                grade = judged.get(hit["doc"])
                assert hit["rank"] == str(rank + 1)
                assert hit["title"] == report.evidence.titles[hit["doc"]]
                assert hit["label"] == ("?" if grade is None else "ICSE"[grade])
                assert hit["colour"] == ("unjudged" if grade is None else f"level-{(0, 1, 3, 4)[grade]}")
                assert hit["moved"] == moved(hit["doc"], rank, hits[other.name], first=cell is a)
        headings = [heading.text for heading in page.find_elements(By.CSS_SELECTOR, ".side h4 span")]
        assert headings == [f"nDCG@10 {values(cell)[query_id]:.4f}" for cell in (a, b)]


def moved(doc_id: str, rank: int, others: list[str], *, first: bool) -> str:
    if doc_id not in others:
        return "gone" if first else "new"
    steps = others.index(doc_id) - rank
    return "" if first else "=" if steps == 0 else f"↑ {steps}" if steps > 0 else f"↓ {-steps}"


@pytest.mark.parametrize("order", ["difference", "b", "a", "given"])
def test_queries_come_in_the_order_asked_for(page: Any, report: Report, order: str) -> None:
    a, b = report.cell("acme_beta-mini-d256-sq8"), report.cell("alpha-e5-d64-ivf16-pq8-nprobe8")
    choose(page, a, b, report)
    Select(page.find_element(By.ID, "order")).select_by_value(order)
    gained = {query_id: round(values(b)[query_id], 4) - round(values(a)[query_id], 4) for query_id in a.query_ids}
    keys = {
        "difference": lambda query_id: -abs(gained[query_id]),
        "b": lambda query_id: -gained[query_id],
        "a": lambda query_id: gained[query_id],
        "given": list(a.query_ids).index,
    }
    shown = listed(page)
    assert [keys[order](query_id) for query_id in shown] == pytest.approx(sorted(map(keys[order], a.query_ids)))
    assert sorted(shown) == sorted(a.query_ids)
    first = page.find_element(By.CSS_SELECTOR, "#query-list .values").text.replace("−", "-").split()
    assert [float(first[0]), float(first[2])] == [round(values(cell)[shown[0]], 4) for cell in (a, b)]
    assert float(first[3]) == pytest.approx(gained[shown[0]], abs=1e-9)


@pytest.mark.parametrize("name", ["report.html", "pairwise.html"])
def test_a_phone_does_not_scroll_sideways(browser: Any, files: Path, name: str) -> None:
    page = opened(browser, files / name, width=360)
    for each in page.find_elements(By.TAG_NAME, "summary"):
        each.click()
    assert page.execute_script("return [document.documentElement.scrollWidth <= innerWidth, innerWidth]") == [True, 360]
    wide = page.execute_script(
        "return Array.from(document.querySelectorAll('main *')).filter((each) => !each.closest('.scroll, .heard')"
        " && each.getBoundingClientRect().right > innerWidth).map((each) => each.outerHTML.slice(0, 80))"
    )
    assert wide == []
    assert page.get_log("browser") == []


@pytest.mark.parametrize(
    ("theme", "ground", "ink"), [("light", (251, 251, 250), (27, 30, 37)), ("dark", (16, 18, 24), (232, 234, 240))]
)
def test_both_themes_are_drawn(
    browser: Any, files: Path, theme: str, ground: tuple[int, ...], ink: tuple[int, ...]
) -> None:
    page = opened(browser, files / "report.html", theme=theme)
    style = "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
    assert page.execute_script(style) == [f"rgb{ground}", f"rgb{ink}"]
    words = "return getComputedStyle(document.querySelector('.plot .key')).fill"
    assert page.execute_script(words) == f"rgb{ink}"


def test_arrow_keys_go_from_query_to_query(page: Any) -> None:
    shown = listed(page)
    page.execute_script("document.querySelector('#query-list button').focus()")
    for key, place in (("\ue015", 1), ("\ue015", 2), ("\ue013", 1), ("\ue010", 47), ("\ue015", 47), ("\ue011", 0)):
        page.switch_to.active_element.send_keys(key)
        current = page.find_elements(By.CSS_SELECTOR, "#query-list [aria-current='true']")
        assert [each.get_attribute("data-id") for each in current] == [shown[place]]
        assert page.switch_to.active_element == current[0]
        assert f"query {shown[place]} ·" in page.find_element(By.ID, "shown").text
    assert len(page.find_elements(By.CSS_SELECTOR, "#query-list [tabindex='0']")) == 1


def test_a_long_list_is_shown_in_steps(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "long.html").write_text(render_page(make_report(queries=130, several=False)), encoding="utf-8")
    page = opened(browser, tmp_path / "long.html")
    more = page.find_element(By.ID, "more")
    assert (len(listed(page)), more.is_displayed()) == (100, True)
    more.click()
    assert (len(listed(page)), more.is_displayed()) == (130, False)


def test_everything_that_can_be_used_has_a_name(page: Any) -> None:
    nodes = page.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = ("button", "combobox", "searchbox", "link", "img", "image", "table", "region", "navigation", "search")
    named = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored") and node.get("role", {}).get("value") in roles
    ]
    assert {role for role, name in named if not name} == set()
    found = {role: sum(each == role for each, _ in named) for role in ("searchbox", "combobox", "image", "table")}
    assert found == {"searchbox": 1, "combobox": 3, "image": 4, "table": 3}
    assert ("searchbox", "Find a query") in named


def test_words_of_the_pictures_do_not_overlap(page: Any) -> None:
    met = page.execute_script(
        """
        const met = [];
        for (const plot of document.querySelectorAll("svg.plot")) {
          const words = Array.from(plot.querySelectorAll("text"), (t) => [t.textContent, t.getBoundingClientRect()]);
          words.forEach(([one, a], place) => words.slice(0, place).forEach(([other, b]) => {
            const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (across > 0.5 && down > 3) met.push([one, other]);
          }));
          const box = plot.getBoundingClientRect();
          for (const [one, a] of words) if (a.left < box.left || a.right > box.right) met.push([one, "the edge"]);
        }
        return met;
        """
    )
    assert met == []


def test_without_a_script_all_but_the_explorer_is_there(browser: Any, files: Path, results: dict[str, Any]) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        page = opened(browser, files / "report.html")
        rows = page.find_elements(By.CSS_SELECTOR, "#matrix tbody tr")
        assert len(rows) == len(results)
        assert page.find_elements(By.CSS_SELECTOR, "#matrix th button") == []
        assert not page.find_element(By.ID, "explorer").is_displayed()
        assert "needs JavaScript" in page.find_element(By.CSS_SELECTOR, "#queries .note").text
        page.find_element(By.CSS_SELECTOR, "#about summary").click()
        assert "sha256 of the corpus" in page.find_element(By.CSS_SELECTOR, "#about details").text
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_one_query_is_one(browser: Any, report: Report, tmp_path: Path) -> None:
    (tmp_path / "one.html").write_text(render_page(one_query(report)), encoding="utf-8")
    page = opened(browser, tmp_path / "one.html")
    assert page.find_element(By.ID, "found").text == "1 of 1 query"
