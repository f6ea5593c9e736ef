"""What a bench found: cells, and the report that holds them, as JSON and as files."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from searchapp.corpus import write_run
from searchapp.layout import BENCH, committing_folder
from searchapp.metrics import Evaluation
from searchapp.records import Hit

PARTS = (("runs", "trec"), ("per-query", "parquet"))


@dataclass(frozen=True, slots=True)
class Cell:
    """One way to search, judged: a dim, a kind, and how hard it looked."""

    dim: int
    kind: str
    nprobe: int | None
    rescore: int
    evaluation: Evaluation
    run: Mapping[str, Sequence[Hit]]
    ties: Mapping[int, int]
    """Queries whose ranks k and k + 1 have the same score, per cutoff k."""
    bytes_per_vector: float
    queries_per_second: float

    @property
    def name(self) -> str:
        """Return what the cell's files are called."""
        return f"d{self.dim}-{self.label}".replace(" ", "-")

    @property
    def label(self) -> str:
        """Return the kind with how hard it looked: `ivf512-pq48 nprobe64 rescore200`."""
        probes = [] if self.nprobe is None else [f"nprobe{self.nprobe}"]
        rescored = [f"rescore{self.rescore}"] if self.rescore else []
        return " ".join([self.kind, *probes, *rescored])

    def to_json(self) -> dict[str, object]:
        """Return the cell as `--json` prints it; `measures` is a flat map of numbers."""
        return {
            "dim": self.dim,
            "kind": self.kind,
            "nprobe": self.nprobe,
            "rescore": self.rescore,
            "measures": dict(self.evaluation.measures),
            "ties": {f"@{cutoff}": count for cutoff, count in self.ties.items()},
            "bytes_per_vector": round(self.bytes_per_vector, 2),
            "queries_per_second": round(self.queries_per_second, 1),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """All cells of one bench and what they have in common."""

    dataset: str
    split: str
    model: str
    protocol: str
    gains: str
    relevant: str
    documents: int
    queries: Mapping[str, int]
    """How many were judged, evaluated, left out for want of a relevant document."""
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, a line each."""

    def to_json(self) -> dict[str, object]:
        """Return the report as `--json` prints it."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "model": self.model,
            "protocol": self.protocol,
            "gains": self.gains,
            "relevant": self.relevant,
            "documents": self.documents,
            "queries": dict(self.queries),
            "notes": list(self.notes),
            "cells": [cell.to_json() for cell in self.cells],
        }


def write_report(folder: Path, report: Report) -> None:
    """Write results.json, a TREC run per cell under runs/ and per-query values under per-query/, all or nothing.

    Results of an earlier bench at `folder` are replaced, anything else is left alone. Raises IndexFolderError where
    something is in the way, InputError for ids that a TREC run can't hold.
    """
    files = [f"{part}/{cell.name}.{ending}" for cell in report.cells for part, ending in PARTS]
    body = {"format": BENCH.name, "files": files, **report.to_json()}
    with committing_folder(folder, overwrite=True, made=BENCH) as temporary:
        for part, _ in PARTS:
            (temporary / part).mkdir()
        for cell in report.cells:
            write_run(temporary / "runs" / f"{cell.name}.trec", cell.run, tag=f"searchapp-{cell.name}")
            columns: dict[str, pa.Array] = {"query_id": pa.array(cell.evaluation.query_ids, pa.string())}
            columns |= {name: pa.array(values) for name, values in cell.evaluation.per_query.items()}
            pq.write_table(pa.table(columns), temporary / "per-query" / f"{cell.name}.parquet")
        text = json.dumps(body, indent=2, ensure_ascii=False) + "\n"
        (temporary / BENCH.marker).write_text(text, encoding="utf-8")
