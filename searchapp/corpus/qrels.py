"""Judgments: TREC qrels and the tab separated ones of BEIR."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from searchapp.corpus.lines import Line, read_lines
from searchapp.corpus.rows import BadRows
from searchapp.corpus.sources import Source, list_sources
from searchapp.errors import InputError, RowError
from searchapp.records import Qrel

BLANKS = re.compile(r"[ \t\r\n\v\f]+")
"""What separates the columns of a TREC file: ASCII white space only, so that ids may hold any other."""

_GRADE = re.compile(r"([+-]?[0-9]{1,9})(\.0*)?")
_HEADER = {
    "query": ("query-id", "query_id", "qid"),
    "doc": ("corpus-id", "corpus_id", "doc-id", "doc_id", "docid"),
    "grade": ("score", "grade", "relevance", "rel"),
}

Qrels = dict[str, dict[str, int]]


def read_qrels(path: str | Path, bad_rows: BadRows | None = None) -> Qrels:
    """Read judgments as query id -> document id -> grade.

    TREC has four columns with white space between them, `query_id 0 doc_id grade`; BEIR three with tabs below
    the header `query-id corpus-id score`; the first line tells which it is. A bad row goes to `bad_rows`,
    which raises by default: a wrong number of columns, a grade that is no whole number, a document judged
    twice for a query. Raises InputError where there are no judgments.
    """
    sources = list_sources(path)
    if len(sources) != 1:
        raise InputError(f"{path} names {len(sources)} files; name one qrels file")
    return read_qrels_from(sources[0], bad_rows or BadRows())


def read_qrels_from(source: Source, bad_rows: BadRows) -> Qrels:
    """Read the judgments of a source; see `read_qrels`."""
    return collect(source, _judgments(source, bad_rows), bad_rows)


def collect(source: Source, judgments: Iterable[tuple[int, Qrel]], bad_rows: BadRows) -> Qrels:
    """Gather judgments, each with its line, by query; one that is there twice is a bad row."""
    qrels: Qrels = {}
    places: dict[str, dict[str, int]] = {}
    for number, qrel in judgments:
        lines = places.setdefault(qrel.query_id, {})
        if qrel.doc_id in lines:
            first, grade = lines[qrel.doc_id], qrels[qrel.query_id][qrel.doc_id]
            bad_rows.refuse(
                RowError(
                    source.at(number),
                    f"query {qrel.query_id!r} and document {qrel.doc_id!r} get grade {qrel.grade} here and"
                    f" {grade} in {source.at(first)}; expected one judgment of a pair, so remove the other",
                )
            )
            continue
        lines[qrel.doc_id] = number
        qrels.setdefault(qrel.query_id, {})[qrel.doc_id] = qrel.grade
    if not qrels:
        raise InputError(f"{source.name} holds no judgments; expected at least one")
    return qrels


def read_grade(text: str) -> int | None:
    """Return a whole number, also one written 1.0, or None."""
    match = _GRADE.fullmatch(text)
    return int(match.group(1)) if match else None


def _judgments(source: Source, bad_rows: BadRows) -> Iterator[tuple[int, Qrel]]:
    order: tuple[int, int, int] | None = None  # columns of query, document and grade below a header
    first = True
    for line in read_lines(source):
        text = line.text.strip(" \t\r\n\v\f")
        if not text:
            continue
        try:
            if first:
                order = _header(source, line)
            if not first or order is None:
                yield line.number, _trec(source, line) if order is None else _beir(source, line, order)
        except RowError as error:
            bad_rows.refuse(error)
        first = False


def _header(source: Source, line: Line) -> tuple[int, int, int] | None:
    """Return where the columns of a BEIR file are, or None for a TREC file."""
    if line.problem:
        raise InputError(f"{source.at(line.number)}: the first line can't be read: {line.problem}")
    cells = [cell.strip() for cell in line.text.split("\t")]
    if len(cells) != 3 or len(_cut(line)) == 4:
        return None
    places = [[index for index, cell in enumerate(cells) if cell.casefold() in names] for names in _HEADER.values()]
    if [len(found) for found in places] != [1, 1, 1]:
        raise InputError(
            f"{source.at(line.number)}: found the header {cells}, expected query-id, corpus-id, score;"
            " put that line on top"
        )
    return places[0][0], places[1][0], places[2][0]


def _beir(source: Source, line: Line, order: tuple[int, int, int]) -> Qrel:
    where = source.at(line.number)
    if line.problem:
        raise RowError(where, line.problem)
    cells = line.text.rstrip("\r\n").split("\t")
    if len(cells) != 3:
        raise RowError(where, f"found {len(cells)} columns, expected 3 with tabs between: query-id, corpus-id, score")
    query_id, doc_id, grade = (cells[index] for index in order)
    return _qrel(where, query_id, doc_id, grade.strip())


def _trec(source: Source, line: Line) -> Qrel:
    where = source.at(line.number)
    if line.problem:
        raise RowError(where, line.problem)
    cells = _cut(line)
    if len(cells) != 4:
        raise RowError(
            where,
            f"found {len(cells)} columns, expected 4 (query_id 0 doc_id grade), or on top of the file the header"
            " query-id, corpus-id, score with tabs between",
        )
    return _qrel(where, cells[0], cells[2], cells[3])


def _cut(line: Line) -> list[str]:
    return BLANKS.split(line.text.strip(" \t\r\n\v\f"))


def _qrel(where: str, query_id: str, doc_id: str, grade_text: str) -> Qrel:
    grade = read_grade(grade_text)
    if grade is None:
        raise RowError(where, f"the grade is {grade_text[:40]!r}, expected a whole number such as 0, 1 or 2")
    if not query_id or not doc_id:
        raise RowError(where, "an id is empty; expected a query id and a document id")
    return Qrel(query_id, doc_id, grade)
