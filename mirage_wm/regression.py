"""v1: the next frame by regression, in one evaluation of the net.

Where chance decides what comes, it gives the mean of all that could.
"""

from __future__ import annotations

import torch
from torch import Tensor

from mirage_wm.frame_model import (
    CONTEXT_NOISE,
    Errors,
    FrameModel,
    Prediction,
    expect_nothing,
    heads_error,
    to_context,
    to_pixels,
)
from mirage_wm.rewards import REWARDS
from mirage_wm.unet import ActionEmbedding, LevelEmbedding, UNet, change
from mirage_wm.unet_config import UNetConfig
from mirage_wm.views import mean_of_views

__all__ = ["Prediction", "Regression", "to_context", "to_pixels"]


class Regression(FrameModel):
    """The model v1: one evaluation a frame.

    Example:
        >>> model = Regression(UNetConfig(widths=(8, 8), blocks=1, embedding=8))
        >>> seen = torch.zeros(1, 4, 64, 64, 3, dtype=torch.uint8)
        >>> frame, reward, terminated = model.predict(seen, torch.zeros(1, 4))
        >>> frame.shape, reward.item(), terminated.item()
        (torch.Size([1, 64, 64, 3]), 0, False)
    """

    def __init__(self, config: UNetConfig | None = None) -> None:
        config = config or UNetConfig()
        super().__init__(config)
        self.actions = ActionEmbedding(config.context, config.embedding)
        if config.context_noise:
            self.noise = LevelEmbedding(config.embedding)
        self.unet = UNet(config, 3 * config.context, config.changes, len(REWARDS) + 1)
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
            told = context.new_zeros(context.shape[0]) if told is None else told
            condition = condition + self.noise(told / CONTEXT_NOISE)
        raw, summary = self.unet(context, condition)
        frame = context[:, -3:] + change(raw, context)
        return Prediction(frame, summary[:, :-1], summary[:, -1])

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

    def outputs(self, frames: Tensor, actions: Tensor, noise: Tensor | None = None) -> Prediction:
        """See `FrameModel.outputs`; it needs no noise."""
        seen = to_context(frames)
        return Prediction(*mean_of_views(torch, self.views, self, seen, actions.long()))
