"""The matrix: models x dims x kinds x search parameters -> cells, with baselines beside them -> one report."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from searchapp.bench.cache import Cache
from searchapp.bench.cells import ModelBench
from searchapp.bench.judge import Judge
from searchapp.bench.machine import describe_machine
from searchapp.bench.notes import (
    budget_note,
    count_without_relevant,
    describe_threshold,
    dropped_note,
    index_notes,
    latency_note,
    missing_documents,
    pool_note,
)
from searchapp.bench.plan import BenchOptions
from searchapp.bench.probe import Probe
from searchapp.bench.report import Cell, Evidence, Model, Report, model_of
from searchapp.bench.rows import ListedDocuments, baseline_cells, system_cell
from searchapp.bench.runs import Rowed
from searchapp.bench.ship import choose
from searchapp.bench.titles import collect_titles
from searchapp.bench.workspace import Workspace
from searchapp.build import Progress, silent
from searchapp.corpus import Dataset
from searchapp.errors import UsageError
from searchapp.records import Hit

Systems = Mapping[str, Mapping[str, Sequence[Hit]]]
"""Runs of other systems by name."""
NO_SYSTEMS: Systems = {}


@dataclass
class _Gathered:
    """What the models gave so far."""

    models: list[Model]
    rows: list[Cell]
    """Baselines and other systems."""
    cells: list[Cell]
    notes: list[str]
    titles: dict[str, str]
    documents: int = 0
    reused: int = 0


def run_bench(
    dataset: Dataset,
    workspaces: Iterable[AbstractContextManager[Workspace]],
    *,
    cache: Cache,
    options: BenchOptions = BenchOptions(),
    systems: Systems = NO_SYSTEMS,
    progress: Progress = silent,
) -> Report:
    """Measure every cell of every workspace, the baselines and the runs of other systems.

    Workspaces are opened one after the other, so that one model is held at a time. Raises InputError where judged
    documents are not in an index, unless `allow_missing`; UsageError for cells that can't be; MeasureError where
    nothing can be computed.
    """
    judge = Judge(dataset, options)
    found = _Gathered([], [], [], [], {})
    with Probe() as probe:
        for number, context in enumerate(workspaces):
            with context as workspace:
                _gather(found, judge, workspace, (cache, probe), progress)
                if number == 0:
                    _add_baselines(found, judge, workspace.index, progress)
                titles = collect_titles(workspace.index, [*found.rows, *found.cells], dataset.qrels)
                found.titles = {**titles, **found.titles}
    if not found.models:
        listed = ListedDocuments(dataset.corpus.documents())
        found.documents = len(listed)
        _add_baselines(found, judge, listed, progress)
    for name, hits in systems.items():
        cell, notes = system_cell(judge, name, hits)
        found.rows.append(cell)
        found.notes += notes
    return _report(judge, _distinct(found, len(found.models)))


def _gather(
    found: _Gathered, judge: Judge, workspace: Workspace, tools: tuple[Cache, Probe], progress: Progress
) -> None:
    """Measure one model's cells and add them to what was found."""
    index, encoder = workspace.index, workspace.encoder
    missing = missing_documents(judge, index)
    bench = ModelBench(judge, workspace, cache=tools[0], progress=progress)
    found.cells += bench.measure(bench.plan(), tools[1])
    found.documents = len(index)
    found.reused += bench.reused
    milliseconds = workspace.time_encoding(judge.texts)
    found.models.append(model_of(encoder.card, embed_seconds=workspace.embed_seconds, encode_ms=milliseconds))
    found.notes += [*missing, *index_notes(judge.dataset, index)]


def _add_baselines(found: _Gathered, judge: Judge, corpus: Rowed, progress: Progress) -> None:
    cells, notes = baseline_cells(judge, corpus, progress=progress)
    found.rows += cells
    found.notes += notes


def _distinct(found: _Gathered, models: int) -> _Gathered:
    """Put the model's name before the names of its cells where there are several models."""
    if models > 1:
        found.cells = [
            cell if cell.model is None else replace(cell, name=f"{_slug(cell.model)}-{cell.name}")
            for cell in found.cells
        ]
    found.cells = [*found.rows, *found.cells]
    names = [cell.name for cell in found.cells]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UsageError(f"two rows of the table would be called {twice[0]}; name other models, or rename a run's file")
    return found


def _report(judge: Judge, found: _Gathered) -> Report:
    options, dataset = judge.options, judge.dataset
    cells = tuple(
        replace(cell, slices=judge.slices(cell.per_query, cell.query_ids))
        if options.slices or options.named_slices
        else cell
        for cell in found.cells
    )
    notes = [*dict.fromkeys(found.notes), *pool_note(cells, options), *dropped_note(judge), *latency_note(cells)]
    notes += budget_note(cells, options.budget_bytes)
    if found.reused:
        notes.append(f"measured by an earlier bench and found in the cache: {found.reused} of {len(found.cells)} rows")
    return Report(
        dataset=dataset.name,
        split=dataset.split,
        protocol=options.protocol,
        judging=judge.judging,
        relevant=describe_threshold(judge.judging.threshold, dataset.labels),
        primary=judge.primary,
        documents=found.documents,
        counts={
            "judged": len(dataset.qrels),
            "evaluated": len(cells[0].query_ids),
            "without_relevant": count_without_relevant(judge),
        },
        fingerprints={"corpus": dataset.corpus.survey().fingerprint, **judge.fingerprints},
        models=tuple(found.models),
        cells=cells,
        evidence=Evidence(
            queries=dict(zip(judge.query_ids, judge.texts, strict=True)),
            qrels=dataset.qrels,
            titles=found.titles,
            labels=dataset.labels,
            slices=judge.sliced,
        ),
        ship=choose(cells, judge.primary, tolerance=options.tolerance, budget_bytes=options.budget_bytes),
        notes=tuple(notes),
        machine=describe_machine(),
    )


def _slug(model: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in model.rstrip("/").rsplit("/", 1)[-1].lower())
