"""The learning curve: an SVG document of its own whose points lie where the log says."""

import re
from xml.etree import ElementTree

import pytest

from searchapp.judging.style import colours
from searchapp.train.curve import draw_curve
from searchapp.train.log import LogRow

SVG = "{http://www.w3.org/2000/svg}"
MEASURE = "shop-64_cosine_ndcg@10"
ROWS = [
    LogRow(0.0, 0, measures={MEASURE: 0.2, "shop-64_cosine_map@100": 0.9, "shop-8_cosine_ndcg@10": 0.1}),
    LogRow(0.5, 10, 4.0),
    LogRow(1.0, 20, 2.0, 3.0, measures={MEASURE: 0.6, "shop-8_cosine_ndcg@10": 0.4}),
    LogRow(2.0, 40, 1.0, 2.5, measures={MEASURE: 0.5, "shop-8_cosine_ndcg@10": 0.3}),
]


def parse(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    assert root.tag == f"{SVG}svg"
    return root


def lines(root: ElementTree.Element) -> list[list[tuple[float, float]]]:
    """The points of every line of the plots, in order; samples of the legend are no paths."""
    found = [one.get("d", "") for one in root.iter(f"{SVG}path") if "curve" in one.get("class", "").split()]
    return [[(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", drawn)] for drawn in found]


def words(root: ElementTree.Element) -> list[str]:
    return ["".join(one.itertext()) for one in root.iter(f"{SVG}text")]


def share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low)


def test_points_lie_where_the_log_says() -> None:
    drawn = lines(parse(draw_curve(ROWS, measure=MEASURE, best=20)))
    expected: list[list[tuple[int, float]]] = [
        [(10, 4.0), (20, 2.0), (40, 1.0)],
        [(20, 3.0), (40, 2.5)],
        [(0, 0.2), (20, 0.6), (40, 0.5)],
        [(0, 0.1), (20, 0.4), (40, 0.3)],
    ]
    assert [len(line) for line in drawn] == [len(line) for line in expected]
    for panel in (slice(0, 2), slice(2, 4)):
        pixels = [point for line in drawn[panel] for point in line]
        values = [point for line in expected[panel] for point in line]
        for axis in (0, 1):
            ours, theirs = [point[axis] for point in pixels], [point[axis] for point in values]
            # Pixels grow to the right with steps, and downwards while values grow.
            ends = (min(ours), max(ours)) if axis == 0 else (max(ours), min(ours))
            assert [share(one, *ends) for one in ours] == pytest.approx(
                [share(one, min(theirs), max(theirs)) for one in theirs], abs=2e-3
            )
    # Both panels have one axis of steps.
    assert drawn[0][-1][0] == drawn[2][-1][0] > drawn[0][0][0] > drawn[2][0][0]
    assert max(y for line in drawn[:2] for _, y in line) < min(y for line in drawn[2:] for _, y in line)


def test_lines_are_named_and_the_kept_step_is_marked_in_every_panel() -> None:
    root = parse(draw_curve(ROWS, measure=MEASURE, best=20))
    said = words(root)
    for name in ("training loss", "validation loss", "shop-64", "shop-8", "loss", "cosine_ndcg@10"):
        assert said.count(name) == 1, name
    assert said.count("step 20, kept") == 2 and said.count("step") == 2
    marks = [float(one.get("x1", 0)) for one in root.iter(f"{SVG}line") if one.get("class") == "baseline"]
    assert marks == [lines(root)[0][1][0]] * 2
    (description,) = root.findall(f"{SVG}desc")
    assert description.text == (
        "training loss: 4.0000 at step 10 to 1.0000 at step 40, 2.0000 at step 20, kept; "
        "validation loss: 3.0000 at step 20 to 2.5000 at step 40, 3.0000 at step 20, kept; "
        "shop-64: 0.2000 at step 0 to 0.5000 at step 40, 0.6000 at step 20, kept; "
        "shop-8: 0.1000 at step 0 to 0.3000 at step 40, 0.4000 at step 20, kept"
    )
    titles = [one.text for one in root.iter(f"{SVG}title")]
    assert "shop-8, step 20: 0.4000" in titles and "training loss, step 10: 4.0000" in titles


def test_it_stands_alone_in_light_and_dark() -> None:
    svg = draw_curve(ROWS, measure=MEASURE, best=20)
    root = parse(svg)
    (style,) = root.findall(f"{SVG}style")
    light, dark = (style.text or "").split("@media (prefers-color-scheme: dark)")
    for sheet, theme in ((light, colours("light")), (dark, colours("dark"))):
        assert f".plot .surface {{ fill: {theme['surface']}; }}" in sheet
        assert f".plot .series-1 {{ color: {theme['series-1']}; }}" in sheet
    assert "var(" not in svg and "url(" not in svg and "http" not in svg.replace(SVG.strip("{}"), "")
    (ground,) = (one for one in root.iter(f"{SVG}rect") if one.get("class") == "surface")
    assert (ground.get("width"), ground.get("height")) == (root.get("width"), root.get("height"))


def test_what_was_not_judged_has_no_panel_and_what_is_not_finite_no_point() -> None:
    rows = [LogRow(0.5, 10, 4.0), LogRow(1.0, 20, float("nan")), LogRow(1.5, 30, 3.0)]
    root = parse(draw_curve(rows, measure=None, best=30))
    assert [len(line) for line in lines(root)] == [2]
    assert "nan" not in ElementTree.tostring(root, encoding="unicode").casefold()
    judged = parse(draw_curve(ROWS[:1], measure=MEASURE, best=None))
    assert [len(line) for line in lines(judged)] == [1, 1]
    assert "loss" not in words(judged)
    assert words(parse(draw_curve([], measure=None, best=None))) == ["nothing was logged"]


def test_many_points_are_a_line_and_seven_dims_are_told_apart() -> None:
    names = [f"sts-{dim}_spearman_cosine" for dim in (768, 512, 256, 128, 64, 32, 16)]
    rows = [
        LogRow(
            step / 50, step, 3.0 / step, measures={name: 0.5 + step / 1000 - 0.01 * n for n, name in enumerate(names)}
        )
        for step in range(1, 51)
    ]
    root = parse(draw_curve(rows, measure=names[0], best=50))
    assert [len(line) for line in lines(root)] == [50] * 8
    looks = [one.get("class") for one in root.iter(f"{SVG}path") if "curve" in one.get("class", "").split()]
    assert looks == ["curve"] * 7 + ["curve again"]
    # Of a line of many points only the one that was kept is marked.
    titles = [one.text or "" for one in root.iter(f"{SVG}title")]
    assert [title for title in titles if title.startswith("sts-16")] == [f"sts-16, step 50: {0.5 + 0.05 - 0.06:.4f}"]


def test_a_loss_that_never_moved_is_a_level_line() -> None:
    # As of a model that has collapsed: the loss stays where it was.
    rows = [LogRow(1.0, 1, 5.2666), LogRow(2.0, 2, 5.2666)]
    root = parse(draw_curve(rows, measure=None, best=2))
    (drawn,) = lines(root)
    assert drawn[0][1] == drawn[1][1] and drawn[0][0] < drawn[1][0]
    # There is no half a step.
    steps = [word for word in words(root) if re.fullmatch(r"[\d,.]+", word) and float(word) < 5]
    assert steps == ["0", "1", "2"]


def test_every_element_lies_within_the_picture() -> None:
    root = parse(draw_curve(ROWS, measure=MEASURE, best=40))
    width, height = float(root.get("width", 0)), float(root.get("height", 0))
    for line in lines(root):
        assert all(0 < x < width and 0 < y < height for x, y in line)
    assert all(0 < float(one.get("y", 0)) < height for one in root.iter(f"{SVG}text"))
