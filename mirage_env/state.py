"""The state as users read and set it: arrays by name, raw integers or plain units."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import ARENA_DTYPE
from mirage_env.rules import UNIT, constants

__all__ = ["checked_state", "in_units"]

_C = constants()

_LIMITS: dict[str, tuple[int, int]] = {
    "rock_size": (0, 3),
    "bullet_life": (0, _C.BULLET_TICKS),
    "ship_heading": (0, _C.HEADINGS - 1),
    "cooldown": (0, 60),
    "shield": (0, _C.SHIELD_TICKS),
    "dying": (0, _C.DEATH_TICKS),
    "thrusting": (0, 1),
    "lives": (0, _C.LIVES),
    "wave_timer": (0, _C.WAVE_TICKS),
    "ended": (0, 3),
    "wave": (1, 2**32 - 1),
}
"""Fields with a narrower range than their type: the simulators index tables with some of them."""

_ROOM = (0, 1, 2, 4)
"""How many slots a rock of each size needs at most, counting the fragments it may break in."""


def in_units(state: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return raw fields with places in units and velocities in units/tick, as float64."""
    lengths = ("_x", "_y", "_vx", "_vy")
    return {
        name: values / float(UNIT) if name.endswith(lengths) else values.copy()
        for name, values in state.items()
    }


def checked_state(
    changes: Mapping[str, Any], current: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the whole state after some fields were replaced, with empty slots cleared.

    Args:
        changes: Integer arrays [num_envs, ...] by field name; what is not named stays.
        current: The state as it is, every field.

    Raises:
        ValueError: For an unknown field, another shape or type, a value out of its range, or more
            rocks than there is room for when they break.
    """
    if not isinstance(changes, Mapping):
        raise ValueError(f"a state must be a mapping of fields, as state() gives, got {changes!r}")
    state = dict(current)
    for name, values in changes.items():
        state[name] = _checked_field(name, values, current)
    needed = np.asarray(_ROOM)[state["rock_size"]].sum(axis=1)
    slots = state["rock_size"].shape[1]
    if (needed > slots).any():
        i = int(np.argmax(needed > slots))
        raise ValueError(
            f"the rocks of environment {i} may break in {needed[i]} and there is room for {slots}: "
            "a large rock counts 4, a medium one 2, a small one 1"
        )
    _clear_empty(state, "rock_", state["rock_size"] == 0)
    _clear_empty(state, "bullet_", state["bullet_life"] == 0)
    return state


def _checked_field(name: str, values: Any, current: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    if name not in current:
        raise ValueError(f"there is no state field {name!r}: there are {', '.join(current)}")
    old = current[name]
    try:
        given = np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"the state field {name!r} must be integers of the shape {old.shape}: {error}"
        ) from error
    if given.shape != old.shape or given.dtype.kind not in "iu":
        raise ValueError(
            f"the state field {name!r} must be integers of the shape {old.shape}, "
            f"got {given.dtype} of the shape {given.shape}"
        )
    kind = np.iinfo(ARENA_DTYPE[name].base)
    low, high = _LIMITS.get(name, (kind.min, kind.max))
    if given.min() < low or given.max() > high:
        raise ValueError(
            f"the state field {name!r} must be from {low} to {high}, "
            f"got values from {given.min()} to {given.max()}"
        )
    return given.astype(old.dtype)


def _clear_empty(state: dict[str, NDArray[Any]], prefix: str, empty: NDArray[np.bool_]) -> None:
    """Make every field of the empty slots zero, as the record of an arena has them."""
    for name, values in state.items():
        if name.startswith(prefix):
            state[name] = np.where(empty, 0, values).astype(values.dtype)
