"""What all models share: frames in and out, rewards and endings, and how they are blamed.

Alignment, used everywhere in this package: action a[t] leads from frame f[t] to frame f[t+1], with
which come the reward r[t+1] and the flag terminated[t+1]. From f[t-3..t] and a[t-3..t] a model
predicts those three.

A frame is predicted as a change of the last one, since most pixels stay as they are. Pixels are
floats from 0 (black) to 1 inside and uint8 outside; rounding between the steps of a dream also
erases faint noise before it can grow.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirage_wm.rewards import ENDS, REWARDS
from mirage_wm.unet import TorusConv, UNet
from mirage_wm.unet_config import UNetConfig

__all__ = [
    "CONTEXT_NOISE",
    "Errors",
    "FrameModel",
    "Prediction",
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


class FrameModel(nn.Module):
    """A model that says what follows; v1 and v2 differ in how they get there.

    Attributes:
        config: Sizes of its net.
        views: Looks at the same frames in a dream, of which the mean is taken (`mirage_wm.views`).
    """

    config: UNetConfig
    rewards: Tensor
    views: int = 1

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("rewards", torch.tensor(REWARDS, dtype=torch.int32), persistent=False)

    def halve(self) -> Self:
        """Keep the weights, and compute, in fp16: for dreaming on a GPU. Sums stay in fp32.

        Channels of convolutions are made up once for all frames; what that makes of the weights is
        not to be saved.
        """
        for module in self.modules():
            if isinstance(module, TorusConv):
                learns = module.weight.requires_grad
                module.weight, module.bias = (
                    nn.Parameter(part, learns) for part in module.made_up()
                )
        for parameter in self.parameters():
            parameter.data = parameter.data.half()
        return self

    def outputs(self, frames: Tensor, actions: Tensor, noise: Tensor | None = None) -> Prediction:
        """Predict from pixels.

        Args:
            frames: uint8 [B, context, H, W, 3], the oldest first.
            actions: int [B, context]; the last leads to the predicted frame.
            noise: Standard normal, float [B, 3, H, W], for a model that draws; None takes
                PyTorch's.
        """
        raise NotImplementedError

    def judged(self, prediction: Prediction) -> tuple[Tensor, Tensor, Tensor]:
        """Return what a dream shows and says.

        Returns:
            The next frame uint8 [B, H, W, 3], the likeliest reward int32 [B], and whether the
            episode terminates, bool [B]: where its logit is above `ENDS`.
        """
        frame, reward, terminated = prediction
        return to_pixels(frame), self.rewards[reward.argmax(1)], terminated > ENDS

    @torch.no_grad()
    def predict(
        self, frames: Tensor, actions: Tensor, noise: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Predict one step from pixels to pixels, see `outputs` and `judged`."""
        return self.judged(self.outputs(frames, actions, noise))


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
