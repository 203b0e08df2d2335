"""What a training run says of itself: on the screen, in log.csv, film.png and tensorboard."""

from __future__ import annotations

import csv
import io
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from mirage_env.errors import import_extra
from mirage_env.whole_file import write_whole
from mirage_wm.diffusion import Diffusion
from mirage_wm.held_out import Films, dream_along
from mirage_wm.sampler import Sampler
from mirage_wm.scores import frame_errors, score
from mirage_wm.train_config import TrainConfig
from mirage_wm.trainer import Trainer

__all__ = ["TrainingLog", "validate"]


SHOWN = 4
"""Films of which strips are shown."""


@torch.no_grad()
def validate(trainer: Trainer, watched: Films) -> tuple[dict[str, float], NDArray[np.uint8]]:
    """Measure the averaged weights on held-out films: one step, and the tenth frame of a dream.

    A diffusion model is measured twice: at one evaluation a frame, and as it draws frames.

    Returns:
        The figures, and strips of some of the films, uint8 [H, W, 3]: what came, and below it the
        dream, of a diffusion model both ways.
    """
    model, row = trainer.average, {}
    strips = [watched.frames[:SHOWN, model.config.context :]]
    ways: list[tuple[str, Sampler | None]] = [("", None)]
    if isinstance(model, Diffusion):
        ways = [("", Sampler(steps=1)), ("_drawn", Sampler())]
    for suffix, sampler in ways:
        if sampler is not None:
            model.sampler = sampler  # type: ignore[union-attr]
        with trainer.autocast():
            frames, _, _ = dream_along(model, watched)
        strips.append(frames[:SHOWN])
        errors = frame_errors(frames, watched.frames[:, -frames.shape[1] :]).cpu().numpy()
        for k in (1, errors.shape[1]):
            measured = score(errors[:, k - 1])
            row[f"psnr_{k}{suffix}"] = measured.mean_psnr
            row[f"psnr_{k}{suffix}_of_mean"] = measured.psnr_of_mean
    return row, _laid_out(torch.stack(strips, 1).cpu().numpy())


def _laid_out(strips: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return films [films, ways, frames, H, W, 3] as a picture, frames from left to right."""
    edged = np.pad(strips, [(0, 0), (0, 0), (0, 0), (1, 1), (1, 1), (0, 0)], constant_values=40)
    films, ways, frames, h, w, _ = edged.shape
    return edged.transpose(0, 1, 3, 2, 4, 5).reshape(films * ways * h, frames * w, 3)


def _write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Write a PNG, whole or not at all."""
    written = io.BytesIO()
    Image.fromarray(picture).save(written, "png")
    write_whole(path, written.getvalue())


class TrainingLog:
    """A line for each measurement: on the screen, in log.csv and, if asked for, in tensorboard.

    film.png shows what the last of them saw; tensorboard keeps them all.
    """

    def __init__(self, config: TrainConfig, step: int) -> None:
        self.config, self.step, self.since = config, step, time.monotonic()
        self.waited = 0.0
        config.out.mkdir(parents=True, exist_ok=True)
        self.file = (config.out / "log.csv").open("a", newline="")
        self.board = None
        if config.tensorboard:
            module = import_extra("torch.utils.tensorboard", "wm", "--tensorboard")
            self.board = module.SummaryWriter(str(config.out))

    def write(
        self, trainer: Trainer, losses: torch.Tensor, watched: Films | None, bar: Any
    ) -> None:
        """Measure, and write a line; raise `FloatingPointError` if the loss is not finite."""
        loss, error, norm = losses.tolist()
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"the loss is not a number at step {trainer.step}: go on from the last checkpoint "
                "with a smaller --schedule.peak"
            )
        seconds = max(time.monotonic() - self.since, 1e-9)
        row: dict[str, Any] = {
            "step": trainer.step,
            "progress": round(trainer.progress, 4),
            "stage": trainer.config.schedule.stage(trainer.progress).value,
            "rate": trainer.optimizer.param_groups[0]["lr"],
            "loss": loss,
            "error": error,
            "norm": norm,
            "windows_per_second": (trainer.step - self.step) * self.config.batch / seconds,
            "waited_share": (trainer.store.waited - self.waited) / seconds,
        }
        strips = None
        if watched:
            measured, strips = validate(trainer, watched)
            row |= measured
            _write_picture(self.config.out / "film.png", strips)
        self.waited = trainer.store.waited
        writer = csv.DictWriter(self.file, row)
        if self.file.tell() == 0:
            writer.writeheader()
        writer.writerow(row)
        self.file.flush()
        shown = {
            k: f"{v:.3g}" if k in ("rate", "loss", "norm", "error") else v for k, v in row.items()
        }
        bar.write(
            " ".join(
                f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in shown.items()
            )
        )
        bar.set_postfix_str(f"{row['windows_per_second']:,.0f} windows/s")
        if self.board is not None:
            for key, value in row.items():
                if not isinstance(value, str):
                    self.board.add_scalar(key, value, trainer.step)
            if strips is not None:
                self.board.add_image("films", strips, trainer.step, dataformats="HWC")
        self.step, self.since = trainer.step, time.monotonic()

    def close(self) -> None:
        """Close the files."""
        self.file.close()
        if self.board is not None:
            self.board.close()
