"""Reports as JSON: what `--json` prints and results.json holds."""

from collections.abc import Mapping
from dataclasses import asdict

from searchapp import __version__
from searchapp.bench.report import Cell, Json, PairwiseReport, Report, Ship
from searchapp.layout import BENCH
from searchapp.metrics import Interval

FORMAT_VERSION = 1
_LATENCY = ("p50", "p95", "p99")


def report_to_json(report: Report) -> dict[str, Json]:
    """Return a report as results.json holds it; the measures of a cell are a flat map of numbers."""
    gains = report.judging.gains
    return {
        "format": BENCH.name,
        "format_version": FORMAT_VERSION,
        "searchapp": __version__,
        "task": "retrieval",
        "dataset": report.dataset,
        "split": report.split,
        "protocol": report.protocol,
        "gains": gains.name,
        "gains_by_grade": None if gains.by_grade is None else list(gains.by_grade),
        "threshold": report.judging.threshold,
        "relevant": report.relevant,
        "no_relevant": report.judging.no_relevant,
        "drop_self": report.judging.drop_self,
        "primary": report.primary,
        "documents": report.documents,
        "queries": dict(report.counts),
        "fingerprints": dict(report.fingerprints),
        "labels": list(report.evidence.labels),
        "models": [asdict(model) for model in report.models],
        "machine": dict(report.machine),
        "notes": list(report.notes),
        "ship": None if report.ship is None else _ship_to_json(report.ship),
        "cells": [cell_to_json(cell, primary=report.primary) for cell in report.cells],
    }


def pairwise_to_json(report: PairwiseReport) -> dict[str, Json]:
    """Return a report on triplets or pairs as results.json holds it."""
    return {
        "format": BENCH.name,
        "format_version": FORMAT_VERSION,
        "searchapp": __version__,
        "task": report.task,
        "dataset": report.dataset,
        "count": report.count,
        "primary": report.primary,
        "models": [asdict(model) for model in report.models],
        "rows": [
            {
                "name": row.name,
                "model": row.model,
                "dim": row.dim,
                "measures": dict(row.measures),
                "intervals": _bounds(row.intervals),
            }
            for row in report.rows
        ],
        "fingerprint": report.fingerprint,
        "notes": list(report.notes),
        "machine": dict(report.machine),
    }


def cell_to_json(cell: Cell, *, primary: str) -> dict[str, Json]:
    """Return a cell as results.json holds it: all but its hits and per-query values, which are files of their own."""
    cost, latency, loss = cell.cost, cell.cost.latency, cell.loss
    return {
        "name": cell.name,
        "model": cell.model,
        "dim": cell.dim,
        "kind": cell.kind,
        "nprobe": cell.nprobe,
        "rescore": cell.rescore,
        "measures": dict(cell.measures),
        "intervals": _bounds(cell.intervals),
        "ties": {f"@{cutoff}": count for cutoff, count in cell.ties.items()},
        "bytes_per_vector": _rounded(cost.bytes_per_vector, 2),
        "index_bytes": cost.index_bytes,
        "vectors_bytes": cost.vectors_bytes,
        "build_seconds": _rounded(cost.build_seconds, 3),
        "queries_per_second": _rounded(cost.queries_per_second, 1),
        "latency_ms": None
        if latency is None
        else {name: round(value, 4) if name in _LATENCY else value for name, value in asdict(latency).items()},
        "peak_memory_bytes": cost.peak_memory_bytes,
        "loss": None if loss is None else {"measure": primary, **asdict(loss), "total": loss.total},
        "slices": [
            {
                "by": part.by,
                "value": part.value,
                "queries": part.queries,
                "measures": dict(part.measures),
                "intervals": _bounds(part.intervals),
            }
            for part in cell.slices
        ],
    }


def _ship_to_json(ship: Ship) -> dict[str, Json]:
    return {
        "line": ship.line,
        "cell": ship.cell,
        "best": ship.best,
        "tolerance": ship.tolerance,
        "budget_bytes": ship.budget_bytes,
        "rivals": [{**asdict(rival), "interval": list(rival.interval)} for rival in ship.rivals],
        "front_bytes": list(ship.front_bytes),
        "front_latency": list(ship.front_latency),
    }


def _bounds(intervals: Mapping[str, Interval]) -> dict[str, Json]:
    return {name: [low, high] for name, (low, high) in intervals.items()}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
