"""Random runs as they come in life: tied scores, short lists, graded and missing judgments, missing queries."""

import random
from dataclasses import dataclass

from searchapp.metrics.order import Ties, order_hits


@dataclass(frozen=True)
class Case:
    scores: dict[str, dict[str, float]]
    qrels: dict[str, dict[str, int]]

    def run(self, ties: Ties = "searchapp") -> dict[str, list[str]]:
        """The rankings under a tie rule."""
        ordered = {}
        for query_id, scored in self.scores.items():
            doc_ids = list(scored)
            ordered[query_id] = [doc_ids[row] for row in order_hits(doc_ids, list(scored.values()), ties=ties)]
        return ordered


def random_case(seed: int, *, grades: tuple[int, ...], queries: int = 40, documents: int = 200) -> Case:
    """Make a run and qrels over the same documents.

    Lists have 1 to 150 documents with few different scores. About 1 query in 8 is missing from the run, 1 in 8 from
    the qrels; the first query always has a relevant document and a ranking.
    """
    rng = random.Random(seed)
    doc_ids = [f"d{number}" for number in range(documents)]
    scores, qrels = {}, {}
    for number in range(queries):
        query_id = f"q{number}"
        if number == 0 or rng.random() > 0.125:
            found = rng.sample(doc_ids, rng.choice([1, 3, 7, 12, 40, 150]))
            levels = rng.choice([2, 10, 1000])
            scores[query_id] = {doc_id: rng.randrange(levels) / 8 for doc_id in found}
        if number == 0 or rng.random() > 0.125:
            judged = rng.sample(doc_ids, rng.choice([1, 2, 5, 30, 150]))
            qrels[query_id] = {doc_id: rng.choice(grades) for doc_id in judged}
    qrels["q0"][doc_ids[0]] = max(grades)
    return Case(scores, qrels)
