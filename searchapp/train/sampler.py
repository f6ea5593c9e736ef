"""The batch sampler: the library's own without duplicates, which also keeps apart what is relevant to one another."""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

from searchapp.optional import require
from searchapp.train.batches import cut_batches
from searchapp.train.conflicts import Conflicts
from searchapp.train.examples import TrainingData

if TYPE_CHECKING:
    import torch
    from sentence_transformers.base.sampler import DefaultBatchSampler

NAMES = "dataset_name"
"""A column the trainer adds where there are several datasets; it holds no text."""
EXTRA_PASSES = 2
"""Shuffled passes beyond the first, to give as many batches as were promised: as many as the library makes."""


def to_dataset(data: TrainingData) -> Any:
    """Return the rows as a datasets.Dataset: anchor, positive and, if rows have any, negative or negative_1 to _n."""
    rows = ((one.anchor, one.positive, *one.negatives) for one in data.examples)
    texts = zip(*rows, strict=True)
    columns = {name: list(column) for name, column in zip(data.columns, texts, strict=True)}
    return require("datasets", extra="train").Dataset.from_dict(columns)


class Sampler(Protocol):
    """What makes the sampler of a dataset, called by the trainer with these names."""

    def __call__(
        self,
        dataset: Any,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: "torch.Generator | None" = None,
        seed: int = 0,
    ) -> "DefaultBatchSampler":
        """Make it."""
        ...


def make_sampler(data: TrainingData) -> Sampler:
    """Return what the trainer takes as `batch_sampler`, for datasets whose first column is the anchor.

    With the same seed and epoch the batches are those of the library's NoDuplicatesBatchSampler where nothing but equal
    texts conflict. Besides, no row gets into a batch with one that holds a text known to be relevant to its anchor, by
    `data.relevant`, or to whose anchor a text of its own is relevant. As there, a pass has every row once; only where
    batches that are not full are dropped are rows left out, and come again to make up the promised length. Raises
    MissingExtraError without sentence-transformers.
    """
    kind = _sampler_class()

    def make(
        dataset: Any,
        batch_size: int,
        drop_last: bool,
        valid_label_columns: list[str] | None = None,
        generator: "torch.Generator | None" = None,
        seed: int = 0,
    ) -> "DefaultBatchSampler":
        made = kind(dataset, batch_size, drop_last, valid_label_columns, generator, seed)
        left_out = {NAMES, *(valid_label_columns or ())}
        columns = [dataset[name][:] for name in dataset.column_names if name not in left_out]
        made.conflicts = Conflicts(zip(*columns, strict=True), data.relevant)
        sampler: DefaultBatchSampler = made
        return sampler

    return make


@cache
def _sampler_class() -> Any:
    """Return the class, made when it is first needed: its base is in a library that takes seconds to import."""
    torch = require("torch", extra="train")
    require("sentence_transformers", extra="train")
    from sentence_transformers.base.sampler import DefaultBatchSampler

    class RelevanceBatchSampler(DefaultBatchSampler):
        conflicts: Conflicts

        def __iter__(self) -> Iterator[list[int]]:
            if self.generator and self.seed is not None:
                self.generator.manual_seed(self.seed + self.epoch)
            promised, given = len(self), 0
            for number in range(1 + EXTRA_PASSES):
                for batch in cut_batches(self._shuffled(), self.conflicts, self.batch_size):
                    if self.drop_last and len(batch) < self.batch_size:
                        continue
                    yield batch
                    given += 1
                    if number and given >= promised:
                        return
                if not 0 < given < promised:
                    return

        def _shuffled(self) -> list[int]:
            # The library's type of numbers: another one draws another order.
            count = len(self.conflicts)
            kind = torch.int32 if count <= torch.iinfo(torch.int32).max else torch.int64
            order: list[int] = torch.randperm(count, generator=self.generator, dtype=kind).tolist()
            return order

        def __len__(self) -> int:
            count = len(self.conflicts)
            return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    return RelevanceBatchSampler
