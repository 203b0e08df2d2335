"""One step of a dream, by PyTorch or, on a CPU, by the faster onnxruntime.

Both read the same checked weights. onnxruntime has the graph of the net from ``NAME.onnx`` (see
`mirage_wm.onnx_graph`), which holds no weights: they are given to it from the safetensors file, so
there is one copy of them and one hash.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mirage_env import checks
from mirage_env.errors import import_extra
from mirage_wm.noise import frame_noise, stream_keys
from mirage_wm.rewards import ENDS, REWARDS
from mirage_wm.sampler import Sampler
from mirage_wm.weights import (
    Card,
    WeightsError,
    card_path,
    graph_bytes,
    load_model,
    load_tensors,
    read_card,
)

__all__ = [
    "OnnxPredictor",
    "Predictor",
    "TorchPredictor",
    "chosen_device",
    "load_dreamer",
    "make_predictor",
    "sampler_of",
]


SHAPE = (3, 64, 64)
"""Of a frame and its noise: channels, height, width."""
FRAME = SHAPE[0] * SHAPE[1] * SHAPE[2]


class Predictor(Protocol):
    """Predicts one step of n dreams. Frames stay where it computes, in arrays of its own kind.

    Attributes:
        card: Of the weights.
        context: Frames, and actions, that it sees.
    """

    card: Card
    context: int

    def take(self, frames: NDArray[np.uint8]) -> Any:
        """Return frames from the host as an array of its own kind."""
        ...

    def give(self, frames: Any) -> NDArray[np.uint8]:
        """Return frames of its own kind as an array of the host."""
        ...

    def append(self, seen: Any, frames: Any) -> Any:
        """Return seen [n, context, ...] without the oldest and with the newest frames [n, ...]."""
        ...

    def predict(
        self, seen: Any, actions: NDArray[np.int64], keys: NDArray[np.int64] | None = None
    ) -> tuple[Any, NDArray[np.int32], NDArray[np.bool_]]:
        """Return the next frames, the likeliest rewards, and which dreams end (`ENDS`).

        Args:
            seen: Frames [n, context, ...].
            actions: int64 [n, context].
            keys: int64 [n], what decides the noise where a model draws (`mirage_wm.noise`); None
                takes others at each call, and the same again with a new predictor.
        """
        ...


class Keys:
    """Keys of noise for whoever has no dreams with seeds and ticks."""

    def __init__(self) -> None:
        self._calls = 0

    def following(self, n: int) -> NDArray[np.int64]:
        """Return n keys, others at each call."""
        self._calls += 1
        return stream_keys(np.arange(n), np.zeros(n, np.int64), np.full(n, self._calls))


class OnnxPredictor:
    """Runs the graph of a net in onnxruntime on the CPU."""

    def __init__(self, model: str | Path, threads: int = 0, steps: int | None = None) -> None:
        """Load the weights and the graph.

        Args:
            model: Name or path (see `mirage_wm.weights`).
            threads: To compute with; 0 takes one for each core.
            steps: Evaluations of the net for a frame, of a diffusion model.

        Raises:
            WeightsError: If weights or graph cannot be used.
            MissingExtraError: Without onnxruntime.
        """
        ort = import_extra("onnxruntime", "dream", "a dream on the CPU")
        self.card, tensors = load_tensors(model)
        self._sampler, self._keys = sampler_of(self.card, steps), Keys()
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Threads look out for the next operation of a frame, and sleep between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in tensors.values()]
        options.add_external_initializers(list(tensors), values)
        try:
            self._session = ort.InferenceSession(
                graph_bytes(model, self.card), options, providers=["CPUExecutionProvider"]
            )
        except WeightsError:
            raise
        except Exception as error:  # onnxruntime raises classes of its own for each way to fail
            raise WeightsError(f"onnxruntime cannot run {self.card.name}: {error}") from error
        shapes = {part.name: part.shape for part in self._session.get_inputs()}
        self.context: int = shapes["actions"][1]

    def take(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Predictor.take`."""
        return frames

    def give(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Predictor.give`."""
        return frames

    def append(self, seen: NDArray[np.uint8], frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See `Predictor.append`."""
        return np.concatenate([seen[:, 1:], frames[:, None]], 1)

    def predict(
        self,
        seen: NDArray[np.uint8],
        actions: NDArray[np.int64],
        keys: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.bool_]]:
        """See `Predictor.predict`."""
        frame, reward, terminated = self.outputs(seen, actions, keys)
        shown = np.clip(np.rint(frame * 255), 0, 255).astype(np.uint8)
        return shown, np.array(REWARDS, np.int32)[reward.argmax(1)], terminated > ENDS

    def outputs(
        self,
        seen: NDArray[np.uint8],
        actions: NDArray[np.int64],
        keys: NDArray[np.int64] | None = None,
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Return the next frames float32 [n, 64, 64, 3], and the logits."""
        given: dict[str, Any] = {"frames": seen, "actions": actions}
        if self._sampler is None:
            frame, reward, terminated = self._session.run(None, given)
            return frame, reward, terminated
        n, first = len(seen), []

        def denoise(x: NDArray[Any], sigma: float) -> NDArray[Any]:
            levels = np.full(n, sigma, np.float32)
            change, *heads = self._session.run(
                None, {**given, "x": x.astype(np.float32), "sigma": levels}
            )
            first.append(heads)
            return change

        keys = self._keys.following(n) if keys is None else keys
        noise = frame_noise(keys, np.arange(FRAME // 2), np)
        change = self._sampler.sample(denoise, noise.reshape(n, *SHAPE))
        frame = seen[:, -1] * np.float32(1 / 255) + change.transpose(0, 2, 3, 1) * np.float32(0.5)
        return frame, *first[0]


class TorchPredictor:
    """Runs the model in PyTorch; on a GPU in fp16, as one CUDA graph for each number of dreams."""

    def __init__(
        self,
        model: str | Path,
        device: str = "cpu",
        threads: int = 0,
        steps: int | None = None,
        compiled: bool = False,
    ) -> None:
        """Load the weights.

        Args:
            model: Name or path (see `mirage_wm.weights`).
            device: Of PyTorch, such as "cpu" or "cuda:1".
            threads: To compute with on the CPU; 0 leaves PyTorch's setting.
            steps: Evaluations of the net for a frame, of a diffusion model.
            compiled: Compile the net for each number of dreams.

        Raises:
            WeightsError: If the weights cannot be used.
            MissingExtraError: Without PyTorch.
        """
        self._torch = torch = import_extra("torch", "wm", "runtime='torch'")
        from mirage_wm.cuda_graph import Graphs

        self.card = read_card(model)
        self.device = torch.device(device)
        self._model = load_dreamer(model, device, steps)
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


def load_dreamer(model: str | Path, device: str, steps: int | None) -> Any:
    """Return a model to dream with on a device, drawing frames in so many steps."""
    dreamer = load_model(model, device)
    if (sampler := sampler_of(read_card(model), steps)) is not None:
        dreamer.sampler = sampler  # type: ignore[union-attr]
    return dreamer.halve() if device != "cpu" else dreamer


def sampler_of(card: Card, steps: int | None) -> Sampler | None:
    """Return how a model draws its frames, or None if it does not.

    Raises:
        ValueError: If it does not and more than one step is asked for.
    """
    if card.kind == "diffusion":
        return (
            Sampler()
            if steps is None
            else Sampler(steps=checks.whole_number("steps", steps, 1, 64))
        )
    if steps not in (None, 1):
        raise ValueError(
            f"steps must be None or 1: {card.name} is no diffusion model and takes one evaluation "
            f"a frame, got {steps!r}"
        )
    return None


def make_predictor(
    model: str | Path = "v1",
    device: str = "auto",
    runtime: str = "auto",
    threads: int = 0,
    steps: int | None = None,
    compiled: bool = False,
) -> Predictor:
    """Return the fastest predictor that runs here.

    Args:
        model: Name or path (see `mirage_wm.weights`).
        device: "auto" (a GPU if PyTorch has one), "cpu", "cuda" or "cuda:N".
        runtime: "auto" (onnxruntime on the CPU, where it and the model's graph are there), "onnx"
            or "torch".
        threads: To compute with on the CPU; 0 takes one for each core.
        steps: Evaluations of the net for a frame, of a diffusion model; None for the usual number.
        compiled: On a GPU, compile the net.

    Raises:
        ValueError: For a device or a runtime that there is not, or weights that cannot be used.
        MissingExtraError: Without PyTorch and onnxruntime.
    """
    checks.one_of("runtime", runtime, ("auto", "onnx", "torch"))
    if runtime == "onnx":
        if device not in ("auto", "cpu"):
            raise ValueError(f"runtime='onnx' computes on the CPU, got device={device!r}")
        return OnnxPredictor(model, threads, steps)
    device = chosen_device(device)
    if device != "cpu" or runtime == "torch":
        return TorchPredictor(model, device, threads, steps, compiled and device != "cpu")
    if _graph_is_there(model) and _installed("onnxruntime"):
        return OnnxPredictor(model, threads, steps)
    if _installed("torch"):
        return TorchPredictor(model, "cpu", threads, steps)
    return OnnxPredictor(model, threads, steps)  # It says what is missing, and the smaller extra.


def chosen_device(device: str) -> str:
    """Return the device that was asked for, for "auto" the GPU or CPU there is.

    Raises:
        ValueError: If there is no such device.
        MissingExtraError: If it is a GPU and PyTorch is not installed.
    """
    if not (isinstance(device, str) and re.fullmatch(r"auto|cpu|cuda(:\d+)?", device)):
        raise ValueError(f"device must be 'auto', 'cpu', 'cuda' or 'cuda:N', got {device!r}")
    if device == "cpu":
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


def _graph_is_there(model: str | Path) -> bool:
    return card_path(model).with_suffix(".onnx").is_file()


def _installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
