"""The scenes of the golden pictures, and how they are drawn on contact sheets.

``python -m tests.golden_pictures --write`` draws tests/golden/ anew, by the oracle. Do it when a
rule has changed on purpose, look at every sheet, and raise the rules version.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mirage_env.arena import ARENA_DTYPE, Arenas
from mirage_env.oracle.random import mix
from mirage_env.rules import BULLET_SLOTS, ROCK_SLOTS, UNIT, Rules, tuning
from mirage_env.simulator import Simulator, SimulatorConfig

FOLDER = Path(__file__).resolve().parent / "golden"
SIZES = (64, 84, 256)
COLUMNS, GAP = 4, 2
SMALL, MEDIUM, LARGE = 1, 2, 3

Thing = dict[str, Any]


def _coordinates(thing: Thing) -> Thing:
    """Return the fields of a thing with its places turned from units into integers."""
    return {k: round(v * UNIT) % 2**32 if k in ("x", "y") else v for k, v in thing.items()}


def scene(
    rocks: list[Thing] | None = None,
    bullets: list[Thing] | None = None,
    ship: Thing | None = None,
    **arena: int,
) -> Arenas:
    """Return a state, `ARENA_DTYPE` [1]; places are in units and what is not named is 0."""
    record = np.zeros(1, ARENA_DTYPE)
    record["wave"] = 1
    record["ship_heading"] = 16
    for kind, things in (("rock", rocks or []), ("bullet", bullets or [])):
        for slot, thing in enumerate(things):
            for name, value in _coordinates(thing).items():
                record[f"{kind}_{name}"][0, slot] = value
    for name, value in _coordinates(ship or {}).items():
        record[f"ship_{name}" if name in ("x", "y", "heading") else name] = value
    for name, value in arena.items():
        record[name] = value
    return record


def rock(x: float, y: float, size: int, angle: int = 0) -> Thing:
    return {"x": x, "y": y, "size": size, "angle": angle % 256}


def bullet(x: float, y: float, life: int = 24) -> Thing:
    return {"x": x, "y": y, "life": life}


def ship(x: float = 32.0, y: float = 32.0, lives: int = 3, **fields: int) -> Thing:
    return {"x": x, "y": y, "lives": lives, **fields}


def _rocks() -> list[Arenas]:
    """Each size at four angles and places between pixels, in the colours of the waves; overlaps."""
    turned = [
        scene(
            rocks=[
                rock(11 + 14 * j + 0.3 * j, 11 + 14 * i + 0.17 * i, size, angle=37 * i + 64 * j)
                for i in range(4)
                for j in range(4)
            ],
            wave=wave,
        )
        for wave, size in ((1, LARGE), (2, MEDIUM), (3, SMALL), (4, MEDIUM), (9, SMALL))
    ]
    pile = [rock(32, 32, LARGE), rock(36, 30, LARGE, 90), rock(28, 34, SMALL, 5)]
    pile += [rock(33, 33, MEDIUM, 9), rock(32.5, 28, SMALL, 77), rock(37, 35, MEDIUM, 130)]
    return [*turned, scene(rocks=pile), scene(rocks=pile[::-1], wave=2)]


def _waves() -> list[Arenas]:
    """A wave that grows until it is solid."""
    rocks = [rock(15, 18, LARGE), rock(50.25, 20.5, LARGE, 100), rock(31.4, 55.1, LARGE, 200)]
    return [
        scene(rocks=rocks, ship=ship(), wave=wave, wave_timer=timer)
        for wave, timer in ((1, 24), (1, 23), (2, 18), (3, 12), (4, 6), (1, 2), (1, 1), (1, 0))
    ]


def _ships() -> list[Arenas]:
    """Ships by lives, heading, flame, cooldown, shield and explosion; and none at all."""
    states: list[Thing] = [{"lives": lives, "heading": 13 + lives} for lives in (3, 2, 1, 7)]
    states += [{"heading": heading} for heading in (0, 5, 29, 32, 46, 63)]
    states += [{"thrusting": 1, "heading": heading} for heading in (16, 3, 40)]
    states += [{"cooldown": cooldown, "heading": 10} for cooldown in (1, 4, 8, 12)]
    states += [{"shield": shield, "lives": 2} for shield in (60, 45, 20, 1)]
    states += [{"shield": 30, "lives": 1, "thrusting": 1, "cooldown": 6, "heading": 22}]
    states += [{"dying": dying, "lives": 2} for dying in (16, 12, 8, 4, 1)]
    states += [{"dying": dying, "lives": 0} for dying in (16, 6)]
    places = ((32.0, 32.0), (31.5, 32.25), (30.87, 33.61))
    scenes = [scene(ship=ship(*places[i % 3], **state)) for i, state in enumerate(states)]
    return [*scenes, scene(ship=ship(lives=0), ended=1)]


def _bullets() -> list[Arenas]:
    """Bullets of every age, between pixels, overlapping each other and the ship."""
    ages = [
        scene(bullets=[bullet(10.1 + 6 * i, 20 + 3.3 * i, life - i) for i in range(8)])
        for life in (24, 16, 8)
    ]
    crossing = [bullet(32 + 0.4 * i, 30 - 0.9 * i, 3 * i + 1) for i in range(8)]
    return [*ages, scene(bullets=crossing, ship=ship(heading=20, cooldown=7))]


def _edges() -> list[Arenas]:
    """Every kind of thing over each edge and corner, on it exactly and a little off it."""
    near = 63.9
    places = [
        (0, 32),
        (near, 32),
        (32, 0),
        (32, near),
        (0, 0),
        (near, 0.2),
        (0.3, near),
        (near, near),
    ]
    scenes = []
    for x, y in places:
        scenes += [
            scene(rocks=[rock(x, y, LARGE, 20), rock(x + 22, y + 15, SMALL, 3)], wave=2),
            scene(ship=ship(x, y, thrusting=1, heading=24, cooldown=5, shield=50), wave=3),
            scene(ship=ship(x, y, lives=1, dying=3), bullets=[bullet(x + 16, y, 20)]),
            scene(rocks=[rock(x, y, MEDIUM, 90)], bullets=[bullet(x, y, 12)], wave=4, wave_timer=9),
        ]
    return scenes


def _crowds() -> list[Arenas]:
    """All slots taken, anywhere."""

    def places(seed: int, index: int) -> tuple[float, float]:
        h = mix(seed * 1000 + index + 1)
        return (h >> 16) / 1024, (h & 0xFFFF) / 1024

    scenes = []
    for seed in range(4):
        rocks = [rock(*places(seed, i), i % 3 + 1, 11 * i) for i in range(ROCK_SLOTS)]
        bullets = [bullet(*places(seed, 100 + i), 3 * i + 1) for i in range(BULLET_SLOTS)]
        player = ship(*places(seed, 200), lives=3 - seed % 3, thrusting=1, shield=20, cooldown=3)
        scenes.append(scene(rocks, bullets, player, wave=seed + 1))
    return scenes


SHEETS = {
    "rocks": _rocks(),
    "waves": _waves(),
    "ships": _ships(),
    "bullets": _bullets(),
    "edges": _edges(),
    "crowds": _crowds(),
}
"""The scenes, by the name of the contact sheet that they are on."""


def draw(backend: type[Simulator], states: list[Arenas], size: int) -> NDArray[np.uint8]:
    """Return the pictures of states, uint8 [n, size, size, 3]."""
    rows = np.array([tuning(Rules())] * len(states), np.int32)
    simulator = backend(SimulatorConfig(rows, num_threads=1))
    simulator.arenas[:] = np.concatenate(states)
    return simulator.render(size)


def to_sheet(pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return pictures side by side, four in a row, with grey between them."""
    n, height, width, channels = pictures.shape
    rows = -(-n // COLUMNS)
    cells = np.full((rows * COLUMNS, height + GAP, width + GAP, channels), 128, np.uint8)
    cells[:n, :height, :width] = pictures
    cells = cells.reshape(rows, COLUMNS, *cells.shape[1:]).swapaxes(1, 2)
    return np.ascontiguousarray(cells).reshape(rows * (height + GAP), -1, channels)


def path(sheet: str, size: int) -> Path:
    return FOLDER / f"{sheet}-{size}.png"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="draw tests/golden/ anew")
    if not parser.parse_args().write:
        parser.error("nothing to do without --write, which replaces the pictures in tests/golden")
    from mirage_env.backends.oracle import OracleSimulator

    FOLDER.mkdir(exist_ok=True)
    for sheet, states in SHEETS.items():
        for size in SIZES:
            image = Image.fromarray(to_sheet(draw(OracleSimulator, states, size)))
            image.save(path(sheet, size), optimize=True)
            print(path(sheet, size), f"{path(sheet, size).stat().st_size} bytes")


if __name__ == "__main__":
    main()
