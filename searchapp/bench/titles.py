"""What a reader sees of a document: one short line, for the hits and judgments of a report."""

import re
from collections.abc import Iterable, Mapping

from searchapp.bench.report import Cell
from searchapp.bench.runs import top_documents
from searchapp.index import Index
from searchapp.records import Value

SHOWN_HITS = 10
"""Hits of a query that a report shows."""
LONGEST = 160


def collect_titles(index: Index, cells: Iterable[Cell], qrels: Mapping[str, Mapping[str, int]]) -> dict[str, str]:
    """Return doc_id -> title for the best hits of every cell and for all judged documents that the index holds."""
    wanted = {doc_id for judged in qrels.values() for doc_id in judged}
    for cell in cells:
        wanted |= top_documents(cell.run, SHOWN_HITS)
    template = re.findall(r"\{([^{}]+)\}", str(index.manifest.corpus["text_template"]))
    rows = index.documents.rows(sorted(wanted))
    return {doc_id: title(index.documents.fields(row), template) for doc_id, row in rows.items()}


def title(fields: Mapping[str, Value], template: Iterable[str]) -> str:
    """Return the first stored field that the text was made of, else the first there is, in one line of 160 letters.

    >>> title({"brand": "Acme", "title": "Red  bag"}, ["title", "text"])
    'Red bag'
    """
    names = [name for name in template if fields.get(name)] or list(fields)
    text = " ".join(str(fields[names[0]]).split()) if names else ""
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
