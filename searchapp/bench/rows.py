"""Rows beside the cells: baselines, and the runs of other systems, judged by the same judge."""

from collections.abc import Mapping, Sequence

from searchapp.bench.judge import Judge
from searchapp.bench.report import Cell, Cost
from searchapp.bench.runs import compact
from searchapp.build import Progress
from searchapp.index import Index
from searchapp.records import Hit


def baseline_cells(judge: Judge, index: Index, *, progress: Progress) -> list[Cell]:
    """Return the rows of the baselines asked for."""
    return []


def system_cell(judge: Judge, name: str, hits: Mapping[str, Sequence[Hit]]) -> Cell:
    """Judge another system's run; of a judged pool only what is judged counts."""
    if judge.options.protocol == "judged-pool":
        hits = {
            query_id: [hit for hit in found if hit.doc_id in judge.dataset.qrels.get(query_id, ())]
            for query_id, found in hits.items()
        }
    run = compact(judge.query_ids, hits)
    evaluation = judge.evaluate(run)
    return Cell(
        name=name,
        model=None,
        dim=None,
        kind=name,
        nprobe=None,
        rescore=0,
        query_ids=evaluation.query_ids,
        per_query=evaluation.per_query,
        intervals=judge.intervals(evaluation.per_query),
        run=run,
        ties={},
    )
