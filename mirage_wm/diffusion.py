"""v2: the next frame drawn by a diffusion model, so that what chance decides is decided.

A regression must name one frame, and where several could come it names their mean: a rock that
might appear in any of a thousand places appears nowhere. A diffusion model learns to remove noise.
Begun from noise alone and applied a few times it arrives at one of the frames that could come, and
other noise arrives at another.

The formulas are those of EDM (Karras et al. 2022, https://arxiv.org/abs/2206.00364), under its
names and with the numbers of its equations and tables, as DIAMOND (Alonso et al. 2024) uses it for
frames. What is noised here is not the frame but its change y since the last one, in the papers'
unit of pixels from -1 to 1.

At `SIGMA_MAX` the noise drowns the change; the net is not even shown it and gives the mean of all
that could come, which is what v1 gives, in the same one evaluation. Rewards and endings are read
off this evaluation: what is being drawn of the frame does not sway them.
"""

from __future__ import annotations

from typing import NamedTuple

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
)
from mirage_wm.preconditioning import GAIN, SIGMA_DATA, preconditioning
from mirage_wm.rewards import REWARDS
from mirage_wm.sampler import SIGMA_MAX, Sampler
from mirage_wm.unet import ActionEmbedding, LevelEmbedding, UNet, change
from mirage_wm.unet_config import UNetConfig
from mirage_wm.views import mean_of_views

__all__ = ["P_MEAN", "P_STD", "Denoised", "Diffusion"]

P_MEAN, P_STD = -0.6, 0.6
"""Of the logarithm of sigma in training (Table 1; EDM's are -1.2 and 1.2, DIAMOND's -0.4 and 1.2).

What is decided by chance here are places of objects some pixels wide. Noise hides them above about
0.8 and no more below about 0.3, and the sampler's levels lie around these: from 1 to 0.25. Nineteen
of twenty draws are between 0.17 and 1.8."""


class Denoised(NamedTuple):
    """What the net makes of a noisy change, for a batch of B.

    Attributes:
        change: D(x; sigma), float [B, 3, H, W].
        reward: Logits [B, len(REWARDS)].
        terminated: Logits [B].
    """

    change: Tensor
    reward: Tensor
    terminated: Tensor


class Diffusion(FrameModel):
    """The model v2: one to four evaluations a frame.

    Example:
        >>> model = Diffusion(UNetConfig(widths=(8, 8), blocks=1, embedding=8))
        >>> seen = torch.zeros(1, 4, 64, 64, 3, dtype=torch.uint8)
        >>> frame, reward, terminated = model.predict(seen, torch.zeros(1, 4))
        >>> frame.shape, reward.item(), terminated.item()
        (torch.Size([1, 64, 64, 3]), 0, False)
    """

    def __init__(self, config: UNetConfig | None = None, sampler: Sampler | None = None) -> None:
        config = config or UNetConfig()
        super().__init__(config)
        self.sampler = sampler or Sampler()
        self.actions = ActionEmbedding(config.context, config.embedding)
        self.level = LevelEmbedding(config.embedding)
        if config.context_noise:
            self.noise = LevelEmbedding(config.embedding)
        self.unet = UNet(config, 3 * config.context + 3, config.changes, len(REWARDS) + 1)
        expect_nothing(self.unet)

    def forward(
        self,
        x: Tensor,
        sigma: Tensor,
        context: Tensor,
        actions: Tensor,
        told: Tensor | None = None,
    ) -> Denoised:
        """Remove the noise from a change.

        Args:
            x: The change and noise of level sigma, float [B, 3, H, W]. At `SIGMA_MAX` it does not
                matter.
            sigma: float [B].
            context: `to_context` of the last frames, float [B, 3 * context, H, W].
            actions: int64 [B, context].
            told: How noisy the frames are, float [B] from 0 to `CONTEXT_NOISE`; None for not at
                all.
        """
        c = preconditioning(sigma, torch.log)
        condition = self.actions(actions) + self.level(c.c_noise)
        if self.config.context_noise:
            told = context.new_zeros(context.shape[0]) if told is None else told
            condition = condition + self.noise(told / CONTEXT_NOISE)
        c_skip, c_out, c_in = (
            factor[:, None, None, None] for factor in (c.c_skip, c.c_out, c.c_in)
        )
        x = torch.where(sigma[:, None, None, None] < SIGMA_MAX, x, 0.0)
        raw, summary = self.unet(torch.cat([context, c_in * x], 1), condition)
        raw = change(raw.float(), context)
        denoised = c_skip * x + c_out * (GAIN * raw)  # D(x; sigma) (Eq. 7)
        return Denoised(denoised, summary[:, :-1], summary[:, -1])

    def errors(
        self,
        context: Tensor,
        told: Tensor,
        actions: Tensor,
        target: Tensor,
        reward: Tensor,
        terminated: Tensor,
        noise: Tensor,
        sigma: Tensor,
    ) -> Errors:
        """Return the errors of denoising; for training.

        Args:
            context: See `forward`.
            told: See `forward`.
            actions: See `forward`.
            target: The frame that came, uint8 [B, H, W, 3].
            reward: Its class, int64 [B].
            terminated: bool [B].
            noise: Standard normal, float [B, 3, H, W].
            sigma: Levels, float [B]. The heads count at `SIGMA_MAX` alone.
        """
        last = context[:, -3:]
        y = 2 * (to_context(target[:, None]) - last)
        x = y + sigma[:, None, None, None] * noise
        denoised = self(x, sigma, context, actions, told)
        # lambda(sigma) = 1 / c_out^2 (Table 1), here as a multiple of what it is at high noise;
        # a quarter, since errors are reported for pixels from 0 to 1.
        weight = (SIGMA_DATA / preconditioning(sigma, torch.log).c_out) ** 2 / 4
        heads = heads_error(denoised.reward, denoised.terminated, reward, terminated)
        return Errors(
            weight * (denoised.change - y).square().mean((1, 2, 3)),
            torch.where(sigma < SIGMA_MAX, 0.0, heads),
            last + denoised.change / 2,
        )

    def draw(
        self, context: Tensor, actions: Tensor, noise: Tensor, sampler: Sampler | None = None
    ) -> Denoised:
        """Draw the next frame's change from noise [B, 3, H, W], and read rewards and endings."""
        first: list[Denoised] = []

        def expected(seen: Tensor, actions: Tensor) -> Denoised:
            nothing = torch.zeros_like(seen[:, :3])
            return self(nothing, seen.new_full((len(seen),), SIGMA_MAX), seen, actions)

        def denoise(x: Tensor, sigma: float) -> Tensor:
            if sigma < SIGMA_MAX:
                return self(x, x.new_full((len(x),), sigma), context, actions).change
            first.append(Denoised(*mean_of_views(torch, self.views, expected, context, actions)))
            return first[0].change

        change = (sampler or self.sampler).sample(denoise, noise)
        return Denoised(change, first[0].reward, first[0].terminated)

    def outputs(self, frames: Tensor, actions: Tensor, noise: Tensor | None = None) -> Prediction:
        """See `FrameModel.outputs`."""
        context = to_context(frames)
        if noise is None:
            noise = torch.randn_like(context[:, :3])
        change, reward, terminated = self.draw(context, actions.long(), noise)
        return Prediction(context[:, -3:] + change / 2, reward, terminated)
