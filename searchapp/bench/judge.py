"""The judge of one bench: one data set, one set of measures, one protocol, the same for every system."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from searchapp.bench.plan import BenchOptions
from searchapp.bench.report import Slice
from searchapp.bench.runs import RankedRun, Rowed
from searchapp.bench.slices import Slices, cut_slices, measure_slices
from searchapp.corpus import Dataset
from searchapp.index.vectors import Rows
from searchapp.judging.fingerprint import fingerprint
from searchapp.metrics import Evaluation, Interval, Judging, bootstrap_means, evaluate

PerQuery = Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Judge:
    """A data set and how its hits are judged. Makes the same numbers for every system.

    Raises UsageError for a slice that can't be cut.
    """

    dataset: Dataset
    options: BenchOptions
    sliced: Slices = field(init=False)
    """The slices asked for: by -> value -> query ids."""

    def __post_init__(self) -> None:
        sliced = cut_slices(self.dataset.queries, self.options.slices, self.options.named_slices)
        object.__setattr__(self, "sliced", sliced)

    @cached_property
    def judging(self) -> Judging:
        """Return gains, threshold and rules."""
        return self.options.judging(self.dataset.gains, self.dataset.threshold)

    @cached_property
    def query_ids(self) -> tuple[str, ...]:
        """Return the ids of the judged queries, in the order they are searched in."""
        return tuple(query.query_id for query in self.dataset.queries)

    @cached_property
    def texts(self) -> list[str]:
        """Return the texts of the judged queries."""
        return [query.text for query in self.dataset.queries]

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Return sha256 of the queries and of the judgments."""
        judged = ((q, d, grade) for q, grades in self.dataset.qrels.items() for d, grade in grades.items())
        return {"queries": fingerprint(zip(self.query_ids, self.texts, strict=True)), "qrels": fingerprint(judged)}

    @cached_property
    def key(self) -> dict[str, Any]:
        """Return everything that decides what a run is worth, for the key of a stored cell."""
        gains = self.judging.gains
        return {
            **self.fingerprints,
            "measures": [str(measure) for measure in self.options.all_measures],
            "gains": [gains.name, gains.by_grade],
            "threshold": self.judging.threshold,
            "drop_self": self.judging.drop_self,
            "no_relevant": self.judging.no_relevant,
            "protocol": self.options.protocol,
            "primary": self.primary,
        }

    @property
    def primary(self) -> str:
        """Return the name of the primary measure."""
        return str(self.options.chosen_primary)

    def evaluate(self, run: RankedRun) -> Evaluation:
        """Judge a run by all measures."""
        return evaluate(run.rankings(), self.dataset.qrels, self.options.all_measures, judging=self.judging)

    def mean(self, run: RankedRun) -> float:
        """Judge a run by the primary measure."""
        measures = [self.options.chosen_primary]
        return evaluate(run.rankings(), self.dataset.qrels, measures, judging=self.judging).measures[self.primary]

    def intervals(self, per_query: PerQuery) -> dict[str, Interval]:
        """Return 95 % bounds of the means."""
        return bootstrap_means(per_query)

    def slices(self, per_query: PerQuery, query_ids: tuple[str, ...]) -> tuple[Slice, ...]:
        """Return the measures of every slice asked for."""
        return measure_slices(per_query, query_ids, self.sliced)

    def pools(self, index: Rowed) -> list[Rows]:
        """Return, for each query, the rows of the documents it has judgments for."""
        places = index.documents.rows(doc_id for judged in self.dataset.qrels.values() for doc_id in judged)
        judged = [[places.get(doc_id) for doc_id in self.dataset.qrels[query_id]] for query_id in self.query_ids]
        return [np.array([row for row in rows if row is not None], dtype=np.int64) for rows in judged]

    def ties(self, run: RankedRun, tied: Sequence[bool], *, evaluated: frozenset[str]) -> dict[int, int]:
        """Count the evaluated queries with a tie at each cutoff of the measures: ranks k and k + 1 score the same.

        `tied` says of each query of the run whether its last hit and the one beyond it have the same score; a query's
        own document is left out first where it is dropped.
        """
        counts = dict.fromkeys(sorted({m.cutoff for m in self.options.all_measures if m.cutoff}), 0)
        for query_id, beyond in zip(run, tied, strict=True):
            if query_id not in evaluated:
                continue
            doc_ids, scores = run.scored(query_id)
            if self.judging.drop_self and query_id in doc_ids:
                scores = np.delete(scores, list(doc_ids).index(query_id))
            for cutoff in counts:
                if cutoff < len(scores):
                    counts[cutoff] += bool(scores[cutoff - 1] == scores[cutoff])
                elif cutoff == len(scores):
                    counts[cutoff] += beyond
        return counts
