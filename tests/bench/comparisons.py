"""Small reports, cells and runs that comparisons are tested on."""

from collections.abc import Mapping, Sequence

import numpy as np

from searchapp.bench.report import Cell, Evidence, Report
from searchapp.judging.fingerprint import fingerprint
from searchapp.metrics import Judging, evaluate
from searchapp.records import Hit

TEXTS = (
    *("red leather bag", "steel kettle", "革のトートバッグ", "赤い靴", "가죽 지갑", "빨간 가방", "bolso de cuero"),
    *("zapatos rojos", "mfuko wa ngozi", "viatu vyekundu", "lamp", "drill"),
)
QUERIES = {f"q{n:02d}": text for n, text in enumerate(TEXTS)}
DOCUMENTS = [f"d{n:02d}" for n in range(30)]
TITLES = {doc_id: f"{('Bag', '鞄', '가방', 'bolso', 'mfuko')[n % 5]} {n}" for n, doc_id in enumerate(DOCUMENTS)}
MEASURES = ("accuracy@1", "recall@100", "nDCG@10", "RR@10", "AP@100", "precision@5")
Run = Mapping[str, Sequence[Hit]]


def make_qrels() -> dict[str, dict[str, int]]:
    """Six judged documents a query, grades 0 to 3; the last query has nothing relevant."""
    rng = np.random.default_rng(5)
    chosen = {query_id: rng.permutation(len(DOCUMENTS))[:6].tolist() for query_id in QUERIES}
    qrels = {q: {DOCUMENTS[d]: (0, 1, 3, 2, 0, 1)[n] for n, d in enumerate(found)} for q, found in chosen.items()}
    return {**qrels, "q11": dict.fromkeys(qrels["q11"], 0)}


QRELS = make_qrels()


def make_run(seed: int, *, skill: float, queries: Sequence[str] = tuple(QUERIES)) -> dict[str, list[Hit]]:
    """Rank all documents by grade with noise; the more skill, the less noise counts."""
    rng = np.random.default_rng(seed)
    run = {}
    for query_id in queries:
        scores = np.array([skill * QRELS[query_id].get(doc_id, 0) for doc_id in DOCUMENTS]) + rng.normal(size=30)
        order = np.argsort(-scores)
        run[query_id] = [Hit(rank, DOCUMENTS[d], float(scores[d])) for rank, d in enumerate(order, 1)]
    return run


def make_cell(
    name: str, run: Run, *, measures: Sequence[str] = MEASURES, judging: Judging = Judging(), dim: int | None = 64
) -> Cell:
    result = evaluate({q: [hit.doc_id for hit in hits] for q, hits in run.items()}, QRELS, measures, judging=judging)
    return Cell(
        name=name,
        model=None if dim is None else "minilm",
        dim=dim,
        kind="flat",
        nprobe=None,
        rescore=0,
        query_ids=result.query_ids,
        per_query=result.per_query,
        intervals={},
        run=run,
        ties={10: 0},
    )


def make_report(*cells: Cell, judging: Judging = Judging()) -> Report:
    judged = [(q, d, grade) for q, grades in QRELS.items() for d, grade in grades.items()]
    return Report(
        dataset="shop",
        split="test",
        protocol="full-corpus",
        judging=judging,
        relevant="grade >= 1",
        primary="nDCG@10",
        documents=30,
        counts={"judged": 12, "evaluated": 11, "without_relevant": 1},
        fingerprints={"corpus": "c0", "queries": fingerprint(QUERIES.items()), "qrels": fingerprint(judged)},
        models=(),
        cells=cells,
        evidence=Evidence(QUERIES, QRELS, TITLES, ("I", "C", "S", "E")),
    )


GOOD, POOR, FAIR = make_run(1, skill=2), make_run(2, skill=0.2), make_run(3, skill=1)


def one_cell(run: Run = GOOD, name: str = "d64-flat", *, judging: Judging = Judging()) -> Report:
    return make_report(make_cell(name, run, judging=judging), judging=judging)
