"""Ranked ids and judgments become numbers.

This room knows neither vectors nor files: a run is document ids in their final order, qrels are grades.
"""

from searchapp.metrics.evaluation import DEFAULT_MEASURES, Evaluation, evaluate
from searchapp.metrics.gains import ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, LINEAR, Gains
from searchapp.metrics.judging import Judging
from searchapp.metrics.measure import MEASURES, Measure, MeasureRow
from searchapp.metrics.order import order_hits, ties_at

__all__ = [
    "DEFAULT_MEASURES",
    "ESCI",
    "ESCI_OFFICIAL_SCRIPT_SWAPPED",
    "LINEAR",
    "MEASURES",
    "Evaluation",
    "Gains",
    "Judging",
    "Measure",
    "MeasureRow",
    "evaluate",
    "order_hits",
    "ties_at",
]
