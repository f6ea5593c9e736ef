"""What to measure: the options of a bench, and the cells that follow from them for one index."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from searchapp.bench.report import Protocol
from searchapp.errors import UsageError
from searchapp.index import Setting, is_kind, plan_kind
from searchapp.index.derive import Target, plan_targets
from searchapp.index.kinds import Plan
from searchapp.index.manifest import Derived
from searchapp.metrics import DEFAULT_MEASURES, Gains, Judging, Measure

BASELINES = ("random", "bm25")
PRIMARY = Measure.parse("nDCG@10")


@dataclass(frozen=True, slots=True)
class BenchOptions:
    """What to measure. Empty dims and kinds take all that the index holds; None takes the data set's own."""

    dims: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()
    nprobe: tuple[int, ...] = ()
    rescore: tuple[int, ...] = ()
    measures: tuple[Measure, ...] = DEFAULT_MEASURES
    primary: Measure | None = None
    """What is plotted, split into losses and shipped by; None: nDCG@10 if it is measured, else the first measure."""
    gains: Gains | None = None
    threshold: int | None = None
    protocol: Protocol = "full-corpus"
    drop_self: bool = False
    no_relevant: Literal["drop", "zero"] = "drop"
    allow_missing: bool = False
    baselines: tuple[str, ...] = BASELINES
    language: str = "auto"
    """Of BM25's stop words and stems."""
    slices: tuple[str, ...] = ()
    """Fields of the queries, or `length`."""
    named_slices: Mapping[str, str] = field(default_factory=dict)
    """query_id -> the slice it is in, from a file."""
    tolerance: float = 0.01
    """Share of the best cell's primary measure that a smaller cell may lose."""
    budget_bytes: int | None = None

    def judging(self, gains: str, threshold: int) -> Judging:
        """Return how hits are judged, with a data set's own gains and threshold where nothing else was asked for."""
        return Judging(
            gains=self.gains or Gains.parse(gains),
            threshold=threshold if self.threshold is None else self.threshold,
            drop_self=self.drop_self,
            no_relevant=self.no_relevant,
        )

    @property
    def all_measures(self) -> tuple[Measure, ...]:
        """Return the measures to compute; a judged pool is also measured at full depth, as the ESCI paper does."""
        wanted = [*self.measures, *([self.primary] if self.primary else [])]
        if self.protocol == "judged-pool":
            wanted.append(Measure.parse("nDCG"))
        return tuple(dict.fromkeys(wanted))

    @property
    def chosen_primary(self) -> Measure:
        """Return the primary measure."""
        default = Measure.parse("nDCG") if self.protocol == "judged-pool" else PRIMARY
        return self.primary or (default if default in self.all_measures else self.all_measures[0])

    def depth(self, documents: int) -> int:
        """Return how deep to search: as far as the measures look, one further where a query's own id is dropped."""
        cutoffs = [measure.cutoff or documents for measure in self.all_measures]
        return min(documents, max(cutoffs) + self.drop_self)


@dataclass(frozen=True, slots=True)
class CellPlan:
    """A cell to be measured: a derived index, there already or to be made, and how hard to look."""

    dim: int
    kind: str
    """With its numbers."""
    asked: str
    """What to derive it from: a kind of the table or a factory string."""
    factory: str
    nlist: int | None
    nprobe: int | None
    rescore: int
    whole_graph: bool = False
    """Every code of a graph is scored instead of walking it: no cell, but what losses are counted from."""

    @property
    def setting(self) -> Setting:
        """Return the search parameters, nothing left to defaults."""
        return Setting(self.dim, self.kind, self.nprobe, self.rescore)

    @property
    def name(self) -> str:
        """Return what the cell is called within one model."""
        probes = [] if self.nprobe is None else [f"nprobe{self.nprobe}"]
        rescored = [f"rescore{self.rescore}"] if self.rescore else []
        return "-".join([f"d{self.dim}", self.kind, *probes, *rescored])


def plan_cells(options: BenchOptions, *, rows: int, width: int, held: Sequence[Derived] = ()) -> tuple[CellPlan, ...]:
    """Return the product of dims, kinds, nprobe and rescore over `rows` vectors of `width` values.

    `held` are derived indexes that are there already; without dims and kinds they are what is measured, or full width
    and flat where there are none. Lists are visited where there are lists, and rescoring goes where it may change
    anything. Raises UsageError for what can't be made or searched.
    """
    if 0 in options.nprobe:
        raise UsageError("--nprobe 0 would visit no list; type 1 or more")
    if options.nprobe and options.protocol == "judged-pool":
        raise UsageError(
            "--nprobe doesn't go with --protocol judged-pool, which ranks all of a pool; leave one of them away"
        )
    dims = options.dims or tuple(dict.fromkeys(derived.dim for derived in held)) or (width,)
    kinds = options.kinds or tuple(dict.fromkeys(derived.asked for derived in held)) or ("flat",)
    if held and not options.dims and not options.kinds:
        chosen: list[Target | Derived] = list(held)
    else:
        chosen = [_find(dim, kind, held, rows=rows, width=width) for dim in dims for kind in kinds]
    if options.nprobe and not any(_plan(one).nlist for one in chosen):
        raise UsageError("--nprobe is for kinds with lists, and none is asked for; type --kinds ivf-flat or ivf-pq too")
    cells = [cell for one in chosen for cell in _settings(_plan(one), one.dim, options, shape=(rows, width))]
    return tuple(dict.fromkeys(cells))


def reference(dim: int) -> CellPlan:
    """Return the flat cell at a dim: what losses are counted from."""
    return CellPlan(dim, "flat", "flat", "Flat", None, None, 0)


def _find(dim: int, kind: str, held: Sequence[Derived], *, rows: int, width: int) -> Target | Derived:
    """Return the derived index that is there already, or what must be made."""
    wanted = plan_kind("auto", rows=rows, dim=dim).kind if kind == "auto" else kind
    there = [derived for derived in held if derived.dim == dim and is_kind(derived, wanted)]
    return there[0] if there else plan_targets((dim,), (kind,), rows=rows, width=width)[0]


def _plan(chosen: Target | Derived) -> Plan:
    if isinstance(chosen, Target):
        return chosen.plan
    return Plan(
        chosen.kind, chosen.asked, chosen.factory, chosen.trained_on, chosen.nlist, chosen.nprobe, chosen.rescore
    )


def _settings(plan: Plan, dim: int, options: BenchOptions, *, shape: tuple[int, int]) -> Iterator[CellPlan]:
    """Yield the cells of one derived index; `shape` is rows and width."""
    rows, width = shape
    depth = options.depth(rows) if options.protocol == "full-corpus" else 0
    probes: Sequence[int | None] = (plan.nprobe,)
    if plan.nlist and options.protocol == "full-corpus":
        probes = sorted({min(nprobe, plan.nlist) for nprobe in options.nprobe}) or (plan.nprobe,)
    is_exact = plan.factory == "Flat" and dim == width
    rescores = (0,) if is_exact else (options.rescore or (plan.rescore,))
    if few := [rescore for rescore in options.rescore if 0 < rescore < depth]:
        raise UsageError(
            f"--rescore {few[0]} is fewer than the {depth} hits that the measures look at; type --rescore {depth} or "
            "more, or --measures that look less far"
        )
    if options.protocol == "judged-pool":
        # All of a pool is rescored or none of it.
        rescores = tuple({rescore > 0: rescore for rescore in rescores}.values())
    for nprobe, rescore in itertools.product(probes, rescores):
        deep = min(rows, max(rescore, depth)) if rescore else 0
        yield CellPlan(dim, plan.kind, plan.asked, plan.factory, plan.nlist, nprobe, deep)
