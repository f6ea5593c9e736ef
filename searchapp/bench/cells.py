"""Cells of one model: every planned derived index searched with the judged queries, measured, and kept in the cache."""

import os
import platform
from collections.abc import Sequence

from searchapp.bench.cache import Cache, make_key
from searchapp.bench.judge import Judge
from searchapp.bench.loss import split_loss
from searchapp.bench.plan import CellPlan, plan_cells
from searchapp.bench.probe import Probe
from searchapp.bench.report import Cell, Cost
from searchapp.bench.runs import RankedRun, ranked_run, tied_beyond
from searchapp.bench.workspace import Workspace
from searchapp.build import Progress, library_versions
from searchapp.index import Index, Ranking
from searchapp.index.vectors import Vectors


class ModelBench:
    """The cells of one workspace: one index, one encoder, one judge."""

    def __init__(self, judge: Judge, workspace: Workspace, *, cache: Cache, progress: Progress) -> None:
        self._judge = judge
        self._workspace = workspace
        self._cache = cache
        self._progress = progress
        self._means: dict[CellPlan, float] = {}
        progress("embedding queries", 0, len(judge.texts))
        self._queries, self._queries_path = workspace.embed_queries(judge.texts, judge.fingerprints["queries"])
        self._pools = judge.pools(workspace.index) if judge.options.protocol == "judged-pool" else None
        self.reused = 0
        """Cells that were found in the cache."""

    def plan(self) -> tuple[CellPlan, ...]:
        """Return the cells that the options ask for."""
        index = self._workspace.index
        held = self._workspace.held
        return plan_cells(self._judge.options, rows=index.manifest.rows, width=index.manifest.dim, held=held)

    def measure(self, plans: Sequence[CellPlan], probe: Probe) -> list[Cell]:
        """Measure every cell, or take it from the cache; each is kept as soon as it is done."""
        cells = []
        for done, plan in enumerate(plans):
            self._progress(f"measuring {plan.name}", done, len(plans))
            key = self._key(plan)
            cell = self._cache.load_cell(key)
            self.reused += cell is not None
            if cell is None:
                cell, run = self._measure(plan, probe)
                self._cache.save_cell(key, cell, run=run, primary=self._judge.primary)
            cells.append(cell)
        return cells

    def _measure(self, plan: CellPlan, probe: Probe) -> tuple[Cell, RankedRun]:
        seconds = self._workspace.ensure(plan)
        rankings = self._search(plan)
        run = ranked_run(self._workspace.index, self._judge.query_ids, rankings)
        evaluation = self._judge.evaluate(run)
        self._means[plan] = evaluation.measures[self._judge.primary]
        cell = Cell(
            name=plan.name,
            model=str(self._workspace.index.manifest.encoder["model"]),
            dim=plan.dim,
            kind=plan.kind,
            nprobe=plan.nprobe,
            rescore=plan.rescore,
            query_ids=evaluation.query_ids,
            per_query=evaluation.per_query,
            intervals=self._judge.intervals(evaluation.per_query),
            run=run,
            ties=self._judge.ties(run, tied_beyond(rankings), evaluated=frozenset(evaluation.query_ids)),
            cost=self._cost(plan, seconds, probe),
            loss=split_loss(plan, self._means[plan], self._mean, width=self._workspace.index.manifest.dim),
        )
        return cell, run

    def _search(self, plan: CellPlan) -> list[Ranking]:
        index, setting = self._workspace.index, plan.setting
        if self._pools is None:
            return [index.search(self._queries, self._judge.options.depth(len(index)), setting)]
        return [index.search_among(v[None], pool, setting) for v, pool in zip(self._queries, self._pools, strict=True)]

    def _mean(self, plan: CellPlan) -> float:
        """Judge a cell that losses are counted from, once."""
        if plan not in self._means:
            self._workspace.ensure(plan)
            index = self._workspace.index
            rankings = _search_graph(index, self._queries, plan) if plan.whole_graph else self._search(plan)
            self._means[plan] = self._judge.mean(ranked_run(index, self._judge.query_ids, rankings))
        return self._means[plan]

    def _cost(self, plan: CellPlan, seconds: float | None, probe: Probe) -> Cost:
        index = self._workspace.index
        size = index.manifest.bytes_of(index.choose(plan.setting))
        served = probe.measure(index.folder, self._queries_path, plan.setting)
        return Cost(
            bytes_per_vector=size / index.manifest.rows,
            index_bytes=size,
            vectors_bytes=4 * index.manifest.rows * index.manifest.dim if index.reads_vectors(plan.setting) else 0,
            build_seconds=seconds,
            queries_per_second=served.queries_per_second,
            latency=served.latency,
            peak_memory_bytes=served.peak_memory_bytes,
        )

    def _key(self, plan: CellPlan) -> str:
        return make_key(
            {
                **self._judge.key,
                "vectors": self._workspace.key,
                "built": self._workspace.checksum(plan),
                "cell": [plan.name, plan.factory],
                "depth": self._judge.options.depth(len(self._workspace.index)),
                "versions": library_versions(),
                "machine": [platform.node(), platform.machine(), os.cpu_count(), os.environ.get("OMP_NUM_THREADS")],
            }
        )


def _search_graph(index: Index, queries: Vectors, plan: CellPlan) -> list[Ranking]:
    """Search a graph's codes exhaustively, without the graph."""
    rows = index.living_documents()
    return [index.search_among(query[None], rows, plan.setting) for query in queries]
