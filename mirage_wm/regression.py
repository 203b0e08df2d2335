"""v1: the next frame by regression.

Alignment, used everywhere in this package: action a[t] leads from frame f[t] to frame f[t+1], with
which come the reward r[t+1] and the flag terminated[t+1]. From f[t-3..t] and a[t-3..t] the model
predicts those three.

The frame is predicted as a change of the last one, since most pixels stay as they are. Pixels are
floats from 0 (black) to 1 inside and uint8 outside; rounding between the steps of a dream also
erases faint noise before it can grow.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirage_wm.rewards import ENDS, REWARDS
from mirage_wm.unet import ActionEmbedding, LevelEmbedding, UNet, UNetConfig

__all__ = [
    "CONTEXT_NOISE",
    "Errors",
    "Prediction",
    "Regression",
    "expect_nothing",
    "heads_error",
    "to_context",
    "to_pixels",
]

CONTEXT_NOISE = 0.05
"""The most noise that training adds to the frames a model sees: 13 levels of 255."""


class Prediction(NamedTuple):
    """What follows, for a batch of B.

    Attributes:
        frame: float [B, 3, H, W], about 0 to 1, not clipped.
        reward: Logits [B, len(REWARDS)].
        terminated: Logits [B].
    """

    frame: Tensor
    reward: Tensor
    terminated: Tensor


class Errors(NamedTuple):
    """What a model did wrong in a batch of B windows.

    Attributes:
        pixels: Mean squared error of each frame, float [B], weighted by the level of its noise.
        heads: Cross entropy of the reward and the ending, float [B].
        frame: The frame expected, float [B, 3, H, W], about 0 to 1.
    """

    pixels: Tensor
    heads: Tensor
    frame: Tensor


class Regression(nn.Module):
    """The model v1: one evaluation a frame.

    Example:
        >>> model = Regression(UNetConfig(widths=(8, 8), blocks=1, embedding=8))
        >>> seen = torch.zeros(1, 4, 64, 64, 3, dtype=torch.uint8)
        >>> frame, reward, terminated = model.predict(seen, torch.zeros(1, 4))
        >>> frame.shape, reward.item(), terminated.item()
        (torch.Size([1, 64, 64, 3]), 0, False)
    """

    rewards: Tensor

    def __init__(self, config: UNetConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or UNetConfig()
        self.actions = ActionEmbedding(config.context, config.embedding)
        if config.context_noise:
            self.noise = LevelEmbedding(config.embedding)
        self.unet = UNet(config, 3 * config.context, 3, len(REWARDS) + 1)
        self.register_buffer("rewards", torch.tensor(REWARDS, dtype=torch.int32), persistent=False)
        expect_nothing(self.unet)

    def forward(self, context: Tensor, actions: Tensor, told: Tensor | None = None) -> Prediction:
        """Predict from the last frames and actions.

        Args:
            context: `to_context` of the frames.
            actions: int64 [B, context].
            told: How noisy the frames are, float [B] from 0 to `CONTEXT_NOISE`; None for not at
                all.
        """
        condition = self.actions(actions)
        if self.config.context_noise:
            told = context.new_zeros(len(context)) if told is None else told
            condition = condition + self.noise(told / CONTEXT_NOISE)
        change, summary = self.unet(context, condition)
        return Prediction(context[:, -3:] + change, summary[:, :-1], summary[:, -1])

    def errors(
        self,
        context: Tensor,
        told: Tensor,
        actions: Tensor,
        target: Tensor,
        reward: Tensor,
        terminated: Tensor,
    ) -> Errors:
        """Return the errors of predictions; for training.

        Args:
            context: See `forward`.
            told: See `forward`.
            actions: See `forward`.
            target: The frame that came, uint8 [B, H, W, 3].
            reward: Its class, int64 [B].
            terminated: bool [B].
        """
        prediction = self(context, actions, told)
        frame = prediction.frame.float()
        pixels = (frame - to_context(target[:, None])).square().mean((1, 2, 3))
        return Errors(
            pixels, heads_error(prediction.reward, prediction.terminated, reward, terminated), frame
        )

    @torch.no_grad()
    def predict(self, frames: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Predict one step from pixels to pixels.

        Args:
            frames: uint8 [B, context, H, W, 3], the oldest first.
            actions: int [B, context]; the last leads to the predicted frame.

        Returns:
            The next frame uint8 [B, H, W, 3], the likeliest reward int32 [B], and whether the
            episode terminates, bool [B]: where its logit is above `ENDS`.
        """
        frame, reward, terminated = self(to_context(frames), actions.long())
        return to_pixels(frame), self.rewards[reward.argmax(1)], terminated > ENDS


def to_context(frames: Tensor) -> Tensor:
    """uint8 [B, T, H, W, 3] -> float [B, 3*T, H, W] from 0 to 1, channels last in memory."""
    b, t, h, w, c = frames.shape
    return (
        frames.permute(0, 2, 3, 1, 4).reshape(b, h, w, t * c).float().div_(255).permute(0, 3, 1, 2)
    )


def to_pixels(frame: Tensor) -> Tensor:
    """Float [B, 3, H, W] -> uint8 [B, H, W, 3], rounded and clipped."""
    return (
        frame.float()
        .mul(255)
        .round_()
        .clamp_(0, 255)
        .to(torch.uint8)
        .permute(0, 2, 3, 1)
        .contiguous()
    )


def heads_error(
    told_reward: Tensor, told_end: Tensor, reward: Tensor, terminated: Tensor
) -> Tensor:
    """Cross entropy of the reward's class int64 [B] plus that of the ending bool [B]; float [B]."""
    return F.cross_entropy(told_reward.float(), reward, reduction="none") + (
        F.binary_cross_entropy_with_logits(told_end.float(), terminated.float(), reduction="none")
    )


@torch.no_grad()
def expect_nothing(unet: UNet) -> None:
    """Let a new net say that nothing is gained and nothing ends, until it knows better."""
    last = unet.summary_second
    last.weight.mul_(0.1)
    last.bias.copy_(torch.tensor([4.0] + [-2.0] * (len(REWARDS) - 1) + [-4.0]))
