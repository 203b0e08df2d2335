"""Films of play that no model was trained on, and dreams begun from them with the same keys.

Training watches its progress by them; `mirage_wm.evaluate` measures more, with the same play.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from mirage_env.rules import Rules
from mirage_wm.evaluation.plays import plays
from mirage_wm.evaluation.worlds import Game, along

__all__ = ["Films", "Predicts", "dream_along", "films"]


class Films(NamedTuple):
    """n films of one episode each, every one from an arena of its own.

    Attributes:
        frames: uint8 [n, PAST + future, 64, 64, 3].
        actions: int64 [n, PAST + future - 1]; actions[:, i] leads from frames[:, i] to
            frames[:, i + 1].
    """

    frames: Tensor
    actions: Tensor

    def to(self, device: torch.device | str) -> Films:
        """Return the films on a device."""
        return Films(*(tensor.to(device) for tensor in self))


class Predicts(Protocol):
    """A model that predicts a step from pixels."""

    config: Any

    def predict(self, frames: Tensor, actions: Tensor, /) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next frames, rewards and endings."""
        ...


def films(n: int, future: int, rules: Rules | None = None) -> Films:
    """Return up to n films as play goes: what is rare in it is rare in them."""
    rules = rules or Rules()
    played = plays(n, future, rules)
    steps = along(Game(rules), played.starts, played.actions)
    past = torch.from_numpy(played.starts.frames)
    keys = [torch.from_numpy(part).long() for part in (played.starts.actions, played.actions)]
    frames = torch.stack([step.frames for step in steps], 1)
    return Films(torch.cat([past, frames], 1), torch.cat(keys, 1))


def dream_along(model: Predicts, played: Films) -> tuple[Tensor, Tensor, Tensor]:
    """Dream from the first frames of each film, with its keys.

    Returns:
        What the model shows, uint8 [n, future, 64, 64, 3], and says: rewards int32 and terminated
        bool [n, future].
    """
    context = model.config.context
    seen = played.frames[:, :context]
    steps = []
    for t in range(played.frames.shape[1] - context):
        step = model.predict(seen, played.actions[:, t : t + context])
        seen = torch.cat([seen[:, 1:], step[0][:, None]], 1)
        steps.append(step)
    frames, rewards, terminated = (torch.stack(parts, 1) for parts in zip(*steps, strict=True))
    return frames, rewards, terminated
