"""Hard negatives: what a search finds near a query and nobody calls relevant."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from searchapp.build import Progress, silent
from searchapp.corpus.qrels import Qrels
from searchapp.errors import InputError, UsageError
from searchapp.index import Setting
from searchapp.records import Query, Triplet
from searchapp.search import Searcher

BLOCK = 256
"""Queries that are encoded and searched at a time."""
SPARE = 8
"""Candidates chosen beyond those asked for, as some turn out to have the text of a relevant document."""

Texts = Callable[[set[str]], Mapping[str, str]]
"""Gives the texts of documents by their ids; those it doesn't have are left out."""


@dataclass(frozen=True, slots=True)
class MineOptions:
    """What counts as a hard negative. Raises UsageError for numbers that can't be."""

    negatives: int = 1
    """Of each row, at most."""
    depth: int = 100
    """Hits that are looked at."""
    skip_top: int = 0
    """Ranks from 1 on whose unjudged documents are left out: the likeliest to be relevant."""
    max_score_ratio: float = 0.95
    """An unjudged document scores below this share of the positive's score."""
    judged_only: bool = False
    """Whether unjudged documents are left out altogether."""

    def __post_init__(self) -> None:
        least = {"--negatives": self.negatives, "--depth": self.depth, "--skip-top": self.skip_top + 1}
        for option, value in least.items():
            if value < 1:
                smallest = 0 if option == "--skip-top" else 1
                raise UsageError(f"{option} must be at least {smallest}; type {option} {smallest}")
        if not 0 < self.max_score_ratio <= 1:
            raise UsageError(
                f"--max-score-ratio is {self.max_score_ratio:g}, expected a share of the positive's score, above 0 and"
                " up to 1; type --max-score-ratio 0.95"
            )
        if self.skip_top >= self.depth:
            raise UsageError(f"--skip-top {self.skip_top} leaves none of {self.depth} hits; type a larger --depth")


@dataclass(frozen=True, slots=True)
class Judged:
    """Queries with their judgments; relevant is a document of grade `threshold` or more.

    Raises InputError where none is relevant to any query.
    """

    queries: Sequence[Query]
    qrels: Qrels
    threshold: int

    def __post_init__(self) -> None:
        best = max((grade for query in self.queries for grade in self.qrels[query.query_id].values()), default=0)
        if best < self.threshold:
            advice = f"type --threshold {best}" if best > 0 else "name other judgments"
            raise InputError(
                f"no document is relevant: the best grade is {best}, and from {self.threshold} on one is; {advice}"
            )


@dataclass(frozen=True, slots=True)
class Mined:
    """Rows with hard negatives, one of each query and positive that has any, and what was met on the way."""

    triplets: Sequence[Triplet]
    counts: Mapping[str, int]
    """queries, queries_without_positives, positives_missing (in no document of the index), pairs, triplets,
    negatives, negatives_judged (of those), pairs_without_negatives; and of the hits of all queries: hits,
    hits_relevant, hits_skipped (by --skip-top), hits_unjudged (by --judged-only), of each pair hits_too_near."""


@dataclass(frozen=True, slots=True)
class _Pick:
    query: Query
    positive: str
    candidates: tuple[str, ...]


def mine(
    searcher: Searcher,
    judged: Judged,
    texts: Texts,
    *,
    options: MineOptions = MineOptions(),
    progress: Progress = silent,
) -> Mined:
    """Search every query and choose hard negatives for each of its positives, in the order of queries, grades and ids.

    Of the first `depth` hits those judged below the threshold come first, then the unjudged ones by rank that score
    below `max_score_ratio` times what the positive scores (Moreira et al. 2024, NV-Retriever, TopK-PercPos): one that
    is nearer may well be relevant and have been overlooked. All scores are cosines at full width. A document with the
    text of a relevant one is no negative. Raises InputError where not a single pair has one, or is there.
    """
    counts: Counter[str] = Counter()
    picks = list(_picks(searcher, judged, options, counts, progress))
    needed = {doc_id for pick in picks for doc_id in (pick.positive, *pick.candidates)}
    progress("reading texts", 0, None)
    found = texts(needed)
    triplets = list(_triplets(picks, found, judged, options.negatives, counts))
    if not counts["pairs"]:
        raise InputError(
            f"none of the {counts['positives_missing']:,} relevant documents is there to be searched; name the corpus"
            " that belongs to these judgments"
        )
    if not triplets:
        raise InputError(
            f"none of {counts['pairs']:,} pairs of a query and a relevant document has a hard negative"
            f" ({counts['hits_relevant']:,} of {counts['hits']:,} hits are relevant themselves,"
            f" {counts['hits_too_near']:,} too near); type a larger --depth, or --max-score-ratio 1"
        )
    return Mined(triplets, {name: counts[name] for name in _NAMES})


_NAMES = (
    *("queries", "queries_without_positives", "positives_missing", "pairs", "triplets", "negatives"),
    *("negatives_judged", "pairs_without_negatives"),
    *("hits", "hits_relevant", "hits_skipped", "hits_unjudged", "hits_too_near"),
)


def _picks(
    searcher: Searcher, judged: Judged, options: MineOptions, counts: Counter[str], progress: Progress
) -> Iterator[_Pick]:
    """Yield the candidates of every pair, the best first."""
    positives = {query.query_id: _positives(judged.qrels[query.query_id], judged.threshold) for query in judged.queries}
    asked = [query for query in judged.queries if positives[query.query_id]]
    counts.update(queries=len(judged.queries), queries_without_positives=len(judged.queries) - len(asked))
    index, setting = searcher.index, Setting(rescore=options.depth)
    rows = index.documents.rows(doc_id for ids in positives.values() for doc_id in ids)
    for start in range(0, len(asked), BLOCK):
        progress("searching", start, len(asked))
        block = asked[start : start + BLOCK]
        vectors = searcher.encoder.encode_queries([query.text for query in block])
        ranking = index.search(vectors, options.depth, setting)
        for place, query in enumerate(block):
            there = [doc_id for doc_id in positives[query.query_id] if doc_id in rows]
            counts["positives_missing"] += len(positives[query.query_id]) - len(there)
            pool = index.search_among(
                vectors[place : place + 1], np.array([rows[doc_id] for doc_id in there], dtype=np.int64), setting
            )
            scores = dict(zip(index.documents.ids(pool.rows[0]), pool.scores[0].tolist(), strict=True))
            real = ranking.rows[place] >= 0
            ids = index.documents.ids(ranking.rows[place][real])
            hits = list(zip(ids, ranking.scores[place][real].tolist(), strict=True))
            sure, unjudged = _sort(hits, judged.qrels[query.query_id], judged.threshold, options, counts)
            for positive in there:
                # Of a positive with a score below 0 a share of it would be above it.
                limit = scores[positive] - (1 - options.max_score_ratio) * abs(scores[positive])
                far = [doc_id for doc_id, score in unjudged if score < limit]
                counts.update(pairs=1, hits_too_near=len(unjudged) - len(far))
                yield _Pick(query, positive, (*sure, *far)[: options.negatives + SPARE])


def _positives(grades: Mapping[str, int], threshold: int) -> list[str]:
    ids = sorted(grades, key=lambda doc_id: (-grades[doc_id], doc_id))
    return [doc_id for doc_id in ids if grades[doc_id] >= threshold]


def _sort(
    hits: Sequence[tuple[str, float]],
    grades: Mapping[str, int],
    threshold: int,
    options: MineOptions,
    counts: Counter[str],
) -> tuple[list[str], list[tuple[str, float]]]:
    """Return the hits judged below the threshold, and the unjudged ones that may be taken, with their scores."""
    sure, unjudged = [], []
    counts["hits"] += len(hits)
    for rank, (doc_id, score) in enumerate(hits, 1):
        grade = grades.get(doc_id)
        if grade is not None and grade >= threshold:
            counts["hits_relevant"] += 1
        elif grade is not None:
            sure.append(doc_id)
        elif options.judged_only:
            counts["hits_unjudged"] += 1
        elif rank <= options.skip_top:
            counts["hits_skipped"] += 1
        else:
            unjudged.append((doc_id, score))
    return sure, unjudged


def _triplets(
    picks: Sequence[_Pick], texts: Mapping[str, str], judged: Judged, count: int, counts: Counter[str]
) -> Iterator[Triplet]:
    """Turn ids into texts; documents of one text are one, and one with the text of a relevant one is no negative."""
    relevant: dict[str, set[str]] = {}
    for pick in picks:
        if pick.positive in texts:
            relevant.setdefault(pick.query.query_id, set()).add(texts[pick.positive])
    for pick in picks:
        taboo = relevant.get(pick.query.query_id, set())
        by_text: dict[str, str] = {}
        for doc_id in pick.candidates:
            if doc_id in texts and texts[doc_id] not in taboo:
                by_text.setdefault(texts[doc_id], doc_id)
        negatives = list(by_text)[:count]
        if pick.positive not in texts or not negatives:
            counts["pairs_without_negatives"] += 1
            continue
        grades = judged.qrels[pick.query.query_id]
        counts.update(
            triplets=1, negatives=len(negatives), negatives_judged=sum(by_text[text] in grades for text in negatives)
        )
        yield Triplet(pick.query.text.strip(), texts[pick.positive], tuple(negatives))
