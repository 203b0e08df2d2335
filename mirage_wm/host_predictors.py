"""One step of a dream on the CPU, without PyTorch: by the native net, or by onnxruntime.

Both are given the same checked weights. The native net (`mirage_wm/native/`) is compiled with the
package and about twice as fast; onnxruntime has the graph of the net from ``NAME.onnx`` (see
`mirage_wm.onnx_graph`), which holds no weights: they come from the safetensors file, so there is
one copy of them and one hash.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.errors import import_extra
from mirage_wm._net import Net
from mirage_wm.conditions import ACTION_SWITCHES, level_waves
from mirage_wm.noise import frame_noise
from mirage_wm.preconditioning import GAIN, preconditioning
from mirage_wm.predictor import FRAME, SHAPE, Keys, sampler_of
from mirage_wm.rewards import ENDS, REWARDS
from mirage_wm.sampler import SIGMA_MAX
from mirage_wm.views import checked_views, mean_of_views
from mirage_wm.weights import WeightsError, architecture, graph_bytes, load_tensors

__all__ = ["HostPredictor", "NativePredictor", "OnnxPredictor"]

Floats = NDArray[Any]
Outputs = tuple[Floats, Floats, Floats]
"""A picture, the logits of the reward and that of the ending, for n dreams."""


class HostPredictor:
    """Runs a model on the CPU, from arrays of NumPy to arrays of NumPy; see `Predictor`."""

    context: int

    def __init__(
        self,
        model: str | Path,
        threads: int = 0,
        steps: int | None = None,
        views: int | None = None,
    ) -> None:
        """Load the weights, and what runs them.

        Args:
            model: Name or path (see `mirage_wm.weights`).
            threads: To compute with; 0 takes one for each core.
            steps: Evaluations of the net for a frame, of a diffusion model.
            views: See `mirage_wm.views`.

        Raises:
            WeightsError: If weights or graph cannot be used.
        """
        self._views = checked_views(views)
        self.card, self._tensors = load_tensors(model)
        self._sampler, self._keys = sampler_of(self.card, steps), Keys()
        self._load(model, threads)

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
    ) -> Outputs:
        """Return the next frames float32 [n, 64, 64, 3], and the logits."""
        if self._sampler is None:
            frame, reward, terminated = mean_of_views(
                np, self._views, self._regress, seen, actions, (-3, -2), (-3, -2)
            )
            return frame, reward, terminated
        n, heads = len(seen), []

        def expected(seen: NDArray[np.uint8], actions: NDArray[np.int64]) -> Outputs:
            nothing = np.zeros((len(seen), *SHAPE), np.float32)
            return self._denoise(seen, actions, nothing, SIGMA_MAX)

        def denoise(x: NDArray[Any], sigma: float) -> NDArray[Any]:
            if sigma < SIGMA_MAX:
                return self._denoise(seen, actions, x.astype(np.float32), sigma)[0]
            change, *told = mean_of_views(np, self._views, expected, seen, actions, (-3, -2))
            heads.extend(told)
            return change

        keys = self._keys.following(n) if keys is None else keys
        noise = frame_noise(keys, np.arange(FRAME // 2), np)
        change = self._sampler.sample(denoise, noise.reshape(n, *SHAPE))
        frame = seen[:, -1] * np.float32(1 / 255) + change.transpose(0, 2, 3, 1) * np.float32(0.5)
        return frame, *heads

    def _load(self, model: str | Path, threads: int) -> None:
        """Make what runs the weights, and set `context`."""
        raise NotImplementedError

    def _regress(self, seen: NDArray[np.uint8], actions: NDArray[np.int64]) -> Outputs:
        """Return the next frames of a regression, float32 [n, 64, 64, 3], and the logits."""
        raise NotImplementedError

    def _denoise(
        self, seen: NDArray[np.uint8], actions: NDArray[np.int64], x: Floats, sigma: float
    ) -> Outputs:
        """Return D(x; sigma) of a diffusion model, float32 [n, 3, 64, 64], and the logits.

        At `SIGMA_MAX` it is not shown its noise: x is 0.
        """
        raise NotImplementedError


class NativePredictor(HostPredictor):
    """Runs the net that is compiled with the package (`mirage_wm/native/unet.h`).

    A dream comes out the same in every bit, however many others and threads there are.
    """

    def _load(self, model: str | Path, threads: int) -> None:
        config = architecture(self.card)
        prefix = "unet."
        weights = {
            name.removeprefix(prefix): np.ascontiguousarray(array)
            for name, array in self._tensors.items()
            if name.startswith(prefix)
        }
        self.context = config.context
        try:
            self._net = Net(
                weights,
                edge=SHAPE[1],
                frames=self.context,
                extra=0 if self._sampler is None else SHAPE[0],
                widths=config.widths,
                blocks=config.blocks,
                embedding=config.embedding,
                told=len(REWARDS) + 1,
                kernels=config.kernels,
                num_threads=threads or len(os.sched_getaffinity(0)),
            )
        except ValueError as error:
            raise WeightsError(
                f"the tensors of {self.card.name} do not fit its architecture: {error}"
            ) from error
        self._noise = self._embedded("noise", 0.0) if config.context_noise else np.float32(0)

    def _regress(self, seen: NDArray[np.uint8], actions: NDArray[np.int64]) -> Outputs:
        change, reward, terminated = self._evaluate(seen, actions, None, self._noise)
        return seen[:, -1] * np.float32(1 / 255) + change, reward, terminated

    def _denoise(
        self, seen: NDArray[np.uint8], actions: NDArray[np.int64], x: Floats, sigma: float
    ) -> Outputs:
        c = preconditioning(sigma, math.log)
        level = self._noise + self._embedded("level", c.c_noise)
        raw, reward, terminated = self._evaluate(seen, actions, np.float32(c.c_in) * x, level)
        change = raw.transpose(0, 3, 1, 2) * np.float32(c.c_out * GAIN)
        return np.float32(c.c_skip) * x + change, reward, terminated

    def _evaluate(
        self, seen: NDArray[np.uint8], actions: NDArray[np.int64], more: Floats | None, level: Any
    ) -> Outputs:
        """Return what the net gives, float32 [n, 64, 64, 3], and the logits."""
        n = len(seen)
        # One by one: a product of matrices would sum up differently for another number of dreams.
        pressed = ACTION_SWITCHES[actions].reshape(n, -1)
        condition = np.stack([self._perceptron("actions", row) + level for row in pressed])
        pictures = np.empty((n, *SHAPE[1:], SHAPE[0]), np.float32)
        told = np.empty((n, len(REWARDS) + 1), np.float32)
        seen = np.ascontiguousarray(seen)
        self._net.run(seen, more, condition, pictures, told)
        return pictures, told[:, :-1], told[:, -1]

    def _embedded(self, name: str, level: float) -> Floats:
        """Return the condition that says a level of noise, float32 [E]."""
        return self._perceptron(name, level_waves(level))

    def _perceptron(self, name: str, x: Floats) -> Floats:
        for layer in ("first", "second"):
            weight, bias = (self._tensors[f"{name}.{layer}.{part}"] for part in ("weight", "bias"))
            x = weight @ x + bias
            x = x / (1 + np.exp(-x)) if layer == "first" else x
        return x


class OnnxPredictor(HostPredictor):
    """Runs the graph of a net in onnxruntime, without which it raises `MissingExtraError`."""

    def _load(self, model: str | Path, threads: int) -> None:
        ort = import_extra("onnxruntime", "onnx", "runtime='onnx'")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        # Threads look out for the next operation of a frame, and sleep between frames.
        options.add_session_config_entry("session.intra_op.allow_spinning", "1")
        options.add_session_config_entry("session.force_spinning_stop", "1")
        values = [ort.OrtValue.ortvalue_from_numpy(array) for array in self._tensors.values()]
        options.add_external_initializers(list(self._tensors), values)
        try:
            self._session = ort.InferenceSession(
                graph_bytes(model, self.card), options, providers=["CPUExecutionProvider"]
            )
        except WeightsError:
            raise
        except Exception as error:  # onnxruntime raises classes of its own for each way to fail
            raise WeightsError(f"onnxruntime cannot run {self.card.name}: {error}") from error
        shapes = {part.name: part.shape for part in self._session.get_inputs()}
        self.context = shapes["actions"][1]

    def _regress(self, seen: NDArray[np.uint8], actions: NDArray[np.int64]) -> Outputs:
        return self._run({"frames": seen, "actions": actions})

    def _denoise(
        self, seen: NDArray[np.uint8], actions: NDArray[np.int64], x: Floats, sigma: float
    ) -> Outputs:
        levels = np.full(len(seen), sigma, np.float32)
        return self._run({"frames": seen, "actions": actions, "x": x, "sigma": levels})

    def _run(self, given: dict[str, Any]) -> Outputs:
        picture, reward, terminated = self._session.run(None, given)
        return picture, reward, terminated
