"""When a training run does what: its stages, its learning rate and its budget of steps or minutes.

Everything depends on the progress, 0 to 1, of the whole run: a share of its steps or of its time.
It is kept in the checkpoint, so that a run goes on where it was on a machine that is lent for
minutes at a time.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from enum import Enum

__all__ = ["Budget", "Schedule", "Stage"]


class Stage(Enum):
    """The stages of a run, in their order."""

    SINGLE = "single steps"
    """Single steps from real frames: everything is learned that one step can show."""
    ROLLOUTS = "rollouts"
    """Steps from its own frames beside those from real ones: dreams stay clean for longer."""


@dataclass(frozen=True)
class Schedule:
    """The learning rate and the stages.

    Attributes:
        rollouts: Share of the rollouts in the run.
        peak: Learning rate after the warm-up; it falls along a cosine over the single steps.
        floor: Share of `peak` at which it arrives.
        rollout_peak: Learning rate at the beginning of the rollouts; it falls along a cosine to
            nothing.
        warm_up: Steps until the peak.
    """

    rollouts: float = 0.22
    peak: float = 1.5e-3
    floor: float = 0.1
    rollout_peak: float = 3e-4
    warm_up: int = 500

    def __post_init__(self) -> None:
        """Raise `ValueError` for a share that is none."""
        if not 0 <= self.rollouts <= 1:
            raise ValueError(f"the share of the rollouts must be 0 to 1, got {self.rollouts}")

    def stage(self, progress: float) -> Stage:
        """Return what is done at this point."""
        single = not self.rollouts or progress < 1 - self.rollouts
        return Stage.SINGLE if single else Stage.ROLLOUTS

    def learning_rate(self, progress: float, step: int) -> float:
        """Return the learning rate at this point."""
        single = 1 - self.rollouts
        if self.stage(progress) is Stage.ROLLOUTS:
            return self.rollout_peak * _cosine((progress - single) / self.rollouts)
        rate = self.peak * (self.floor + (1 - self.floor) * _cosine(progress / single))
        return rate * min(1.0, (step + 1) / max(self.warm_up, 1))


def _cosine(x: float) -> float:
    """Fall from 1 at 0 to 0 at 1."""
    return 0.5 + 0.5 * math.cos(math.pi * min(max(x, 0.0), 1.0))


@dataclass(frozen=True)
class Budget:
    """How long the whole run is, and how much of it is done now.

    Attributes:
        total_minutes: Minutes of the whole run, over all the calls that it takes, counted from the
            start of each.
        total_steps: Steps of the whole run; then its minutes do not count.
        minutes: Minutes after which this call ends.
        steps: Steps after which this call ends.
        finish: End the schedule with this call of so many `minutes`, whatever is left of it; the
            totals do not count then.
    """

    total_minutes: float = 25.0
    total_steps: int | None = None
    minutes: float | None = None
    steps: int | None = None
    finish: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for a budget of nothing, or one that does not say when to finish."""
        for name in ("total_minutes", "total_steps", "minutes", "steps"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} of the budget must be greater than 0, got {value}")
        if self.finish and self.minutes is None:
            raise ValueError(
                "--budget.finish needs --budget.minutes: it ends the run with this call"
            )

    def start(self, progress: float, step: int, began: float | None = None) -> RunningBudget:
        """Return the budget of a call that begins (at `began`) at this point of the run."""
        return RunningBudget(self, progress, step, time.monotonic() if began is None else began)


@dataclass(frozen=True)
class RunningBudget:
    """A `Budget` and where its call began."""

    budget: Budget
    first_progress: float
    first_step: int
    began: float

    def progress(self, step: int) -> float:
        """Return the progress of the whole run, 0 to 1."""
        budget, seconds = self.budget, time.monotonic() - self.began
        if budget.finish and budget.minutes is not None:
            share = min(1.0, seconds / (60 * budget.minutes))
            return self.first_progress + (1 - self.first_progress) * share
        if budget.total_steps is not None:
            return min(1.0, step / budget.total_steps)
        return min(1.0, self.first_progress + seconds / (60 * budget.total_minutes))

    def spent(self, step: int) -> bool:
        """Return whether this call is to end before this step."""
        budget = self.budget
        return (
            self.progress(step) >= 1
            or (budget.steps is not None and step - self.first_step >= budget.steps)
            or (budget.minutes is not None and time.monotonic() - self.began >= 60 * budget.minutes)
        )
