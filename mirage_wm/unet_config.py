"""The sizes of a net, known without PyTorch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["UNetConfig"]


@dataclass(frozen=True)
class UNetConfig:
    """The sizes of a U-Net; part of a file of weights, so that it can be rebuilt from there.

    Attributes:
        widths: Channels of each level, from half the picture's resolution downwards.
        blocks: Residual blocks of a level, on the way down and again on the way up.
        embedding: Size of the condition (E).
        context: Frames, and actions, that it sees.
        context_noise: Whether it is told how noisy the frames are that it sees.
        kernels: How many of the last frames it moves, each by a kernel of 3x3 for each pixel
            (`mirage_wm.unet.change`); without, it names the change alone.
    """

    widths: tuple[int, ...] = (64, 112, 160)
    blocks: int = 2
    embedding: int = 96
    context: int = 4
    context_noise: bool = False
    kernels: int = 0

    def __post_init__(self) -> None:
        """Raise `ValueError` for kernels of frames that it does not see."""
        if not 0 <= self.kernels <= self.context:
            raise ValueError(f"kernels must be from 0 to {self.context}, got {self.kernels}")

    @property
    def changes(self) -> int:
        """Channels that a change of a frame is told by: its colours, and its pixels' kernels."""
        return 3 + 9 * self.kernels

    @property
    def cell(self) -> int:
        """Pixels of the picture in a cell of the lowest level, along an axis."""
        return 2 ** len(self.widths)
