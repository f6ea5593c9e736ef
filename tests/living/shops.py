"""Small living indexes, and what they should hold."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from searchapp.build import BuildOptions, build_index
from searchapp.corpus import Corpus, open_corpus
from searchapp.index import Index, Setting, open_index
from tests.fakes import HashEncoder

WORDS = ("red leather bag", "steel kettle", "bolso de cuero", "革 バッグ", "garden chair", "wool scarf", "oak table")
BRANDS = ("Acme", "Bolt", None)


def product(number: int, *, edition: int = 0) -> dict[str, object]:
    """Return a product; another edition of it has other words and price."""
    words = WORDS[(number + edition) % len(WORDS)]
    row = {"_id": f"p{number:04d}", "text": f"{words} {number} {edition}", "price": number / 4 + edition}
    brand = BRANDS[number % len(BRANDS)]
    return row if brand is None else {**row, "brand": brand}


def write_rows(path: Path, rows: Sequence[Mapping[str, object]]) -> Corpus:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return open_corpus(path)


def build(folder: Path, rows: Sequence[Mapping[str, object]], options: BuildOptions) -> Index:
    """Build an index of these products at `folder`; their file lies beside it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    return build_index(write_rows(folder.with_suffix(".jsonl"), rows), folder, encoder=HashEncoder(), options=options)


def hits(index: Index, texts: Sequence[str], k: int, setting: Setting = Setting()) -> list[list[tuple[str, float]]]:
    """Return ids and scores of the best k of every text."""
    found = index.search(HashEncoder().encode_queries(texts), k, setting)
    return [
        list(zip(index.documents.ids(rows[rows >= 0]), scores[rows >= 0].tolist(), strict=True))
        for rows, scores in zip(found.rows, found.scores, strict=True)
    ]


def held(index: Index) -> dict[str, dict[str, object]]:
    """Return every living document's fields by id, in row order."""
    rows = index.living_documents()
    return {
        doc_id: dict(index.documents.fields(row))
        for doc_id, row in zip(index.documents.ids(rows), rows.tolist(), strict=True)
    }


def expected(rows: Sequence[Mapping[str, object]]) -> dict[str, dict[str, object]]:
    return {str(row["_id"]): {name: value for name, value in row.items() if name != "_id"} for row in rows}


def check_whole(folder: Path) -> Index:
    """Open an index, check every file and count of it, and that nothing else lies in its folder; return it."""
    index = open_index(folder)
    index.verify()
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {*index.manifest.files, "manifest.json"}
    counts = {**index.documents.counts(), "skipped": index.manifest.counts["skipped"]}
    assert counts == index.manifest.counts
    assert len(index) == len(index.living_documents())
    return index


def same_vectors(index: Index) -> None:
    """Check that every living document has the vector of its text."""
    rows = index.living_documents()
    texts = [str(index.documents.fields(row)["text"]) for row in rows.tolist()]
    np.testing.assert_array_equal(index.vectors.take(rows), HashEncoder().encode_documents(texts))


def without_versions(index: Index) -> dict[str, object]:
    """Return what a manifest says, but for what tells a compacted index from one built afresh."""
    body = dataclasses.asdict(index.manifest)
    return {name: value for name, value in body.items() if name not in ("generation", "corpus")}
