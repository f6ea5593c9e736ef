from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.errors import MeasureError
from searchapp.metrics import DEFAULT_MEASURES, MEASURES, Measure

REPORT = [
    *(f"{name}@{k}" for name in ("accuracy", "precision") for k in (1, 3, 5, 10)),
    *("recall@1", "recall@3", "recall@5", "recall@10", "recall@100"),
    *("nDCG@10", "RR@10", "AP@100", "AP(denominator=R)@100", "Judged@10"),
]

SPELLINGS = {
    **{"accuracy@1": "accuracy@1", "Success@1": "accuracy@1", "success_1": "accuracy@1", "hit_rate@3": "accuracy@3"},
    **{"cosine_accuracy@1": "accuracy@1", "P@5": "precision@5", "P_5": "precision@5", "Precision@5": "precision@5"},
    **{"cosine_precision@3": "precision@3", "R@100": "recall@100", "recall_100": "recall@100", "r@1": "recall@1"},
    **{"dot_recall@10": "recall@10", "nDCG@10": "nDCG@10", "NDCG@10": "nDCG@10", "ndcg_cut_10": "nDCG@10"},
    **{"cosine_ndcg@10": "nDCG@10", "euclidean_ndcg@10": "nDCG@10", "nDCG": "nDCG", "ndcg": "nDCG", "ndcg_5": "nDCG@5"},
    **{"RR": "RR", "recip_rank": "RR", "RR@10": "RR@10", "MRR@10": "RR@10", "cosine_mrr@10": "RR@10"},
    **{"AP": "AP", "map": "AP", "AP@100": "AP@100", "MAP@100": "AP@100", "manhattan_map@100": "AP@100"},
    **{"map_cut_100": "AP(denominator=R)@100", "ap(denominator=r)@100": "AP(denominator=R)@100"},
    **{"AP(denominator=min)@100": "AP@100", "AP(denominator=R)": "AP", "Judged@10": "Judged@10", "judged": "Judged"},
    **{"RR(rel=2)@10": "RR(rel=2)@10", "AP(rel=2)@100": "AP(rel=2)@100", "P(rel=2)@5": "precision(rel=2)@5"},
    **{"AP( denominator = R , rel = 2 )@100": "AP(rel=2,denominator=R)@100", " nDCG@10 ": "nDCG@10"},
}

measures = st.sampled_from(sorted(MEASURES)).flatmap(
    lambda name: st.builds(
        Measure,
        st.just(name),
        cutoff=st.integers(1, 10**6) if MEASURES[name].needs_cutoff else st.none() | st.integers(1, 10**6),
        rel=st.none() | st.integers(1, 9) if MEASURES[name].takes_rel else st.none(),
        denominator=st.sampled_from(["", *MEASURES[name].formulas]),
    )
)


def test_the_report_has_the_agreed_keys_in_their_order() -> None:
    assert [str(measure) for measure in DEFAULT_MEASURES] == REPORT


@pytest.mark.parametrize(("spelling", "canonical"), SPELLINGS.items())
def test_every_spelling_is_read(spelling: str, canonical: str) -> None:
    assert str(Measure.parse(spelling)) == canonical


@given(measure=measures, change=st.sampled_from([str, str.upper, str.lower, str.swapcase]))
def test_what_is_printed_is_read_again(measure: Measure, change: Callable[[str], str]) -> None:
    assert Measure.parse(change(str(measure))) == measure


@given(one=measures, other=measures)
def test_two_measures_print_alike_only_if_they_are_alike(one: Measure, other: Measure) -> None:
    assert (str(one) == str(other)) == (one == other)


def test_every_spelling_belongs_to_one_measure() -> None:
    spellings = [spelling for row in MEASURES.values() for spelling in row.spellings]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("nDCC@10", "no measure is called 'nDCC@10'", "did you mean nDCG?"),
        ("precison@5", "no measure is called 'precison@5'", "did you mean precision?"),
        ("bpref", "no measure is called 'bpref'", "known: accuracy@k, precision@k, recall@k, nDCG[@k], RR[@k]"),
        ("", "no measure is called ''", "for example nDCG@10"),
        ("nDCG@10@5", "'nDCG@10@5': the cutoff is '10@5', not a whole number", "type nDCG@10"),
        ("nDCG@0", "nDCG@0 counts no document", "a cutoff is 1 or more, for example nDCG@10"),
        ("P@-5", "precision@-5 counts no document", "1 or more"),
        ("P_-5", "precision@-5 counts no document", "1 or more"),
        ("nDCG@ten", "the cutoff is 'ten', not a whole number", "type nDCG@10"),
        ("nDCG@٣", "the cutoff is '٣', not a whole number", "type nDCG@10"),
        ("nDCG@", "the cutoff is '', not a whole number", "type nDCG@10"),
        ("recall", "recall needs a cutoff", "type recall@10"),
        ("nDCG(rel=2)@10", "nDCG has no relevance level", "leave it out"),
        ("RR(rel=0)@10", "RR(rel=0)", "the smallest relevant grade is 1 or more"),
        ("RR(rel=two)@10", "rel is 'two', not a whole number", "RR(rel=2)@10"),
        ("RR(level=2)@10", "there is no option 'level'", "rel (the smallest relevant grade)"),
        ("AP(denominator=k)@10", "AP has no denominator 'k'", "denominator=min or denominator=R"),
        ("AP(denominator=k)", "AP has no denominator 'k'", "denominator=min or denominator=R"),
        ("RR(denominator=R)@10", "RR has no denominator 'r'", "leave it out"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_way_out(text: str, found: str, hint: str) -> None:
    with pytest.raises(MeasureError) as caught:
        Measure.parse(text)
    assert found in str(caught.value)
    assert hint in str(caught.value)


def test_a_measure_made_by_hand_is_checked_too() -> None:
    with pytest.raises(MeasureError, match="no measure is called 'ndcg'; did you mean nDCG"):
        Measure("ndcg", cutoff=10)
    with pytest.raises(MeasureError, match="RR@0 counts no document"):
        Measure("RR", cutoff=0)
