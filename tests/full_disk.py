"""A disk that is full, or made read-only, at a chosen moment of `searchapp index`; prints one JSON line for each.

Run as a program where one may mount (`unshare -rm`), with a corpus, a static model and a folder to work in. A small
tmpfs is filled to the last byte right before the command opens a given file; then room is made and it is typed again.
"""

import json
import os
import shutil
import subprocess
import sys
import traceback
from functools import partial
from pathlib import Path

from searchapp.build import build_index
from searchapp.cli.main import main as searchapp
from searchapp.corpus import open_corpus
from searchapp.encoders import load_encoder
from searchapp.index import open_index
from tests.kills import folder_bytes

BUILD = ("--dim", "24,8", "--kind", "flat,ivf-flat")
POINTS = {
    "vectors": ("vectors/00000.npy.partial", 0),
    "documents": ("vectors/00000.npy.partial", 1 << 18),
    "a receipt": ("receipts/index/shard-00000.json.partial", 0),
    "training": ("trained/d24-ivf", 0),
    "a flat FAISS file": ("d24-flat.faiss.partial", 0),
    "an IVF FAISS file": ("index/d8-ivf", 0),
    "the manifest": (".manifest.json.", 0),
    "the proof of a placed index": ("placed.json.partial", 0),
}
"""Part of the name of the file before whose opening the disk becomes full, and how many bytes are left of it."""
ADDED = {"an added FAISS file": ("derived/d8-sq8.faiss.partial", 0), "the manifest of more": (".manifest.json.", 0)}


def fill(ballast: Path, left: int) -> None:
    """Take all of the disk but `left` bytes."""
    with ballast.open("wb", buffering=0) as handle:
        try:
            while True:
                handle.write(bytes(1 << 16))
        except OSError:
            pass
        try:
            while True:
                handle.write(bytes(1 << 10))
        except OSError:
            pass
        handle.truncate(max(0, handle.tell() - left))


def run(call: tuple[object, ...], said: Path, ballast: Path, point: tuple[str, int] | None) -> int:
    """Run the command in a forked child, with the disk full from a point on; return its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    full = False

    def watch(event: str, args: tuple[object, ...]) -> None:
        nonlocal full
        if point is not None and event == "open" and not full and point[0] in str(args[0]):
            full = True
            fill(ballast, point[1])

    os.dup2(os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.addaudithook(watch)
    sys.argv = ["searchapp", *map(str, call)]
    code = 1
    try:
        searchapp()
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    finally:  # a forked child must not run on into its parent's code
        if sys.exc_info()[0] is not None:
            traceback.print_exc()
        sys.stderr.flush()
        os._exit(code)


def trial(
    disk: Path, call: tuple[object, ...], point: tuple[str, int], expected: dict[str, bytes]
) -> dict[str, object]:
    """Let a command fail on a full disk, make room, and type it again."""
    out, said, ballast = disk / "shop", disk.parent / "said", disk / "ballast"
    before = folder_bytes(out)
    failed = run(call, said, ballast, point)
    complaint = said.read_text(encoding="utf-8").splitlines()
    unharmed = {name: body for name, body in folder_bytes(out).items() if name in before} == before
    open_index(out).verify()
    ballast.unlink()
    codes = [failed, run(call, said, ballast, None)]
    left = sorted(item.name for item in disk.iterdir())
    return {
        "codes": codes,
        "said": complaint,
        "unharmed": unharmed,
        "same": folder_bytes(out) == expected,
        "left": left,
    }


def read_only(disk: Path, call: tuple[object, ...], base: Path, expected: dict[str, bytes]) -> dict[str, object]:
    """Let a command fail halfway, make the disk read-only, type it; make it writable and type it again."""
    out, said, ballast = disk / "shop", disk.parent / "said", disk / "ballast"
    run(call, said, ballast, POINTS["a flat FAISS file"])
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    codes = [run(call, said, ballast, None)]
    complaint = said.read_text(encoding="utf-8").splitlines()
    unharmed = folder_bytes(out) == folder_bytes(base)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    codes.append(run(call, said, ballast, None))
    going_on = said.read_text(encoding="utf-8")
    left = sorted(item.name for item in disk.iterdir())
    same = folder_bytes(out) == expected and "going on: 1 shards" in going_on
    return {"codes": codes, "said": complaint, "unharmed": unharmed, "same": same, "left": left}


def main(corpus: Path, model: Path, place: Path) -> None:
    disk, base, whole, more = (place / name for name in ("disk", "base", "whole", "more"))
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(disk)], check=True)
    small = place / "small.jsonl"
    small.write_text('{"_id": "old", "text": "what was here before"}\n', encoding="utf-8")
    add = ("--dim", "8", "--kind", "sq8")
    # Here, so that everything is imported once for all children.
    build_index(open_corpus(small), base, encoder=load_encoder(str(model)))
    codes = [run(("index", corpus, "--model", model, "--out", whole, *BUILD), place / "said", place / "none", None)]
    shutil.copytree(whole, more)
    codes.append(run(("index", "--from", more, *add), place / "said", place / "none", None))
    if any(codes):
        raise SystemExit((place / "said").read_text(encoding="utf-8"))
    build = ("index", corpus, "--model", model, "--out", disk / "shop", "--overwrite", *BUILD)
    derive = ("index", "--from", disk / "shop", *add)
    built, added = folder_bytes(whole), folder_bytes(more)
    trials = [(name, base, partial(trial, disk, build, point, built)) for name, point in POINTS.items()]
    trials += [(name, whole, partial(trial, disk, derive, point, added)) for name, point in ADDED.items()]
    trials.append(("read-only", base, partial(read_only, disk, build, base, built)))
    for name, before, attempt in trials:
        shutil.copytree(before, disk / "shop")
        sys.stdout.write(json.dumps({"point": name, **attempt()}) + "\n")
        shutil.rmtree(disk / "shop")
    subprocess.run(["umount", str(disk)], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
