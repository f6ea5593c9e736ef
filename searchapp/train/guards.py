"""Guards: the numbers that say a training has failed. It stops there and then, and no model comes of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NoReturn, TypeAlias

import numpy as np
import numpy.typing as npt

from searchapp.encoders.checks import SAME
from searchapp.errors import SearchappError, TrainingStoppedError

State: TypeAlias = dict[str, Any]
"""What guards know, as JSON holds it."""

SCALED = 20
"""Overflows in a row that fp16 has: a scale that begins at 2**16 and is halved at each is below 1 before that."""
_RECENT = 64


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """Where a healthy training ends."""

    overflows: int = 0
    """Gradients in a row that may be infinite or NaN, as their step is left out: SCALED under fp16, else none."""
    warmup_steps: int = 0
    """Steps in which the rate still rises: a loss may stand still there."""
    evaluations: int = 3
    """Evaluations that a loss may not stand still for, and"""
    span: int = 20
    """steps, where evaluations come more often than every ten."""
    still: float = 1e-4
    """A loss whose values lie within this share of their mean stands still."""
    batches_alike: float = 1e-3
    """Batches whose losses lie within this share of their median are alike; those of a sound model differ."""
    converged: float = 1e-3
    """A loss as small as this has nowhere to go."""
    alike: float = 0.999
    """Mean cosine of unlike texts above which nothing is told apart."""


@dataclass
class _Known:
    """What has been seen; plain numbers, as it is kept beside a checkpoint."""

    good_step: int = 0
    """The last step whose weights gave a finite loss: those before step n + 1 are those after step n."""
    overflows: int = 0
    recent: list[float] = field(default_factory=list)
    """Losses of the last steps."""
    total: float = 0.0
    steps: int = 0
    """The sum of the losses since the last evaluation, and how many they are."""
    losses: list[tuple[int, float]] = field(default_factory=list)
    """Step and loss of every evaluation."""
    measured: list[tuple[int, dict[str, float]]] = field(default_factory=list)
    """Step and measures of the last evaluation."""
    cosines: list[tuple[int, float]] = field(default_factory=list)
    """Step and mean cosine of the last vectors."""


class Guards:
    """Watches a training; each `note_` raises TrainingStoppedError where it has failed.

    Its message says what is wrong, at which step, since when, and what to try. Steps count from 1, a step is one
    change of the weights, and what is noted of an evaluation or of vectors at step n is of the weights after it.
    """

    def __init__(self, options: GuardOptions | None = None) -> None:
        self._options = options or GuardOptions()
        self._known = _Known()

    def state(self) -> State:
        """Return all that has been noted, for JSON: what goes on from it stops where an unbroken run would."""
        return asdict(self._known)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take up what `state` gave, whether or not it went through JSON."""
        known = _Known(**state)
        for name in ("losses", "measured", "cosines"):
            setattr(known, name, [(step, value) for step, value in getattr(known, name)])
        self._known = known

    def sure_step(self) -> int:
        """Return a step after which the weights are good whatever is noted next; 0 where none is.

        A guard that stops later calls no earlier step the last good one, but for a loss that creeps: what is kept of
        it stays kept.
        """
        known = self._known
        sure = [known.good_step - max(0, known.overflows - 1)]
        sure += [step for step, _ in known.measured]
        if known.losses:
            begin = self._still_since(len(known.losses) - 1, known.losses[-1][1])
            sure.append(known.losses[begin - 1][0] if begin else 0)
        return max(0, min(sure))

    def note_step(self, step: int, loss: float, grad_norm: float | None = None) -> None:
        """Note a step's loss, the mean over its batches, and the norm of its gradient before clipping, if known."""
        known = self._known
        if not math.isfinite(loss):
            self._stop(step, known.good_step, f"the loss is {loss}, {_last_loss(known.recent, step)}", _NOT_FINITE)
        if grad_norm is None or math.isfinite(grad_norm):
            known.overflows = 0
        else:
            known.overflows += 1
            if known.overflows > self._options.overflows:
                first = step - known.overflows + 1
                since = "" if known.overflows == 1 else f" since step {first}, {known.overflows} steps in a row"
                self._stop(step, first - 1, f"the gradient's norm is {grad_norm}{since}", _NOT_FINITE)
        known.good_step = step - 1
        known.recent = [*known.recent, loss][-_RECENT:]
        known.total += loss
        known.steps += 1

    def note_evaluation(
        self, step: int, loss: float | None = None, measures: Mapping[str, Mapping[str, float]] | None = None
    ) -> None:
        """Note the loss on held-out rows and the judge's measures; either may be unknown.

        Without a loss, the mean of the steps' losses since the last evaluation stands for it.
        """
        known = self._known
        flat = {f"{judge}_{key}": value for judge, row in (measures or {}).items() for key, value in row.items()}
        good = known.measured[-1][0] if known.measured else 0
        if bad := [name for name, value in flat.items() if not math.isfinite(value)]:
            was = f"; it was {known.measured[-1][1].get(bad[0], math.nan):.4f} at step {good}" if good else ""
            more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
            self._stop(step, good, f"the measure {bad[0]}{more} is {flat[bad[0]]}{was}", _COLLAPSED)
        if loss is None and known.steps:
            loss = known.total / known.steps
        known.total, known.steps = 0.0, 0
        if loss is not None:
            if not math.isfinite(loss):
                was = f"; it was {known.losses[-1][1]:.4f} at step {known.losses[-1][0]}" if known.losses else ""
                self._stop(step, good, f"the loss of the evaluation is {loss}{was}", _NOT_FINITE)
            known.losses.append((step, loss))
            self._refuse_standstill(step)
        if flat:
            known.measured = [(step, flat)]

    def note_vectors(self, step: int, vectors: npt.NDArray[np.floating[Any]]) -> None:
        """Note the vectors, (n, dim), of n texts as unlike as can be, such as encoders.checks.CANARIES.

        A text of which a static model knows no word has a vector of zeros, which is left out, unless all are.
        """
        good = self._known.cosines[-1][0] if self._known.cosines else 0
        rows = np.asarray(vectors, dtype=np.float64)
        norms = np.linalg.norm(rows, axis=1)
        if not np.isfinite(norms).all():
            count = int((~np.isfinite(norms)).sum())
            self._stop(
                step,
                good,
                f"{count} of the vectors of {len(rows)} test texts hold NaN or infinite numbers",
                _NOT_FINITE,
            )
        if not norms.any():
            self._stop(step, good, f"the vectors of all {len(rows)} test texts are zeros", _COLLAPSED)
        units = rows[norms > 0] / norms[norms > 0, None]
        if len(units) < 2:
            return
        cosine = _mean_cosine(units)
        was = f"; it was {self._known.cosines[-1][1]:.4f} at step {good}" if self._known.cosines else ""
        if np.abs(units - units[0]).max() <= SAME:
            self._stop(step, good, f"{len(units)} unlike texts have one and the same vector", _COLLAPSED)
        if cosine > self._options.alike:
            found = f"the mean cosine of {len(units)} unlike texts is {cosine:.5f}, above {self._options.alike:g}{was}"
            self._stop(step, good, found, _COLLAPSED)
        self._known.cosines = [(step, cosine)]

    def note_refusal(self, step: int, error: SearchappError) -> NoReturn:
        """Stop as the judge found the model's vectors bad, or a measure NaN, and gave no measures at all."""
        good = self._known.measured[-1][0] if self._known.measured else 0
        self._stop(step, good, f"the model can't be judged: {error}", _COLLAPSED)

    def _refuse_standstill(self, step: int) -> None:
        """Stop where the last losses are one, and either every batch has that loss too or none was ever higher.

        At the end of a schedule a healthy loss stands still as well, evaluated often, as the rate goes to 0; but it
        has fallen before, and batches still differ. Of a collapsed model every batch has one loss, the logarithm of
        the batch's size; of one whose weights don't change, the loss is what it was at first.
        """
        options, losses = self._options, self._known.losses
        window = self._last_evaluations()
        values = [loss for _, loss in window]
        mean = sum(values) / len(values) if values else 0.0
        if abs(mean) <= options.converged or max(values) - min(values) > options.still * abs(mean):
            return
        begin = self._still_since(len(losses) - len(window), mean)
        fell = any(loss > mean for _, loss in losses[:begin])
        if fell and not self._batches_alike():
            return
        since, last_good = losses[begin][0], losses[begin - 1][0] if begin else 0
        found = f"the loss has not moved since step {since} ({mean:.4f} at {len(losses) - begin} evaluations)"
        self._stop(step, last_good, found, _COLLAPSED)

    def _still_since(self, begin: int, loss: float) -> int:
        """Return the place of the first of the evaluations up to `begin` since when the loss has been this one."""
        losses = self._known.losses
        while begin and abs(losses[begin - 1][1] - loss) <= self._options.still * abs(loss):
            begin -= 1
        return begin

    def _last_evaluations(self) -> Sequence[tuple[int, float]]:
        """Return the fewest last evaluations that are enough in number and in steps; none where too few are."""
        losses = [noted for noted in self._known.losses if noted[0] > self._options.warmup_steps]
        for count in range(self._options.evaluations, len(losses) + 1):
            if losses[-1][0] - losses[-count][0] >= self._options.span:
                return losses[-count:]
        return ()

    def _batches_alike(self) -> bool:
        """Tell whether eight tenths of the last steps have one loss: the last batch of an epoch is a smaller one."""
        if not self._known.recent:
            return False
        low, middle, high = np.quantile(self._known.recent, (0.1, 0.5, 0.9))
        return bool(high - low <= self._options.batches_alike * abs(middle))

    def _stop(self, step: int, last_good: int, found: str, advice: str) -> NoReturn:
        kept = f"the last good checkpoint, of step {last_good} or before, is kept" if last_good else _NONE_GOOD
        raise TrainingStoppedError(f"training stopped at step {step}: {found}; {advice}; {kept}", step, last_good)


_NOT_FINITE = (
    "try a lower rate (--set training.learning_rate=...), float32 (--set training.precision=fp32), and look for "
    "empty or broken texts in the data"
)
_COLLAPSED = (
    "the model tells no texts apart, or its weights don't change: try another rate (--set training.learning_rate=...), "
    "float32 (--set training.precision=fp32), a pretrained base, and check that the rows differ"
)
_NONE_GOOD = "no checkpoint of this training is known to be good; any that was made before is kept"


def _last_loss(recent: Sequence[float], step: int) -> str:
    return f"after {recent[-1]:.4f} at step {step - 1}" if recent else "from the first step on"


def _mean_cosine(units: npt.NDArray[np.float64]) -> float:
    """Return the mean cosine of all pairs of different rows of unit vectors."""
    count = len(units)
    return float(((units.sum(axis=0) ** 2).sum() - count) / (count * (count - 1)))
