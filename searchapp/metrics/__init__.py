"""Ranked ids and judgments become numbers.

This room knows neither vectors nor files: a run is document ids in their final order, qrels are grades.
"""

from searchapp.metrics.comparison import Comparison, compare_paired, holm
from searchapp.metrics.evaluation import DEFAULT_MEASURES, Evaluation, evaluate
from searchapp.metrics.gains import ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, LINEAR, Gains
from searchapp.metrics.judging import Judging
from searchapp.metrics.measure import MEASURES, Measure, MeasureRow
from searchapp.metrics.order import order_hits, ties_at
from searchapp.metrics.pairs import (
    SIMILARITIES,
    average_ranks,
    bootstrap_correlations,
    check_gold,
    correlations,
    pair_similarities,
    triplet_accuracy,
    triplet_hits,
)
from searchapp.metrics.uncertainty import Interval, bootstrap_mean, bootstrap_means

__all__ = [
    "DEFAULT_MEASURES",
    "ESCI",
    "ESCI_OFFICIAL_SCRIPT_SWAPPED",
    "LINEAR",
    "MEASURES",
    "SIMILARITIES",
    "Comparison",
    "Evaluation",
    "Gains",
    "Interval",
    "Judging",
    "Measure",
    "MeasureRow",
    "average_ranks",
    "bootstrap_correlations",
    "bootstrap_mean",
    "bootstrap_means",
    "check_gold",
    "compare_paired",
    "correlations",
    "evaluate",
    "holm",
    "order_hits",
    "pair_similarities",
    "ties_at",
    "triplet_accuracy",
    "triplet_hits",
]
