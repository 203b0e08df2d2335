"""When chance decides: where the halves of a large rock go.

Under `Rules(split="random")` nothing in the picture says it. A model that commits shows two rocks,
somewhere; one that averages shows their ghosts everywhere. Under the standard rules the bullet's
path decides, and both can know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mirage_wm.evaluation import objects
from mirage_wm.evaluation.checks import APART, hit, in_two
from mirage_wm.evaluation.film import Film, Moment
from mirage_wm.evaluation.likeness import Branches
from mirage_wm.evaluation.rule_tests import RULE_TESTS, SetUp
from mirage_wm.evaluation.worlds import Game, along
from mirage_wm.scores import estimate, frame_errors, rate, scores

__all__ = ["AFTER", "split_figures"]

AFTER = (1, 4, 8, APART)
"""Frames after the hit at which errors are measured."""

SPLIT = next(test for test in RULE_TESTS if test.name == "large splits")


def split_figures(ready: SetUp, films: Mapping[str, Film]) -> dict[str, Any]:
    """Return what became of large rocks that were shot.

    Args:
        ready: Scenes of the rule "large splits".
        films: What contestants showed of them, the game with other random numbers among them.

    Returns:
        For each: how often the rock is in two halves and nothing else; how many pixels show ghosts
        of rocks (dimmer than any rock is inside); and the scores against the real future at the
        frames `AFTER` the hit. Beside them the ceiling: branches of the game.
    """
    happened = hit(next(iter(films.values())))
    rows = np.arange(len(happened))
    figures: dict[str, Any] = {"n": len(happened), "after": list(AFTER), "contestants": {}}
    for name, film in films.items():
        errors = [
            frame_errors(moment.frames, moment.true_frames).cpu().numpy()
            for moment in (film.at(happened + k) for k in AFTER)
        ]
        last = film.at(happened + APART)
        figures["contestants"][name] = {
            "in_two": rate(in_two(last).cpu().numpy())._asdict(),
            "ghost_area": estimate(ghost_area(last).cpu().numpy())._asdict(),
            "scores": [s._asdict() for s in scores(np.stack(errors, 1))],
        }
    branches, spread = ceiling(ready)
    at = np.stack([happened + k - 1 for k in AFTER], 1)
    figures["ceiling"] = [s._asdict() for s in scores(branches[rows[:, None], at])]
    figures["irreducible"] = [s._asdict() for s in scores(spread[rows[:, None], at])]
    return figures


def ghost_area(moment: Moment) -> Tensor:
    """Return how many pixels have the hue of the rocks and are too dim to be one, [n].

    Rocks are half as bright as their colour in the middle; only their outermost pixels are dimmer.
    """
    colours = moment.rock_colours()
    whole = torch.as_tensor(colours.max(1), device=moment.frames.device)[:, None, None]
    dim = objects.brightness(moment.frames) < 0.4 * whole
    return (objects.alike(moment.frames, colours, degrees=12, least=0.08) & dim).sum((1, 2))


def ceiling(ready: SetUp) -> tuple[Any, Any]:
    """Return errors of branches [n, ticks, branches] and the variance of futures [n, ticks]."""
    game = Game(ready.rules)
    others = Branches(ready.rules, ready.starts)
    steps = []
    for t, real in enumerate(along(game, ready.starts, ready.actions)):
        steps.append(others.step(ready.actions[:, t], game, real.frames))
    errors, variances = zip(*steps, strict=True)
    return np.stack(errors, 1), np.stack(variances, 1)
