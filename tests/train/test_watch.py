"""What is done between the steps: a judge that refuses the model ends the training, its row of the log written."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from searchapp.encoders import Encoder
from searchapp.errors import BadVectorsError, MeasureError, SearchappError, TrainingStoppedError
from searchapp.train.examples import Example
from searchapp.train.guards import Guards
from searchapp.train.judge import Measures
from searchapp.train.log import LogRow, read_rows
from searchapp.train.watch import Moment, Watch
from tests.fakes import HashEncoder
from tests.train.small import small_recipe


class Refusing:
    """A judge that finds a sound model twice, then a fault."""

    task = "triplets"
    measure = "held-out_cosine_accuracy"
    queries: Sequence[str] = ()
    documents: Sequence[str] = ()
    examples: Sequence[Example] = ()
    fingerprint = ""

    def __init__(self, fault: SearchappError) -> None:
        self._fault = fault
        self._asked = 0

    def judge(self, encoder: Encoder) -> Measures:
        self._asked += 1
        if self._asked > 2:
            raise self._fault
        return {"held-out": {"cosine_accuracy": 0.5}}


@pytest.mark.parametrize("fault", [BadVectorsError("one vector for all"), MeasureError("spearman is NaN")])
def test_a_judge_that_refuses_the_model_stops_the_training(tmp_path: Path, fault: SearchappError) -> None:
    reported: list[LogRow] = []
    watch = Watch(
        recipe=small_recipe(tmp_path),
        log=tmp_path / "log.jsonl",
        guards=Guards(),
        judge=Refusing(fault),
        encoder=HashEncoder,
        report=reported.append,
    )
    with pytest.raises(TrainingStoppedError) as caught:
        for step in range(1, 100):
            watch.take_losses([1.0 / step])
            watch.check_step(step, 1.0)
            at = Moment(step, step / 6, last=False, rate=1e-3)
            due = watch.end_step(at)
            if due.log:
                watch.record(at, due)
    # Judged every three steps.
    assert str(caught.value).startswith(f"training stopped at step 9: the model can't be judged: {fault}; ")
    assert (caught.value.step, caught.value.last_good) == (9, 6)
    assert [(row.step, bool(row.measures)) for row in read_rows(tmp_path / "log.jsonl")] == [
        (3, True),
        (6, True),
        (9, False),
    ]
    assert [row.step for row in reported] == [3, 6, 9]
