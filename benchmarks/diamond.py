"""A denoiser of the size and shape that DIAMOND published, with random weights, for comparison.

Written from the paper's description (Alonso et al. 2024, https://arxiv.org/abs/2405.12399, section
"Model architectures" of the appendix): a U-Net over 64x64 pictures, four levels of 64 channels with
two residual blocks each, group normalisation scaled and shifted by a condition of 256 numbers, made
of the level of the noise and the last four actions; the last four frames come in beside the noisy
one. A frame takes three evaluations. It is as large as theirs, and knows nothing.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["DiamondDenoiser", "draw"]

CHANNELS, LEVELS, BLOCKS, CONDITION, CONTEXT = 64, 4, 2, 256, 4
GROUP = 32


class AdaptiveNorm(nn.Module):
    """Group normalisation whose scale and shift come from the condition."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.groups = channels // GROUP
        self.linear = nn.Linear(CONDITION, 2 * channels)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        scale, shift = self.linear(condition)[:, :, None, None].chunk(2, 1)
        return F.group_norm(x, self.groups) * (1 + scale) + shift


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = AdaptiveNorm(channels), AdaptiveNorm(CHANNELS)
        self.conv1 = nn.Conv2d(channels, CHANNELS, 3, padding=1)
        self.conv2 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.shortcut = nn.Identity() if channels == CHANNELS else nn.Conv2d(channels, CHANNELS, 1)

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x, condition)))
        h = self.conv2(F.silu(self.norm2(h, condition)))
        return self.shortcut(x) + h


class DiamondDenoiser(nn.Module):
    """The U-Net; about 4.4 million parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.frequencies = nn.Buffer(torch.randn(CONDITION // 2))
        self.action = nn.Embedding(12, CONDITION // CONTEXT)
        self.condition = nn.Sequential(
            nn.Linear(CONDITION, CONDITION), nn.SiLU(), nn.Linear(CONDITION, CONDITION)
        )
        self.first = nn.Conv2d(3 * (CONTEXT + 1), CHANNELS, 3, padding=1)
        self.down = nn.ModuleList(
            nn.ModuleList(Block(CHANNELS) for _ in range(BLOCKS)) for _ in range(LEVELS)
        )
        self.shrink = nn.ModuleList(
            nn.Conv2d(CHANNELS, CHANNELS, 3, stride=2, padding=1) for _ in range(LEVELS - 1)
        )
        self.middle = nn.ModuleList(Block(CHANNELS) for _ in range(2))
        # On the way up each block sees what one on the way down gave, or what came in there.
        self.up = nn.ModuleList(
            nn.ModuleList(Block(2 * CHANNELS) for _ in range(BLOCKS + 1)) for _ in range(LEVELS)
        )
        self.grow = nn.ModuleList(
            nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1) for _ in range(LEVELS - 1)
        )
        self.last_norm = nn.GroupNorm(CHANNELS // GROUP, CHANNELS)
        self.last = nn.Conv2d(CHANNELS, 3, 3, padding=1)

    def forward(self, x: Tensor, level: Tensor, context: Tensor, actions: Tensor) -> Tensor:
        """[B, 3, H, W], [B], [B, 12, H, W], int [B, 4] -> [B, 3, H, W]."""
        angle = 2 * math.pi * level[:, None] * self.frequencies
        waves = torch.cat([angle.cos(), angle.sin()], 1).to(x.dtype)
        condition = self.condition(waves + self.action(actions).flatten(1))
        x = self.first(torch.cat([context, x], 1))
        kept = []
        for level_of, blocks in enumerate(self.down):
            kept.append(x)
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, condition)
                kept.append(x)
            if level_of < LEVELS - 1:
                x = self.shrink[level_of](x)
        for block in self.middle:
            x = block(x, condition)
        for level_of, blocks in enumerate(self.up):
            for block in blocks:  # type: ignore[union-attr]
                x = block(torch.cat([x, kept.pop()], 1), condition)
            if level_of < LEVELS - 1:
                x = self.grow[level_of](F.interpolate(x, scale_factor=2.0, mode="nearest"))
        return self.last(F.silu(self.last_norm(x)))


def draw(
    net: DiamondDenoiser, seen: Tensor, actions: Tensor, noise: Tensor, steps: int = 3
) -> Tensor:
    """Draw a frame uint8 [B, 64, 64, 3] from frames uint8 [B, 4, 64, 64, 3], by Euler's method."""
    dtype = net.first.weight.dtype
    context = seen.permute(0, 1, 4, 2, 3).flatten(1, 2).to(dtype).div(127.5).sub(1)
    low, high, rho = 0.002, 5.0, 7.0
    ramp = [i / max(steps - 1, 1) for i in range(steps)]
    levels = [(high ** (1 / rho) + r * (low ** (1 / rho) - high ** (1 / rho))) ** rho for r in ramp]
    x = noise * high
    for sigma, following in zip(levels, [*levels[1:], 0.0], strict=True):
        both = sigma**2 + 0.25
        given = (x / math.sqrt(both)).to(dtype)
        raw = net(given, x.new_full((len(x),), math.log(sigma) / 4), context, actions).float()
        clean = (0.25 / both) * x + (sigma * 0.5 / math.sqrt(both)) * raw
        x = x + (following - sigma) * (x - clean) / sigma
    shown = x.add(1).mul(127.5).round().clamp(0, 255)
    return shown.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
