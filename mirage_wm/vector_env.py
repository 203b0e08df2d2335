"""The dream as a Gymnasium vector environment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Never

import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from mirage_env import checks
from mirage_env.actions import NUM_ACTIONS
from mirage_env.errors import refuse_keywords
from mirage_env.observations import picture_space
from mirage_env.rules import Rules
from mirage_env.simulator import Autoreset
from mirage_env.world_vector_env import OUTPUTS, RENDER_MODES, TICKS_PER_SECOND, WorldVectorEnv
from mirage_wm.dream import SIZE, Dream
from mirage_wm.predictors import chosen_device, load_dreamer, make_predictor
from mirage_wm.simulators import make_world
from mirage_wm.weights import read_card

__all__ = ["DreamVectorEnv"]


class DreamVectorEnv(WorldVectorEnv):
    """Many dreams of Mirage, dreamt together.

    The same API as `mirage_env.MirageVectorEnv`. Observations are pictures uint8
    [num_envs, 64, 64, 3], rewards and endings come from the model. The only info is "score".

    Example:
        >>> from mirage_wm import DreamVectorEnv  # doctest: +SKIP
        >>> envs = DreamVectorEnv(4, model="v1")  # doctest: +SKIP
        >>> observations, infos = envs.reset(seed=0)  # doctest: +SKIP
        >>> observations, rewards, *_ = envs.step([0, 1, 2, 3])  # doctest: +SKIP
    """

    metadata: dict[str, Any] = {  # noqa: RUF012 (gymnasium reads it from the class, each instance has its own)
        "render_modes": list(RENDER_MODES),
        "render_fps": TICKS_PER_SECOND,
        "autoreset_mode": AutoresetMode.NEXT_STEP,
    }

    def __init__(
        self,
        num_envs: int = 1,
        *,
        model: str | Path = "v1",
        device: str = "auto",
        runtime: str = "auto",
        output: str = "numpy",
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        obs_size: int = SIZE,
        obs_type: str = "rgb",
        frame_skip: int = 1,
        frame_stack: int = 1,
        max_episode_steps: int = 4500,
        rules: Rules | Sequence[Rules] | None = None,
        render_mode: str | None = None,
        render_size: int = 512,
        copy: bool = True,
        num_threads: int = 0,
        steps: int | None = None,
        views: int | None = None,
        compiled: bool = False,
        **unknown: Never,
    ) -> None:
        """Load the model and make the dreams; call `reset` next.

        Args:
            num_envs: How many.
            model: Name of a model that comes with the project, or path of a .safetensors file.
            device: "auto" (a GPU if there is one), "cpu", "cuda" or "cuda:N".
            runtime: "auto" (PyTorch on a GPU, "native" on the CPU), "native", "onnx" (onnxruntime)
                or "torch".
            output: "numpy"; or "torch" for tensors, which on a GPU are its own and never wait for
                it, and otherwise share the arrays' memory.
            autoreset_mode: What a step does with an episode that is over.
            obs_size: 64: the model knows no other size.
            obs_type: "rgb": a dream has no state to see.
            frame_skip: Ticks in a step; the action is held down and the points add up.
            frame_stack: Observations stacked on a new first axis of each, the oldest first.
            max_episode_steps: Steps after which an episode is truncated.
            rules: None or the `Rules` that the model learned.
            render_mode: None, "rgb_array" or "human" (a window, needs the extra "play").
            render_size: Width and height of what `render` gives, pixels enlarged without smoothing.
            copy: False hands out the same observation array at every step.
            num_threads: Threads of the CPU; 0 takes one for each core.
            steps: Evaluations of the net for a frame, of a diffusion model such as v2: one gives
                the mean of what could come, more decide on one future. None for the usual number.
            views: Looks at the same frames, 1 to 4, of which the mean is taken (`mirage_wm.views`):
                each further one costs an evaluation, and v1's frames are 0.7 dB better in four. Of
                what a diffusion model draws, that is its first evaluation. None for one.
            compiled: On a GPU, compile the net before the first step: it takes a minute, and steps
                are two or three times as fast.
            **unknown: Nothing: any other keyword raises `TypeError`.

        Raises:
            ValueError: For an argument out of its range, or weights that cannot be used.
            TypeError: For an unknown keyword.
            MissingExtraError: If a package of the extra "dream" (or "wm", or "play") is missing.
        """
        refuse_keywords(type(self), unknown)
        num_envs = checks.whole_number("num_envs", num_envs, 1)
        if obs_size != SIZE:
            raise ValueError(
                f"obs_size must be {SIZE}, the size of the model's pictures, got {obs_size!r}: "
                "resize observations with gymnasium.wrappers.ResizeObservation"
            )
        checks.one_of("obs_type", obs_type, ("rgb",))
        learned = read_card(model).learned_rules()
        given = [learned] if rules is None else checks.rules_of_each(rules, num_envs)
        if any(each != learned for each in given):
            raise ValueError(f"rules must be None: {model!s} learned {learned!r}, got {rules!r}")
        self.frame_skip = checks.whole_number("frame_skip", frame_skip, 1, 1000)
        self.max_episode_steps = checks.whole_number(
            "max_episode_steps", max_episode_steps, 1, 10**6
        )
        mode = checks.autoreset_mode(autoreset_mode)
        threads = checks.whole_number("num_threads", num_threads, 0, 1024)
        checks.one_of("output", output, OUTPUTS)
        how: dict[str, Any] = {
            "frame_skip": self.frame_skip,
            "max_ticks": self.frame_skip * self.max_episode_steps,
            "autoreset": Autoreset[mode.name],
        }
        if output == "torch" and runtime in ("auto", "torch") and chosen_device(device) != "cpu":
            self.dream: Any = _dream_on_device(
                num_envs, model, chosen_device(device), learned, steps, views, compiled, how
            )
        else:
            predictor = make_predictor(model, device, runtime, threads, steps, compiled, views)
            self.dream = Dream(num_envs, predictor, rules=learned, **how)
        super().__init__(
            self.dream,
            picture_space(SIZE),
            output=output,
            autoreset_mode=mode,
            frame_stack=frame_stack,
            render_mode=render_mode,
            render_size=render_size,
            render_fps=max(1, round(TICKS_PER_SECOND / self.frame_skip)),
            copy=copy,
        )

    def wake(self, frames: Any, actions: Any, indices: Any = None) -> None:
        """Let the dreams `indices` (all without them) go on from given frames, such as real ones.

        Scores and ticks go on; a dream that was over is awake again.

        Args:
            frames: uint8 [n, k, 64, 64, 3], a tick apart and the oldest first. The last 4 are
                dreamt on from and the last was seen last; a frame stack takes those that were seen
                a step apart, so that it is full with k = 1 + (frame_stack - 1) * frame_skip, and
                the oldest stands for those before it.
            actions: Integers [n, 3] from 0 to 11: those that led from each of the last 4 frames to
                the next.
            indices: Which dreams, each once.

        Raises:
            ValueError: For frames, actions or indices that are none; nothing has changed.
        """
        self.require_started()
        chosen = checks.indices("indices", indices, self.num_envs, distinct=True)
        context, frames = self.dream.context, _on_host(frames)
        count = max(context, frames.shape[1] if frames.ndim > 1 else 0)
        seen = _checked("frames", frames, (len(chosen), count, SIZE, SIZE, 3), np.uint8, 255)
        pressed = _checked(
            "actions", _on_host(actions), (len(chosen), context - 1), np.int64, NUM_ACTIONS - 1
        )
        self.dream.wake(seen[:, -context:], pressed, chosen)
        if self._stack is not None:
            ago = self.frame_skip * np.arange(self.frame_stack)[::-1]
            stacks = seen[:, np.maximum(count - 1 - ago, 0)]
            self._stack.fill(chosen, self.dream.tensor(stacks) if self._on_device else stacks)

    def _world_info(
        self, indices: NDArray[np.intp] | None, *, final: bool = False
    ) -> dict[str, Any]:
        return self.dream.infos(indices, final=final)


def _dream_on_device(
    num_envs: int,
    model: str | Path,
    device: str,
    rules: Rules,
    steps: int | None,
    views: int | None,
    compiled: bool,
    how: dict[str, Any],
) -> Any:
    """Return dreams whose results stay on a GPU, with the simulator of their openings beside."""
    from mirage_wm.device_dream import DeviceDream, DeviceOpenings

    dreamer = load_dreamer(model, device, steps, views)
    openings = DeviceOpenings(make_world(num_envs, device, rules), dreamer.config.context)
    return DeviceDream(num_envs, dreamer, read_card(model), openings, compiled=compiled, **how)


def _on_host(value: Any) -> NDArray[Any]:
    return np.asarray(value.cpu() if hasattr(value, "cpu") else value)


def _checked(
    name: str, array: NDArray[Any], shape: tuple[int, ...], dtype: Any, most: int
) -> NDArray[Any]:
    """Return an array of whole numbers from 0 to `most`, or raise `ValueError`."""
    if array.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, got {array.shape}")
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f"{name} must be whole numbers, got {array.dtype}")
    if array.dtype == np.uint8 == dtype:  # nothing else fits in
        return array
    if array.size and not (array.min() >= 0 and array.max() <= most):
        raise ValueError(f"{name} must be from 0 to {most}, got {array.min()} to {array.max()}")
    return array.astype(dtype)
