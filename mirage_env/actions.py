"""The twelve actions: three ways to turn, thrust or not, fire or not.

An action is one integer, ``turn * 4 + thrust * 2 + fire``, with turn 0 (none), 1 (left) or 2
(right).
"""

from __future__ import annotations

from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import InvalidActionError

__all__ = [
    "ACTION_MEANINGS",
    "NUM_ACTIONS",
    "Keys",
    "action_to_keys",
    "checked_action",
    "checked_actions",
    "checked_rollout",
    "key_codes_to_action",
    "keys_to_action",
    "require_one_each",
    "require_steps",
]

NUM_ACTIONS = 12

ACTION_MEANINGS = tuple(
    f"{turn}{thrust}{fire}" or "NOOP"
    for turn in ("", "LEFT", "RIGHT")
    for thrust in ("", "THRUST")
    for fire in ("", "FIRE")
)
"""Names of the actions: "NOOP", "FIRE", "THRUST", "THRUSTFIRE", "LEFT", "LEFTFIRE", and so on."""


class Keys(NamedTuple):
    """The four keys of the game, each held down or not."""

    left: bool = False
    right: bool = False
    thrust: bool = False
    fire: bool = False


def keys_to_action(left: bool, right: bool, thrust: bool, fire: bool) -> int:
    """Return the action for the keys held down; left and right together are no turn.

    Example:
        >>> ACTION_MEANINGS[keys_to_action(left=True, right=False, thrust=False, fire=True)]
        'LEFTFIRE'
    """
    turn = 0 if left == right else 1 if left else 2
    return turn * 4 + bool(thrust) * 2 + bool(fire)


def action_to_keys(action: int) -> Keys:
    """Return the keys that an action holds down.

    Example:
        >>> action_to_keys(7)
        Keys(left=True, right=False, thrust=True, fire=True)
    """
    if not 0 <= action < NUM_ACTIONS:
        raise InvalidActionError(
            f"an action is a whole number from 0 to {NUM_ACTIONS - 1}, got {action!r}"
        )
    turn, thrust, fire = action // 4, action // 2 % 2, action % 2
    return Keys(turn == 1, turn == 2, bool(thrust), bool(fire))


# The codes of the arrow keys in SDL, and so in pygame; those of the others are their characters.
_KEY_RIGHT, _KEY_LEFT, _KEY_UP = 1073741903, 1073741904, 1073741906
_LEFT = (_KEY_LEFT, ord("a"))
_RIGHT = (_KEY_RIGHT, ord("d"))
_THRUST = (_KEY_UP, ord("w"))
_FIRE = (ord(" "),)


def key_codes_to_action() -> dict[tuple[int, ...], int]:
    """Return the action for every set of keys that may be down together.

    This is the table that `gymnasium.utils.play` asks for. The keys are the arrows or A, D and W,
    and the space bar, as pygame's key codes.
    """
    codes = (*_LEFT, *_RIGHT, *_THRUST, *_FIRE)
    table = {}
    for count in range(1, len(codes) + 1):
        for held in combinations(codes, count):
            down = [any(code in held for code in key) for key in (_LEFT, _RIGHT, _THRUST, _FIRE)]
            table[tuple(sorted(held))] = keys_to_action(*down)
    return table


def checked_actions(
    actions: Any, num_envs: int, num_actions: int = NUM_ACTIONS
) -> NDArray[np.int32]:
    """Return the actions that a user passed as int32 [num_envs].

    Args:
        actions: Integers [num_envs]: an array, a tensor on the CPU, or a sequence.
        num_envs: How many there must be.
        num_actions: They must be from 0 to one less.

    Raises:
        InvalidActionError: For another shape, type or range, naming what came.
    """
    given = _integers(actions)
    require_one_each(given.shape, num_envs)
    return _in_range(given, num_actions)


def checked_rollout(actions: Any, num_envs: int) -> NDArray[np.int32]:
    """Return the actions of several steps that a user passed as int32 [T, num_envs], T at least 1.

    Raises:
        InvalidActionError: For another shape, type or range, naming what came.
    """
    given = _integers(actions)
    require_steps(given.shape, num_envs)
    return _in_range(given, NUM_ACTIONS)


def require_one_each(shape: tuple[int, ...], num_envs: int) -> None:
    """Raise `InvalidActionError` if actions of this shape are not one for each environment."""
    if shape != (num_envs,):
        raise InvalidActionError(
            f"actions must have the shape ({num_envs},), one for each environment, "
            f"got {tuple(shape)}"
        )


def require_steps(shape: tuple[int, ...], num_envs: int) -> None:
    """Raise `InvalidActionError` if actions of this shape are not those of a rollout."""
    if len(shape) != 2 or shape[1] != num_envs or shape[0] == 0:
        raise InvalidActionError(
            f"the actions of a rollout must have the shape (steps, {num_envs}), got {tuple(shape)}"
        )


def checked_action(action: Any, num_actions: int = NUM_ACTIONS) -> NDArray[np.int32]:
    """Return the action that a user passed to a single environment as int32 [1]."""
    given = _integers(action)
    if given.shape != ():
        raise InvalidActionError(
            f"the action of one environment is one integer, got the shape {given.shape}"
        )
    if not 0 <= given < num_actions:
        raise InvalidActionError(f"the action must be from 0 to {num_actions - 1}, got {given}")
    return given.astype(np.int32).reshape(1)


def _in_range(given: NDArray[Any], num_actions: int) -> NDArray[np.int32]:
    wrong = (given < 0) | (given >= num_actions)
    if wrong.any():
        place = np.unravel_index(int(np.argmax(wrong)), given.shape)
        raise InvalidActionError(
            f"actions must be from 0 to {num_actions - 1}, got {given[place]} for environment "
            f"{place[-1]}"
        )
    return given.astype(np.int32)


def _integers(actions: Any) -> NDArray[Any]:
    """Return the user's numbers as an array of integers, of any width."""
    try:
        given = np.asarray(actions)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(actions).__name__
        raise InvalidActionError(
            f"actions must be integers in the host's memory, got {kind}: {error}"
        ) from error
    if given.dtype.kind not in "iu":
        example = f" ({actions!r})" if given.ndim == 0 else ""
        raise InvalidActionError(
            f"actions must be integers, got {given.dtype}{example}: "
            "convert them with .astype(int) if that is meant"
        )
    return given
