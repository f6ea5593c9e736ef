"""Reports made in memory: two models, several dims and kinds, two baselines, queries in many languages."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from searchapp.bench.report import (
    Cell,
    Cost,
    Evidence,
    Latency,
    Loss,
    Model,
    PairwiseReport,
    PairwiseRow,
    Report,
    Rival,
    Ship,
    Slice,
)
from searchapp.metrics import DEFAULT_MEASURES, ESCI, Interval, Judging, evaluate
from searchapp.records import Hit

QUERIES = (
    "red leather bag",
    "赤い 革の バッグ",
    "빨간 가죽 가방",
    "bolso de cuero rojo",
    "mfuko wa ngozi nyekundu",
    'kettle & <b>stove</b> "18 oz"',
    "静かな 掃除機",
    "lámpara de pie",
)
THINGS = ("bag", "バッグ", "가방", "bolso", "mfuko", "kettle", "掃除機", "lámpara")
LABELS = ("I", "C", "S", "E")
JUDGING = Judging(gains=ESCI, threshold=3)
ALPHA, BETA = ("alpha-e5", 384), ("acme/beta-mini", 256)


def make_report(*, queries: int = 48, several: bool = True, seed: int = 7) -> Report:
    """Return a report over 240 documents; hits are the judged order, with the more noise the smaller a cell."""
    texts = {f"q{n:02d}": f"{QUERIES[n % len(QUERIES)]} {n}" for n in range(queries)}
    rng = np.random.default_rng(seed)
    documents = [f"p{n:03d}" for n in range(240)]
    qrels = {
        query_id: {doc_id: int(grade) for doc_id, grade in zip(documents[n % 8 :: 8], _grades(rng), strict=True)}
        for n, query_id in enumerate(texts)
    }
    evidence = Evidence(
        texts, qrels, {doc_id: f"{THINGS[n % 8]} no. {n}" for n, doc_id in enumerate(documents)}, LABELS
    )
    models = (ALPHA, BETA) if several else (ALPHA,)
    cells = [cell for model in models for cell in _cells(model, evidence, rng, several=several)]
    cells += [_cell(name, evidence, rng, noise) for name, noise in (("random", 1e6), ("bm25", 2.4))]
    return Report(
        dataset="shop <esci>",
        split="test",
        protocol="full-corpus",
        judging=JUDGING,
        relevant="grade >= 3 (E)",
        primary="nDCG@10",
        documents=240,
        counts={"judged": queries + 2, "evaluated": queries, "without_relevant": 2},
        fingerprints={"corpus": "c" * 64, "queries": "d" * 64, "qrels": "e" * 64},
        models=tuple(
            Model(name, "f" * 64, dim, "mean+normalize", "query: ", "passage: ", 256, "torch float32", 12.5, 3.25)
            for name, dim in models
        ),
        cells=tuple(cells),
        evidence=evidence,
        ship=_ship(cells),
        notes=("5 documents were longer than max_seq_length 256 and lost 73 tokens",),
        machine={"cpu": "a CPU", "threads": 2, "searchapp": "0.1.0"},
    )


def make_pairwise(task: str = "triplets") -> PairwiseReport:
    """Return model A's and model B's tables: triplets, or scored pairs."""
    dims = (768, 512, 256, 128, 64)
    kept = dict(zip(dims, (0.787, 0.781, 0.774, 0.752, 0.7113), strict=True))
    names = (
        ("cosine_accuracy", "dot_accuracy", "manhattan_accuracy", "euclidean_accuracy", "max_accuracy")
        if task == "triplets"
        else ("pearson_cosine", "spearman_cosine", "pearson_max", "spearman_max")
    )
    rows = []
    for dim in dims:
        measures = {name: kept[dim] - 0.003 * place for place, name in enumerate(names)}
        intervals = {name: Interval(value - 0.0121, value + 0.0119) for name, value in measures.items()}
        rows.append(PairwiseRow(f"d{dim}", "nomic", dim, measures, intervals))
    model = Model("nomic", "f" * 64, 768, "mean", "search_query: ", "search_document: ", 8192, "torch float32")
    primary = "cosine_accuracy" if task == "triplets" else "spearman_cosine"
    return PairwiseReport(
        task="triplets" if task == "triplets" else "pairs",
        dataset="esci-triplets",
        count=10_000,
        primary=primary,
        models=(model,),
        rows=tuple(rows),
        fingerprint="a" * 64,
        notes=("3 triplets hold an anchor that is also its positive",),
        machine={"cpu": "a CPU"},
    )


def with_cells(report: Report, cells: Sequence[Cell]) -> Report:
    """Return the report with other cells and no advice."""
    return replace(report, cells=tuple(cells), ship=None)


def one_query(report: Report) -> Report:
    """Return a report of which only the first query is left; its intervals are as wide as nothing."""
    cells = []
    for cell in report.cells:
        values = {name: each[:1] for name, each in cell.per_query.items()}
        intervals = {name: Interval(float(each[0]), float(each[0])) for name, each in values.items()}
        slices = tuple(replace(part, queries=1) for part in cell.slices)
        cells.append(replace(cell, query_ids=cell.query_ids[:1], per_query=values, intervals=intervals, slices=slices))
    counts = {"judged": 1, "evaluated": 1, "without_relevant": 0}
    return replace(report, cells=tuple(cells), counts=counts, documents=1)


def _grades(rng: np.random.Generator) -> list[int]:
    return [3, 3, *rng.integers(0, 4, 28).tolist()]


def _cells(model: tuple[str, int], evidence: Evidence, rng: np.random.Generator, *, several: bool) -> list[Cell]:
    name, full = model
    cells = []
    for dim in (full, 128, 64):
        for kind, rescore, coarse in (
            ("flat", 0, 0.0),
            ("sq8", 0, 0.02),
            ("ivf16-pq8", 0, 0.7),
            ("ivf16-pq8", 50, 0.25),
        ):
            nprobe = 8 if kind.startswith("ivf") else None
            parts = [
                f"d{dim}",
                kind,
                *([f"nprobe{nprobe}"] if nprobe else []),
                *([f"rescore{rescore}"] if rescore else []),
            ]
            title = "-".join([name.replace("/", "_"), *parts] if several else parts)
            cell = _cell(title, evidence, rng, 0.6 + 0.5 * (1 - dim / full) + coarse + (full == 256) * 0.2)
            width = {"flat": 4 * dim, "sq8": dim}.get(kind, dim / 4 + 8)
            quick = 0.2 + dim / 500 if nprobe is None else 0.1 + rescore / 200
            cost = Cost(
                bytes_per_vector=width,
                index_bytes=int(width * 240) + 45,
                vectors_bytes=full * 4 * 240 if rescore else 0,
                build_seconds=0.0123 * dim / 64,
                queries_per_second=4321.0 * 64 / dim,
                latency=Latency(quick, quick * 1.7, quick * 2.9, 200, 100, 1),
                peak_memory_bytes=90_000_000 + dim * 1000,
            )
            loss = Loss(0.81, 0.02 * (full / dim - 1), 0.03 if nprobe else 0.001, -0.021 if rescore else 0.0, 0.004)
            cells.append(
                replace(cell, model=name, dim=dim, kind=kind, nprobe=nprobe, rescore=rescore, cost=cost, loss=loss)
            )
    return cells


def _cell(name: str, evidence: Evidence, rng: np.random.Generator, noise: float) -> Cell:
    documents = list(evidence.titles)
    run: dict[str, list[Hit]] = {}
    for query_id, judged in evidence.qrels.items():
        scores = np.array([judged.get(doc_id, -1) for doc_id in documents]) + rng.normal(0, noise, len(documents))
        order = np.argsort(-scores, kind="stable")[:100]
        run[query_id] = [Hit(rank, documents[row], float(scores[row])) for rank, row in enumerate(order, 1)]
    ranked = {query_id: [hit.doc_id for hit in hits] for query_id, hits in run.items()}
    evaluation = evaluate(ranked, evidence.qrels, DEFAULT_MEASURES, judging=JUDGING)
    values = {str(measure): np.asarray(each) for measure, each in evaluation.per_query.items()}
    slices = tuple(
        _slice(value, [n for n in range(len(ranked)) if n % 3 == place], values)
        for place, value in enumerate(("us", "jp", "es"))
    )
    ids = tuple(evaluation.query_ids)
    return Cell(name, None, None, name, None, 0, ids, values, _intervals(values), run, {10: 2, 100: 0}, slices=slices)


def _slice(value: str, rows: list[int], values: Mapping[str, np.ndarray]) -> Slice:
    part = {name: each[rows] for name, each in values.items()}
    return Slice(
        "locale", value, len(rows), {name: float(each.mean()) for name, each in part.items()}, _intervals(part)
    )


def _intervals(values: Mapping[str, np.ndarray]) -> dict[str, Interval]:
    spread = {name: 1.96 * each.std() / np.sqrt(len(each)) for name, each in values.items()}
    return {
        name: Interval(max(0.0, each.mean() - spread[name]), min(1.0, each.mean() + spread[name]))
        for name, each in values.items()
    }


def _ship(cells: Sequence[Cell]) -> Ship:
    dense = [cell for cell in cells if not cell.is_baseline]
    best = max(dense, key=lambda cell: cell.measures["nDCG@10"])
    rivals = []
    for cell in dense:
        difference = cell.measures["nDCG@10"] - best.measures["nDCG@10"]
        rivals.append(
            Rival(cell.name, difference, Interval(difference - 0.02, difference + 0.02), 0.04, difference > -0.02)
        )
    chosen = min(
        (cell for cell, rival in zip(dense, rivals, strict=True) if rival.eligible),
        key=lambda cell: cell.cost.bytes_per_vector or 0,
    )
    line = f"smallest within 1 % of the best nDCG@10 (paired test, p > .05): {chosen.name}"
    by_latency = sorted(dense, key=lambda cell: cell.cost.latency.p50 if cell.cost.latency else 0)
    by_bytes = sorted(dense, key=lambda cell: cell.cost.bytes_per_vector or 0)
    return Ship(line, chosen.name, best.name, 0.01, None, tuple(rivals), _front(by_bytes), _front(by_latency))


def _front(cells: Sequence[Cell]) -> tuple[str, ...]:
    names, best = [], -1.0
    for cell in cells:
        if cell.measures["nDCG@10"] > best:
            best = cell.measures["nDCG@10"]
            names.append(cell.name)
    return tuple(names)
