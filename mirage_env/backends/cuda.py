"""Kernels on a GPU: PyCUDA launches them, PyTorch owns the memory, the context and the streams.

PyCUDA works in PyTorch's own context of the device (its primary context). Where that is not current
already it is made so for the time of a launch and not longer: any thread may launch, and nothing is
left on PyCUDA's stack of contexts when a thread or the process ends.
"""

from __future__ import annotations

import atexit
import ctypes
import os
from typing import Any

from mirage_env.backends.cuda_build import fatbin

__all__ = ["Kernels", "kernels_for", "usable_device"]

NON_BLOCKING = 1
"""A stream that does not wait for the default one (CU_STREAM_NON_BLOCKING)."""


def usable_device(name: str) -> Any:
    """Return the `torch.device` of a GPU by its name, "cuda:N"; "cuda" or "auto" is the current.

    Raises:
        ImportError: If a GPU cannot be used here at all, with the reason.
        ValueError: If this GPU is not there.
    """
    try:  # Before PyTorch, which takes seconds to import.
        ctypes.CDLL("libcuda.so.1")
    except OSError as error:
        raise ImportError(
            f"there is no driver of an NVIDIA GPU here ({error}): use backend='native'"
        ) from error
    torch, _ = _libraries()
    if torch.cuda._is_in_bad_fork():
        raise ImportError(
            "this process was forked from one that had used the GPU, which its children cannot: "
            "start it by multiprocessing's method 'spawn', or use backend='native'"
        )
    if not torch.cuda.is_available():
        raise ImportError(f"PyTorch {torch.__version__} finds no GPU here: use backend='native'")
    number = int(name.partition(":")[2] or torch.cuda.current_device())
    if number >= torch.cuda.device_count():
        raise ValueError(
            f"device={name!r} was asked for and there are {torch.cuda.device_count()} GPUs here, "
            "numbered from 0"
        )
    return torch.device("cuda", number)


def kernels_for(device: Any, size: int, channels: int) -> Kernels:
    """Return the kernels on a GPU for pictures of one size; compiled and loaded once a process.

    Raises:
        ImportError: If they cannot be compiled or loaded, with the reason.
    """
    key = (os.getpid(), device.index, size, channels)
    if key not in _loaded:
        _loaded[key] = Kernels(device, size, channels)
    return _loaded[key]


class Kernels:
    """The functions of ``cuda/kernels.cu`` on one GPU.

    Example:
        >>> packed = struct.pack("QQi", arenas, infos, 512)  # doctest: +SKIP
        >>> kernels.launch("inform", 4, 128, packed, kernels.current_stream())  # doctest: +SKIP
    """

    def __init__(self, device: Any, size: int, channels: int) -> None:
        """Compile and load them; see `kernels_for`."""
        self._torch, self._driver = _libraries()
        self.device, self.size, self.channels = device, size, channels
        code = fatbin(self._torch.cuda.get_device_capability(device), size, channels)
        self._torch.cuda.init()
        self._driver.init()
        self._context = self._driver.Device(device.index).retain_primary_context()
        self._context.push()
        try:
            self._module = self._driver.module_from_buffer(code)
            self._side = self._driver.Stream(NON_BLOCKING)
        except self._driver.Error as error:
            raise ImportError(f"the GPU's driver refuses the kernels: {error}") from error
        finally:
            self._driver.Context.pop()
        self._around_side = self._torch.cuda.ExternalStream(self._side.handle, device=device)
        self._functions: dict[str, Any] = {}
        # What torch.cuda.current_stream and current_device ask, without what they build around it.
        self._raw_stream = self._torch._C._cuda_getCurrentRawStream
        self._current_device = self._torch._C._cuda_getDevice

    def launch(
        self, name: str, blocks: int | tuple[int, int], threads: int, packed: bytes, stream: int
    ) -> None:
        """Launch a kernel without waiting for it.

        Args:
            name: Of the kernel.
            blocks: In the grid.
            threads: In a block.
            packed: Its arguments as C lays them out, packed by `struct`.
            stream: Handle of the stream that it takes its place in, as `current_stream` gives it.
        """
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._module.get_function(name)
        grid = (blocks, 1) if isinstance(blocks, int) else blocks
        if stream != 0:
            self._launch_between(function, grid, threads, packed)
            return
        if self._on_this_device():
            try:
                function._launch_kernel(grid, (threads, 1, 1), packed, 0, None)
                return
            except self._driver.LogicError:
                pass  # A thread in which nobody has used the GPU yet: no context is current.
        self._in_context(function, grid, threads, packed, None)

    def current_stream(self) -> int:
        """Return the handle of PyTorch's current stream of the device; 0 is the default one."""
        return self._raw_stream(self.device.index)

    def _on_this_device(self) -> bool:
        return self._current_device() == self.device.index

    def _in_context(
        self, function: Any, grid: tuple[int, int], threads: int, packed: bytes, stream: Any
    ) -> None:
        self._context.push()
        try:
            function._launch_kernel(grid, (threads, 1, 1), packed, 0, stream)
        finally:
            self._driver.Context.pop()

    def _launch_between(
        self, function: Any, grid: tuple[int, int], threads: int, packed: bytes
    ) -> None:
        """Launch in a stream of the user: PyCUDA knows its own only, so one of those steps in."""
        stream = self._torch.cuda.current_stream(self.device)
        self._around_side.wait_stream(stream)
        self._in_context(function, grid, threads, packed, self._side)
        stream.wait_stream(self._around_side)


_loaded: dict[tuple[int, int, int, int], Kernels] = {}
"""By process too: a forked child cannot use what its parent loaded."""

atexit.register(_loaded.clear)  # While the driver is still there.


def _libraries() -> tuple[Any, Any]:
    """Return the modules `torch` and `pycuda.driver`."""
    missing = "use backend='native', or pip install 'mirage-env[cuda]'"
    try:
        import torch
    except ImportError as error:
        raise ImportError(f"PyTorch cannot be imported ({error}): {missing}") from error
    try:
        from pycuda import driver  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError(f"PyCUDA cannot be imported ({error}): {missing}") from error
    return torch, driver
