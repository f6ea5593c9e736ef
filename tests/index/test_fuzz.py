"""Whatever the bytes of a folder's files: the right hits, or one line that says what is wrong; never anything else."""

import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.index.folders import make_index, random_vectors, reseal
from tests.index.hostile_folders import copy_of, is_refused, open_all, replace

BATCH, BATCHES = 20, 10
"""Folders that one process opens, and how often: 200 in all."""
EDGES = (0, 1, -1, 2, 7, 255, 1 << 16, (1 << 31) - 1, 1 << 31, 1 << 40, 1 << 62, (1 << 63) - 1, -(1 << 63))
ODD = (None, True, -1, 0, 1, 3, 1 << 60, 0.5, "", "x", "../x", "\0", "vectors/0.npy", [], {}, [[]], {"a": 1})


@st.composite
def mutations(draw: st.DrawFn) -> dict[str, Any]:
    """Draw how one folder is changed: which file, where as a share of it, how, and whether its manifest says so too."""
    return {
        "file": draw(st.integers(0, 999)),
        "how": draw(st.sampled_from(["bit", "word", "word", "header", "header", "cut", "noise", "json", "json"])),
        "place": draw(st.floats(0, 1, exclude_max=True)),
        "edge": draw(st.sampled_from(EDGES)),
        "odd": draw(st.sampled_from(ODD)),
        "resealed": draw(st.booleans()),
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole") / "index"
    kinds = ("flat", "sq8", "IVF1,PQ8x4fs", "HNSW8,Flat")
    return make_index(folder, random_vectors(700), kinds=kinds, shard_rows=350).folder


def changed(raw: bytes, mutation: dict[str, Any]) -> bytes:
    """Return a file's bytes with one mutation."""
    place = int(mutation["place"] * len(raw))
    if mutation["how"] == "cut":
        return raw[:place]
    if mutation["how"] == "noise":
        return raw[:place] + b"\xff\x00{" + raw[place:]
    if mutation["how"] == "bit":
        return raw[:place] + bytes([raw[place] ^ (1 << mutation["edge"] % 8)]) + raw[place + 1 :]
    if mutation["how"] == "header":
        place = place % 160
    place = min(place, max(0, len(raw) - 8))
    return raw[:place] + struct.pack("<q", mutation["edge"])[: len(raw) - place] + raw[place + 8 :]


def change_body(body: Any, mutation: dict[str, Any]) -> None:
    """Put something odd into one place of what a manifest says."""
    places: list[tuple[Any, Any]] = []
    todo = [body]
    while todo:
        part = todo.pop()
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        places += [(part, key) for key in keys]
        todo += [part[key] for key in keys if isinstance(part[key], (dict, list))]
    part, key = places[int(mutation["place"] * len(places))]
    part[key] = mutation["odd"]


def mutate(folder: Path, mutation: dict[str, Any]) -> None:
    """Change one file of a folder."""
    if mutation["how"] == "json":
        reseal(folder, lambda body: change_body(body, mutation))
        return
    names = sorted(path for path in folder.rglob("*") if path.is_file())
    path = names[mutation["file"] % len(names)]
    replace(path, changed(path.read_bytes(), mutation))
    if mutation["resealed"] and path.name != "manifest.json":
        reseal(folder)


def differing(hits: dict[str, Any], right: dict[str, Any]) -> bool:
    """Tell whether anything found is not what the intact index finds; an index that is not named isn't asked."""
    return any(found != right.get(name) for name, found in hits.items())


@settings(
    max_examples=BATCHES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(mutations(), min_size=BATCH, max_size=BATCH))
def test_a_changed_folder_gives_the_right_hits_or_one_line(
    whole: Path, tmp_path_factory: pytest.TempPathFactory, batch: list[dict[str, Any]]
) -> None:
    place = tmp_path_factory.mktemp("batch")
    folders = [copy_of(whole, place / str(number)) for number in range(len(batch))]
    for folder, mutation in zip(folders, batch, strict=True):
        mutate(folder, mutation)
    right, *found = open_all([whole, *folders])
    assert right["named"] == []
    assert set(right["hits"]) == {"d32-flat", "d32-sq8", "d32-ivf1-pq8x4fs", "d32-hnsw8-flat", "canaries"}
    for told, mutation in zip(found, batch, strict=True):
        if "hits" not in told:
            assert is_refused(told), (mutation, told)
        # A manifest that vouches for other files is another index, whose hits are its own.
        elif differing(told["hits"], right["hits"]) and not (mutation["resealed"] or mutation["how"] == "json"):
            assert told["named"], (mutation, told)


def test_changes_reach_every_file_and_are_found_by_verify(whole: Path, tmp_path: Path) -> None:
    names = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file())
    base = {"how": "bit", "place": 0.5, "edge": 3, "odd": None, "resealed": False}
    folders = [copy_of(whole, tmp_path / str(number)) for number in range(len(names))]
    for number, folder in enumerate(folders):
        mutate(folder, {**base, "file": number})
    assert [told["named"] for told in open_all(folders)] == [[name] for name in names]


def test_what_is_no_refusal_is_told_from_one() -> None:
    assert is_refused({"refused": "x is damaged"})
    assert not is_refused({"ended": -11})
    assert not is_refused({"refused": "Traceback\n"})
