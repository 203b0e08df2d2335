"""No place in the arena is special: a shifted game is the same game, in pictures that roll."""

from __future__ import annotations

import numpy as np
import pytest
from simulators import BACKENDS, make_simulator, sticky_actions

from mirage_env.arena import ARENA_DTYPE, Arenas
from mirage_env.rules import UNIT, Rules
from mirage_env.simulator import Autoreset

STEPS = 320
SEED = 1
EVENTFUL = Rules(wave_first=1, cooldown=1, rock_speed=1.2)
"""Few rocks, but fast, and fast fire: random players clear waves, and die."""


def shifted(arenas: Arenas, dx: int, dy: int) -> Arenas:
    """Return the arenas with everything in them moved by whole units."""
    moved = arenas.copy()
    for axis, units in (("x", dx), ("y", dy)):
        way = np.uint32(units * UNIT % 2**32)
        for kind, there in (
            ("rock", arenas["rock_size"] > 0),
            ("bullet", arenas["bullet_life"] > 0),
        ):
            moved[f"{kind}_{axis}"] += way * there.astype(np.uint32)
        moved[f"ship_{axis}"] += way
    return moved


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("dx", "dy"), [(1, 0), (0, -1), (32, 32), (63, 17), (-20, 45)])
def test_shifted_state_gives_the_same_game_in_rolled_pictures(backend, dx, dy):
    num_envs = 4 if backend == "oracle" else 32
    games = [
        make_simulator(backend, num_envs, EVENTFUL, autoreset=Autoreset.DISABLED) for _ in range(2)
    ]
    here, there = games
    for game in games:
        game.set_state({"lives": np.full(num_envs, 9)})
    there.arenas[:] = shifted(here.arenas, dx, dy)

    deaths = waves = splits = 0
    for step, actions in enumerate(sticky_actions(num_envs, STEPS, seed=SEED)):
        before = here.arenas.copy()
        for game in games:
            game.step(actions)
        assert there.arenas.tobytes() == shifted(here.arenas, dx, dy).tobytes(), step
        for size in (64, 128) if step % 20 == 0 else (64,):
            pixels = (dy * size // 64, dx * size // 64)
            rolled = np.roll(here.render(size), pixels, axis=(1, 2))
            assert (there.render(size) == rolled).all(), (step, size)
        print(step, deaths, waves, splits) if step == 319 else None
        deaths += (before["lives"] - here.arenas["lives"]).sum()
        waves += (here.arenas["wave"] - before["wave"]).sum()
        splits += ((here.arenas["rock_size"] == 2) & (before["rock_size"] == 3)).sum()
    assert min(deaths, waves, splits) > 1


def test_shift_that_moves_one_thing_alone_is_noticed():
    game = make_simulator("oracle", 1)
    wanted = np.roll(game.render(64), (0, 1), axis=(1, 2))
    game.arenas[:] = shifted(game.arenas, 1, 0)
    assert (game.render(64) == wanted).all()
    game.arenas["ship_x"] += np.uint32(UNIT // 64)
    assert (game.render(64) != wanted).any()


def test_every_coordinate_is_shifted():
    coordinates = {name for name in ARENA_DTYPE.names or () if name.endswith(("_x", "_y"))}
    arenas = np.zeros(1, ARENA_DTYPE)
    arenas["rock_size"] = arenas["bullet_life"] = 1
    moved = shifted(arenas, 5, 7)
    assert coordinates == {
        name for name in ARENA_DTYPE.names or () if (moved[name] != arenas[name]).any()
    }
