"""What v1 is trained to make small."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mirage_wm.regression import Prediction, head_error, pixel_error, to_context
from mirage_wm.schedule import Stage
from mirage_wm.windows import Windows

__all__ = ["rollout_loss", "single_step_loss"]

Forward = Callable[[Tensor, Tensor], Prediction]

PIXELS, HEADS = 100.0, 0.03
"""Weights of the pixels' error and of the heads': at 40 dB, 0.01 against about 0.003.

The heads must not lead the trunk."""

LOG_FLOOR = 3e-6
"""Squared errors below this (55 dB) count no further in log-MSE.

The logarithm is scaled to pull as MSE does at 40 dB."""

GATE = 10 ** (-2.4)
"""A squared error (24 dB) after which later frames of a rollout do not count: the model could not
know, by a random place for example, what was to come, and what follows from it is nothing to learn
from."""


def frame_loss(stage: Stage, error: Tensor) -> Tensor:
    """Return the loss of each frame from its mean squared error [B]."""
    if stage is Stage.MSE:
        return PIXELS * error
    return 0.01 * torch.log(error + LOG_FLOOR)


def single_step_loss(model: Forward, windows: Windows, stage: Stage) -> tuple[Tensor, Tensor]:
    """Predict one frame from real ones.

    Args:
        model: From context and actions to a `Prediction`.
        windows: With at least one future frame.
        stage: Which loss of the pixels.

    Returns:
        The loss, and the mean squared error (detached) to watch.
    """
    loss, error, _ = _predict(model, to_context(windows.frames[:, :-1]), windows, 0, stage)
    return loss.mean(), error.detach().mean()


def rollout_loss(model: Forward, windows: Windows, future: int) -> tuple[Tensor, Tensor]:
    """Predict `future` frames, each from the last of its own; in half of the batch one frame only.

    Own frames go in rounded, as they do in a dream; gradients flow through all steps.

    Returns:
        The loss, and the mean squared error of the first frame (detached).
    """
    context = windows.frames.shape[1] - future
    seen = to_context(windows.frames[:, :context])
    loss, error, prediction = _predict(model, seen, windows, 0, Stage.LOG_MSE)
    half = len(seen) // 2
    first, gate, total = error.detach().mean(), torch.ones_like(error[:half]), loss[:half]
    for step in range(1, future):
        seen = torch.cat([seen[:half, 3:], _as_shown(prediction.frame[:half])], 1)
        gate = gate * (error[:half].detach() < GATE)
        part = Windows(*(tensor[:half] for tensor in windows))
        step_loss, error, prediction = _predict(model, seen, part, step, Stage.LOG_MSE)
        total = total + gate * step_loss
    return (total.mean() / future + loss[half:].mean()) / 2, first


def _as_shown(frame: Tensor) -> Tensor:
    """Round and clip as a dream does; the gradient passes as if nothing had been done."""
    frame = frame.float()
    shown = frame.detach().mul(255).round_().clamp_(0, 255).div_(255)
    return shown + (frame - frame.detach())


def _predict(
    model: Forward, seen: Tensor, windows: Windows, step: int, stage: Stage
) -> tuple[Tensor, Tensor, Prediction]:
    """Predict frame context + step; return loss and error of each window, and the prediction."""
    context = seen.shape[1] // 3
    prediction = model(seen, windows.actions[:, step : step + context])
    error = pixel_error(prediction, to_context(windows.frames[:, context + step][:, None]))
    heads = head_error(prediction, windows.rewards[:, step], windows.terminated[:, step])
    return frame_loss(stage, error) + HEADS * heads, error, prediction
