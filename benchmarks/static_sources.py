"""What the packaged static model is trained on: named sources with their licences, read into pairs of texts.

A reader yields (kind, anchor, text); an anchor of "" stands for a text that only queries made of it belong to.
"""

import csv
import gzip
import itertools
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

Row = tuple[str, str, str]
SENTENCES = 4
"""Sentences of an abstract that become anchors, at most."""
SYNONYMS = 3
LONGEST_NAME = 40
"""Characters of a chemical's name; longer ones are formulas."""


@dataclass(frozen=True)
class Source:
    """Texts of one origin."""

    name: str
    licence: str
    found_in: str
    """A folder of the public data, or a package and its version."""
    read: Callable[[Path, Path], Iterator[Row]]
    """Reads it, given the folder of public data and that of the unpacked packages."""


def read_lines(path: Path) -> Iterator[dict[str, str]]:
    """Yield the objects of a JSON-lines file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as handle:
        for line in handle:
            yield json.loads(line)


def judged_in_test(data: Path) -> tuple[set[str], set[str]]:
    """Return the claims and the documents of SciFact that its test split judges."""
    with (data / "scifact/qrels/test.tsv").open(encoding="utf-8") as handle:
        rows = [line.split("\t") for line in handle][1:]
    return {row[0] for row in rows}, {row[1] for row in rows}


def _scifact(data: Path, _packages: Path) -> Iterator[Row]:
    claims, documents = judged_in_test(data)
    free = {row["_id"]: row for row in read_lines(data / "scifact/corpus.jsonl") if row["_id"] not in documents}
    for row in free.values():
        yield "scifact-title", row["title"], row["text"]
        sentences = [one for one in re.split(r"(?<=[.!?])\s+(?=[A-Z0-9(])", row["text"]) if len(one.split()) >= 4]
        step = max(1, len(sentences) // SENTENCES)
        for sentence in sentences[::step][:SENTENCES]:
            yield "scifact-sentence", sentence, f"{row['title']} {row['text'].replace(sentence, '')}"
    texts = {row["_id"]: row["text"] for row in read_lines(data / "scifact/queries.jsonl") if row["_id"] not in claims}
    with (data / "scifact/qrels/train.tsv").open(encoding="utf-8") as handle:
        for claim, document, grade in [line.split("\t") for line in handle][1:]:
            if int(grade) > 0 and claim in texts and document in free:
                yield "scifact-claim", texts[claim], f"{free[document]['title']} {free[document]['text']}"


def _glosses(data: Path, _packages: Path) -> Iterator[Row]:
    for row in read_lines(data / "scale/glosses.jsonl.gz"):
        yield "gloss", "", row["text"]


def _stsb(data: Path, _packages: Path) -> Iterator[Row]:
    with (data / "stsb/sts-train.csv").open(encoding="utf-8") as handle:
        for row in csv.reader(handle, delimiter="\t", quoting=csv.QUOTE_NONE):
            if float(row[4]) >= 4:
                yield "stsb-pair", row[5], row[6]
            else:
                yield "stsb-text", "", row[5]
                yield "stsb-text", "", row[6]


def _flores(data: Path, _packages: Path) -> Iterator[Row]:
    for line in (data / "flores/eng_Latn.txt").read_text(encoding="utf-8").splitlines():
        yield "flores", "", line.strip()


def _wordnet(_data: Path, packages: Path) -> Iterator[Row]:
    for part in ("noun", "verb", "adj", "adv"):
        for lemmas, gloss in read_synsets(packages / f"usr/share/wordnet/data.{part}"):
            meaning = re.sub(r';?\s*"[^"]*"[^;]*', "", gloss).strip()
            yield "wordnet-gloss", ", ".join(lemmas), meaning
            for one, other in itertools.pairwise(lemmas):
                yield "wordnet-synonym", one, other
            for example in re.findall(r'"([^"]+)"', gloss)[:2]:
                if len(example.split()) > 3:
                    yield "wordnet-example", example, f"{', '.join(lemmas)}: {meaning}"


def read_synsets(path: Path) -> Iterator[tuple[list[str], str]]:
    """Yield the lemmas and the gloss of every synset in one of WordNet's data files."""
    for line in path.read_text(encoding="latin-1").splitlines():
        if not line.startswith(" "):
            head, _, gloss = line.partition(" | ")
            yield lemmas_of(head.split()), gloss


def lemmas_of(fields: list[str]) -> list[str]:
    """Return the lemmas that the fields of a synset name."""
    words = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
    return [re.sub(r"\(.*\)$", "", word).replace("_", " ") for word in words]


def _genes_ontology(_data: Path, packages: Path) -> Iterator[Row]:
    path = packages / "usr/lib/R/site-library/GO.db/extdata/GO.sqlite"
    with sqlite3.connect(path) as base:
        terms = {row[0]: (row[1], row[2] or "") for row in base.execute("select _id, term, definition from go_term")}
        for name, definition in terms.values():
            yield "go-definition", name, definition
        for number, synonym in base.execute("select _id, synonym from go_synonym"):
            if number in terms and not synonym.startswith("GO:"):
                yield "go-synonym", synonym, terms[number][0]


def _genes(_data: Path, packages: Path) -> Iterator[Row]:
    path = packages / "usr/lib/R/site-library/org.Hs.eg.db/extdata/org.Hs.eg.sqlite"
    names = {}
    with sqlite3.connect(path) as base:
        for number, name, symbol in base.execute("select _id, gene_name, symbol from gene_info"):
            if not symbol.startswith("LOC") and not re.search("pseudogene|uncharacterized|RNA", name):
                names[number] = (symbol, name)
                yield "gene-name", symbol, name
        for number, alias in base.execute("select _id, alias_symbol from alias"):
            if number in names and alias != names[number][0]:
                yield "gene-alias", alias, " ".join(names[number])


def _ontology(name: str, file: str) -> Callable[[Path, Path], Iterator[Row]]:
    def read(_data: Path, packages: Path) -> Iterator[Row]:
        path = packages / "cellxgene_ontology_guide/data" / f"{file}.json.zst"
        with pa.input_stream(str(path), compression="zstd") as handle:
            terms = json.load(handle)
        for term in terms.values():
            label = (term.get("label") or "").removeprefix("obsolete_").removeprefix("obsolete ")
            if name == "chebi" and len(label) >= LONGEST_NAME:
                continue
            yield f"{name}-definition", label, re.sub(r"\s*\[[^\]]*\]\.?$", ".", term.get("description") or "")
            for synonym in (term.get("synonyms") or [])[:SYNONYMS]:
                if synonym.lower() != label.lower():
                    yield f"{name}-synonym", synonym, label

    return read


_CELLXGENE = "PyPI cellxgene-ontology-guide 1.11.1"
SOURCES = (
    Source("SciFact", "CC BY 4.0 / ODC-By", "scifact", _scifact),
    Source("Open English WordNet glosses", "CC BY 4.0", "scale", _glosses),
    Source("STS Benchmark, train", "CC BY-SA 4.0", "stsb", _stsb),
    Source("FLORES, English", "CC BY-SA 4.0", "flores", _flores),
    Source("WordNet 3.0", "WordNet licence", "Debian wordnet-base 1:3.0-37", _wordnet),
    Source("Gene Ontology", "CC BY 4.0", "Debian r-bioc-go.db 3.16.0-1", _genes_ontology),
    Source("NCBI Gene", "public domain", "Debian r-bioc-org.hs.eg.db 3.16.0-1", _genes),
    Source("MONDO", "CC BY 4.0", _CELLXGENE, _ontology("mondo", "MONDO-ontology-v2026-05-05")),
    Source("ChEBI", "CC BY 4.0", _CELLXGENE, _ontology("chebi", "CHEBI-ontology-2026-05-01")),
    Source("Uberon", "CC BY 3.0", _CELLXGENE, _ontology("uberon", "UBERON-ontology-v2026-04-01")),
    Source("EFO", "Apache-2.0", _CELLXGENE, _ontology("efo", "EFO-ontology-v3.90.0")),
    Source("Cell Ontology", "CC BY 4.0", _CELLXGENE, _ontology("cl", "CL-ontology-v2026-03-26")),
)
