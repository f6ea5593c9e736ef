"""Reports as JSON and as files: what `--json` prints, what `--out` and the cache keep, and how it is read again."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from searchapp import __version__
from searchapp.bench.report import (
    Cell,
    Cost,
    Evidence,
    Json,
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
from searchapp.corpus import read_qrels, read_run
from searchapp.errors import InputError
from searchapp.layout import BENCH
from searchapp.metrics import Gains, Interval, Judging

FORMAT_VERSION = 1
QRELS, QUERIES, TITLES = "qrels.trec", "queries.jsonl", "titles.jsonl"
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


def cell_from_json(
    body: Mapping[str, Any],
    *,
    run: Mapping[str, Sequence[Any]],
    query_ids: tuple[str, ...],
    per_query: Mapping[str, np.ndarray[Any, np.dtype[np.float64]]],
) -> Cell:
    """Return the cell that `cell_to_json` wrote, with what lies beside it. Raises KeyError or TypeError if damaged."""
    latency, loss = body["latency_ms"], body["loss"]
    parts = None if loss is None else {name: loss[name] for name in Loss.__dataclass_fields__}
    return Cell(
        name=body["name"],
        model=body["model"],
        dim=body["dim"],
        kind=body["kind"],
        nprobe=body["nprobe"],
        rescore=body["rescore"],
        query_ids=query_ids,
        per_query=per_query,
        intervals=_intervals(body["intervals"]),
        run=run,
        ties={int(cutoff.removeprefix("@")): count for cutoff, count in body["ties"].items()},
        cost=Cost(
            bytes_per_vector=body["bytes_per_vector"],
            index_bytes=body["index_bytes"],
            vectors_bytes=body["vectors_bytes"],
            build_seconds=body["build_seconds"],
            queries_per_second=body["queries_per_second"],
            latency=None if latency is None else Latency(**latency),
            peak_memory_bytes=body["peak_memory_bytes"],
        ),
        loss=None if parts is None else Loss(**parts),
        slices=tuple(
            Slice(part["by"], part["value"], part["queries"], part["measures"], _intervals(part["intervals"]))
            for part in body["slices"]
        ),
    )


def read_results(folder: str | Path) -> Report | PairwiseReport:
    """Read what `bench --out` kept: the same report, with runs, per-query values and judgments.

    Raises InputError where the folder is none of a bench's results, of another format version, or damaged.
    """
    folder = Path(folder)
    body = _read_body(folder)
    try:
        return _pairwise(body) if body["task"] != "retrieval" else _retrieval(folder, body)
    except (KeyError, TypeError, ValueError, AttributeError, OSError, pa.ArrowException) as error:
        raise InputError(f"{folder} is damaged ({error!r}); run the bench again") from None


def fingerprint(items: Iterable[Sequence[object]]) -> str:
    """Return the hex sha256 of items, whatever their order."""
    digest = hashlib.sha256()
    for line in sorted(json.dumps(list(item), ensure_ascii=False) for item in items):
        digest.update(line.encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def write_per_query(path: Path, cell: Cell) -> None:
    """Write a cell's values, a row for each query in the means: query_id and a float64 column for each measure."""
    columns: dict[str, pa.Array] = {"query_id": pa.array(cell.query_ids, pa.string())}
    columns |= {name: pa.array(values, pa.float64()) for name, values in cell.per_query.items()}
    pq.write_table(pa.table(columns), path)


def read_per_query(path: Path) -> tuple[tuple[str, ...], dict[str, np.ndarray[Any, np.dtype[np.float64]]]]:
    """Return the query ids and every measure's values, float64 (n,), as `write_per_query` wrote them."""
    table = pq.read_table(path)
    names = [name for name in table.column_names if name != "query_id"]
    return tuple(table["query_id"].to_pylist()), {name: table[name].to_numpy() for name in names}


def _read_body(folder: Path) -> dict[str, Any]:
    path = folder / BENCH.marker
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} can't be read ({error}); name a folder that searchapp bench --out made") from None
    if not isinstance(body, dict) or body.get("format") != BENCH.name:
        raise InputError(f"{path} holds no bench's results; name a folder that searchapp bench --out made")
    if body.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path} has format version {body.get('format_version')}, this searchapp reads {FORMAT_VERSION}; "
            "run the bench again"
        )
    return body


def _retrieval(folder: Path, body: dict[str, Any]) -> Report:
    table = body["gains_by_grade"]
    ship = body["ship"]
    return Report(
        dataset=body["dataset"],
        split=body["split"],
        protocol=body["protocol"],
        judging=Judging(
            gains=Gains(body["gains"], None if table is None else tuple(table)),
            threshold=body["threshold"],
            drop_self=body["drop_self"],
            no_relevant=body["no_relevant"],
        ),
        relevant=body["relevant"],
        primary=body["primary"],
        documents=body["documents"],
        counts=body["queries"],
        fingerprints=body["fingerprints"],
        models=tuple(Model(**model) for model in body["models"]),
        cells=tuple(_read_cell(folder, cell) for cell in body["cells"]),
        evidence=Evidence(
            queries={line["_id"]: line["text"] for line in _lines(folder / QUERIES)},
            qrels=read_qrels(folder / QRELS),
            titles={line["_id"]: line["title"] for line in _lines(folder / TITLES)},
            labels=tuple(body["labels"]),
        ),
        ship=None if ship is None else _ship(ship),
        notes=tuple(body["notes"]),
        machine=body["machine"],
    )


def _read_cell(folder: Path, body: dict[str, Any]) -> Cell:
    query_ids, per_query = read_per_query(folder / "per-query" / f"{body['name']}.parquet")
    path = folder / "runs" / f"{body['name']}.trec"
    run = read_run(path) if path.stat().st_size else {}
    return cell_from_json(body, run=run, query_ids=query_ids, per_query=per_query)


def _pairwise(body: dict[str, Any]) -> PairwiseReport:
    return PairwiseReport(
        task=body["task"],
        dataset=body["dataset"],
        count=body["count"],
        primary=body["primary"],
        models=tuple(Model(**model) for model in body["models"]),
        rows=tuple(
            PairwiseRow(row["name"], row["model"], row["dim"], row["measures"], _intervals(row["intervals"]))
            for row in body["rows"]
        ),
        fingerprint=body["fingerprint"],
        notes=tuple(body["notes"]),
        machine=body["machine"],
    )


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


def _ship(body: dict[str, Any]) -> Ship:
    rivals = tuple(Rival(**{**rival, "interval": Interval(*rival["interval"])}) for rival in body["rivals"])
    fronts = {name: tuple(body[name]) for name in ("front_bytes", "front_latency")}
    return Ship(**{**body, "rivals": rivals, **fronts})


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _bounds(intervals: Mapping[str, Interval]) -> dict[str, Json]:
    return {name: [low, high] for name, (low, high) in intervals.items()}


def _intervals(bounds: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    return {name: Interval(*pair) for name, pair in bounds.items()}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
