"""All that is measured of models, put together.

Models are grouped by the rules that they learned; each is measured on these, beside the others and
the game.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env import checks
from mirage_env.rules import Rules
from mirage_wm.evaluation.chance import AFTER, split_figures
from mirage_wm.evaluation.checks import hit
from mirage_wm.evaluation.drift import TICKS_PER_SECOND, drift_figures, long_play
from mirage_wm.evaluation.film import Film
from mirage_wm.evaluation.keys import reading_figures, told
from mirage_wm.evaluation.likeness import compare, divergence, moment_figures, score_figures
from mirage_wm.evaluation.moments import Moment
from mirage_wm.evaluation.plays import plays, sorted_by_moment
from mirage_wm.evaluation.rule_tests import RULE_TESTS, play_out, set_up
from mirage_wm.evaluation.worlds import Contestant, Game, along
from mirage_wm.scores import rate

__all__ = [
    "FULL",
    "QUICK",
    "CheckerError",
    "Measured",
    "Sizes",
    "frames_of",
    "measure",
    "measure_long",
]

HORIZON = 60
"""Frames of a dream whose PSNR is reported."""
SHORT = (1, 2, 5, 10)
"""Seconds at which many dreams are looked at, and..."""
LONG = (30, 60, 120, 300, 600)
"""... at which some are."""
SHOWN = (1, 2, 5, 10, 20, 30, 45, 60)
"""Frames of dreams that the report shows."""

Pictures = NDArray[np.uint8]


class CheckerError(RuntimeError):
    """The game itself does not pass a test of its rules: the test is wrong."""


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        one_step: Films for single steps.
        films: Films for dreams that are compared with the game.
        future: Frames of these.
        moments: Films of each kind of moment.
        steps: Steps of play that the shares of moments are counted over.
        scenes: Scenes of each rule.
        told: Dreams off which the keys are read.
        told_frames: Frames of these.
        short: Dreams of ten seconds.
        long: Dreams of up to ten minutes; 0 for none.
        seconds: How long these are.
        batch: Dreams at a time.
    """

    one_step: int = 2048
    films: int = 1024
    future: int = 120
    moments: int = 256
    steps: int = 400_000
    scenes: int = 400
    told: int = 256
    told_frames: int = 30
    short: int = 1024
    long: int = 96
    seconds: int = 600
    batch: int = 256

    def __post_init__(self) -> None:
        """Raise `ValueError` for a number that cannot be."""
        for name, size in asdict(self).items():
            checks.whole_number(name, size, 0 if name == "long" else 1)

    def frames(self) -> int:
        """Return about how many frames a model dreams in all."""
        scenes = sum(test.make(1, np.random.default_rng(0)).actions.shape[1] for test in RULE_TESTS)
        return (
            self.one_step
            + self.films * self.future
            + len(Moment) * self.moments
            + self.scenes * scenes
            + self.told * self.told_frames
            + self.short * SHORT[-1] * TICKS_PER_SECOND
            + self.long * self.seconds * TICKS_PER_SECOND
        )


FULL = Sizes()
"""Some minutes of a GPU for a model."""

QUICK = Sizes(
    one_step=192,
    films=24,
    future=90,
    moments=16,
    steps=200_000,
    scenes=12,
    told=12,
    short=12,
    long=0,
    batch=64,
)
"""Some minutes of a CPU for a model: to see that all works, not for fine differences."""


@dataclass
class Measured:
    """The figures of a group of models that learned the same rules, and pictures.

    Attributes:
        figures: Nested dicts of plain numbers.
        dreams: [frames, few, 64, 64, 3] at the frames `SHOWN`, by contestant.
        rules: By rule and contestant: the game's frames of a scene and the contestant's, each
            [few, 64, 64, 3], of a scene in which it broke the rule if it did.
        short: [times, few, 64, 64, 3], by contestant.
        long: The same.
        splits: [few, frames, 64, 64, 3] at `AFTER`, by contestant.
    """

    figures: dict[str, Any]
    dreams: dict[str, Pictures] = field(default_factory=dict)
    rules: dict[str, dict[str, tuple[Pictures, Pictures]]] = field(default_factory=dict)
    short: dict[str, Pictures] = field(default_factory=dict)
    long: dict[str, Pictures] = field(default_factory=dict)
    splits: dict[str, Pictures] = field(default_factory=dict)


def measure(
    models: Mapping[str, Contestant],
    rules: Rules,
    sizes: Sizes,
    say: Callable[[str], object] = lambda what: None,
) -> Measured:
    """Measure models that learned the same rules, but for the dreams of minutes (`measure_long`).

    Args:
        models: By name, at least one.
        rules: Those.
        sizes: How much.
        say: Is told what is being measured.

    Raises:
        CheckerError: If the game does not pass a test of its own rules.
    """
    device = next(iter(models.values())).device
    found = Measured({"rules": rules.differing(), "models": list(models)})
    figures = found.figures

    say("one step")
    single = plays(sizes.one_step, 1, rules)
    figures["one_step"] = {
        name: some["1"]
        for name, some in score_figures(compare(single, models, rules, sizes.batch), 1).items()
    }

    say("dreams beside the game")
    films = plays(sizes.films, sizes.future, rules)
    errors = compare(films, models, rules, sizes.batch)
    figures["dream"] = score_figures(errors, HORIZON)
    figures["divergence"] = divergence(errors)
    few = films[: min(3, len(films.actions))]
    for name, contestant in {"game": Game(rules), **models}.items():
        steps = [s.frames.cpu().numpy() for s in along(contestant, few.starts, few.actions)]
        found.dreams[name] = np.stack([steps[k - 1] for k in SHOWN if k <= len(steps)])

    say("moments")
    kinds = sorted_by_moment(sizes.moments, rules, steps=sizes.steps)
    by_moment = {m: compare(p, models, rules, sizes.batch) for m, p in kinds.plays.items()}
    figures["moments"] = moment_figures(kinds, by_moment)
    figures["steps"] = kinds.steps

    everyone: dict[str, Contestant] = {"game": Game(rules, 1, device), **models}
    figures["rules_kept"] = {}
    for test in RULE_TESTS:
        say(f"rule: {test.name}")
        ready = set_up(test, sizes.scenes, rules)
        results, shown = {}, {}
        for name, contestant in everyone.items():
            film, kept = play_out(test, ready, contestant, sizes.batch)
            if name == "game" and not kept.all():
                raise CheckerError(
                    f"the game itself passes its own rule {test.name!r} in {kept.sum()} of "
                    f"{len(kept)} scenes: the check is wrong, and no report is written"
                )
            results[name] = rate(kept)._asdict()
            found.rules.setdefault(test.name, {})[name] = _scene(film, int(np.argmin(kept)))
            if test.name == "large splits":
                shown[name] = film
        figures["rules_kept"][test.name] = {"title": test.title, "results": results}
        if shown:
            figures["splits"] = split_figures(ready, shown)
            found.splits = {name: _around_hit(film) for name, film in shown.items()}

    say("reading the keys back")
    dreams = told(sizes.told, sizes.told_frames, rules)
    figures["keys"] = reading_figures(dreams, everyone, sizes.batch)

    say("ten seconds")
    play = long_play(sizes.short, SHORT[-1] * TICKS_PER_SECOND, rules)
    figures["short"], found.short = drift_figures(models, play, list(SHORT), rules, sizes.short)

    figures["long"] = None
    return found


def measure_long(
    found: Measured,
    models: Mapping[str, Contestant],
    rules: Rules,
    sizes: Sizes,
    say: Callable[[str], object] = lambda what: None,
    left: float = float("inf"),
) -> None:
    """Measure dreams of minutes, and write down what is found.

    Args:
        found: What `measure` found of these models.
        models: By name.
        rules: Those that they learned.
        sizes: How much.
        say: Is told what is being measured.
        left: Seconds that there are for it: dreams are as long as these allow, and none are
            measured where they do not allow the shortest.
    """
    seconds = [s for s in LONG if s <= sizes.seconds] or [sizes.seconds]
    if left < float("inf"):
        say("how long dreams take")
        first = time.monotonic()
        _dream_for_a_second(models, rules, sizes)  # A GPU's graphs are recorded here.
        second = time.monotonic()
        _dream_for_a_second(models, rules, sizes)
        third = time.monotonic()
        seconds = [s for s in seconds if s * (third - second) <= left - (third - first)]
    if not seconds:
        return
    say(f"{seconds[-1]} seconds")
    play = long_play(2 * sizes.long, seconds[-1] * TICKS_PER_SECOND, rules)
    found.figures["long"], found.long = drift_figures(models, play, seconds, rules, sizes.long)


def _dream_for_a_second(models: Mapping[str, Contestant], rules: Rules, sizes: Sizes) -> None:
    """Do a second of what `measure_long` does, and a little more: starts are played for it."""
    play = long_play(2 * sizes.long, TICKS_PER_SECOND, rules)
    drift_figures(models, play, [1], rules, sizes.long)


def frames_of(film: Film, scene: int, ticks: NDArray[np.intp]) -> tuple[Pictures, Pictures]:
    """Return the game's and the contestant's frames of a scene at some ticks."""
    return (
        film.true_frames[ticks, scene].cpu().numpy(),
        film.frames[ticks, scene].cpu().numpy(),
    )


def _scene(film: Film, scene: int) -> tuple[Pictures, Pictures]:
    return frames_of(film, scene, np.linspace(0, len(film.frames) - 1, 8).round().astype(int))


def _around_hit(film: Film) -> Pictures:
    happened = hit(film)[:6]
    return np.stack(
        [
            frames_of(film, i, np.array([t + k for k in (-1, *AFTER)]))[1]
            for i, t in enumerate(happened)
        ]
    )
