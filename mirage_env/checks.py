"""What users pass, checked: each function returns it ready to use or raises one clear error."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mirage_env.rules import Rules

__all__ = [
    "autoreset_mode",
    "backend_on",
    "device_name",
    "indices",
    "one_of",
    "reset_options",
    "rules_of_each",
    "seeds",
    "whole_number",
]

SEEDS = 2**64
"""A seed is a whole number from 0 to one less than this."""


def whole_number(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int from `low` to `high`, both included."""
    # NumPy counts spans of time among its integers.
    fits = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))
    if not fits or value < low or (high is not None and value > high):
        span = f"of at least {low}" if high is None else f"from {low} to {high}"
        raise ValueError(f"{name} must be a whole number {span}, got {value!r}")
    return int(value)


def one_of(name: str, value: Any, allowed: Sequence[Any]) -> Any:
    """Return `value` if it is one of those allowed."""
    if not any(
        value is choice or (isinstance(value, str) and value == choice) for choice in allowed
    ):
        raise ValueError(f"{name} must be one of {', '.join(map(repr, allowed))}, got {value!r}")
    return value


def backend_on(backend: Any, device: Any) -> Any:
    """Return the backend to use when a device was asked for: "auto", "cuda" or "cuda:N"."""
    if not (isinstance(device, str) and re.fullmatch(r"auto|cuda(:\d+)?", device)):
        raise ValueError(f"device must be 'auto', 'cuda' or 'cuda:N', got {device!r}")
    if device == "auto" or backend == "cuda":
        return backend
    if backend != "auto":
        raise ValueError(f"device={device!r} is for backend='cuda', got backend={backend!r}")
    return "cuda"


def device_name(value: Any) -> str:
    """Return the name of a device that dreams are computed on, whether there is one or not."""
    if not (isinstance(value, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?", value)):
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {value!r}")
    return value


def autoreset_mode(value: Any) -> AutoresetMode:
    """Return Gymnasium's mode for itself, its value ("NextStep") or its name ("next_step")."""
    for mode in AutoresetMode:
        if value is mode or (
            isinstance(value, str) and value.lower() in (mode.value.lower(), mode.name.lower())
        ):
            return mode
    names = ", ".join(repr(mode.value) for mode in AutoresetMode)
    raise ValueError(
        f"autoreset_mode must be a gymnasium.vector.AutoresetMode or one of {names}, got {value!r}"
    )


def seeds(value: Any, num_envs: int) -> list[int | None]:
    """Return a seed for each environment, None for "go on with your own".

    Args:
        value: None; one whole number, from which environment i gets the i-th next (modulo 2**64);
            or a sequence of whole numbers and Nones, one for each environment.
        num_envs: How many environments there are.
    """
    if value is None:
        return [None] * num_envs
    if isinstance(value, (int, np.integer)):
        first = whole_number("seed", value, 0, SEEDS - 1)
        return [(first + i) % SEEDS for i in range(num_envs)]
    if isinstance(value, (str, bytes, Mapping)) or not isinstance(value, Iterable):
        raise ValueError(
            f"seed must be None, a whole number or a sequence of {num_envs} of them, got {value!r}"
        )
    given = list(value)
    if len(given) != num_envs:
        raise ValueError(
            f"seed must have one entry for each of {num_envs} environments, got {len(given)}"
        )
    return [
        None if s is None else whole_number(f"seed[{i}]", s, 0, SEEDS - 1)
        for i, s in enumerate(given)
    ]


def reset_options(options: Any, num_envs: int, known: Sequence[str]) -> NDArray[np.bool_]:
    """Return the environments that a reset with these options begins anew, bool [num_envs].

    Args:
        options: None, or a mapping with the keys in `known` at most. It is left as it is.
        num_envs: How many environments there are.
        known: ("reset_mask",), or nothing where that makes no sense.
    """
    if options is None:
        return np.ones(num_envs, np.bool_)
    if not isinstance(options, Mapping):
        raise ValueError(f"options must be None or a dict, got {options!r}")
    for key in options:
        if key not in known:
            takes = f"the only one is {known[0]!r}" if known else "there are none"
            raise ValueError(f"unknown reset option {key!r}: {takes}")
    if "reset_mask" not in options:
        return np.ones(num_envs, np.bool_)
    mask = _array("options['reset_mask']", options["reset_mask"])
    if mask.dtype != np.bool_ or mask.shape != (num_envs,):
        raise ValueError(
            f"options['reset_mask'] must be a bool array of the shape ({num_envs},), "
            f"got {mask.dtype} of the shape {mask.shape}"
        )
    if not mask.any():
        raise ValueError(
            "options['reset_mask'] must be True for one environment at least, all are False"
        )
    return mask.copy()


def rules_of_each(rules: Any, num_envs: int) -> tuple[Rules, ...]:
    """Return the rules of each environment: the standard ones for None, or one for all."""
    if rules is None or isinstance(rules, Rules):
        return (rules or Rules(),) * num_envs
    if not isinstance(rules, Sequence) or not all(isinstance(r, Rules) for r in rules):
        raise ValueError(
            f"rules must be a Rules or a sequence of {num_envs} of them, got {rules!r}"
        )
    if len(rules) != num_envs:
        raise ValueError(
            f"rules must be one Rules or one for each of {num_envs} environments, got {len(rules)}"
        )
    return tuple(rules)


def indices(name: str, value: Any, num_envs: int, *, distinct: bool = False) -> NDArray[np.intp]:
    """Return numbers of environments as an array [n]; None is all of them, one number is that one.

    Args:
        name: Of the argument, for the message.
        value: None, a whole number, or a sequence of whole numbers from 0 to `num_envs` - 1.
        num_envs: How many environments there are.
        distinct: Refuse a number that comes twice.
    """
    if value is None:
        return np.arange(num_envs)
    given = np.atleast_1d(_array(name, value))
    if given.ndim != 1 or not given.size or given.dtype.kind not in "iu":
        raise ValueError(
            f"{name} must be None, a whole number or a sequence of them, "
            f"got {given.dtype} of the shape {given.shape}"
        )
    if given.min() < 0 or given.max() >= num_envs:
        wrong = given[(given < 0) | (given >= num_envs)][0]
        raise ValueError(f"{name} must be from 0 to {num_envs - 1}, got {wrong}")
    if distinct and len(np.unique(given)) != len(given):
        raise ValueError(f"{name} must not name an environment twice, got {given.tolist()}")
    return given.astype(np.intp)


def _array(name: str, value: Any) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be an array in the host's memory, got {value!r}: {error}"
        ) from error
