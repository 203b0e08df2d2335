"""The backbone of every model: a small U-Net on a torus.

It has no zero padding and no coordinates, so it cannot know a special place: shifting its input
around the torus by whole cells of the lowest level shifts its output by as much. v1 calls it once a
frame; v2 calls the same net one to four times, with the level of the noise in the condition.

Shapes: B batch, C channels, H = W = 64 pixels, E size of the condition.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mirage_wm.conditions import ACTION_SWITCHES, FREQUENCIES
from mirage_wm.unet_config import UNetConfig

__all__ = ["ActionEmbedding", "LevelEmbedding", "TorusConv", "UNet", "change", "wrap"]


EIGHT = 8
"""Channels that a GPU's tensor cores take at a time; other numbers are made up with zeros."""


def wrap(x: Tensor) -> Tensor:
    """Return x [B, C, H, W] with a border of one pixel from the opposite edge, [B, C, H+2, W+2]."""
    # Concatenation, and not F.pad(mode="circular"): it compiles to one kernel and exports to ONNX
    # as it stands.
    x = torch.cat([x[:, :, -1:], x, x[:, :, :1]], 2)
    return torch.cat([x[..., -1:], x, x[..., :1]], 3)


def change(raw: Tensor, context: Tensor) -> Tensor:
    """Return the change of the last frame as a net tells it: what is new, and how frames move.

    Kernels take shares of the differences between a pixel and those around it, now and before (as
    in kernel prediction, Niklaus et al. 2017, https://arxiv.org/abs/1703.07514). So where pictures
    are even nothing changes, and an edge that moves by part of a pixel changes by that part of its
    height: the net need not know how high it is.

    Args:
        raw: [B, `UNetConfig.changes`, H, W]: the colours that are added and, of a net with kernels,
            for each of the 3x3 pixels around, from above and from the left, its weights in each of
            the last frames, the oldest first.
        context: The last frames, [B, 3 * context, H, W].
    """
    colours, kernels = raw[:, :3], (raw.shape[1] - 3) // 9
    if not kernels:
        return colours
    last, (h, w) = context[:, -3:], context.shape[2:]
    around = wrap(context[:, -3 * kernels :]).unflatten(1, (kernels, 3))
    weights = raw[:, 3:].unflatten(1, (9, kernels, 1))
    moved = weights.new_zeros(())
    for k in range(9):
        y, x = divmod(k, 3)
        moved = moved + weights[:, k] * (around[..., y : y + h, x : x + w] - last[:, None])
    return colours + moved.sum(1)


class TorusConv(nn.Conv2d):
    """A 3x3 convolution that wraps around the edges."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 3)

    def forward(self, input: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, out_channels, H, W]."""
        x = wrap(input)
        weight, bias = self.made_up() if x.is_cuda else (self.weight, self.bias)
        if more := weight.shape[1] - self.in_channels:
            x = F.pad(x, (0, 0, 0, 0, 0, more))
        y = F.conv2d(x, weight, bias)
        return y if len(weight) == self.out_channels else y[:, : self.out_channels]

    def made_up(self) -> tuple[Tensor, Tensor]:
        """Return weights and bias for channels that are made up to multiples of `EIGHT`."""
        assert self.bias is not None
        more_out, more_in = (-n % EIGHT for n in self.weight.shape[:2])
        if not more_out and not more_in:
            return self.weight, self.bias
        weight = F.pad(self.weight, (0, 0, 0, 0, 0, more_in, 0, more_out))
        return weight, F.pad(self.bias, (0, more_out))


class PixelNorm(nn.Module):
    """RMS normalisation over the channels of each pixel: cheap, and the same at every place."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor, gain: Tensor | None = None) -> Tensor:
        """[B, C, H, W] -> the same shape and dtype, times a gain [B, C, 1, 1] if there is one."""
        mean_square = x.float().square().mean(1, keepdim=True)
        weight = self.weight.to(x.dtype)[:, None, None]
        if gain is not None:
            weight = weight * gain
        return x * torch.rsqrt(mean_square + 1e-6).to(x.dtype) * weight


class ResidualBlock(nn.Module):
    """Two convolutions beside a shortcut; the condition scales and shifts in between (FiLM)."""

    def __init__(self, channels: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = PixelNorm(channels), PixelNorm(channels)
        self.conv1, self.conv2 = TorusConv(channels, channels), TorusConv(channels, channels)
        self.film = nn.Linear(embedding, 2 * channels)
        # A new block passes its input through, whatever the condition.
        for layer in (self.conv2, self.film):
            nn.init.zeros_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """[B, C, H, W] and what `film` makes of the condition [B, 2 C] -> [B, C, H, W]."""
        scale, shift = modulation[:, :, None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(F.silu(self.norm2(h, 1 + scale) + shift))
        return x + h


class ActionEmbedding(nn.Module):
    """The last actions as a condition: each key of each of them has a vector of its own."""

    keys: Tensor

    def __init__(self, context: int, embedding: int) -> None:
        super().__init__()
        self.register_buffer("keys", torch.from_numpy(ACTION_SWITCHES), persistent=False)
        self.first = nn.Linear(ACTION_SWITCHES.shape[1] * context, embedding)
        self.second = nn.Linear(embedding, embedding)

    def forward(self, actions: Tensor) -> Tensor:
        """Actions int64 [B, context], the oldest first -> [B, E]."""
        pressed = self.keys[actions].flatten(1).to(self.first.weight.dtype)
        return self.second(F.silu(self.first(pressed)))


class LevelEmbedding(nn.Module):
    """A level of noise, or another number of about -2 to 2, as a condition: waves of it."""

    frequencies: Tensor

    def __init__(self, embedding: int) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.from_numpy(FREQUENCIES), persistent=False)
        self.first = nn.Linear(2 * len(FREQUENCIES), embedding)
        self.second = nn.Linear(embedding, embedding)

    def forward(self, level: Tensor) -> Tensor:
        """Levels float [B] -> [B, E]."""
        angle = level.float()[:, None] * self.frequencies
        waves = torch.cat([angle.cos(), angle.sin()], 1).to(self.first.weight.dtype)
        return self.second(F.silu(self.first(waves)))


class UNet(nn.Module):
    """Pictures and a condition -> a picture, and a summary read off the lowest level.

    Stem: each 2x2 pixels become channels, so that the costly levels are at half resolution. Its
    last layer begins at zero: a new net says "no change".
    """

    def __init__(
        self, config: UNetConfig, in_channels: int, out_channels: int, summary: int
    ) -> None:
        """Build the net.

        Args:
            config: The sizes.
            in_channels: Channels of the pictures that come in.
            out_channels: Channels of the picture that goes out.
            summary: Size of the vector read off the lowest level.
        """
        super().__init__()
        widths, size = config.widths, config.embedding
        self.stem = TorusConv(4 * in_channels, widths[0])
        self.down_blocks = nn.ModuleList(self._level(w, config) for w in widths)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(widths))
        # From here on the lists run from the lowest level upwards.
        above = list(reversed(widths[:-1]))
        below = list(reversed(widths[1:]))
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in zip(above, below, strict=True)
        )
        self.skip = nn.ModuleList(nn.Conv2d(w, w, 1) for w in above)
        self.up_blocks = nn.ModuleList(self._level(w, config) for w in above)
        self.out_norm = PixelNorm(widths[0])
        self.out = TorusConv(widths[0], 4 * out_channels)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)  # type: ignore[arg-type]
        self.summary_norm = PixelNorm(widths[-1])
        self.summary_first = nn.Linear(2 * widths[-1], size)
        self.summary_second = nn.Linear(size, summary)

    @staticmethod
    def _level(width: int, config: UNetConfig) -> nn.ModuleList:
        return nn.ModuleList(ResidualBlock(width, config.embedding) for _ in range(config.blocks))

    def forward(self, x: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Return the picture [B, out_channels, H, W] and the summary [B, summary]."""
        # onnxruntime 1.32 aborts where a graph joins weights.
        modulations = self._modulations(F.silu(condition), joined=x.is_cuda)
        x = self.stem(F.pixel_unshuffle(x, 2).to(self.stem.weight.dtype))
        skips = []
        for level, blocks in enumerate(self.down_blocks):
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, next(modulations))
            if level < len(self.down):
                skips.append(x)
                x = self.down[level](x)
        summary = self._summary(x)
        for up, skip, blocks in zip(self.up, self.skip, self.up_blocks, strict=True):
            x = up(x) + skip(skips.pop())
            for block in blocks:  # type: ignore[union-attr]
                x = block(x, next(modulations))
        return F.pixel_shuffle(self.out(F.silu(self.out_norm(x))), 2), summary

    def _modulations(self, condition: Tensor, joined: bool) -> Iterator[Tensor]:
        """Return what each block's layer `film` makes of the condition [B, E], [B, 2 C].

        Joined they are one product: the same, with fewer kernels to launch.
        """
        levels: Any = (*self.down_blocks, *self.up_blocks)
        layers = [block.film for level in levels for block in level]
        if not joined:
            return (layer(condition) for layer in layers)
        weight = torch.cat([layer.weight for layer in layers])
        bias = torch.cat([layer.bias for layer in layers])
        told = F.linear(condition, weight, bias)
        return iter(told.split([layer.out_features for layer in layers], 1))

    def inner_convolutions(self) -> list[Tensor]:
        """Return the weights of the convolutions from features to features."""
        return [
            weight
            for name, weight in self.named_parameters()
            if weight.ndim == 4 and not name.startswith(("stem.", "out."))
        ]

    def _summary(self, x: Tensor) -> Tensor:
        """Read rewards and endings off the lowest level; mean and maximum know no place."""
        h = F.silu(self.summary_norm(x))
        pooled = torch.cat([h.mean((2, 3)), h.flatten(2).max(2).values], 1)
        return self.summary_second(F.silu(self.summary_first(pooled)))
