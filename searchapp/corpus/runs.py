"""TREC runs, in and out: `query_id Q0 doc_id rank score tag`."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, TextIO, TypeAlias, get_args

import numpy as np

from searchapp.corpus.lines import Line, read_lines
from searchapp.corpus.qrels import BLANKS
from searchapp.corpus.sources import Source, list_sources
from searchapp.errors import InputError, RowError, UsageError
from searchapp.layout import replacing_file
from searchapp.records import Hit

_RANK = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_FORBIDDEN = re.compile(r"[ \t\r\n\v\f\0]")

Order: TypeAlias = Literal["rank", "score", "trec_eval"]
"""What a run is sorted by. "rank": the file's ranks; scores are kept and not looked at. "score": score descending, then
document id ascending. "trec_eval": as trec_eval does it, score descending in float32, then document id descending.
Ids compare by code point."""

_Line = tuple[int, Hit]


def read_run(path: str | Path, *, order: Order = "rank") -> dict[str, list[Hit]]:
    """Read a run as query id -> hits in an order, renumbered from 1.

    Under "score" and "trec_eval" the ranks of the file are not looked at, whatever they are. Raises RowError for a
    line without six columns, a score that is no finite number, a document that a query has twice, and under "rank" for
    a rank that is no whole number or that a query has twice; InputError where there are no hits; UsageError for an
    unknown order.
    """
    if order not in get_args(Order):
        raise UsageError(f"the order of a run is {order!r}; type one of: {', '.join(get_args(Order))}")
    sources = list_sources(path)
    if len(sources) != 1:
        raise InputError(f"{path} names {len(sources)} files; name one run file")
    source = sources[0]
    lines: dict[str, list[_Line]] = {}
    for line in read_lines(source):
        if line.problem:
            raise RowError(source.at(line.number), line.problem)
        if line.text.strip(" \t\r\n\v\f"):
            query_id, hit = _hit(source, line, is_ranked=order == "rank")
            lines.setdefault(query_id, []).append((line.number, hit))
    if not lines:
        raise InputError(f"{source.name} holds no hits; expected lines of: query_id Q0 doc_id rank score tag")
    return {query_id: _ordered(source, query_id, found, order) for query_id, found in lines.items()}


def write_run(path: str | Path, run: Mapping[str, Sequence[Hit]], *, tag: str) -> None:
    """Write a run, whole or not at all; the queries and hits keep their order.

    Scores have 9 significant digits, which give a float32 back exactly. Raises InputError for an id or tag
    that TREC can't hold (empty, or with white space), a document that a query has twice, ranks that don't
    rise and scores that are not finite.
    """
    place = Path(path)
    _check_name("tag", tag)
    try:
        with replacing_file(place) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as handle:
            for query_id, hits in run.items():
                _check_name("query id", query_id)
                _write_hits(handle, query_id, hits, tag)
    except OSError as error:
        raise InputError(f"{path} can't be written ({error}); name a file in a folder that exists") from None


def _write_hits(handle: TextIO, query_id: str, hits: Sequence[Hit], tag: str) -> None:
    rank = 0
    docs: set[str] = set()
    for hit in hits:
        _check_name("document id", hit.doc_id)
        if hit.doc_id in docs or hit.rank <= rank:
            raise InputError(
                f"the run of query {query_id!r} has document {hit.doc_id!r} twice, or its rank {hit.rank} after"
                f" {rank}; expected every document once and rising ranks from 1"
            )
        if not math.isfinite(hit.score):
            raise InputError(f"the score of {hit.doc_id!r} for query {query_id!r} is {hit.score}, expected a number")
        docs.add(hit.doc_id)
        rank = hit.rank
        handle.write(f"{query_id} Q0 {hit.doc_id} {rank} {float(hit.score):.9g} {tag}\n")


def _hit(source: Source, line: Line, *, is_ranked: bool) -> tuple[str, Hit]:
    where = source.at(line.number)
    cells = BLANKS.split(line.text.strip(" \t\r\n\v\f"))
    if len(cells) != 6:
        raise RowError(where, f"found {len(cells)} columns, expected 6: query_id Q0 doc_id rank score tag")
    query_id, _, doc_id, rank, score, _ = cells
    if is_ranked and not _RANK.fullmatch(rank):
        raise RowError(where, f"the rank is {rank[:40]!r}, expected a whole number such as 1")
    if not _NUMBER.fullmatch(score) or not math.isfinite(float(score)):
        raise RowError(where, f"the score is {score[:40]!r}, expected a finite number such as 0.5")
    return query_id, Hit(int(rank) if is_ranked else 0, doc_id, float(score))


def _ordered(source: Source, query_id: str, found: list[_Line], order: Order) -> list[Hit]:
    docs: dict[str, int] = {}
    ranks: dict[int, int] = {}
    for number, hit in found:
        firsts = [(f"document {hit.doc_id!r}", docs.setdefault(hit.doc_id, number))]
        if order == "rank":
            firsts.append((f"rank {hit.rank}", ranks.setdefault(hit.rank, number)))
        for what, first in firsts:
            if first != number:
                reason = f"query {query_id!r} has {what} in {source.at(first)} already; expected it once"
                if what.startswith("rank"):
                    reason += ", or to go by the scores instead: --run-order score or trec_eval"
                raise RowError(source.at(number), reason)
    hits = _sorted([hit for _, hit in found], order)
    return [Hit(rank, hit.doc_id, hit.score) for rank, hit in enumerate(hits, 1)]


def _sorted(hits: list[Hit], order: Order) -> list[Hit]:
    if order == "rank":
        return sorted(hits, key=lambda hit: hit.rank)
    if order == "score":
        return sorted(hits, key=lambda hit: (-hit.score, hit.doc_id))
    by_id = sorted(hits, key=lambda hit: hit.doc_id, reverse=True)
    with np.errstate(over="ignore"):
        scores = np.array([hit.score for hit in by_id], dtype=np.float64).astype(np.float32)
    return [by_id[row] for row in np.argsort(-scores, kind="stable")]


def _check_name(what: str, name: str) -> None:
    if not name or _FORBIDDEN.search(name):
        raise InputError(f"the {what} {name!r} can't be in a TREC run, which is cut at white space; rename it")
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise InputError(f"the {what} {name!r} holds half a surrogate pair; rename it") from None
