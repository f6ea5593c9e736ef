"""Files to train on, written for a test."""

import json
from pathlib import Path


def write_rows(path: Path, *rows: object) -> Path:
    """Write objects as JSON lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def write_beir(
    folder: Path, documents: dict[str, str], queries: dict[str, str], judged: dict[str, dict[str, int]], split: str
) -> Path:
    """Write a BEIR folder with one split."""
    write_rows(folder / "corpus.jsonl", *({"_id": key, "title": text, "text": ""} for key, text in documents.items()))
    write_rows(folder / "queries.jsonl", *({"_id": key, "text": text} for key, text in queries.items()))
    lines = ["query-id\tcorpus-id\tscore"]
    lines += [f"{query}\t{doc}\t{grade}" for query, grades in judged.items() for doc, grade in grades.items()]
    (folder / "qrels").mkdir(exist_ok=True)
    (folder / "qrels" / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder
