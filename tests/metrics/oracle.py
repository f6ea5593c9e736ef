"""Every measure once more, slowly: one query at a time, plain Python, as the definitions read."""

from collections.abc import Callable, Mapping, Sequence
from math import log2

from searchapp.metrics import Judging, Measure

GAINS: dict[str, Callable[[int], float]] = {
    "linear": lambda grade: float(max(grade, 0)),
    "esci": lambda grade: {3: 1.0, 2: 0.1, 1: 0.01}.get(grade, 0.0),
    "esci-official-script-swapped": lambda grade: {3: 1.0, 2: 0.01, 1: 0.1}.get(grade, 0.0),
}


def oracle_value(measure: Measure, ranking: Sequence[str], judged: Mapping[str, int], *, judging: Judging) -> float:
    threshold = measure.rel or judging.threshold
    relevant = {doc_id for doc_id, grade in judged.items() if grade >= threshold}
    cutoff = measure.cutoff or len(ranking)
    top = list(ranking[:cutoff])
    hits = [doc_id for doc_id in top if doc_id in relevant]
    match measure.name:
        case "accuracy":
            return float(bool(hits))
        case "precision":
            return len(hits) / cutoff
        case "recall":
            return len(hits) / len(relevant) if relevant else 0.0
        case "RR":
            return 1 / (top.index(hits[0]) + 1) if hits else 0.0
        case "AP":
            whole = len(relevant) if measure.denominator == "R" or not measure.cutoff else min(cutoff, len(relevant))
            found, total = 0, 0.0
            for rank, doc_id in enumerate(top, start=1):
                if doc_id in relevant:
                    found += 1
                    total += found / rank
            return total / whole if whole else 0.0
        case "nDCG":
            gain = GAINS[judging.gains.name]
            ideal = sorted((gain(grade) for grade in judged.values()), reverse=True)
            best = _dcg(ideal[: measure.cutoff])
            return _dcg([gain(judged.get(doc_id, 0)) for doc_id in top]) / best if best else 0.0
        case "Judged":
            return sum(doc_id in judged for doc_id in top) / len(top) if top else 0.0
        case _:
            raise AssertionError(measure)


def _dcg(gains: Sequence[float]) -> float:
    return sum(gain / log2(rank + 1) for rank, gain in enumerate(gains, start=1))
