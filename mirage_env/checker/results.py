"""The form of what a vector environment gives: types, shapes, masks. Values are for `check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from gymnasium.spaces import Box
from gymnasium.vector import VectorEnv

__all__ = ["VectorEnvError", "check_observations", "check_step", "difference", "fail", "on_host"]


class VectorEnvError(AssertionError):
    """A vector environment that breaks the contract; the message says where and how."""


def fail(where: str, wanted: str, got: Any, hint: str = "") -> NoReturn:
    """Raise `VectorEnvError`."""
    raise VectorEnvError(f"{where}: {wanted}, got {got}" + (f": {hint}" if hint else ""))


def on_host(value: Any) -> Any:
    """Return a copy in NumPy's arrays of arrays, tensors, and dicts and tuples of them."""
    if isinstance(value, Mapping):
        return {name: on_host(inner) for name, inner in value.items()}
    if isinstance(value, tuple):
        return tuple(on_host(inner) for inner in value)
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy().copy()
    if isinstance(value, np.ndarray) and value.dtype == object:
        copied = np.empty(value.shape, dtype=object)
        for place, inner in np.ndenumerate(value):
            copied[place] = on_host(inner)
        return copied
    return np.array(value) if hasattr(value, "__array__") else value


def difference(a: Any, b: Any, name: str = "") -> str:
    """Return where two values on the host differ, with what is there, or an empty text."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        if a.keys() != b.keys():
            return f"{name} has {sorted(a)} and {sorted(b)}"
        inner = (difference(a[key], b[key], f"{name}[{key!r}]") for key in a)
        return next((text for text in inner if text), "")
    if isinstance(a, tuple) and isinstance(b, tuple) and len(a) == len(b):
        inner = (difference(x, y, f"{name}[{i}]") for i, (x, y) in enumerate(zip(a, b)))  # noqa: B905
        return next((text for text in inner if text), "")
    if (a is None) != (b is None):
        return f"{name} is {a} and {b}"
    x, y = np.asarray(a), np.asarray(b)
    if x.dtype == object or y.dtype == object:
        if x.shape != y.shape or x.ndim == 0:
            return "" if x.shape == y.shape and x.item() == y.item() else f"{name} differs"
        inner = (difference(x[i], y[i], f"{name}[{i}]") for i in range(len(x)))
        return next((text for text in inner if text), "")
    if x.shape != y.shape:
        return f"{name} has the shapes {x.shape} and {y.shape}"
    unequal = (x != y) & ~((x != x) & (y != y))  # NaN is NaN
    if not unequal.any():
        return ""
    place = tuple(int(i) for i in np.argwhere(unequal)[0]) if x.ndim else ()
    return f"{name}{list(place) if place else ''} is {x[place]} and {y[place]}"


def check_observations(envs: VectorEnv[Any, Any, Any], observations: Any, where: str) -> None:
    """Raise unless observations, on the host, are in the space of all environments."""
    space = envs.observation_space
    if isinstance(space, Box):
        if not isinstance(observations, np.ndarray):
            fail(where, "observations must be an array", type(observations).__name__)
        if observations.shape != space.shape:
            fail(where, f"observations must have the shape {space.shape}", observations.shape)
        if observations.dtype != space.dtype:
            fail(where, f"observations must be {space.dtype}", observations.dtype)
        outside = ~((observations >= space.low) & (observations <= space.high))
        if outside.any():
            place = tuple(int(i) for i in np.argwhere(outside)[0])
            fail(
                where,
                f"observations must be in observation_space, there from {space.low[place]} to "
                f"{space.high[place]}",
                f"{observations[place]} at {list(place)}",
            )
    elif observations not in space:
        fail(where, f"observations must be in observation_space, {space}", observations)


def check_infos(infos: Any, num_envs: int, where: str) -> None:
    """Raise unless infos are a dict of arrays, each with its mask."""
    if not isinstance(infos, dict):
        fail(
            where,
            "infos must be a dict of arrays",
            type(infos).__name__,
            "gymnasium.wrappers.vector.DictInfoToList makes lists of them where that is wanted",
        )
    for name, value in infos.items():
        if not isinstance(name, str):
            fail(where, "names of infos must be str", repr(name))
        _check_length(value, num_envs, f"{where}: infos[{name!r}]")
        if name.startswith("_"):
            continue
        mask = infos.get(f"_{name}")
        if mask is None:
            fail(
                where,
                f"infos must hold '_{name}', the mask that says which environments have {name!r}",
                f"only {sorted(infos)}",
            )
        _check_flags(mask, num_envs, f"{where}: infos['_{name}']")


def check_step(envs: VectorEnv[Any, Any, Any], result: Any, where: str) -> None:
    """Raise unless what `step` gave, on the host, has the form that it must have."""
    if not isinstance(result, tuple) or len(result) != 5:
        fail(
            where,
            "step() must return observations, rewards, terminated, truncated and infos",
            f"a tuple of {len(result)}" if isinstance(result, tuple) else type(result).__name__,
        )
    observations, rewards, terminated, truncated, infos = result
    n = envs.num_envs
    check_observations(envs, observations, where)
    if not isinstance(rewards, np.ndarray) or rewards.dtype.kind != "f":
        fail(
            where,
            "rewards must be an array of floating point numbers",
            getattr(rewards, "dtype", type(rewards).__name__),
        )
    if rewards.shape != (n,):
        fail(where, f"rewards must have the shape ({n},)", rewards.shape)
    if not np.isfinite(rewards).all():
        fail(where, "rewards must be finite", rewards)
    _check_flags(terminated, n, f"{where}: terminated")
    _check_flags(truncated, n, f"{where}: truncated")
    check_infos(infos, n, where)


def _check_flags(flags: Any, num_envs: int, where: str) -> None:
    if not isinstance(flags, np.ndarray) or flags.dtype != np.bool_:
        fail(where, "must be an array of bool", getattr(flags, "dtype", type(flags).__name__))
    if flags.shape != (num_envs,):
        fail(where, f"must have the shape ({num_envs},)", flags.shape)


def _check_length(value: Any, num_envs: int, where: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _check_length(inner, num_envs, f"{where}[{name!r}]")
    elif not isinstance(value, np.ndarray) or value.shape[:1] != (num_envs,):
        shape = getattr(value, "shape", type(value).__name__)
        fail(where, f"must be an array with a first axis of {num_envs}", shape)
