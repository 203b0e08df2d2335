"""What is measured of a model on held-out play; `mirage_wm.evaluate` puts it together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mirage_wm.held_out import Films, dream_along, films, films_by_event
from mirage_wm.objects import ship_shown
from mirage_wm.regression import Regression
from mirage_wm.rewards import REWARDS
from mirage_wm.scores import frame_errors, score

__all__ = ["event_scores", "horizon_scores", "long_dreams", "one_step_scores", "sharpness"]


def parts(model: Regression, played: Films, batch: int) -> Iterator[tuple[Films, Any]]:
    """Yield films, some at a time and on the model's device, with what the model dreams along."""
    device = next(model.parameters()).device
    for first in range(0, len(played.frames), batch):
        part = Films(*(tensor[first : first + batch].to(device) for tensor in played))
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda"):
            yield part, dream_along(model, part)


def errors(model: Regression, played: Films, batch: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return mean squared errors [n, future] of dreams, and of showing the last frame again."""
    context = model.config.context
    dreamt, copied = [], []
    for part, (frames, _, _) in parts(model, played, batch):
        real, last = part.frames[:, context:], part.frames[:, context - 1, None]
        dreamt.append(frame_errors(frames, real).cpu())
        copied.append(frame_errors(last.expand_as(real), real).cpu())
    return torch.cat(dreamt).numpy(), torch.cat(copied).numpy()


def one_step_scores(model: Regression, n: int, batch: int) -> dict[str, Any]:
    """Return the scores of one step from real frames, and of showing the last frame again."""
    dreamt, copied = errors(model, films(n, 1, model.config.context), batch)
    return {"model": score(dreamt[:, 0])._asdict(), "copy": score(copied[:, 0])._asdict()}


def horizon_scores(model: Regression, n: int, future: int, batch: int) -> dict[str, Any]:
    """Return the scores of the first to the last of `future` dreamt frames (AR PSNR), by number."""
    dreamt, copied = errors(model, films(n, future, model.config.context), batch)
    return {
        name: {str(k + 1): score(error[:, k])._asdict() for k in range(future)}
        for name, error in (("model", dreamt), ("copy", copied))
    }


def event_scores(model: Regression, n: int, batch: int) -> dict[str, Any]:
    """Return, for each kind of event, scores of the frame it shows in and of the heads.

    "reward_right" is the share of frames whose reward was told exactly, "terminated" the share
    that was said to end the episode.
    """
    result = {}
    for event, played in films_by_event(n, model.config.context).items():
        if not len(played.frames):
            continue
        error, right, ended = [], [], []
        for part, (frames, rewards, terminated) in parts(model, played, batch):
            error.append(frame_errors(frames[:, 0], part.frames[:, -1]).cpu())
            wanted = torch.tensor(REWARDS, device=rewards.device)[part.rewards[:, -1]]
            right.append((rewards[:, 0] == wanted).cpu())
            ended.append(terminated[:, 0].cpu())
        result[(event.name or "").lower() or "plain"] = {
            **score(torch.cat(error).numpy())._asdict(),
            "reward_right": float(torch.cat(right).float().mean()),
            "terminated": float(torch.cat(ended).float().mean()),
        }
    return result


def long_dreams(model: Regression, n: int, future: int, batch: int) -> dict[str, Any]:
    """Return how the last of `future` dreamt frames compare with the real ones after the same keys.

    "sharpness" is the ratio of the mean absolute differences of neighbouring pixels; "ship_shown"
    the share of pictures in which the ship, or its explosion, is to be seen.
    """
    context = model.config.context
    real, dreamt = [], []
    for part, (frames, _, _) in parts(model, films(n, future, context), batch):
        real.append(part.frames[:, -1].cpu())
        dreamt.append(frames[:, -1].cpu())
    real, dreamt = torch.cat(real).numpy(), torch.cat(dreamt).numpy()
    return {
        "frames": future,
        "n": len(real),
        "sharpness": sharpness(dreamt) / sharpness(real),
        "ship_shown": float(ship_shown(dreamt).mean()),
        "ship_shown_in_game": float(ship_shown(real).mean()),
    }


def sharpness(frames: NDArray[np.uint8]) -> float:
    """Return the mean absolute difference of neighbouring pixels of [n, H, W, 3], in levels."""
    signed = frames.astype(np.int16)
    across = np.abs(signed - np.roll(signed, 1, 2)).mean()
    return float((across + np.abs(signed - np.roll(signed, 1, 1)).mean()) / 2)
