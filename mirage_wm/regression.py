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
from mirage_wm.unet import ActionEmbedding, UNet, UNetConfig

__all__ = [
    "Prediction",
    "Regression",
    "head_error",
    "pixel_error",
    "to_context",
    "to_pixels",
]


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
        self.unet = UNet(config, 3 * config.context, 3, len(REWARDS) + 1)
        self.register_buffer("rewards", torch.tensor(REWARDS, dtype=torch.int32), persistent=False)
        with torch.no_grad():  # Until it knows better, nothing is gained and nothing ends.
            last = self.unet.summary_second
            last.weight.mul_(0.1)
            last.bias.copy_(torch.tensor([4.0] + [-2.0] * (len(REWARDS) - 1) + [-4.0]))

    def forward(self, context: Tensor, actions: Tensor) -> Prediction:
        """Predict from `to_context` of the last frames and the actions int64 [B, context]."""
        change, summary = self.unet(context, self.actions(actions))
        return Prediction(context[:, -3:] + change, summary[:, :-1], summary[:, -1])

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


def pixel_error(prediction: Prediction, target: Tensor) -> Tensor:
    """Mean squared error of each frame of a batch, float [B]; `target` is float [B, 3, H, W]."""
    return (prediction.frame.float() - target).square().mean((1, 2, 3))


def head_error(prediction: Prediction, reward: Tensor, terminated: Tensor) -> Tensor:
    """Cross entropy of the reward's class int64 [B] plus that of the ending bool [B]; float [B]."""
    return F.cross_entropy(prediction.reward.float(), reward, reduction="none") + (
        F.binary_cross_entropy_with_logits(
            prediction.terminated.float(), terminated.float(), reduction="none"
        )
    )
