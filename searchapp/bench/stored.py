"""Reports read again: from the folder that `--out` kept, and cells from the cache."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from searchapp.bench.as_json import FORMAT_VERSION
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
from searchapp.corpus import read_qrels, read_run
from searchapp.errors import InputError
from searchapp.layout import BENCH, sha256_file
from searchapp.metrics import Gains, Interval, Judging
from searchapp.records import Hit

QRELS, QUERIES, TITLES, SLICES = "qrels.trec", "queries.jsonl", "titles.jsonl", "slices.json"


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
        cells=tuple(_read_cell(folder, cell, body["sha256"]) for cell in body["cells"]),
        evidence=Evidence(
            queries={line["_id"]: line["text"] for line in _lines(folder / QUERIES)},
            qrels=read_qrels(folder / QRELS),
            titles={line["_id"]: line["title"] for line in _lines(folder / TITLES)},
            labels=tuple(body["labels"]),
            slices={
                by: {value: tuple(ids) for value, ids in values.items()}
                for by, values in json.loads((folder / SLICES).read_text(encoding="utf-8")).items()
            },
        ),
        ship=None if ship is None else _ship(ship),
        notes=tuple(body["notes"]),
        machine=body["machine"],
    )


def _read_cell(folder: Path, body: dict[str, Any], sums: Mapping[str, str]) -> Cell:
    values, run_file = f"per-query/{body['name']}.parquet", f"runs/{body['name']}.trec"
    check_whole(folder / values, sums[values])
    query_ids, per_query = read_per_query(folder / values)
    run = KeptRun(folder / run_file, sums[run_file])
    return cell_from_json(body, run=run, query_ids=query_ids, per_query=per_query)


class KeptRun(Mapping[str, Sequence[Hit]]):
    """A run in its file, read when somebody first looks at a hit."""

    def __init__(self, path: Path, sha256: str) -> None:
        self._path = path
        self._sha256 = sha256

    @cached_property
    def _held(self) -> dict[str, list[Hit]]:
        check_whole(self._path, self._sha256)
        # A run in which no query found anything is an empty file, which is no run to anybody else.
        return read_run(self._path) if self._path.stat().st_size else {}

    def __len__(self) -> int:
        return len(self._held)

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __getitem__(self, query_id: str) -> list[Hit]:
        return self._held[query_id]


def check_whole(path: Path, sha256: str) -> None:
    """Raise InputError unless a kept file has the checksum it was written with."""
    if sha256_file(path) != sha256:
        raise InputError(f"{path} is not what the bench wrote; run the bench again, or name the run file itself")


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


def _ship(body: dict[str, Any]) -> Ship:
    rivals = tuple(Rival(**{**rival, "interval": Interval(*rival["interval"])}) for rival in body["rivals"])
    fronts = {name: tuple(body[name]) for name in ("front_bytes", "front_latency")}
    return Ship(**{**body, "rivals": rivals, **fronts})


def _lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _intervals(bounds: Mapping[str, Sequence[float]]) -> dict[str, Interval]:
    return {name: Interval(*pair) for name, pair in bounds.items()}
