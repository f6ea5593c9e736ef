"""A training that has failed is stopped, at the step where it shows; a sound one never is."""

import dataclasses
import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from searchapp.errors import BadVectorsError, TrainingError, TrainingStoppedError
from searchapp.train.guards import SCALED, GuardOptions, Guards

LOWER = "try a lower rate (--set training.learning_rate=...), float32 (--set training.precision=fp32), and look for"
COLLAPSED = (
    "the model tells no texts apart, or its weights don't change: try another rate (--set training.learning_rate"
)
UNLIKE = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, -1.0]], dtype=np.float32)


def stopped(guards: Guards, step: int, loss: float, grad_norm: float | None = None) -> TrainingStoppedError:
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_step(step, loss, grad_norm)
    return caught.value


def run(guards: Guards, losses: Sequence[float], *, first: int = 1) -> None:
    for step, loss in enumerate(losses, start=first):
        guards.note_step(step, loss, 1.0)


def batches(step: int, level: float) -> float:
    """Return a batch's loss about a level, two per cent up and down, as those of a sound model are."""
    return level * (1 + 0.02 * math.sin(step * 2.3))


def test_the_error_is_a_training_error() -> None:
    assert issubclass(TrainingStoppedError, TrainingError)


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_stops_at_once_and_the_weights_before_it_are_not_good(loss: float) -> None:
    guards = Guards()
    run(guards, [2.0, 1.5, 1.25])
    error = stopped(guards, 4, loss, 1.0)
    assert str(error).startswith(f"training stopped at step 4: the loss is {loss}, after 1.2500 at step 3; {LOWER}")
    assert str(error).endswith("the last good checkpoint, of step 2 or before, is kept")
    # The loss of step 4 is that of the weights after step 3; those after step 2 gave 1.25.
    assert (error.step, error.last_good) == (4, 2)


def test_a_loss_that_was_never_finite_leaves_no_good_checkpoint() -> None:
    error = stopped(Guards(), 1, math.nan)
    assert str(error).startswith("training stopped at step 1: the loss is nan, from the first step on; ")
    assert str(error).endswith("no checkpoint of this training is known to be good; any that was made before is kept")
    assert error.last_good == 0


@pytest.mark.parametrize("norm", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_stops_at_once(norm: float) -> None:
    guards = Guards()
    run(guards, [2.0, 1.5])
    error = stopped(guards, 3, 1.25, norm)
    assert str(error).startswith(f"training stopped at step 3: the gradient's norm is {norm}; {LOWER}")
    assert (error.step, error.last_good) == (3, 2)


def test_a_scale_of_fp16_that_finds_its_size_is_no_failure_but_one_that_never_does_is() -> None:
    guards = Guards(GuardOptions(overflows=SCALED))
    for step in range(1, SCALED + 1):
        guards.note_step(step, 2.0, math.inf)
    guards.note_step(SCALED + 1, 2.0, 1.0)
    for step in range(SCALED + 2, 2 * SCALED + 2):
        guards.note_step(step, 2.0, math.nan)
    error = stopped(guards, 2 * SCALED + 2, 2.0, math.inf)
    since = "the gradient's norm is inf since step 22, 21 steps in a row"
    assert str(error).startswith(f"training stopped at step 42: {since}; {LOWER}")
    assert error.last_good == SCALED + 1


def test_a_gradient_nobody_measured_is_no_fault() -> None:
    guards = Guards()
    guards.note_step(1, 2.0)
    guards.note_step(2, 2.0, None)
    assert guards.state()["good_step"] == 1


def test_a_loss_that_never_moves_stops_at_the_third_evaluation() -> None:
    """The published run: 79 steps, 5.2666 at every evaluation."""
    guards = Guards()
    for step in range(1, 80):
        guards.note_step(step, 5.2666, 1e-9)
        if step in (26, 52):
            guards.note_evaluation(step, 5.2666)
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_evaluation(79, 5.2666)
    assert str(caught.value).startswith(
        f"training stopped at step 79: the loss has not moved since step 26 (5.2666 at 3 evaluations); {COLLAPSED}"
    )
    assert (caught.value.step, caught.value.last_good) == (79, 0)


def test_weights_that_never_change_are_noticed_though_batches_differ() -> None:
    guards = Guards()
    run(guards, [batches(step, 3.0) for step in range(60)])
    guards.note_evaluation(20, 3.1)
    guards.note_evaluation(40, 3.1)
    with pytest.raises(TrainingStoppedError, match=r"at step 60: the loss has not moved since step 20 \(3\.1000 at 3"):
        guards.note_evaluation(60, 3.1)


def test_a_model_that_collapses_on_the_way_is_stopped_and_the_evaluation_before_was_good() -> None:
    guards = Guards()
    levels = {10: 3.0, 20: 2.0, 30: 1.0, 40: 4.852, 50: 4.852}
    for evaluated, level in levels.items():
        run(guards, [batches(step, level) if level < 4 else level for step in range(10)], first=evaluated - 9)
        guards.note_evaluation(evaluated, level)
    run(guards, [4.852] * 10, first=51)
    with pytest.raises(TrainingStoppedError, match=r"at step 60: the loss has not moved since step 40") as caught:
        guards.note_evaluation(60, 4.852)
    assert caught.value.last_good == 30


def test_one_that_collapses_to_less_than_it_began_with_is_known_by_its_batches() -> None:
    guards = Guards()
    for evaluated, level in {10: 9.0, 20: 4.852, 30: 4.852}.items():
        # The last batch of an epoch is a smaller one.
        run(guards, [level] * 9 + [level - 0.5], first=evaluated - 9)
        guards.note_evaluation(evaluated, level)
    run(guards, [4.852] * 60, first=31)
    with pytest.raises(TrainingStoppedError, match=r"at step 90: the loss has not moved since step 20 \(4\.8520 at 3"):
        guards.note_evaluation(90, 4.852)


def test_a_schedule_that_ends_is_no_standstill_where_the_loss_has_fallen_before() -> None:
    guards = Guards()
    for evaluated, level in enumerate([2.0, 1.0, *[0.5] * 20]):
        run(guards, [batches(step, level) for step in range(100)], first=evaluated * 100 + 1)
        guards.note_evaluation((evaluated + 1) * 100, level)
    assert len(guards.state()["losses"]) == 22


def test_a_loss_near_zero_has_nowhere_to_go() -> None:
    guards = Guards()
    for step in (100, 200, 300, 400):
        guards.note_evaluation(step, 9.9e-4)
    with pytest.raises(TrainingStoppedError):
        for step in (500, 600, 700):
            guards.note_evaluation(step, 0.0011)


def test_a_slow_training_moves_by_more_than_a_ten_thousandth() -> None:
    guards = Guards()
    for evaluation in range(1, 200):
        guards.note_evaluation(evaluation * 100, 2.0 * 0.9999**evaluation)
    with pytest.raises(TrainingStoppedError):
        for evaluation in range(200, 203):
            guards.note_evaluation(evaluation * 100, 2.1 - 1e-6 * evaluation)


def test_evaluations_that_come_often_must_span_twenty_steps() -> None:
    guards = Guards()
    for step in range(1, 21):
        guards.note_evaluation(step, 2.0)
    with pytest.raises(TrainingStoppedError, match=r"since step 1 \(2\.0000 at 21 evaluations\)"):
        guards.note_evaluation(21, 2.0)


def test_a_rate_that_still_rises_may_leave_the_loss_where_it_was() -> None:
    guards = Guards(GuardOptions(warmup_steps=300))
    for step in (100, 200, 300, 400, 500):
        guards.note_evaluation(step, 2.0)
    with pytest.raises(
        TrainingStoppedError, match=r"at step 600: the loss has not moved since step 100 \(2\.0000 at 6"
    ):
        guards.note_evaluation(600, 2.0)


def test_the_mean_of_the_steps_stands_for_a_loss_nobody_measured() -> None:
    guards = Guards()
    for evaluated in (20, 40):
        run(guards, [2.0, 3.0] * 10, first=evaluated - 19)
        guards.note_evaluation(evaluated)
    run(guards, [2.0, 3.0] * 10, first=41)
    with pytest.raises(TrainingStoppedError, match=r"since step 20 \(2\.5000 at 3 evaluations\)"):
        guards.note_evaluation(60)
    falling = Guards()
    for evaluated, level in {10: 3.0, 20: 2.0, 30: 1.0}.items():
        run(falling, [level] * 10, first=evaluated - 9)
        falling.note_evaluation(evaluated)
    assert falling.state()["losses"] == [(10, 3.0), (20, 2.0), (30, 1.0)]
    silent = Guards()
    for step in (20, 40, 60, 80):
        silent.note_evaluation(step)
    assert silent.state()["losses"] == []


def test_a_loss_of_the_evaluation_that_is_not_finite_stops() -> None:
    guards = Guards()
    guards.note_evaluation(100, 1.5, {"sts-dev": {"spearman_cosine": 0.5}})
    with pytest.raises(
        TrainingStoppedError, match=r"the loss of the evaluation is nan; it was 1\.5000 at step 100"
    ) as caught:
        guards.note_evaluation(200, math.nan)
    assert caught.value.last_good == 100


def test_a_measure_that_is_not_finite_stops_and_says_what_it_was() -> None:
    guards = Guards()
    guards.note_evaluation(100, 1.5, {"sts-dev-768": {"spearman_cosine": 0.83, "pearson_cosine": 0.8}})
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_evaluation(200, 1.4, {"sts-dev-768": {"spearman_cosine": math.nan, "pearson_cosine": math.nan}})
    assert str(caught.value).startswith(
        "training stopped at step 200: the measure sts-dev-768_spearman_cosine (and 1 more) is nan; it was 0.8300 at "
        f"step 100; {COLLAPSED}"
    )
    assert caught.value.last_good == 100
    with pytest.raises(TrainingStoppedError, match=r"step 7: the measure dim_64_cosine_map@100 is inf; the model"):
        Guards().note_evaluation(7, None, {"dim_64": {"cosine_map@100": math.inf}})


def test_a_judge_that_refuses_the_model_stops_it_in_the_judges_words() -> None:
    guards = Guards()
    guards.note_evaluation(100, None, {"dim_64": {"cosine_map@100": 0.4}})
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_refusal(200, BadVectorsError("one vector for all"))
    found = "training stopped at step 200: the model can't be judged: one vector for all; "
    assert str(caught.value).startswith(found + COLLAPSED)
    assert caught.value.last_good == 100


def test_one_vector_for_all_texts_stops_whatever_its_length() -> None:
    guards = Guards()
    guards.note_vectors(10, UNLIKE)
    same = np.array([[1.0, 2.0], [2.0, 4.0], [0.5, 1.0]], dtype=np.float32)
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_vectors(20, same)
    assert str(caught.value).startswith(
        f"training stopped at step 20: 3 unlike texts have one and the same vector; {COLLAPSED}"
    )
    assert caught.value.last_good == 10


def test_vectors_nearly_alike_stop_and_the_mean_cosine_is_told() -> None:
    guards = Guards()
    guards.note_vectors(10, np.eye(2))
    # Two unit vectors with the angle whose cosine is .9995, then .9985.
    near = np.array([[1.0, 0.0], [0.9985, math.sqrt(1 - 0.9985**2)]])
    guards.note_vectors(15, near)
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_vectors(20, np.array([[1.0, 0.0], [0.9995, math.sqrt(1 - 0.9995**2)]]))
    assert "the mean cosine of 2 unlike texts is 0.99950, above 0.999; it was 0.9985 at step 15" in str(caught.value)


def test_the_mean_cosine_is_over_pairs_of_different_texts() -> None:
    guards = Guards()
    vectors = np.random.default_rng(0).normal(size=(8, 5))
    guards.note_vectors(1, vectors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    pairs = [float(units[i] @ units[j]) for i in range(8) for j in range(8) if i != j]
    assert guards.state()["cosines"][0][1] == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_vectors_of_zeros_and_nan_stop_but_a_text_without_known_words_does_not() -> None:
    guards = Guards()
    guards.note_vectors(10, np.vstack([UNLIKE, np.zeros((1, 3))]))
    with pytest.raises(TrainingStoppedError, match="at step 20: the vectors of all 2 test texts are zeros") as caught:
        guards.note_vectors(20, np.zeros((2, 3)))
    assert caught.value.last_good == 10
    broken = UNLIKE.copy()
    broken[1, 2] = math.nan
    with pytest.raises(TrainingStoppedError, match="1 of the vectors of 3 test texts hold NaN or infinite numbers"):
        guards.note_vectors(30, broken)


def test_one_text_alone_proves_nothing() -> None:
    guards = Guards()
    guards.note_vectors(10, np.array([[1.0, 0.0], [0.0, 0.0]]))
    assert guards.state()["cosines"] == []


events = st.lists(
    st.one_of(
        st.tuples(st.just("step"), st.sampled_from([2.0, 2.0, 1.0, 0.5, math.nan])),
        st.tuples(st.just("evaluation"), st.sampled_from([2.0, 2.0, 2.0, 1.0])),
        st.tuples(st.just("measure"), st.sampled_from([0.5, 0.6, math.nan])),
        st.tuples(st.just("vectors"), st.sampled_from([0.0, 0.9, 1.0])),
    ),
    max_size=60,
)


def note(guards: Guards, step: int, kind: str, value: float) -> None:
    if kind == "step":
        guards.note_step(step, value, 1.0 if value > 0.6 else math.inf)
    elif kind == "evaluation":
        guards.note_evaluation(step, value)
    elif kind == "measure":
        guards.note_evaluation(step, None, {"dim_64": {"cosine_map@100": value}})
    else:
        guards.note_vectors(step, np.array([[1.0, 0.0], [value, math.sqrt(1 - value**2)]]))


def outcome(guards: Guards, noted: Sequence[tuple[str, float]], *, broken_at: int | None) -> str:
    """Note all, taking the state to JSON and back after `broken_at` of them; return what it ends with."""
    for index, (kind, value) in enumerate(noted):
        if index == broken_at:
            state = json.loads(json.dumps(guards.state()))
            guards = Guards(GuardOptions(overflows=2))
            guards.restore(state)
        try:
            note(guards, 5 * (index + 1), kind, value)
        except TrainingStoppedError as error:
            return str(error)
    return json.dumps(guards.state())


@given(events, st.integers(0, 60))
def test_what_goes_on_from_a_kept_state_stops_where_an_unbroken_run_does(
    noted: list[tuple[str, float]], broken_at: int
) -> None:
    options = GuardOptions(overflows=2)
    broken = outcome(Guards(options), noted, broken_at=broken_at)
    assert broken == outcome(Guards(options), noted, broken_at=None)


def test_a_kept_state_is_not_changed_by_what_is_noted_after_it() -> None:
    guards = Guards()
    guards.note_step(1, 2.0, 1.0)
    guards.note_evaluation(1, 2.0)
    state = guards.state()
    kept = json.dumps(state)
    guards.note_step(2, 1.0, 1.0)
    guards.note_evaluation(2, 1.0)
    assert json.dumps(state) == kept


def test_options_are_what_the_docstrings_say() -> None:
    assert dataclasses.asdict(GuardOptions()) == {
        "overflows": 0,
        "warmup_steps": 0,
        "evaluations": 3,
        "span": 20,
        "still": 1e-4,
        "batches_alike": 1e-3,
        "converged": 1e-3,
        "alike": 0.999,
    }


def test_a_step_is_surely_good_only_where_no_guard_can_come_back_to_it() -> None:
    guards = Guards(GuardOptions(overflows=3))
    assert guards.sure_step() == 0
    run(guards, [3.0, 2.0, 1.5, 1.0])
    # The loss of step 4 is that of the weights after step 3.
    assert guards.sure_step() == 3
    guards.note_evaluation(4, 1.0, {"dim_64": {"map": 0.5}})
    # Should the loss be this one from now on, that of step 4 was the first to stand still.
    assert guards.sure_step() == 0
    run(guards, [0.9] * 16, first=5)
    guards.note_evaluation(20, 0.9, {"dim_64": {"map": 0.5}})
    assert guards.sure_step() == 4
    run(guards, [0.9] * 10, first=21)
    guards.note_evaluation(30, 0.9)
    # It has stood still since step 20, and measures are as old as that.
    assert guards.sure_step() == 4
    run(guards, [0.8] * 10, first=31)
    guards.note_evaluation(40, 0.8)
    assert guards.sure_step() == 20
    guards.note_evaluation(40, 0.7, {"dim_64": {"map": 0.5}})
    for step in (41, 42):
        guards.note_step(step, 0.7, math.inf)
    assert guards.sure_step() == 40


def test_the_last_good_step_of_a_standstill_was_surely_good_before_it_stopped() -> None:
    guards = Guards()
    run(guards, [batches(step, 2.0) for step in range(1, 11)])
    guards.note_evaluation(10)
    for start in (11, 111):
        run(guards, [1.5] * 100, first=start)
        guards.note_evaluation(start + 99)
    run(guards, [1.5] * 100, first=211)
    sure = guards.sure_step()
    with pytest.raises(TrainingStoppedError) as caught:
        guards.note_evaluation(310)
    assert caught.value.last_good == sure == 10
