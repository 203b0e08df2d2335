"""Draws the pictures of docs/model.md.

    python docs/make_model_pictures.py          # writes docs/noise.png and docs/dot.png

Needs Pillow (it comes with the extra "test"), and no model: the first is the game's own picture
with noise, the second what a perfect model of a made-up world would draw.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mirage_env import MirageEnv
from mirage_wm.sampler import SIGMA_MAX, Sampler

FOLDER = Path(__file__).resolve().parent
ZOOM, GAP = 3, 6

Picture = NDArray[np.uint8]


def shown(x: NDArray[np.floating]) -> Picture:
    """Return what is signed, from -1 to 1, as a picture on grey."""
    return np.clip(128 + 127 * x, 0, 255).astype(np.uint8)


def sheet(rows: list[list[Picture]]) -> Image.Image:
    """Return rows of pictures [H, W, 3] on white, enlarged."""

    def strip(parts: list[Picture], axis: int) -> Picture:
        shape = list(parts[0].shape)
        shape[axis] = GAP
        between = np.full(shape, 255, np.uint8)
        return np.concatenate([p for part in parts for p in (part, between)][:-1], axis)

    enlarged = [[p.repeat(ZOOM, 0).repeat(ZOOM, 1) for p in row] for row in rows]
    return Image.fromarray(strip([strip(row, 1) for row in enlarged], 0))


def noise() -> Image.Image:
    """A wave is announced: the last frame, the next one, its change, and that under noise."""
    env = MirageEnv()
    env.reset(seed=3)
    state = env.state()
    state["rock_size"] = np.zeros_like(state["rock_size"])  # the last rock is gone
    state["wave_timer"] = np.array(1, np.uint8)
    env.set_state(state)
    last = env.step(0)[0]
    following = env.step(0)[0]
    change = (following.astype(float) - last) / 127.5
    normal = np.random.default_rng(0).normal(size=change.shape)
    noised = [shown(change + sigma * normal) for sigma in (0.25, 1.0, SIGMA_MAX)]
    return sheet([[last, following, shown(change), *noised]])


def dot() -> Image.Image:
    """A dot lies somewhere, nobody knows where: what is drawn in 1, 2, 3 and 4 evaluations."""
    size, strength = 32, 3.0

    def denoise(x: NDArray[np.floating], sigma: float) -> NDArray[np.floating]:
        if sigma >= SIGMA_MAX:  # here the model is not shown the noise
            x = np.zeros_like(x)
        odds = strength * x / sigma**2
        odds = np.exp(odds - odds.max())
        return strength * odds / odds.sum()

    rows = []
    for seed in range(3):
        normal = np.random.default_rng(seed).normal(size=(size, size))
        drawn = [Sampler(steps=steps, decided=0).sample(denoise, normal) for steps in (1, 2, 3, 4)]
        rows.append([shown(x[..., None].repeat(3, 2) / strength) for x in drawn])
    return sheet(rows)


PICTURES = {"noise": noise, "dot": dot}
"""What draws each picture, by the name of its file."""


def main() -> None:
    """Write every picture."""
    for name, draw in PICTURES.items():
        path = FOLDER / f"{name}.png"
        draw().save(path, optimize=True)
        print(f"wrote {path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
