"""Where quality was lost: between full width and flat, and a cell, step by step."""

import re
from collections.abc import Callable
from dataclasses import replace

from searchapp.bench.plan import CellPlan, reference
from searchapp.bench.report import Loss

Mean = Callable[[CellPlan], float]
"""The primary measure's mean of the hits of a cell."""


def split_loss(plan: CellPlan, quality: float, mean: Mean, *, width: int) -> Loss:
    """Split what a cell of this quality lost against full width and flat; the parts add up.

    truncation: flat at full width - flat at the cell's dim.
    quantisation: flat at that dim - exact search over the quantised vectors (every list, not rescored).
    rescoring: that - the same with the rescoring of the cell; below zero where rescoring gives back what was lost.
    search: that - the cell, which visits some of the lists.

    `mean` judges a cell and may remember what it has judged.
    """
    full = mean(reference(width))
    cut = full if plan.dim == width else mean(reference(plan.dim))
    codes = cut if _keeps_vectors(plan) else mean(_exhaustive(plan, rescore=0))
    rescored = mean(_exhaustive(plan, rescore=plan.rescore)) if plan.rescore else codes
    return Loss(
        reference=full,
        truncation=full - cut,
        quantisation=cut - codes,
        rescoring=codes - rescored,
        search=rescored - quality,
    )


def _keeps_vectors(plan: CellPlan) -> bool:
    """Tell whether a kind keeps the vectors as they are, so that exact search over it is flat."""
    return re.fullmatch(r"(IVF\d+,)?Flat", plan.factory) is not None


def _exhaustive(plan: CellPlan, *, rescore: int) -> CellPlan:
    return replace(plan, nprobe=plan.nlist, rescore=rescore, whole_graph="HNSW" in plan.factory)
