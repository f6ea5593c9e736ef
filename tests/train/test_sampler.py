"""Batches: the library's own where only equal texts conflict, and never with what is relevant to one another."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from searchapp.train.batches import cut_batches
from searchapp.train.conflicts import Conflicts
from searchapp.train.draft import group_relevant
from searchapp.train.examples import Example, TrainingData
from searchapp.train.sampler import make_sampler, to_dataset

torch = pytest.importorskip("torch")
library = pytest.importorskip("sentence_transformers.base.sampler")
pytest.importorskip("datasets")

Relevant = Mapping[str, frozenset[str]]


def conflict(one: Sequence[str], other: Sequence[str], relevant: Relevant) -> bool:
    """Say it as the rule is written: an equal text, or one that is relevant to the other row's anchor."""
    return bool(
        set(one) & set(other)
        or relevant.get(one[0], frozenset()) & set(other)
        or relevant.get(other[0], frozenset()) & set(one)
    )


def slow_batches(
    order: Sequence[int], rows: Sequence[Sequence[str]], relevant: Relevant, size: int
) -> Iterator[list[int]]:
    """Go through all that is left for every batch."""
    left = list(order)
    while left:
        batch: list[int] = []
        for row in left:
            if len(batch) < size and not any(conflict(rows[row], rows[there], relevant) for there in batch):
                batch.append(row)
        left = [row for row in left if row not in batch]
        yield batch


TEXT = st.sampled_from("abcdefghijklmnop")
ROWS = st.lists(st.tuples(TEXT, TEXT, TEXT) | st.tuples(TEXT, TEXT), max_size=40)
RELEVANT = st.dictionaries(TEXT, st.frozensets(TEXT, max_size=4), max_size=6)


@settings(max_examples=400)
@given(ROWS, RELEVANT, st.integers(1, 6), st.randoms(use_true_random=False))
def test_batches_are_those_of_the_slow_way(rows, relevant, size, random) -> None:
    order = list(range(len(rows)))
    random.shuffle(order)
    found = list(cut_batches(order, Conflicts(rows, relevant), size))
    assert found == list(slow_batches(order, rows, relevant, size))
    assert sorted(row for batch in found for row in batch) == list(range(len(rows)))


def test_many_rows_that_wait_are_batched_as_the_slow_way_does() -> None:
    rng = np.random.default_rng(3)
    rows = [(f"a{rng.integers(9)}", f"p{rng.integers(40)}", f"n{rng.integers(30)}") for _ in range(400)]
    relevant = {f"a{n}": frozenset({f"p{3 * n}", f"n{n}", f"a{(n + 1) % 9}"}) for n in range(9)}
    order = rng.permutation(400).tolist()
    found = list(cut_batches(order, Conflicts(rows, relevant), 8))
    assert found == list(slow_batches(order, rows, relevant, 8))


def test_kept_of_what_is_relevant_is_only_what_equal_texts_do_not_say() -> None:
    rows = [("a", "p"), ("a", "q"), ("b", "q")]
    relevant = {"a": {"p", "q", "in no row"}, "b": {"q"}, "p": {"q"}, "nobody": {"p"}}
    conflicts = Conflicts(rows, {anchor: frozenset(texts) for anchor, texts in relevant.items()})
    a, _p = conflicts.texts[0]
    b, q = conflicts.texts[2]
    assert conflicts.relevant == {a: {q}, b: {q}}
    assert conflicts.anchors == {q: {a, b}}


class Looked(list[tuple[int, ...]]):
    """Counts how often a row is looked at."""

    count = 0

    def __getitem__(self, place):
        self.count += 1
        return super().__getitem__(place)


@pytest.mark.parametrize("relevant", [{}, {"same": frozenset({f"p{n}" for n in range(100)})}])
def test_rows_that_wait_are_not_looked_at_in_every_batch(relevant: Relevant) -> None:
    rows = [("same" if n < 300 else f"a{n}", f"p{n}") for n in range(400)]
    rows[350:] = [(f"b{n}", f"p{n}") for n in range(50)]
    conflicts = Conflicts(rows, relevant)
    conflicts.texts = Looked(conflicts.texts)
    batches = list(cut_batches(range(400), conflicts, 8))
    assert batches == list(slow_batches(range(400), rows, relevant, 8))
    assert conflicts.texts.count < 8 * len(rows)


def data_of(rows: Sequence[Sequence[str]], relevant: Relevant | None = None) -> TrainingData:
    examples = [Example(row[0], row[1], tuple(row[2:])) for row in rows]
    return TrainingData("rows", examples, relevant or {})


def random_rows(count: int, texts: int, columns: int) -> list[tuple[str, ...]]:
    rng = np.random.default_rng(count)
    return [tuple(f"t{number}" for number in rng.integers(0, texts, columns)) for _ in range(count)]


def test_the_dataset_has_the_columns_of_the_rows() -> None:
    dataset = to_dataset(data_of([("a", "p", "n"), ("赤", "青", "黒")]))
    assert dataset.column_names == ["anchor", "positive", "negative"]
    assert dataset[1] == {"anchor": "赤", "positive": "青", "negative": "黒"}
    assert to_dataset(data_of([("a", "p")])).column_names == ["anchor", "positive"]
    several = to_dataset(data_of([("a", "p", "x", "y")]))
    assert several[0] == {"anchor": "a", "positive": "p", "negative_1": "x", "negative_2": "y"}


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize(
    ("count", "texts", "columns", "size"),
    [(300, 3000, 3, 16), (300, 60, 2, 8), (200, 12, 2, 5), (64, 4, 3, 32), (1, 3, 2, 4), (50, 10_000, 4, 7)],
)
def test_batches_are_those_of_the_library_epoch_by_epoch(count, texts, columns, size, drop_last) -> None:
    data = data_of(random_rows(count, texts, columns))
    dataset = to_dataset(data)
    ours = make_sampler(data)(dataset, size, drop_last, ["label"], torch.Generator(), 7)
    theirs = library.NoDuplicatesBatchSampler(dataset, size, drop_last, ["label"], torch.Generator(), 7)
    assert isinstance(ours, library.DefaultBatchSampler)
    assert len(ours) == len(theirs)
    for epoch in (0, 1, 5):
        ours.set_epoch(epoch)
        theirs.set_epoch(epoch)
        assert list(ours) == list(theirs)


def test_labels_and_names_of_datasets_are_no_texts() -> None:
    data = data_of([(f"a{n}", f"p{n}") for n in range(12)])
    dataset = to_dataset(data).add_column("label", ["same"] * 12).add_column("dataset_name", ["same"] * 12)
    batches = list(make_sampler(data)(dataset, 4, False, ["label"], torch.Generator(), 0))
    assert [len(batch) for batch in batches] == [4, 4, 4]


def test_products_of_one_query_never_meet_in_a_batch() -> None:
    """Also where one of them is the negative, or the positive, of another query's row."""
    rows = [("bag", "tote", "x1"), ("bag", "clutch", "x2"), ("shoe", "boot", "clutch"), ("kettle", "tote", "x3")]
    rows += [(f"a{n}", f"p{n}", f"n{n}") for n in range(40)]
    relevant = group_relevant((row[0], row[1]) for row in rows)
    data = data_of(rows, {**relevant, "a7": frozenset({"p7", "n9", "p11"})})
    sampler = make_sampler(data)(to_dataset(data), 8, False, None, torch.Generator(), 1)
    for epoch in range(20):
        sampler.set_epoch(epoch)
        together = {frozenset((one, other)) for batch in sampler for one in batch for other in batch if one != other}
        assert not together & {frozenset(pair) for pair in [(0, 1), (0, 2), (0, 3), (1, 2), (11, 13), (11, 15)]}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=40), RELEVANT, st.integers(1, 6), st.booleans())
def test_no_batch_holds_a_conflict(rows, relevant, size, drop_last) -> None:
    data = data_of(rows, relevant)
    sampler = make_sampler(data)(to_dataset(data), size, drop_last, None, torch.Generator(), 3)
    batches = list(sampler)
    for batch in batches:
        assert len(batch) == size if drop_last else 0 < len(batch) <= size
        assert not any(
            conflict(rows[one], rows[other], relevant)
            for place, one in enumerate(batch)
            for other in batch[place + 1 :]
        )
    if not drop_last:
        assert sorted(row for batch in batches for row in batch) == list(range(len(rows)))
