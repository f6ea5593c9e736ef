"""A small BEIR data set with graded labels, ties and a query without a relevant document."""

import json
from pathlib import Path

import pytest

from searchapp.corpus import Dataset, open_dataset

NOUNS = ("bag", "kettle", "lamp", "chair", "drill", "paint", "ladder", "shelf", "rug", "faucet")
COLORS = ("red", "blue", "green", "black", "white", "赤い", "azul", "빨간")


def write_beir(folder: Path) -> Path:
    """Write 240 products, 40 queries and their grades: 2 for the thing in the colour, 1 for the thing, 0 for others."""
    (folder / "qrels").mkdir(parents=True)
    products = [(f"p{n:03d}", NOUNS[n % 10], COLORS[n // 10 % 8], n // 80) for n in range(240)]
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as out:
        for doc_id, noun, color, copy in products:
            text = f"{color} {noun}" if copy < 2 else f"{color} {noun} set of {copy}"
            out.write(json.dumps({"_id": doc_id, "title": text, "text": ""}, ensure_ascii=False) + "\n")
    asked = [(f"q{n:02d}", NOUNS[n % 10], COLORS[n % 8]) for n in range(40)]
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as out:
        for query_id, noun, color in asked:
            out.write(json.dumps({"_id": query_id, "text": f"{noun} {color}"}, ensure_ascii=False) + "\n")
    lines = ["query-id\tcorpus-id\tscore"]
    for number, (query_id, noun, color) in enumerate(asked):
        for place, (doc_id, its_noun, its_color, _) in enumerate(products):
            if (place * 7 + number) % 3:
                continue
            grade = (its_noun == noun) + (its_noun == noun and its_color == color)
            lines.append(f"{query_id}\t{doc_id}\t{0 if number == 13 else grade}")
    (folder / "qrels/test.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def beir_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_beir(tmp_path_factory.mktemp("beir") / "shop")


@pytest.fixture(scope="session")
def dataset(beir_folder: Path) -> Dataset:
    return open_dataset(beir_folder)
