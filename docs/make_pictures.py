"""Draws the pictures of docs/rules.md with the game's own rasteriser.

    python docs/make_pictures.py          # writes docs/*.png

Needs Pillow (it comes with the extra "test"). The pixels are the same on every machine and
backend; a picture changes when a rule does.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mirage_env import MirageEnv
from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import UNIT, Rules

FOLDER = Path(__file__).resolve().parent
SMALL, MEDIUM, LARGE = 1, 2, 3
FIRE = 1

Picture = NDArray[np.uint8]


class Stage:
    """An arena that is set up by hand, played and photographed."""

    def __init__(self, scale: int = 16) -> None:
        """Make it.

        Args:
            scale: Pixels a unit.
        """
        self.scale = scale
        self.env = MirageEnv(render_mode="rgb_array", render_size=64 * scale)
        self.env.reset(seed=0)

    def set(self, *rocks: tuple[float, ...], **fields: Any) -> Stage:
        """Put a ship at the centre, pointing up, and rocks (size, x, y, angle, vx, vy).

        Args:
            rocks: Places in units, velocities in units/tick; what is left out is 0.
            fields: Other fields of the state.
        """
        state = np.zeros((), ARENA_DTYPE)
        state["ship_x"] = state["ship_y"] = 32 * UNIT
        state["ship_heading"], state["lives"], state["wave"] = 16, 3, 1
        for slot, given in enumerate(rocks):
            size, x, y, angle, vx, vy = (*given, *(0.0,) * (6 - len(given)))
            state["rock_size"][slot], state["rock_angle"][slot] = int(size), int(angle)
            state["rock_x"][slot], state["rock_y"][slot] = round(x * UNIT), round(y * UNIT)
            state["rock_vx"][slot], state["rock_vy"][slot] = round(vx * UNIT), round(vy * UNIT)
        for name, value in fields.items():
            state[name] = value
        names = ARENA_DTYPE.names or ()
        self.env.set_state({name: state[name] for name in names})
        return self

    def play(self, ticks: int, action: int = 0) -> Stage:
        """Play on."""
        for _ in range(ticks):
            self.env.step(action)
        return self

    def cut(self, x: float = 32, y: float = 32, width: float = 14, height: float = 0) -> Picture:
        """Return a part of the picture around (x, y), in units; it may lie over an edge."""
        frame = self.env.render()
        assert isinstance(frame, np.ndarray)
        wide, high = round(width * self.scale), round((height or width) * self.scale)
        left, top = round(x * self.scale) - wide // 2, round(y * self.scale) - high // 2
        return np.roll(frame, (-top, -left), (0, 1))[:high, :wide].copy()


def row(pictures: list[Picture], gap: int = 6) -> Picture:
    """Return pictures of one height side by side, on a ground a little lighter than theirs."""
    ground = np.full((pictures[0].shape[0], gap, 3), 40, np.uint8)
    parts = [part for picture in pictures for part in (picture, ground)]
    return np.concatenate(parts[:-1], axis=1)


def objects() -> Picture:
    """Rocks of three sizes, the ship, a bullet."""
    stage = Stage()
    tiles = [
        stage.set((size, 10, 10, 12), ship_x=50 * UNIT).cut(10, 10)
        for size in (LARGE, MEDIUM, SMALL)
    ]
    tiles.append(stage.set().cut())
    fields: dict[str, Any] = {"bullet_life": np.zeros(8, int)}
    fields |= {name: np.zeros(8, int) for name in ("bullet_x", "bullet_y", "bullet_vy")}
    fields["bullet_life"][:3] = 24, 14, 4
    fields["bullet_x"][:3] = 10 * UNIT
    fields["bullet_y"][:3] = np.array([14, 10, 6]) * UNIT
    tiles.append(stage.set(**fields).cut(10, 10))
    return row(tiles)


def waves() -> Picture:
    """A large rock in the colour of each wave."""
    stage = Stage()
    return row(
        [
            stage.set((LARGE, 10, 10, 40 * wave), ship_x=50 * UNIT, wave=wave).cut(10, 10)
            for wave in range(1, 7)
        ]
    )


def ship() -> Picture:
    """The hull by lives; flame, gun, shield early and late; the explosion."""
    rules = Rules()
    states: list[dict[str, int]] = [
        {"lives": 3},
        {"lives": 2},
        {"lives": 1},
        {"thrusting": 1},
        {"cooldown": rules.cooldown},
        {"lives": 2, "shield": rules.shield_ticks},
        {"lives": 2, "shield": rules.shield_ticks // 4},
        {"lives": 2, "dying": rules.death_ticks - 2},
        {"lives": 2, "dying": rules.death_ticks // 3},
    ]
    stage = Stage()
    return row([stage.set(**state).cut(width=12) for state in states])


def split() -> Picture:
    """A shot breaks a large rock in two, which leave across its path."""
    stage = Stage().set((LARGE, 32, 13, 10), ship_y=37 * UNIT)
    stage.play(1, FIRE)
    tiles = [stage.cut(32, 23, 22, 34)]
    tiles += [stage.play(ticks).cut(32, 23, 22, 34) for ticks in (5, 6, 2, 6, 8)]
    return row(tiles)


def announcement() -> Picture:
    """A wave is announced around the ship, grows, is solid."""
    stage = Stage(scale=7)
    start = stage.env.state()
    x, y = (float(start[name]) / UNIT for name in ("ship_x", "ship_y"))
    return row([stage.play(ticks).cut(x, y, 64) for ticks in (1, 8, 8, 6, 1)])


PICTURES = {
    "objects": objects,
    "waves": waves,
    "ship": ship,
    "split": split,
    "announcement": announcement,
}
"""What draws each picture, by the name of its file."""


def shrunk(picture: Picture) -> Image.Image:
    """Return a picture at half its size, for pages where text is small."""
    return Image.fromarray(picture).reduce(2)


def main() -> None:
    """Write every picture."""
    for name, draw in PICTURES.items():
        path = FOLDER / f"{name}.png"
        shrunk(draw()).save(path, optimize=True)
        print(f"wrote {path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
