"""Arrays of the host and tensors of a GPU: what a vector environment does with each.

`mirage_env.world_vector_env` is written once, over one of these two. Worlds of the host write their
results into the same arrays at every step, so that they are copied before they are handed out;
worlds of a GPU give new tensors, and nothing here waits for them.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mirage_env.actions import (
    checked_actions,
    checked_rollout,
    require_one_each,
    require_steps,
)
from mirage_env.errors import InvalidActionError, import_extra
from mirage_env.frame_pool import FramePool
from mirage_env.frame_stack import FrameStack
from mirage_env.world import DeviceWorld, World

__all__ = ["Arrays", "DeviceArrays", "HostArrays", "LateInfos"]


class Arrays(Protocol):
    """Memory for observations, and the forms in which actions come and results go."""

    def pool(self, shape: tuple[int, ...], dtype: DTypeLike, *, reuse: bool) -> Any:
        """Return a pool of arrays for observations, see `FramePool`."""
        ...

    def stack(self, depth: int, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """Return a stack of observations, see `FrameStack`."""
        ...

    def checked_actions(self, actions: Any) -> Any:
        """Return the actions of a user as the world takes them, [num_envs], or raise."""
        ...

    def checked_rollout(self, actions: Any) -> Any:
        """Return the actions of several steps as the world takes them, [T, num_envs], or raise."""
        ...

    def results(self, world: Any) -> tuple[Any, Any, Any]:
        """Return rewards float32, terminated and truncated of the last step, ready to give."""
        ...

    def masked(self, info: Mapping[str, Any], indices: NDArray[np.intp] | None) -> dict[str, Any]:
        """Return infos of some worlds (all for None) spread over all, with the masks "_name"."""
        ...

    def give(self, value: Any) -> Any:
        """Return arrays (or a dict of them) as the user wants them."""
        ...


class HostArrays:
    """numpy arrays; given as such, or as tensors that share their memory."""

    def __init__(self, num_envs: int, output: str, empty: Any = np.empty) -> None:
        """Choose what is given, "numpy" or "torch".

        Args:
            num_envs: How many environments there are.
            output: What is given.
            empty: Allocates arrays for observations, called as `numpy.empty` is.

        Raises:
            MissingExtraError: If PyTorch is wanted and not installed.
        """
        self.num_envs, self._empty = num_envs, empty
        self._torch = import_extra("torch", "wm", "output='torch'") if output == "torch" else None

    def pool(self, shape: tuple[int, ...], dtype: DTypeLike, *, reuse: bool) -> FramePool:
        """See `Arrays.pool`."""
        return FramePool(shape, dtype, reuse=reuse, empty=self._empty)

    def stack(self, depth: int, shape: tuple[int, ...], dtype: DTypeLike) -> FrameStack:
        """See `Arrays.stack`."""
        return FrameStack(self.num_envs, depth, shape, dtype)

    def checked_actions(self, actions: Any) -> NDArray[np.int32]:
        """See `mirage_env.actions.checked_actions`."""
        return checked_actions(actions, self.num_envs)

    def checked_rollout(self, actions: Any) -> NDArray[np.int32]:
        """See `mirage_env.actions.checked_rollout`."""
        return checked_rollout(actions, self.num_envs)

    def results(self, world: World) -> tuple[Any, Any, Any]:
        """See `Arrays.results`."""
        return world.reward.astype(np.float32), world.terminated.copy(), world.truncated.copy()

    def masked(self, info: Mapping[str, Any], indices: NDArray[np.intp] | None) -> dict[str, Any]:
        """See `Arrays.masked`."""
        masked: dict[str, Any] = {}
        for name, values in info.items():
            if indices is None:
                masked[name], masked[f"_{name}"] = values, np.ones(self.num_envs, np.bool_)
                continue
            masked[name] = np.zeros((self.num_envs, *values.shape[1:]), values.dtype)
            masked[name][indices] = values
            masked[f"_{name}"] = np.zeros(self.num_envs, np.bool_)
            masked[f"_{name}"][indices] = True
        return masked

    def give(self, value: Any) -> Any:
        """See `Arrays.give`."""
        if self._torch is None:
            return value
        if isinstance(value, dict):
            return {name: self.give(inner) for name, inner in value.items()}
        return value if value.dtype == object else self._torch.from_numpy(value)


class DeviceArrays:
    """Tensors of a GPU."""

    def __init__(self, world: DeviceWorld) -> None:
        """Use tensors of the world's device."""
        self._torch = import_extra("torch", "wm", "output='torch'")
        num_envs = self.num_envs = world.num_envs
        device = self.device = world.device
        self._stack = world.stack
        self._everywhere = self._torch.ones(num_envs, dtype=self._torch.bool, device=device)
        self._as_they_are = (self._torch.int32, self._torch.int64)

    def pool(self, shape: tuple[int, ...], dtype: DTypeLike, *, reuse: bool) -> TensorPool:
        """See `Arrays.pool`."""
        return TensorPool(shape, self._tensor((0,), dtype), reuse=reuse)

    def stack(self, depth: int, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        """See `Arrays.stack`."""
        return TensorStack(self._tensor((depth, self.num_envs, *shape), dtype), self._stack)

    def checked_actions(self, actions: Any) -> Any:
        """Return the actions as a contiguous tensor of the device, int32 or int64 [num_envs].

        A tensor of the device is checked for all but its values, which only the device knows: the
        world takes what is no action as 0. Anything else is of the host: it is checked whole, and
        copied.

        Raises:
            InvalidActionError: For another device, shape or type, or a value on the host.
        """
        torch = self._torch
        if not (isinstance(actions, torch.Tensor) and actions.is_cuda):
            checked = checked_actions(actions, self.num_envs)
            return torch.from_numpy(checked).to(self.device)
        if actions.device != self.device:
            raise InvalidActionError(
                f"actions must be on {self.device}, where the environments are, or on the CPU, "
                f"got a tensor on {actions.device}"
            )
        require_one_each(actions.shape, self.num_envs)
        return self._integers(actions)

    def checked_rollout(self, actions: Any) -> Any:
        """Return the actions of several steps, int32 or int64 [T, num_envs], T at least 1."""
        torch = self._torch
        if isinstance(actions, torch.Tensor) and actions.device == self.device:
            require_steps(actions.shape, self.num_envs)
            return self._integers(actions)
        return torch.from_numpy(checked_rollout(actions, self.num_envs)).to(self.device)

    def results(self, world: World) -> tuple[Any, Any, Any]:
        """See `Arrays.results`: the world's own, which are new at each step."""
        return world.reward, world.terminated, world.truncated

    def masked(self, info: Mapping[str, Any], indices: NDArray[np.intp] | None) -> dict[str, Any]:
        """See `Arrays.masked`. The mask of all is one tensor, handed out again and again."""
        masked: dict[str, Any] = {}
        if indices is None:
            for name, values in info.items():
                masked[name], masked[f"_{name}"] = values, self._everywhere
            return masked
        there = self._torch.from_numpy(indices).to(self.device)
        for name, values in info.items():
            whole = values.new_zeros((self.num_envs, *values.shape[1:]))
            masked[name] = whole.index_copy(0, there, values)
            masked[f"_{name}"] = self._torch.zeros_like(self._everywhere).index_fill(0, there, True)
        return masked

    def give(self, value: Any) -> Any:
        """See `Arrays.give`: as it is."""
        return value

    def _integers(self, actions: Any) -> Any:
        torch = self._torch
        if actions.dtype not in self._as_they_are:
            if actions.is_floating_point() or actions.is_complex() or actions.dtype == torch.bool:
                raise InvalidActionError(
                    f"actions must be integers, got {actions.dtype}: "
                    "convert them with .long() if that is meant"
                )
            actions = actions.long()
        return actions.contiguous()

    def _tensor(self, shape: tuple[int, ...], dtype: DTypeLike) -> Any:
        kind = self._torch.from_numpy(np.empty(0, dtype)).dtype
        return self._torch.zeros(shape, dtype=kind, device=self.device)


class TensorPool:
    """Gives tensors to write in: new ones, from PyTorch's allocator of memory.

    That allocator hands out the same memory again as soon as nobody holds it, and in the order of
    the stream, so that a program that keeps no observations runs on two of them. To ask it takes as
    long as to launch a step: small tensors are taken from it several at a time.
    """

    AT_ONCE = 64 << 20
    """Bytes that are allocated together at most."""

    def __init__(self, shape: tuple[int, ...], like: Any, *, reuse: bool) -> None:
        """Give tensors of a shape, otherwise like one; with `reuse` the same every time."""
        self._shape, self._empty = shape, like.new_empty
        self._one = self._empty(shape) if reuse else None
        size = max(1, math.prod(shape) * like.element_size())
        self._at_once = min(16, self.AT_ONCE // size)
        self._ready: Iterator[Any] = iter(())
        self._stream, self._ready_in = _stream_of(like.device), None

    def take(self) -> Any:
        """Return a tensor that nobody holds, with whatever was last written in it."""
        if self._one is not None:
            return self._one
        stream = self._stream()
        if self._at_once < 2 or stream is None:
            return self._empty(self._shape)
        if stream != self._ready_in:  # Memory is given back to the stream that it was taken in.
            self._ready, self._ready_in = iter(()), stream
        tensor = next(self._ready, None)
        if tensor is None:
            self._ready = iter(self._empty((self._at_once, *self._shape)).unbind(0))
            tensor = next(self._ready)
        return tensor


def _stream_of(device: Any) -> Callable[[], int | None]:
    """Return a function for PyTorch's current stream of a device, 0 on the CPU.

    It gives None while a graph is captured: what a graph writes comes from memory of its own.
    """
    if device.type != "cuda":
        return lambda: 0
    import torch

    capturing, current = torch.cuda.is_current_stream_capturing, torch._C._cuda_getCurrentRawStream
    index = device.index
    return lambda: None if capturing() else current(index)


class TensorStack:
    """The last `depth` observations of each world, on a GPU; see `FrameStack`."""

    def __init__(self, ring: Any, stack: Any) -> None:
        """Keep them in `ring` [depth, num_envs, ...]; `stack` is `DeviceWorld.stack`."""
        self._torch = import_extra("torch", "wm", "output='torch'")
        self.depth, self._ring, self._stack, self._newest = len(ring), ring, stack, 0

    def advance(self) -> Any:
        """Forget the oldest observations and return their layer [num_envs, ...] for the newest."""
        self._newest = (self._newest + 1) % self.depth
        return self._ring[self._newest]

    def fill(self, indices: NDArray[np.intp], observations: Any) -> None:
        """Set all layers of some worlds, to observations [n, ...] or to stacks [n, depth, ...]."""
        chosen = self._torch.from_numpy(indices).to(self._ring.device)
        if observations.ndim == self._ring.ndim:
            for place, layer in enumerate(self._order()):
                self._ring[layer].index_copy_(0, chosen, observations[:, place])
        else:
            for layer in self._ring:
                layer.index_copy_(0, chosen, observations)

    def read(self, out: Any, begun: Any = None) -> None:
        """Write all stacks to `out` [num_envs, depth, ...]; see `FrameStack.read`."""
        self._stack(self._ring, self._newest, out, begun=begun)

    def ending_with(self, last: Any, ended: Any) -> Any:
        """Return stacks [num_envs, depth, ...] with `last` [num_envs, ...] as the newest.

        Where `ended`, bool [num_envs], is False they mean nothing.
        """
        out = last.new_empty((len(last), self.depth, *last.shape[1:]))
        self._stack(self._ring, self._newest, out, last=last, ended=ended)
        return out

    def stacks(self, indices: NDArray[np.intp]) -> Any:
        """Return the stacks [n, depth, ...] of some worlds, the oldest first."""
        return self._ring[self._order()][:, indices].transpose(0, 1).contiguous()

    def _order(self) -> list[int]:
        return [(self._newest + 1 + d) % self.depth for d in range(self.depth)]


class LateInfos(dict[str, Any]):
    """Infos of a step on a GPU: a dict that is filled when it is first looked into.

    Most programs drop what a step tells beside its results, and to make a tensor of each part costs
    as much time as the launch of the step.
    """

    __slots__ = ("_arrays", "_told")

    def __init__(self, infos: dict[str, Any], arrays: Arrays, world: DeviceWorld) -> None:
        """Hold `infos`, and later what the world tells of its last step."""
        super().__init__(infos)
        self._arrays: Arrays = arrays
        self._told: Callable[[], dict[str, Any]] | None = world.step_infos()

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def _filled(self) -> None:
        told, self._told = self._told, None
        if told is not None:
            super().update(self._arrays.masked(told(), None))


def _after_filling(name: str) -> Any:
    method = getattr(dict, name)

    @functools.wraps(method)
    def late(self: LateInfos, *args: Any, **kwargs: Any) -> Any:
        self._filled()
        return method(self, *args, **kwargs)

    return late


for _name in (
    "__contains__ __delitem__ __eq__ __getitem__ __iter__ __len__ __ne__ __or__ __repr__ "
    "__reversed__ __setitem__ clear copy get items keys pop popitem setdefault update values"
).split():
    setattr(LateInfos, _name, _after_filling(_name))
