"""One step of a dream, by what runs it fastest here: PyTorch on a GPU, the native net on a CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env import checks
from mirage_env.errors import import_extra
from mirage_wm.host_predictors import NativePredictor, OnnxPredictor
from mirage_wm.noise import frame_noise
from mirage_wm.predictor import FRAME, SHAPE, Keys, Predictor, sampler_of
from mirage_wm.views import checked_views
from mirage_wm.weights import load_model, read_card

__all__ = [
    "NativePredictor",
    "OnnxPredictor",
    "Predictor",
    "TorchPredictor",
    "chosen_device",
    "load_dreamer",
    "make_predictor",
]


class TorchPredictor:
    """Runs the model in PyTorch; on a GPU in fp16, as one CUDA graph for each number of dreams."""

    def __init__(
        self,
        model: str | Path,
        device: str = "cpu",
        threads: int = 0,
        steps: int | None = None,
        compiled: bool = False,
        views: int | None = None,
    ) -> None:
        """Load the weights.

        Args:
            model: Name or path (see `mirage_wm.weights`).
            device: Of PyTorch, such as "cpu" or "cuda:1".
            threads: To compute with on the CPU; 0 leaves PyTorch's setting.
            steps: Evaluations of the net for a frame, of a diffusion model.
            compiled: Compile the net for each number of dreams.
            views: See `mirage_wm.views`.

        Raises:
            WeightsError: If the weights cannot be used.
            MissingExtraError: Without PyTorch.
        """
        self._torch = torch = import_extra("torch", "wm", "runtime='torch'")
        from mirage_wm.cuda_graph import Graphs

        self.card = read_card(model)
        self.device = torch.device(device)
        self._model = load_dreamer(model, device, steps, views)
        self.context = self._model.config.context
        self._draws, self._keys = self.card.kind == "diffusion", Keys()
        self._index = torch.arange(FRAME // 2, device=device)
        self._predict = Graphs(self._step, self.device, compiled=compiled)
        if threads and self.device.type == "cpu":
            torch.set_num_threads(threads)

    def take(self, frames: NDArray[np.uint8]) -> Any:
        """See `Predictor.take`."""
        return self._torch.from_numpy(frames).to(self.device)

    def give(self, frames: Any) -> NDArray[np.uint8]:
        """See `Predictor.give`."""
        return frames.cpu().numpy()

    def append(self, seen: Any, frames: Any) -> Any:
        """See `Predictor.append`."""
        return self._torch.cat([seen[:, 1:], frames[:, None]], 1)

    def predict(
        self, seen: Any, actions: NDArray[np.int64], keys: NDArray[np.int64] | None = None
    ) -> tuple[Any, NDArray[np.int32], NDArray[np.bool_]]:
        """See `Predictor.predict`."""
        frame, reward, terminated = self._predict(seen, *self._given(actions, keys))
        return frame.clone(), reward.cpu().numpy(), terminated.cpu().numpy()

    def outputs(
        self, seen: Any, actions: NDArray[np.int64], keys: NDArray[np.int64] | None = None
    ) -> Any:
        """Return a `mirage_wm.frame_model.Prediction`."""
        with self._torch.no_grad():
            return self._outputs(seen, *self._given(actions, keys))

    def _given(self, actions: NDArray[np.int64], keys: NDArray[np.int64] | None) -> list[Any]:
        keys = self._keys.following(len(actions)) if keys is None else keys
        return [self._torch.from_numpy(array).to(self.device) for array in (actions, keys)]

    def _outputs(self, seen: Any, actions: Any, keys: Any) -> Any:
        noise = None
        if self._draws:
            noise = frame_noise(keys, self._index, self._torch).view(-1, *SHAPE)
        return self._model.outputs(seen, actions, noise)

    def _step(self, seen: Any, actions: Any, keys: Any) -> tuple[Any, Any, Any]:
        return self._model.judged(self._outputs(seen, actions, keys))


def load_dreamer(
    model: str | Path, device: str, steps: int | None, views: int | None = None
) -> Any:
    """Return a model to dream with on a device, drawing frames in so many steps and views."""
    looks = checked_views(views)
    dreamer = load_model(model, device)
    dreamer.views = looks
    if (sampler := sampler_of(read_card(model), steps)) is not None:
        dreamer.sampler = sampler  # type: ignore[union-attr]
    return dreamer.halve() if device != "cpu" else dreamer


def make_predictor(
    model: str | Path = "v1",
    device: str = "auto",
    runtime: str = "auto",
    threads: int = 0,
    steps: int | None = None,
    compiled: bool = False,
    views: int | None = None,
) -> Predictor:
    """Return the fastest predictor that runs here.

    Args:
        model: Name or path (see `mirage_wm.weights`).
        device: "auto" (a GPU if PyTorch has one), "cpu", "cuda" or "cuda:N".
        runtime: "auto" (PyTorch on a GPU, "native" on the CPU), "native", "onnx" or "torch".
        threads: To compute with on the CPU; 0 takes one for each core.
        steps: Evaluations of the net for a frame, of a diffusion model; None for the usual number.
        compiled: On a GPU, compile the net.
        views: Looks at the same frames of which the mean is taken, 1 to 4 (`mirage_wm.views`).

    Raises:
        ValueError: For a device or a runtime that there is not, or weights that cannot be used.
        MissingExtraError: Without the package that a runtime needs.
    """
    checks.one_of("runtime", runtime, ("auto", "native", "onnx", "torch"))
    on_host = {"native": NativePredictor, "onnx": OnnxPredictor}
    if runtime in on_host and device not in ("auto", "cpu"):
        raise ValueError(f"runtime={runtime!r} computes on the CPU, got device={device!r}")
    if runtime not in on_host:
        device = chosen_device(device)
        if device != "cpu" or runtime == "torch":
            compiled = compiled and device != "cpu"
            return TorchPredictor(model, device, threads, steps, compiled, views)
    return on_host.get(runtime, NativePredictor)(model, threads, steps, views)


def chosen_device(device: str) -> str:
    """Return the device that was asked for, for "auto" the GPU or CPU there is.

    Raises:
        ValueError: If there is no such device.
        MissingExtraError: If it is a GPU and PyTorch is not installed.
    """
    if checks.device_name(device) == "cpu":
        return device
    if device == "auto":
        try:
            import torch
        except ImportError:
            return "cpu"
        return "cuda" if torch.cuda.is_available() else "cpu"
    torch = import_extra("torch", "wm", f"device={device!r}")
    if int(device.removeprefix("cuda").removeprefix(":") or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device={device!r} was asked for and PyTorch finds {torch.cuda.device_count()} CUDA "
            "devices here: take device='cpu'"
        )
    return device
