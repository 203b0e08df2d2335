"""What decides the future is in the picture: each field of the state is changed a little, and seen.

Reached states of random players are changed by one quantum of one field; the picture of the changed
state or one of the three after it, under the same keys, must differ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from simulators import BACKENDS, make_simulator, sticky_actions

from mirage_env.arena import ARENA_DTYPE, Arenas
from mirage_env.rules import UNIT
from mirage_env.simulator import Autoreset, Simulator

FRAMES = 4
"""Pictures of which one must differ: that of the changed state and three after it."""

NEAR = UNIT // 64
"""Quantum of a place (1/64 unit) and of a velocity (1/64 unit/tick)."""

TICKS = 420
"""The states are taken from the first ticks of the games."""

SEED = 4


def alive(arenas: Arenas) -> NDArray[np.bool_]:
    return (arenas["dying"] == 0) & (arenas["lives"] > 0)


def dying(arenas: Arenas) -> NDArray[np.bool_]:
    return arenas["dying"] > 0


def there(arenas: Arenas) -> NDArray[np.bool_]:
    return arenas["ended"] == 0


@dataclass(frozen=True)
class Change:
    """How a field is changed: both ways by the quantum, where the result lies from low to high."""

    quantum: int
    low: int = -(2**31)
    high: int = 2**32 - 1
    where: Callable[[Arenas], NDArray[np.bool_]] = there


OBSERVED = {
    "rock_x": Change(NEAR),
    "rock_y": Change(NEAR),
    "rock_vx": Change(NEAR),
    "rock_vy": Change(NEAR),
    "rock_size": Change(1, 1, 3),
    "rock_angle": Change(1),
    "rock_spin": Change(1, -4, 4),
    "bullet_x": Change(NEAR),
    "bullet_y": Change(NEAR),
    "bullet_vx": Change(NEAR),
    "bullet_vy": Change(NEAR),
    "bullet_life": Change(1, 1, 24),
    "ship_x": Change(NEAR),
    "ship_y": Change(NEAR),
    # Velocity, heading, cooldown and flame of a ship that explodes are always the same.
    "ship_vx": Change(NEAR, where=alive),
    "ship_vy": Change(NEAR, where=alive),
    "ship_heading": Change(1, 0, 63, where=alive),
    "cooldown": Change(1, 0, 8, where=alive),
    "shield": Change(1, 0, 60, where=alive),
    "thrusting": Change(1, 0, 1, where=alive),
    "dying": Change(1, 1, 16, where=dying),
    "lives": Change(1, 1, 3, where=alive),
    "wave_timer": Change(1, 0, 24),
    # From the sixth on all waves have the same number of rocks and one colour, see below.
    "wave": Change(1, 1, 6),
}

UNSEEN = {
    "seed": "only draws depend on it, and they are chance",
    "episode": "only draws depend on it",
    "tick": "only draws depend on it, and the truncation, which no player is meant to see coming",
    "score": "it decides nothing",
    "ended": "it says what was, and is not of the game",
}


def test_no_field_of_the_state_is_forgotten():
    assert sorted([*OBSERVED, *UNSEEN]) == sorted(ARENA_DTYPE.names or ())


@dataclass
class Reached:
    """States from many games, the keys of their next ticks, and their next pictures."""

    simulator: Simulator
    arenas: Arenas
    keys: NDArray[np.int32]
    frames: NDArray[np.uint8]
    next_arenas: Arenas

    def look(self, arenas: Arenas) -> tuple[NDArray[np.uint8], Arenas]:
        """Return pictures [state, FRAMES] from the states on, and the states a tick later."""
        self.simulator.arenas[:] = arenas
        frames, later = [self.simulator.render(64)], []
        for keys in self.keys:
            self.simulator.step(keys)
            frames.append(self.simulator.render(64))
            later.append(self.simulator.arenas.copy())
        return np.stack(frames, 1), later[0]


@pytest.fixture(scope="module", params=BACKENDS)
def reached(request: pytest.FixtureRequest) -> Reached:
    num_envs = 30 if request.param == "oracle" else 400
    simulator = make_simulator(request.param, num_envs, autoreset=Autoreset.DISABLED)
    simulator.set_state({"wave": np.arange(num_envs) % 6 + 1})
    arenas = np.zeros(num_envs, ARENA_DTYPE)
    taken_at = np.arange(num_envs) * TICKS // num_envs
    keys = np.zeros((FRAMES - 1, num_envs), np.int32)
    played = list(sticky_actions(num_envs, TICKS + FRAMES, seed=SEED))
    for tick in range(TICKS):
        now = taken_at == tick
        arenas[now] = simulator.arenas[now]
        for k in range(FRAMES - 1):
            keys[k, now] = played[tick + k][now]
        simulator.step(played[tick])
    states = Reached(simulator, arenas, keys, np.zeros(0, np.uint8), arenas)
    states.frames, states.next_arenas = states.look(arenas)
    return states


def test_reached_states_are_varied(reached: Reached):
    arenas = reached.arenas
    assert (arenas["shield"] > 0).any()
    assert (arenas["wave_timer"] > 0).any()
    assert (arenas["bullet_life"] > 0).any()
    assert (arenas["thrusting"] > 0).any()
    assert dying(arenas).any()
    assert {1, 2, 3} <= set(arenas["rock_size"].ravel())
    assert {1, 2, 3} <= set(arenas["lives"])
    assert {1, 2, 3, 4, 5, 6} <= set(arenas["wave"])


@pytest.mark.parametrize("sign", [1, -1], ids=["more", "less"])
@pytest.mark.parametrize("field", OBSERVED)
def test_small_change_is_seen_within_four_frames(reached: Reached, field: str, sign: int):
    change, changed = OBSERVED[field], reached.arenas.copy()
    rows = np.arange(len(changed))
    if (object_ := field.split("_")[0]) in ("rock", "bullet"):
        mark = {"rock": "rock_size", "bullet": "bullet_life"}[object_]
        present = changed[mark] > 0
        slot = (np.random.default_rng(7).random(present.shape) * present).argmax(1)
        place = (rows, slot)
        possible = present[place]
        if field.endswith(("vx", "vy", "spin")):  # how a thing moves that is gone is no matter
            now, later = changed[mark][place], reached.next_arenas[mark][place]
            possible &= (later > 0) & (later == now - (mark == "bullet_life"))
    else:
        place, possible = (rows,), np.ones(len(rows), np.bool_)

    values = changed[field][place].astype(np.int64) + sign * change.quantum
    if field.endswith(("_x", "_y", "_angle")):  # these wrap
        values %= 2 ** (8 * changed[field].itemsize)
    possible &= change.where(changed) & (change.low <= values) & (values <= change.high)
    changed[field][place] = np.where(possible, values, changed[field][place])
    assert possible.any(), f"no state in which {field} can be changed so"

    frames, _ = reached.look(changed)
    seen = (frames != reached.frames).reshape(len(rows), -1).any(1)
    unseen = np.flatnonzero(possible & ~seen).tolist()
    assert not unseen, f"{field} {sign * change.quantum:+d} is invisible in the states {unseen}"
    assert not (seen & ~possible).any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_waves_after_the_sixth_are_alike(backend: str):
    games = [make_simulator(backend, 4) for _ in range(2)]
    for game, wave in zip(games, (6, 9), strict=True):
        empty = {name: np.zeros_like(game.arenas[name]) for name in ARENA_DTYPE.names or ()}
        rocks = {name: values for name, values in empty.items() if name.startswith("rock")}
        game.set_state({**rocks, "wave": np.full(4, wave), "wave_timer": np.zeros(4)})
    for actions in sticky_actions(4, 60, seed=2):
        for game in games:
            game.step(actions)
        assert (games[0].render(64) == games[1].render(64)).all()
    assert [game.arenas["wave"].tolist() for game in games] == [[7] * 4, [10] * 4]
