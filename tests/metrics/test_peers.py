"""The same numbers as the tools people compare with."""

import warnings

import ir_measures
import numpy as np
import pytest

from searchapp.metrics import DEFAULT_MEASURES, ESCI, ESCI_OFFICIAL_SCRIPT_SWAPPED, Gains, Judging, Measure, evaluate
from searchapp.metrics.order import Ties
from tests.metrics.cases import Case, random_case

# ir_measures asks pytrec_eval, which orders ties by document id descending ...
BY_TREC_EVAL = {
    **{text: text for text in ("nDCG@10", "nDCG@3", "nDCG", "RR", "AP", "P@1", "P@5", "P@100", "R@5", "R@100")},
    **{text: text for text in ("Success@1", "Success@10", "RR(rel=2)", "AP(rel=2)", "P(rel=2)@5", "R(rel=2)@10")},
    **{f"AP(denominator=R)@{k}": f"AP@{k}" for k in (1, 5, 100)},
    "AP(rel=2,denominator=R)@100": "AP(rel=2)@100",
    "map_cut_5": "AP@5",
    "ndcg_cut_10": "nDCG@10",
}
# ... except for these, which its own code computes, with ties by document id ascending.
BY_IR_MEASURES = {text: text for text in ("RR@10", "RR@3", "RR(rel=2)@10", "Judged@10", "Judged@3", "Judged")}

SCRIPT_GAINS = {ESCI: {3: 100, 2: 10, 1: 1}, ESCI_OFFICIAL_SCRIPT_SWAPPED: {3: 100, 2: 1, 1: 10}}


def per_query(measures: list[str], case: Case, qrels: dict[str, dict[str, int]]) -> dict[str, dict[str, float]]:
    """What ir_measures says: measure -> query_id -> value."""
    wanted = {text: ir_measures.parse_measure(text) for text in measures}
    values: dict[str, dict[str, float]] = {text: {} for text in measures}
    for metric in ir_measures.iter_calc(wanted.values(), qrels, case.scores):
        for text, measure in wanted.items():
            if metric.measure == measure:
                values[text][metric.query_id] = metric.value
    return values


def assert_same(
    case: Case, names: dict[str, str], ties: Ties, judging: Judging, qrels: dict[str, dict[str, int]]
) -> None:
    """Compare query by query; `names` maps our spelling to theirs, `qrels` are what they are given."""
    ours = evaluate(case.run(ties), case.qrels, list(names), judging=judging)
    theirs = per_query(sorted(set(names.values())), case, qrels)
    assert ours.query_ids == tuple(case.qrels)
    for name, text in names.items():
        values = ours.per_query[str(Measure.parse(name))]
        expected = [theirs[text][query_id] for query_id in ours.query_ids]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-6, err_msg=f"{name} against {text}")


@pytest.mark.parametrize("grades", [(0, 1), (0, 1, 2, 3, 4), (-2, -1, 0, 1, 2)], ids=["binary", "graded", "negative"])
@pytest.mark.parametrize("seed", range(5))
def test_every_measure_equals_ir_measures(seed: int, grades: tuple[int, ...]) -> None:
    case = random_case(seed, grades=grades)
    judging = Judging(no_relevant="zero")
    # pytrec_eval crashes on negative grades; what they mean is "irrelevant", so that is what it is told.
    told = {
        query_id: {doc_id: max(grade, 0) for doc_id, grade in judged.items()} for query_id, judged in case.qrels.items()
    }
    assert_same(case, BY_TREC_EVAL, "trec_eval", judging, told)
    assert_same(case, BY_IR_MEASURES, "searchapp", judging, case.qrels)


def test_means_equal_ir_measures() -> None:
    case = random_case(11, grades=(0, 1, 2))
    ours = evaluate(case.run("trec_eval"), case.qrels, ["nDCG@10", "AP"], judging=Judging(no_relevant="zero"))
    theirs = ir_measures.calc_aggregate([ir_measures.nDCG @ 10, ir_measures.AP], case.qrels, case.scores)
    assert ours.measures == pytest.approx({str(measure): value for measure, value in theirs.items()}, abs=1e-6)


@pytest.mark.parametrize("gains", SCRIPT_GAINS, ids=str)
def test_esci_gains_equal_an_integer_only_tool_with_scaled_grades(gains: Gains) -> None:
    case = random_case(3, grades=(0, 1, 2, 3))
    scaled = {
        query_id: {doc_id: SCRIPT_GAINS[gains].get(grade, 0) for doc_id, grade in judged.items()}
        for query_id, judged in case.qrels.items()
    }
    names = {"nDCG": "nDCG", "nDCG@10": "nDCG@10"}
    assert_same(case, names, "trec_eval", Judging(gains=gains, no_relevant="zero"), scaled)


def test_scores_that_float32_cannot_tell_apart_tie_as_in_trec_eval() -> None:
    case = Case({"q": {"a": 1.0 + 1e-9, "b": 1.0}}, {"q": {"a": 1}})
    assert evaluate(case.run("trec_eval"), case.qrels, ["RR"]).measures == {"RR": 0.5}
    assert evaluate(case.run("searchapp"), case.qrels, ["RR"]).measures == {"RR": 1.0}
    assert ir_measures.calc_aggregate([ir_measures.RR], case.qrels, case.scores) == {ir_measures.RR: 0.5}


@pytest.mark.parametrize("seed", range(3))
def test_the_whole_report_equals_sentence_transformers(seed: int) -> None:
    with warnings.catch_warnings():
        # What its import of other libraries warns of is not this project's to mend.
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    case = random_case(seed, grades=(0, 1))
    relevant = {
        query_id: {doc_id for doc_id, grade in judged.items() if grade} for query_id, judged in case.qrels.items()
    }
    ranked = sorted(set(case.scores) & {query_id for query_id, doc_ids in relevant.items() if doc_ids})
    evaluator = InformationRetrievalEvaluator(
        queries={query_id: query_id for query_id in ranked},
        corpus={doc_id: doc_id for scored in case.scores.values() for doc_id in scored},
        relevant_docs=relevant,
        precision_recall_at_k=[1, 3, 5, 10, 100],
    )
    hits: list[object] = [
        [{"corpus_id": doc_id, "score": score} for doc_id, score in case.scores[query_id].items()]
        for query_id in evaluator.queries_ids
    ]
    theirs = {
        f"cosine_{name.removesuffix('k')}{cutoff}": float(value)
        for name, by_cutoff in evaluator.compute_metrics(hits).items()
        for cutoff, value in by_cutoff.items()
    }
    ours = evaluate(case.run(), {query_id: case.qrels[query_id] for query_id in ranked}, list(theirs)).measures
    assert {name: ours[str(Measure.parse(name))] for name in theirs} == pytest.approx(theirs, abs=1e-6)
    assert {str(measure) for measure in DEFAULT_MEASURES} - set(ours) == {"AP(denominator=R)@100", "Judged@10"}


def test_queries_without_a_relevant_document_are_dropped_as_in_sentence_transformers() -> None:
    case = random_case(5, grades=(0, 0, 0, 0, 0, 1))
    result = evaluate(case.run(), case.qrels, ["R@10"])
    empty = tuple(query_id for query_id, judged in case.qrels.items() if not any(judged.values()))
    assert result.dropped == empty != ()
    assert set(result.query_ids) == set(case.qrels) - set(empty)
