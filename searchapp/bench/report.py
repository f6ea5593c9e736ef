"""What a bench found: cells, and the report that holds them. Plain data; files and pages are made of it elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from searchapp.encoders import EncoderCard
from searchapp.metrics import Interval, Judging
from searchapp.records import Hit

Protocol: TypeAlias = Literal["full-corpus", "judged-pool"]
Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True)
class Latency:
    """How long one query takes when it comes alone, without embedding it: milliseconds, over `queries` of them."""

    p50: float
    p95: float
    p99: float
    queries: int
    k: int
    threads: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a cell costs; None where there is nothing to measure (a baseline) or nobody measured it."""

    bytes_per_vector: float | None = None
    index_bytes: int | None = None
    """The derived file alone."""
    vectors_bytes: int = 0
    """The stored full-width vectors, where the search reads them as well (exact scores, rescoring); else 0."""
    build_seconds: float | None = None
    queries_per_second: float | None = None
    """All queries in one call, without embedding them."""
    latency: Latency | None = None
    peak_memory_bytes: int | None = None
    """Of a process that does nothing but open the index and search it."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Where a cell lost quality against full width and flat: parts that add up to `total`. A gain is negative."""

    reference: float
    """The measure at full width and flat."""
    truncation: float
    quantisation: float
    rescoring: float
    search: float

    @property
    def total(self) -> float:
        """Return reference - cell."""
        return self.truncation + self.quantisation + self.rescoring + self.search


@dataclass(frozen=True, slots=True)
class Slice:
    """The measures over some of the queries: those whose `by` is `value`."""

    by: str
    value: str
    queries: int
    measures: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class Cell:
    """One way to search, judged: a model, a dim, a kind, and how hard it looked. A baseline has neither model nor dim.

    `name` is unique in its report and what its files are called: `d128-ivf512-pq32-nprobe64-rescore200`.
    """

    name: str
    model: str | None
    dim: int | None
    kind: str
    nprobe: int | None
    rescore: int
    query_ids: tuple[str, ...]
    """The queries in the means."""
    per_query: Mapping[str, NDArray[np.float64]]
    """Every measure's values, aligned with `query_ids`."""
    intervals: Mapping[str, Interval]
    """95 % bootstrap bounds of the means."""
    run: Mapping[str, Sequence[Hit]]
    ties: Mapping[int, int]
    """Queries whose ranks k and k + 1 have the same score, per cutoff k."""
    cost: Cost = Cost()
    loss: Loss | None = None
    slices: tuple[Slice, ...] = ()

    @property
    def measures(self) -> dict[str, float]:
        """Return the means, keyed by `str(measure)`."""
        return {name: float(values.mean()) for name, values in self.per_query.items()}

    @property
    def label(self) -> str:
        """Return the kind with how hard it looked: `ivf512-pq48 nprobe64 rescore200`."""
        probes = [] if self.nprobe is None else [f"nprobe{self.nprobe}"]
        rescored = [f"rescore{self.rescore}"] if self.rescore else []
        return " ".join([self.kind, *probes, *rescored])

    @property
    def is_baseline(self) -> bool:
        """Tell whether this is a row to compare with, not one to ship: random, bm25, another system's run."""
        return self.dim is None


@dataclass(frozen=True, slots=True)
class Rival:
    """A cell held against the best one: the difference (cell - best), its interval, and the paired test's p."""

    name: str
    difference: float
    interval: Interval
    p: float
    eligible: bool
    """Within the tolerance, and not shown to be different."""


@dataclass(frozen=True, slots=True)
class Ship:
    """What to ship: the smallest cell that is as good as the best one, and the two fronts it was chosen from."""

    line: str
    """The advice in one line."""
    cell: str
    best: str
    tolerance: float
    budget_bytes: int | None
    rivals: tuple[Rival, ...]
    front_bytes: tuple[str, ...]
    """Names of the cells that nothing smaller beats, smallest first."""
    front_latency: tuple[str, ...]
    """The same by the median latency, fastest first."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model whose cells the report holds."""

    name: str
    fingerprint: str
    dim: int
    pooling: str
    query_prompt: str
    document_prompt: str
    max_seq_length: int | None
    runtime: str
    embed_seconds: float | None = None
    """What embedding the corpus took; None where stored vectors were used."""
    encode_ms: float | None = None
    """Median milliseconds of embedding one query alone."""


def model_of(card: EncoderCard, *, embed_seconds: float | None = None, encode_ms: float | None = None) -> Model:
    """Return what a report keeps of an encoder."""
    return Model(
        name=card.model,
        fingerprint=card.fingerprint,
        dim=card.dim,
        pooling=card.pooling,
        query_prompt=card.prompts.query,
        document_prompt=card.prompts.document,
        max_seq_length=card.max_seq_length,
        runtime=f"{card.runtime} {card.dtype}",
        embed_seconds=embed_seconds,
        encode_ms=encode_ms,
    )


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the numbers were counted over, and what a reader sees of it."""

    queries: Mapping[str, str]
    """query_id -> text, of all judged queries."""
    qrels: Mapping[str, Mapping[str, int]]
    titles: Mapping[str, str] = field(default_factory=dict)
    """doc_id -> what to show, for the judged documents and the best hits of every cell."""
    labels: tuple[str, ...] = ()
    """Names of the grades from 0 up, if they have names: I, C, S, E."""
    slices: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    """The slices that were asked for: by -> value -> query ids."""


@dataclass(frozen=True, slots=True)
class Report:
    """All cells of one bench and what they have in common."""

    dataset: str
    split: str
    protocol: Protocol
    judging: Judging
    relevant: str
    """The threshold in words: `grade >= 3 (E)`."""
    primary: str
    """The measure that is plotted, split into losses and shipped by."""
    documents: int
    counts: Mapping[str, int]
    """How many queries were judged, evaluated, left out for want of a relevant document."""
    fingerprints: Mapping[str, str]
    """sha256 of the corpus, the queries and the qrels: what makes two reports comparable."""
    models: tuple[Model, ...]
    cells: tuple[Cell, ...]
    evidence: Evidence
    ship: Ship | None = None
    notes: tuple[str, ...] = ()
    """What a reader of the numbers must know, a line each."""
    machine: Mapping[str, str | int] = field(default_factory=dict)

    def cell(self, name: str) -> Cell:
        """Return the cell of that name; KeyError if there is none."""
        return {cell.name: cell for cell in self.cells}[name]


@dataclass(frozen=True, slots=True)
class PairwiseRow:
    """One model at one dim, judged on triplets or on scored pairs.

    `measures` and `intervals` have the keys of sentence-transformers: `cosine_accuracy`, ... `max_accuracy`, or
    `pearson_cosine`, `spearman_cosine`, ... `spearman_max`.
    """

    name: str
    model: str
    dim: int
    measures: Mapping[str, float]
    intervals: Mapping[str, Interval]


@dataclass(frozen=True, slots=True)
class PairwiseReport:
    """Triplets or scored pairs, judged at every dim."""

    task: Literal["triplets", "pairs"]
    dataset: str
    count: int
    """How many triplets or pairs."""
    primary: str
    models: tuple[Model, ...]
    rows: tuple[PairwiseRow, ...]
    fingerprint: str
    """sha256 of the texts and scores."""
    notes: tuple[str, ...] = ()
    machine: Mapping[str, str | int] = field(default_factory=dict)
