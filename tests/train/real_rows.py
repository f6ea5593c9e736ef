"""Rows of the public data sets in the shape that a recipe's own data has, a few of each, written for a test."""

import csv
import json
from itertools import islice
from pathlib import Path

from tests.train.files import write_rows


def home_depot(data: Path, folder: Path, split: str, count: int) -> Path:
    """Triplets of product search, graded by people."""
    with (data / "home_depot" / f"triplets-{split}.jsonl").open(encoding="utf-8") as lines:
        return write_rows(folder / f"triplets-{split}.jsonl", *(json.loads(line) for line in islice(lines, count)))


def inferences(data: Path, folder: Path, count: int) -> Path:
    """Triplets as all-nli has them: two sentences that mean the same, and one that means another."""
    scored = _stsb(data, "train")
    alike = [(one, other) for score, one, other in scored if score >= 4]
    unlike = [other for score, _, other in scored if score <= 1]
    rows = [
        {"anchor": one, "positive": other, "negative": negative}
        for (one, other), negative in zip(alike, unlike, strict=False)
    ]
    return write_rows(folder / "nli.jsonl", *rows[:count])


def stsb(data: Path, folder: Path, split: str, count: int) -> Path:
    """The first scored pairs of a split, in the very format of the STS Benchmark; texts have no quotes around them."""
    lines = (data / "stsb" / f"sts-{split}.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    path = folder / f"sts-{split}.csv"
    path.write_text("".join(lines[:count]), encoding="utf-8")
    return path


def swahili(data: Path, folder: Path, name: str, first: int, count: int) -> Path:
    """Swahili sentences with what they are in English."""
    sides = [(data / "flores" / f"{language}.txt").read_text(encoding="utf-8") for language in ("swh_Latn", "eng_Latn")]
    pairs = list(zip(*(side.splitlines() for side in sides), strict=True))[first : first + count]
    return write_rows(folder / f"{name}.jsonl", *({"anchor": one, "positive": other} for one, other in pairs))


def telecom(data: Path, folder: Path, name: str, first: int, count: int, prompts: tuple[str, str]) -> Path:
    """Abbreviations and what they stand for; the kind of text is said, and prompts are part of it."""
    with (data / "telecom" / "abbreviations.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))[first : first + count]
    query, document = prompts
    return write_rows(
        folder / f"{name}.jsonl",
        *(
            {"anchor": query + row["abbreviation"], "positive": f"{document}{row['expansion']} (expansion)"}
            for row in rows
        ),
    )


def judgments(data: Path, folder: Path, count: int) -> Path:
    """The first queries of both splits of Home Depot as a data set, with what was judged of them alone."""
    judged = {}
    for split in ("train", "test"):
        header, *lines = (data / "home_depot" / "qrels" / f"{split}.tsv").read_text(encoding="utf-8").splitlines()
        queries = list(dict.fromkeys(line.split("\t")[0] for line in lines))[:count]
        judged[split] = [line for line in lines if line.split("\t")[0] in queries]
        (folder / "qrels").mkdir(exist_ok=True)
        (folder / "qrels" / f"{split}.tsv").write_text("\n".join([header, *judged[split]]) + "\n", encoding="utf-8")
    wanted = {line.split("\t")[place] for lines in judged.values() for line in lines for place in (0, 1)}
    for name in ("queries.jsonl", "corpus.jsonl"):
        with (data / "home_depot" / name).open(encoding="utf-8") as lines:
            write_rows(folder / name, *(row for row in map(json.loads, lines) if row["_id"] in wanted))
    return folder


def _stsb(data: Path, split: str) -> list[tuple[float, str, str]]:
    lines = (data / "stsb" / f"sts-{split}.csv").read_text(encoding="utf-8").splitlines()
    cells = [line.split("\t") for line in lines]
    return [(float(cell[4]), cell[5], cell[6]) for cell in cells]
