"""What the models are trained to make small.

Two kinds of batch: single steps from real frames, and dreams along films: the model's own frames
take the place of the real ones, and it is held to what really came. A dream is not blamed for what
could not be known. Where chance decided (a wave appeared), or where it is far off already, what
follows is another history than the film's, and nothing to learn from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from mirage_env.rules import Rules
from mirage_wm.diffusion import P_MEAN, P_STD, Diffusion
from mirage_wm.frame_model import CONTEXT_NOISE, Errors, to_context
from mirage_wm.parallel import Group
from mirage_wm.recorder import Event
from mirage_wm.regression import Regression
from mirage_wm.sampler import SIGMA_MAX, Sampler
from mirage_wm.unet import wrap
from mirage_wm.windows import Windows

__all__ = ["Dreams", "Loss", "Objective"]

PIXELS, HEADS = 100.0, 0.03
"""Weights of the pixels' error and of the heads': at 40 dB, 0.01 against about 0.003.

The heads must not lead the trunk."""

LOG_FLOOR = 3e-6
"""Squared errors below this (55 dB) count no further."""

KNEE = 1e-4
"""A squared error (40 dB) up to which a frame counts by its logarithm, and above which by itself.

The mean PSNR is a mean of logarithms, so usual frames become sharp. But a logarithm pulls the less
the larger the error: by it alone a model never learned what is rare and known exactly. After
15,000 steps v1 drew 24 % of a ship that comes back and 12 % of the end of its shield."""

GATE = 10 ** (-2.4)
"""A squared error (24 dB) after which the later frames of a dream do not count."""

NEAR = 10 ** (-3.7)
"""A squared error (37 dB) of a dream's last frame at which its next one counts a quarter.

What a dream did wrong it cannot know, so the further it is off, the more of the error is nobody's
fault, and the best answer is to let things fade: counted whole, dreams taught v1 to lose its ship
within ten seconds, in 97 % where it had been 52 %, and v2 to blur what it draws. The weight depends
on what the net is given alone, so the mean of what may come is still the best answer."""

NOISED = (3, 6)
"""Of every eight windows, those whose context is noised: of a diffusion model one that is to name
the mean and one that is to remove noise."""

TINTED = (1, 4)
"""Of every eight windows, those whose context is tinted, where any are: it is to be seen as what
it was.

A colour that is off by a level or two is no error to speak of in a frame, and so nothing held a
dream to its colours: by two levels a tick, red ships became orange and cyan ones grey, and then
they were no ships any more. Of a tint v2 kept 88 % a tick, and 11 to 25 % once it had learned so
from three windows of eight. v1 learned it too and was the worse for it: what is half a ship and
half a rock becomes a rock."""

PATCH = 8
"""Pixels over which a tint changes."""


@dataclass
class Loss:
    """A loss to go down from, and the squared error of one frame from real ones, to watch."""

    total: Tensor
    error: Tensor


@dataclass
class Dreams:
    """n dreams along films, from a moment of theirs on.

    Attributes:
        films: The films.
        seen: The last frames, float [n, 3 * context, H, W].
        off: Squared error of the last frame that each has seen; infinite once the film is not its
            history any more; float [n].
        sampler: How a diffusion model draws their frames.
        tick: Frames dreamt.
    """

    films: Windows
    seen: Tensor
    off: Tensor
    sampler: Sampler
    tick: int = 0

    def ahead(self, frames: int) -> Windows:
        """Return what comes next in the films: so many predicted frames, or those that are left."""
        films, context = self.films, self.seen.shape[1] // 3
        new = slice(self.tick, self.tick + frames)
        k = films.rewards[:, new].shape[1]
        return Windows(
            films.frames[:, self.tick : self.tick + context + k],
            films.actions[:, self.tick : self.tick + context + k - 1],
            films.rewards[:, new],
            films.terminated[:, new],
            films.events[:, new],
        )

    @property
    def over(self) -> bool:
        """Whether the films are."""
        return self.tick >= self.films.rewards.shape[1]


class Objective:
    """Losses of a model, computed by what `compile` made of it.

    Attributes:
        model: v1 or v2.
        unroll: Frames of a dream that one gradient goes through. Of a diffusion model 1: its own
            frames are drawn in several evaluations, which no gradient goes through.
    """

    def __init__(
        self,
        model: Regression | Diffusion,
        generator: torch.Generator,
        *,
        compiled: bool = False,
        unroll: int = 4,
        tint: float = 0.0,
        rules: Rules | None = None,
        group: Group | None = None,
    ) -> None:
        """Prepare the losses.

        Args:
            model: The model.
            generator: Of all noise; on the model's device.
            compiled: Whether to compile it, once for each shape of a batch.
            unroll: See the attribute.
            tint: The most that contexts are tinted: the deviation of a channel, as a share of how
                bright a pixel is.
            rules: Of the game that is learned: they say what comes as a surprise. None for the
                standard ones.
            group: The processes that share each batch; none by default.
        """
        self.model, self.generator, self._group = model, generator, group or Group()
        self.draws = isinstance(model, Diffusion)
        self.unroll = 1 if self.draws else unroll
        self.tint = tint
        rules = rules or Rules()
        self.surprises = int(Event.BEGIN)
        if rules.wave != "ship":
            self.surprises |= int(Event.WAVE)
        if rules.split == "random":
            self.surprises |= int(Event.LARGE | Event.MEDIUM)

        def compile(function: Any) -> Any:
            return torch.compile(function, dynamic=False) if compiled else function

        self._errors = compile(model.errors)
        self._denoise = compile(model.forward) if self.draws else None

    def single(self, windows: Windows) -> Loss:
        """Predict one frame from real ones."""
        seen = to_context(windows.frames[:, : windows.actions.shape[1]])
        told = self._soil(seen)
        errors = self._frame(seen, told, windows)
        return Loss(self._losses(errors).mean(), self._watched(errors.pixels))

    def begin(self, films: Windows, number: int) -> Dreams:
        """Begin dreams along films of several frames.

        By their number a diffusion model draws the frames in one to four evaluations: it is to know
        the mistakes of each.
        """
        context = films.frames.shape[1] - films.rewards.shape[1]
        sampler = Sampler(steps=1 + number % Sampler().steps)
        seen = to_context(films.frames[:, :context])
        return Dreams(films, seen, torch.zeros(len(seen), device=seen.device), sampler)

    def along(self, dreams: Dreams, windows: Windows) -> Loss:
        """Dream the next `unroll` frames, and as many windows of one frame beside them.

        `dreams` are that much further afterwards; no gradient goes on to what they are then.
        """
        n, fresh = len(dreams.seen), to_context(windows.frames[:, : windows.actions.shape[1]])
        if len(fresh) != n:
            raise ValueError(f"as many windows as dreams are wanted, {n}, got {len(fresh)}")
        told = self._soil(fresh)
        both = Windows(*(torch.cat(pair) for pair in zip(dreams.ahead(1), windows, strict=True)))
        seen = torch.cat([dreams.seen, fresh])
        errors = self._frame(seen, torch.cat([torch.zeros_like(told), told]), both, parts=2)
        loss = self._losses(errors)
        total, single = loss[:n] * self._weights(dreams.off), loss[n:].mean()
        watched = self._watched(errors.pixels[n:])
        self._advance(dreams, errors.frame[:n])
        frames = 1
        while frames < self.unroll and not dreams.over:
            errors = self._frame(dreams.seen, torch.zeros_like(told), dreams.ahead(1))
            total = total + self._losses(errors) * self._weights(dreams.off)
            self._advance(dreams, errors.frame)
            frames += 1
        dreams.seen = dreams.seen.detach()
        return Loss((total.mean() / frames + single) / 2, watched)

    def _frame(self, seen: Tensor, told: Tensor, windows: Windows, parts: int = 1) -> Errors:
        """Return the errors of the frame after the context of each window, in `parts` batches."""
        context = seen.shape[1] // 3
        given = (
            seen,
            told,
            windows.actions[:, :context].contiguous(),
            windows.frames[:, context],
            windows.rewards[:, 0].contiguous(),
            windows.terminated[:, 0].contiguous(),
        )
        if not self.draws:
            return self._errors(*given)
        noise = self._normal(seen[:, :3].shape, seen, parts)
        sigma = (P_MEAN + P_STD * self._normal(seen.shape[:1], seen, parts)).exp()
        sigma[0::2] = SIGMA_MAX
        return self._errors(*given, noise, sigma.clamp(max=SIGMA_MAX))

    def _losses(self, errors: Errors) -> Tensor:
        """Return the loss of each window, float [B].

        Noise is removed by the squared error alone. The sampler takes D(x; sigma) for the mean of
        what may have been there, which only the squared error leads to.
        """
        pixels = frame_loss(errors.pixels)
        if self.draws:
            noisy = torch.arange(len(pixels), device=pixels.device) % 2 == 1
            pixels = torch.where(noisy, PIXELS * errors.pixels, pixels)
        return pixels + HEADS * errors.heads

    @staticmethod
    def _weights(off: Tensor) -> Tensor:
        """Return how much the next frame of each dream counts, float [n] (see `Dreams.off`)."""
        return (NEAR / (NEAR + off)).square()

    def _advance(self, dreams: Dreams, expected: Tensor) -> None:
        """Let each dream see its own next frame, rounded as in a dream."""
        context = dreams.seen.shape[1] // 3
        frame = self._drawn(dreams) if self.draws else expected
        wanted = to_context(dreams.films.frames[:, context + dreams.tick][:, None])
        off = (frame.detach() - wanted).square().mean((1, 2, 3))
        surprised = dreams.films.events[:, dreams.tick] & self.surprises != 0
        parted = (off > GATE) | surprised | dreams.off.isinf()
        dreams.off = torch.where(parted, torch.inf, off)
        # Compiled code is made for one layout in memory.
        dreams.seen = torch.cat([dreams.seen[:, 3:], _as_shown(frame)], 1).contiguous(
            memory_format=torch.channels_last
        )
        dreams.tick += 1

    @torch.no_grad()
    def _drawn(self, dreams: Dreams) -> Tensor:
        context = dreams.seen.shape[1] // 3
        actions = dreams.films.actions[:, dreams.tick : dreams.tick + context].contiguous()

        def denoise(x: Tensor, sigma: float) -> Tensor:
            assert self._denoise is not None
            levels = x.new_full((len(x),), sigma)
            return self._denoise(x.contiguous(), levels, dreams.seen, actions).change.contiguous()

        noise = self._normal(dreams.seen[:, :3].shape, dreams.seen)
        return dreams.seen[:, -3:] + dreams.sampler.sample(denoise, noise) / 2

    def _soil(self, seen: Tensor) -> Tensor:
        """Spoil the context of some windows, in place; return the levels of noise, float [B].

        A model is told of noise. It is not told of tints, which it has to find as in a dream.
        """
        for offset in TINTED if self.tint else ():
            part = seen[offset::8]
            if len(part):
                part.copy_(self._tinted(part, self.tint * self._uniform(part)))
        told = seen.new_zeros(len(seen))
        if not self.model.config.context_noise:
            return told
        for offset in NOISED:
            part = seen[offset::8]
            if len(part):
                level = CONTEXT_NOISE * self._uniform(part)
                part += level[:, None, None, None] * self._normal(part.shape, seen)
                told[offset::8] = level
        return told

    def _tinted(self, seen: Tensor, level: Tensor) -> Tensor:
        """Shift colours by a smooth field, the same in all frames; black stays black."""
        n, _, height, width = seen.shape
        field = self._normal((n, 3, height // PATCH, width // PATCH), seen)
        field = wrap(field * level[:, None, None, None])
        field = F.interpolate(field, scale_factor=PATCH, mode="bilinear")
        field = field[:, None, :, PATCH:-PATCH, PATCH:-PATCH]
        pictures = seen.unflatten(1, (-1, 3))
        tinted = pictures + field * pictures.amax(2, keepdim=True)
        return tinted.clamp(0, 1).flatten(1, 2)

    def _uniform(self, like: Tensor) -> Tensor:
        """Return a number from 0 to 1 for each window, float [B]."""
        return self._group.rows_of_random(
            lambda n: torch.rand(n, device=like.device, generator=self.generator), len(like)
        )

    def _normal(self, shape: Any, like: Tensor, parts: int = 1) -> Tensor:
        return self._group.rows_of_random(
            lambda n: torch.randn(n, *shape[1:], device=like.device, generator=self.generator),
            shape[0],
            parts,
        )

    def _watched(self, pixels: Tensor) -> Tensor:
        """Return the mean squared error where the frame is to be named at once."""
        return (pixels[0::2] if self.draws else pixels).detach().mean()


def frame_loss(error: Tensor) -> Tensor:
    """Return the loss of each frame from its mean squared error [B]: smooth, and 0 at `KNEE`."""
    knee = KNEE + LOG_FLOOR
    above = error - KNEE
    return PIXELS * torch.where(above > 0, above, knee * torch.log1p(above.clamp(max=0) / knee))


def _as_shown(frame: Tensor) -> Tensor:
    """Round and clip as a dream does; the gradient passes as if nothing had been done."""
    frame = frame.float()
    shown = frame.detach().mul(255).round_().clamp_(0, 255).div_(255)
    return shown + (frame - frame.detach())
