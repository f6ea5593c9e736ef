"""Pictures: every mark stands where the axes say its number is, words don't overlap, and a PNG has the colours."""

import math
import re
import zlib
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest

from searchapp.bench.render.plots import draw_plots, svg_to_png
from searchapp.bench.render.retention import PUBLISHED, retention_curves
from searchapp.bench.render.tradeoff import PRICES
from searchapp.bench.report import Report, Ship
from searchapp.judging.style import colours
from searchapp.metrics import Interval
from tests.bench.render.reports import make_pairwise, make_report, with_cells

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def report() -> Report:
    return make_report()


@pytest.fixture(scope="module")
def one() -> Report:
    return make_report(several=False)


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def ticks(svg: ElementTree.Element, anchor: str) -> list[tuple[float, float]]:
    """Return (value, place) of the ticks: of the y axis for "end", of the x axis for "middle"."""
    found = []
    for text in svg.iter(f"{SVG}text"):
        words = (text.text or "").replace("−", "-").replace(",", "").removesuffix(" %")
        if text.get("class") == "tick" and text.get("text-anchor") == anchor and re.fullmatch(r"-?[\d.]+", words):
            found.append((float(words), float(text.get("y", 0)) - 4 if anchor == "end" else float(text.get("x", 0))))
    return found


def reader(marks: list[tuple[float, float]], *, log: bool = False):
    """Return the function from a place to the value there, by the outermost two ticks."""
    (low, start), *_, (high, end) = sorted(marks)
    if log:
        return lambda at: math.exp(math.log(low) + (at - start) / (end - start) * (math.log(high) - math.log(low)))
    return lambda at: low + (at - start) / (end - start) * (high - low)


def middle(shape: ElementTree.Element) -> tuple[float, float]:
    """Return the centre of a mark: a circle's, or the middle of a path's box."""
    if shape.tag == f"{SVG}circle":
        return float(shape.get("cx", 0)), float(shape.get("cy", 0))
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", shape.get("d", ""))]
    return (min(numbers[::2]) + max(numbers[::2])) / 2, (min(numbers[1::2]) + max(numbers[1::2])) / 2


def boxes(svg: ElementTree.Element) -> list[tuple[str, float, float, float, float]]:
    """Return (words, left, top, right, bottom) of all text, characters half an em wide (the mean of sans-serif)."""
    offsets = {
        id(text): group.get("transform", "") for group in svg.iter(f"{SVG}g") for text in group.iter(f"{SVG}text")
    }
    found = []
    for text in svg.iter(f"{SVG}text"):
        dx, dy = (float(part) for part in re.findall(r"[\d.]+", offsets.get(id(text), "")) or (0, 0))
        words, x, y = text.text or "", float(text.get("x", 0)) + dx, float(text.get("y", 0)) + dy
        width = 12 * 0.56 * len(words)
        left = x - {"start": 0, "middle": width / 2, "end": width}[text.get("text-anchor", "start")]
        found.append((words, left, y - 9, left + width, y + 2))
    return found


def overlaps(found: list[tuple[str, float, float, float, float]]) -> list[tuple[str, str]]:
    return [
        (one[0], other[0])
        for place, one in enumerate(found)
        for other in found[:place]
        if one[1] < other[3] and other[1] < one[3] and one[2] < other[4] and other[2] < one[4]
    ]


def test_a_report_has_four_pictures_and_pairs_have_one(report: Report) -> None:
    assert list(draw_plots(report)) == ["retention", "bytes", "latency", "loss"]
    assert list(draw_plots(make_pairwise())) == ["retention"]


def test_what_was_not_measured_is_not_drawn(report: Report) -> None:
    cells = [replace(cell, cost=replace(cell.cost, latency=None), loss=None) for cell in report.cells]
    without = [cell for cell in cells if cell.kind != "flat"]
    assert list(draw_plots(with_cells(report, without))) == ["bytes"]
    baselines = [cell for cell in report.cells if cell.is_baseline]
    assert draw_plots(with_cells(report, baselines)) == {}


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("retention", "acme/beta-mini: 256 dims 100.0 %, 128 dims 94.9 %, 64 dims 90.2 %; nomic"),
        ("bytes", "24 cells. The front, cheapest first: 1  alpha-e5 d64 ivf16-pq8 nprobe8: 0.5693, 24 B; 2  alpha"),
        ("latency", "24 cells. The front, cheapest first: 1  alpha-e5 d384 ivf16-pq8 nprobe8: 0.7428, 0.10 ms; 2  a"),
        ("loss", "alpha-e5 d64 flat: 0.1050 (truncation 0.1000, quantisation 0.0010, search 0.0040); "),
    ],
)
def test_a_picture_names_and_describes_itself(report: Report, name: str, told: str) -> None:
    svg = parse(draw_plots(report)[name])
    title, description = svg.find(f"{SVG}title"), svg.find(f"{SVG}desc")
    assert svg.get("role") == "img"
    assert title is not None and description is not None
    assert (svg.get("aria-labelledby"), svg.get("aria-describedby")) == (title.get("id"), description.get("id"))
    assert "nDCG@10" in (title.text or "")
    assert told in (description.text or "")


def test_names_never_become_markup(report: Report) -> None:
    name = '<script>alert("1 & 2")</script>'
    models = tuple(replace(model, name=name) if model.name == "alpha-e5" else model for model in report.models)
    cells = tuple(replace(cell, model=name) if cell.model == "alpha-e5" else cell for cell in report.cells)
    for svg in draw_plots(replace(report, models=models, cells=cells)).values():
        assert not list(parse(svg).iter(f"{SVG}script"))
        assert name in "".join(parse(svg).itertext())


def test_shares_are_of_the_full_width_mean_and_intervals_those_of_the_ratio(report: Report) -> None:
    curves = {curve.name: curve for curve in retention_curves(report)}
    assert {name: [kept.dim for kept in curve.points] for name, curve in curves.items()} == {
        "alpha-e5": [384, 128, 64],
        "acme/beta-mini": [256, 128, 64],
    }
    rng = np.random.default_rng(1)
    full = report.cell("alpha-e5-d384-flat").per_query["nDCG@10"]
    for kept in curves["alpha-e5"].points[1:]:
        values = report.cell(f"alpha-e5-d{kept.dim}-flat").per_query["nDCG@10"]
        assert kept.share == pytest.approx(values.mean() / full.mean(), abs=1e-12)
        assert kept.width == kept.dim / 384
        drawn = rng.integers(0, len(full), (20_000, len(full)))
        low, high = np.quantile(values[drawn].mean(axis=1) / full[drawn].mean(axis=1), (0.025, 0.975))
        assert kept.interval.low == pytest.approx(low, abs=0.006)
        assert kept.interval.high == pytest.approx(high, abs=0.006)
    assert curves["alpha-e5"].points[0].interval == Interval(1.0, 1.0)


def test_an_interval_is_of_the_ratio_not_of_the_mean(one: Report) -> None:
    full, cut = one.cell("d384-flat"), one.cell("d128-flat")
    halved = replace(cut, per_query={"nDCG@10": full.per_query["nDCG@10"] * 0.5})
    (curve,) = retention_curves(with_cells(one, [full, halved]))
    # Every query keeps exactly half, so nothing is uncertain, however much the queries differ.
    assert curve.points[1].share == pytest.approx(0.5, abs=1e-12)
    assert list(curve.points[1].interval) == pytest.approx([0.5, 0.5], abs=1e-9)


def test_pairwise_shares_are_of_the_full_width_row() -> None:
    report = make_pairwise()
    (curve,) = retention_curves(report)
    assert [(kept.dim, round(kept.share, 4)) for kept in curve.points] == [
        (768, 1.0),
        (512, round(0.781 / 0.787, 4)),
        (256, round(0.774 / 0.787, 4)),
        (128, round(0.752 / 0.787, 4)),
        (64, round(0.7113 / 0.787, 4)),
    ]
    assert curve.points[4].interval.low == pytest.approx((0.7113 - 0.0121) / 0.787)


def test_published_curves_are_those_of_the_cards() -> None:
    assert [[(kept.dim, kept.share) for kept in curve.points] for curve in PUBLISHED] == [
        [(768, 1.0), (512, 0.995), (256, 0.98), (128, 0.953), (64, 0.901)],
        [(768, 1.0), (512, 0.99), (256, 0.965), (128, 0.922), (64, 0.837)],
    ]
    swahili = {768: 0.3461, 512: 0.3425, 256: 0.3339, 128: 0.3191, 64: 0.2897}
    for kept in PUBLISHED[1].points:
        assert kept.share == pytest.approx(swahili[kept.dim] / swahili[768], abs=6e-4)


def test_retention_marks_stand_where_the_axes_say(one: Report) -> None:
    svg = parse(draw_plots(one)["retention"])
    (curve,) = retention_curves(one)
    share = reader(ticks(svg, "end"))
    group = next(
        group for group in svg.iter(f"{SVG}g") if group.get("class") == "series-0" and group.findall(f"{SVG}g")
    )
    marks = [middle(mark) for mark in group.iter(f"{SVG}circle")]
    assert [share(y) / 100 for _, y in marks] == pytest.approx([kept.share for kept in curve.points], abs=1e-3)
    places = {
        text.text: float(text.get("x", 0)) for text in svg.iter(f"{SVG}text") if text.get("text-anchor") == "middle"
    }
    halving = places["full"] - places["1/2"]
    widths = [2 ** ((x - places["full"]) / halving) for x, _ in marks]
    assert widths == pytest.approx([1, 1 / 3, 1 / 6], rel=2e-3)
    bars = [line for line in group.iter(f"{SVG}line") if line.get("class") == "interval"]
    bounds = [[share(float(line.get(end, 0))) / 100 for end in ("y1", "y2")] for line in bars]
    assert bounds == [pytest.approx(list(kept.interval), abs=1e-3) for kept in curve.points[1:]]


@pytest.mark.parametrize("name", ["bytes", "latency"])
def test_trade_off_marks_stand_where_the_axes_say(report: Report, name: str) -> None:
    price = next(price for price in PRICES if price.name == name)
    svg = parse(draw_plots(report)[name])
    cost, score = reader(ticks(svg, "middle"), log=True), reader(ticks(svg, "end"))
    groups = [group for group in svg.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
    drawn = {}
    for group in groups:
        mark = next(each for each in group if "mark" in each.get("class", ""))
        bar = next(group.iter(f"{SVG}line"))
        x, _ = middle(mark)
        title = (group.findtext(f"{SVG}title") or "").partition(":")[0]
        height = middle(mark)[1] if mark.tag == f"{SVG}circle" or "Z" in mark.get("d", "") else math.nan
        drawn[title] = (cost(x), score(height), score(float(bar.get("y1", 0))), score(float(bar.get("y2", 0))), mark)
    cells = [cell for cell in report.cells if not cell.is_baseline]
    assert len(drawn) == len(cells)
    for cell in cells:
        shown = drawn[f"{cell.model} d{cell.dim} {cell.label}"]
        assert shown[0] == pytest.approx(price.read(cell), rel=5e-3)
        # A triangle's middle is half a unit above its place.
        assert shown[1] == pytest.approx(cell.measures["nDCG@10"], abs=2e-3)
        assert shown[2:4] == pytest.approx(cell.intervals["nDCG@10"], abs=1e-3)
        assert report.ship is not None
        assert ("hollow" in shown[4].get("class", "")) == (cell.name not in price.front(report.ship))


def test_the_front_is_numbered_cheapest_first_and_told_below(report: Report) -> None:
    assert report.ship is not None
    for name, front in (("bytes", report.ship.front_bytes), ("latency", report.ship.front_latency)):
        svg = parse(draw_plots(report)[name])
        key = [text.text or "" for text in svg.iter(f"{SVG}text") if text.get("class") == "key"]
        told = [
            f"{place}  {c.model} d{c.dim} {c.label}: {c.measures['nDCG@10']:.4f}"
            for place, c in enumerate(map(report.cell, front), 1)
        ]
        assert [words.rpartition(",")[0] for words in key] == told


def test_the_front_goes_in_steps_to_the_right_then_up(report: Report) -> None:
    svg = parse(draw_plots(report)["bytes"])
    cost, score = reader(ticks(svg, "middle"), log=True), reader(ticks(svg, "end"))
    (drawn,) = [each for each in svg.findall(f"{SVG}path") if each.get("class") == "front"]
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", drawn.get("d", ""))]
    assert report.ship is not None
    front = [report.cell(name) for name in report.ship.front_bytes]
    costs, scores = [cell.cost.bytes_per_vector for cell in front], [cell.measures["nDCG@10"] for cell in front]
    steps = [(costs[0], scores[0])]
    for place in range(1, len(front)):
        steps += [(costs[place], scores[place - 1]), (costs[place], scores[place])]
    assert [cost(x) for x in numbers[::2]] == pytest.approx([x for x, _ in steps], rel=5e-3)
    assert [score(y) for y in numbers[1::2]] == pytest.approx([y for _, y in steps], abs=1e-3)


def test_baselines_are_lines_or_arrows(report: Report) -> None:
    svg = parse(draw_plots(report)["bytes"])
    score = reader(ticks(svg, "end"))
    lines = [line for line in svg.findall(f"{SVG}line") if line.get("class") == "baseline"]
    assert [score(float(line.get("y1", 0))) for line in lines] == [
        pytest.approx(report.cell("bm25").measures["nDCG@10"], abs=1e-3)
    ]
    words = [text.text for text in svg.iter(f"{SVG}text")]
    assert f"random {report.cell('random').measures['nDCG@10']:.4f}" in words
    assert "↓" in words


@pytest.mark.parametrize("name", ["retention", "bytes", "latency", "loss"])
def test_words_do_not_overlap(report: Report, one: Report, name: str) -> None:
    assert overlaps(boxes(parse(draw_plots(report)[name]))) == []
    assert overlaps(boxes(parse(draw_plots(one)[name]))) == []


def test_thirty_points_on_a_front_have_words_that_do_not_overlap(one: Report) -> None:
    base = one.cells[0]
    cells = [
        replace(
            base,
            name=f"c{n}",
            nprobe=n + 1,
            per_query={"nDCG@10": np.full(48, 0.4 + 0.01 * n)},
            intervals={"nDCG@10": Interval(0.39 + 0.01 * n, 0.41 + 0.01 * n)},
            cost=replace(base.cost, bytes_per_vector=40 * 1.1**n),
        )
        for n in range(30)
    ]
    names = tuple(cell.name for cell in cells)
    ship = Ship("line", "c0", "c29", 0.01, None, (), names, ())
    svg = parse(draw_plots(replace(one, cells=tuple(cells), ship=ship))["bytes"])
    labels = [text.text for text in svg.iter(f"{SVG}text") if text.get("class") == "point-label"]
    assert labels == [str(place) for place in range(1, 31)]
    assert overlaps(boxes(svg)) == []


def test_losses_are_as_long_as_they_are_large(report: Report) -> None:
    svg = parse(draw_plots(report)["loss"])
    value = reader(ticks(svg, "middle"))
    groups = [group for group in svg.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
    cells = [cell for cell in report.cells if cell.loss is not None]
    assert len(groups) == len(cells)
    for group, cell in zip(groups, cells, strict=True):
        loss = cell.loss
        assert loss is not None
        parts = {
            "truncation": loss.truncation,
            "quantisation": loss.quantisation,
            "rescoring": loss.rescoring,
            "search": loss.search,
        }
        for rect in group.iter(f"{SVG}rect"):
            part = parts[rect.get("class", "").removeprefix("part-")]
            left, width = float(rect.get("x", 0)), float(rect.get("width", 0))
            assert value(left + width) - value(left) == pytest.approx(abs(part), abs=1e-3)
            assert (value(left + width / 2) > 0) == (part > 0)
        sides = [sum(part for part in parts.values() if (part > 0) == side) for side in (False, True)]
        edges = [value(float(rect.get("x", 0))) for rect in group.iter(f"{SVG}rect")]
        far = [value(float(rect.get("x", 0)) + float(rect.get("width", 0))) for rect in group.iter(f"{SVG}rect")]
        assert [min([0.0, *edges]), max([0.0, *far])] == pytest.approx(sides, abs=1e-3)
        dot = next(group.iter(f"{SVG}circle"))
        assert value(float(dot.get("cx", 0))) == pytest.approx(loss.total, abs=1e-3)


@pytest.mark.parametrize("name", ["retention", "bytes", "latency", "loss"])
def test_a_png_is_twice_as_large_in_the_light_colours(report: Report, name: str) -> None:
    pytest.importorskip("resvg_py", reason="resvg_py is not installed")
    svg = draw_plots(report)[name]
    picture = decode_png(svg_to_png(svg))
    width, height = (round(2 * float(parse(svg).get(side, 0))) for side in ("width", "height"))
    assert picture.shape == (height, width, 4)
    palette = colours("light")
    assert picture[0, 0].tolist() == [*rgb(palette["surface"]), 255]
    series = "part-0" if name == "loss" else "series-0"
    assert (picture[:, :, :3] == rgb(palette[series])).all(axis=2).sum() > 50
    assert (picture[:, :, :3] == 0).all(axis=2).sum() == 0


def rgb(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def decode_png(data: bytes) -> np.ndarray:
    """Return the pixels (height, width, 4) of a PNG of 8 bits a channel with alpha, not interlaced."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(data[place : place + 4], "big") for place in (16, 20))
    assert data[24:29] == bytes([8, 6, 0, 0, 0])
    packed, at = b"", 8
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if data[at + 4 : at + 8] == b"IDAT":
            packed += data[at + 8 : at + 8 + length]
        at += length + 12
    raw = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(height, width * 4 + 1)
    lines = np.zeros((height + 1, width * 4 + 4), np.int64)
    for row in range(height):
        lines[row + 1, 4:] = _unfilter(int(raw[row, 0]), raw[row, 1:].astype(np.int64), lines[row])
    return lines[1:, 4:].reshape(height, width, 4)


def _unfilter(kind: int, line: np.ndarray, above: np.ndarray) -> np.ndarray:
    if kind == 0:
        return line
    if kind == 2:
        return (line + above[4:]) % 256
    out = np.zeros(len(line) + 4, np.int64)
    for at in range(4, len(out)):
        left, up, corner = int(out[at - 4]), int(above[at]), int(above[at - 4])
        if kind == 1:
            guess = left
        elif kind == 3:
            guess = (left + up) // 2
        else:
            guess = min((left, up, corner), key=lambda one: abs(left + up - corner - one))
        out[at] = (int(line[at - 4]) + guess) % 256
    return out[4:]
