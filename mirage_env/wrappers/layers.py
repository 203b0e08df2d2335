"""What wrappers ask of what they wrap: its autoreset mode, the layers below, its kind of arrays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv, VectorWrapper
from gymnasium.wrappers.vector import DictInfoToList

__all__ = ["autoreset_mode", "layers", "namespace", "require_vector", "reset_mask"]


def layers(envs: VectorEnv[Any, Any, Any]) -> Iterator[VectorEnv[Any, Any, Any]]:
    """Yield a vector environment and all that it wraps, from the outside in."""
    yield envs
    while isinstance(envs, VectorWrapper):
        envs = envs.env
        yield envs


def require_vector(wrapper: str, envs: Any) -> None:
    """Raise unless `wrapper` can wrap `envs`.

    Raises:
        TypeError: If it is no vector environment.
        ValueError: If a layer below gives infos as a list, which only the outermost may do.
    """
    if not isinstance(envs, VectorEnv):
        raise TypeError(
            f"{wrapper} wraps a gymnasium.vector.VectorEnv, got {type(envs).__name__}: "
            "gymnasium.wrappers has one of this kind for single environments"
        )
    if any(isinstance(layer, DictInfoToList) for layer in layers(envs)):
        raise ValueError(
            f"{wrapper} needs infos as a dict, and DictInfoToList below it makes a list of them: "
            f"wrap the other way round, DictInfoToList({wrapper}(envs))"
        )


def autoreset_mode(wrapper: str, envs: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """Return the autoreset mode of a vector environment.

    Raises:
        ValueError: If its metadata do not tell, since every mode needs another treatment.
    """
    mode = envs.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        raise ValueError(
            f"{wrapper} must know how {envs} resets itself: its metadata['autoreset_mode'] must be "
            f"a gymnasium.vector.AutoresetMode, got {mode!r}"
        )
    return mode


def namespace(array: Any) -> Any:
    """Return `torch` for a tensor and `numpy` for anything else."""
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(array, torch.Tensor) else np


def reset_mask(options: dict[str, Any] | None, like: Any) -> Any:
    """Return the mask of a partial reset, bool [num_envs], where `like` is; None for a whole one.

    Call it before the reset: some of Gymnasium's wrappers take the mask out of the options.
    """
    mask = None if options is None else options.get("reset_mask")
    if mask is None:
        return None
    xp = namespace(like)
    return np.array(mask) if xp is np else xp.as_tensor(np.array(mask)).to(like.device)
