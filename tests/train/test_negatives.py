"""As many negatives in every row, none of them relevant."""

from hypothesis import given
from hypothesis import strategies as st

from searchapp.train.draft import group_relevant
from searchapp.train.examples import Example
from searchapp.train.negatives import level_negatives


def test_what_is_relevant_or_there_twice_is_no_negative() -> None:
    rows = [Example("a", "p", ("q", "n", "n", "p", "m")), Example("a", "q", ("n", "m")), Example("b", "n", ("p", "q"))]
    levelled = level_negatives(rows, group_relevant((one.anchor, one.positive) for one in rows), 2)
    assert [one.negatives for one in levelled.examples] == [("n", "m"), ("n", "m"), ("p", "q")]
    assert (levelled.negatives, levelled.relevant, levelled.filled, levelled.dropped) == (2, 2, 0, 0)


def test_the_positive_is_no_negative_also_where_nobody_says_that_it_is_relevant() -> None:
    levelled = level_negatives([Example("a", "p", ("p", "n"))], {}, 2)
    assert levelled.examples == [Example("a", "p", ("n",))]
    assert levelled.relevant == 1


def test_a_row_keeps_its_own_and_is_given_what_it_lacks() -> None:
    rows = [Example("a", "p", ("x", "y", "z")), Example("b", "q", ("own",)), Example("c", "r", ("x", "y"))]
    levelled = level_negatives(rows, {}, 3)
    assert levelled.examples[0] == rows[0]
    assert [one.negatives[: len(row.negatives)] for one, row in zip(levelled.examples, rows, strict=True)] == [
        row.negatives for row in rows
    ]
    assert levelled.filled == 3
    assert all(len(set(one.negatives)) == 3 and one.positive not in one.negatives for one in levelled.examples)
    assert [one.negatives for one in level_negatives(rows, {}, 1).examples] == [("x",), ("own",), ("x",)]


def test_rows_with_fewer_are_filled_from_others_each_text_once_before_any_comes_again() -> None:
    rows = [Example("a", "p0", ("hard",)), *(Example(f"b{n}", f"p{n}") for n in range(1, 21))]
    levelled = level_negatives(rows, {f"b{n}": frozenset({f"p{n}", "hard"}) for n in range(1, 21)}, 3)
    assert levelled.examples[0] == rows[0]
    drawn = [text for one in levelled.examples[1:] for text in one.negatives]
    assert "hard" not in drawn
    assert len(set(drawn)) == len(drawn) == levelled.filled == 20
    assert not any(one.positive in one.negatives for one in levelled.examples)
    again = level_negatives(rows, {f"b{n}": frozenset({f"p{n}", "hard"}) for n in range(1, 21)}, 3)
    assert again.examples == levelled.examples


def test_where_nothing_is_left_to_draw_own_ones_are_repeated_and_rows_without_are_left_out() -> None:
    rows = [Example("a", "p", ("n", "m")), Example("a", "p", ("n",)), Example("c", "p", ())]
    relevant = {"a": frozenset({"p", "m2"}), "c": frozenset({"p", "n", "m"})}
    levelled = level_negatives([rows[0], Example("m", "p", ("n",)), rows[2]], relevant, 2)
    assert [one.negatives for one in levelled.examples] == [("n", "m"), ("n", "n")]
    assert levelled.dropped == 1


def test_none_are_asked_for_or_there() -> None:
    rows = [Example("a", "p", ("n",)), Example("b", "q")]
    none = level_negatives(rows, {"a": frozenset({"n"})}, 0)
    assert none.examples == [Example("a", "p"), Example("b", "q")]
    assert (none.negatives, none.relevant, none.filled, none.dropped) == (0, 0, 0, 0)
    bare = [Example("a", "p"), Example("b", "q")]
    assert level_negatives(bare, {}, 5).examples == bare


TEXT = st.sampled_from("abcdefgh")


@given(st.lists(st.builds(Example, TEXT, TEXT, st.lists(TEXT, max_size=4).map(tuple)), max_size=12), st.integers(0, 4))
def test_any_rows(rows: list[Example], count: int) -> None:
    relevant = group_relevant((one.anchor, one.positive) for one in rows)
    levelled = level_negatives(rows, relevant, count)
    assert len(levelled.examples) + levelled.dropped == len(rows)
    for row in levelled.examples:
        assert len(row.negatives) == levelled.negatives <= count
        assert not relevant[row.anchor] & set(row.negatives)
