"""The dream on a GPU, results left there: a `World` whose arrays are PyTorch tensors.

A step is one CUDA graph: openings for those that begin anew, every evaluation of the net, reward,
ending, autoreset. Nothing waits for the GPU and nothing is copied to the host. The rules of a step
are those of `mirage_wm.dream.Dream`, which is the one to read; a test holds them together.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env.arena import TERMINATED, TRUNCATED
from mirage_env.simulator import ENDED_SNAPSHOT, Autoreset
from mirage_wm.cuda_graph import Graphs
from mirage_wm.dream import SIZE, DreamState, enlarged_indices
from mirage_wm.fields import Fields
from mirage_wm.frame_model import FrameModel
from mirage_wm.noise import frame_noise, stream_keys
from mirage_wm.weights import Card

__all__ = ["DeviceDream", "DeviceOpenings"]


class State(NamedTuple):
    """All that `num_envs` dreams are; the names are those of `DreamState`."""

    frames: Tensor
    actions: Tensor
    tick: Tensor
    score: Tensor
    ended: Tensor
    seed: Tensor
    episode: Tensor


class Outcome(NamedTuple):
    """What a step gave: of each dream [num_envs], and the last frames of those that ended."""

    reward: Tensor
    terminated: Tensor
    truncated: Tensor
    begun: Tensor
    final_score: Tensor
    final: Tensor


class DeviceOpenings:
    """The real beginnings of dreams, from a simulator on the same device; see `Openings`.

    The simulator is stepped in autoreset mode NEXT_STEP: an arena that is marked as over begins its
    next episode in the next step.
    """

    def __init__(self, world: Any, context: int) -> None:
        """Use a `mirage_env.backends.cuda_world.CudaWorld`, or what behaves as one."""
        self._world, self._context = world, context
        self._arenas = Fields(world.arenas)
        self._idle = torch.zeros(world.num_envs, dtype=torch.int64, device=world.device)

    def begin(self, seed: Tensor, episode: Tensor) -> Tensor:
        """Return the first frames uint8 [num_envs, context, 64, 64, 3] of an episode of each.

        Args:
            seed: int64 [num_envs], the bits of uint64.
            episode: int64 [num_envs].
        """
        world, arenas, n = self._world, self._arenas, len(seed)
        arenas["seed"].copy_(seed)
        arenas["episode"].copy_(episode - 1)
        arenas["ended"].fill_(TERMINATED)
        frames = seed.new_empty((self._context, n, SIZE, SIZE, 3), dtype=torch.uint8)
        for frame in frames:
            world.step(self._idle, frame)
        return frames.transpose(0, 1)

    def close(self) -> None:
        """Free the simulator."""
        self._world.close()


class DeviceDream:
    """`num_envs` dreams on a device: a `mirage_env.world.DeviceWorld`.

    Attributes:
        device: Where it is.
        reward: float32 [num_envs]; like the next four new at each step, and never changed again.
        terminated: bool [num_envs].
        truncated: bool [num_envs].
        begun: bool [num_envs].
    """

    def __init__(
        self,
        num_envs: int,
        model: FrameModel,
        card: Card,
        openings: DeviceOpenings,
        *,
        frame_skip: int = 1,
        max_ticks: int = 4500,
        autoreset: Autoreset = Autoreset.NEXT_STEP,
        compiled: bool = False,
    ) -> None:
        """Make dreams; call `reset` next.

        Args:
            num_envs: How many.
            model: The model, on the device.
            card: Of its weights.
            openings: How dreams begin.
            frame_skip: Ticks in a step.
            max_ticks: Ticks after which an episode is truncated.
            autoreset: What a step does with an episode that is over.
            compiled: Compile the net before the first step: a minute, and faster from then on.
        """
        n = self.num_envs = num_envs
        self.model, self.card, self.autoreset = model, card, autoreset
        self.frame_skip, self.max_ticks = frame_skip, max_ticks
        self.device = next(model.parameters()).device
        self._openings, self.context = openings, model.config.context
        self._index = torch.arange(SIZE * SIZE * 3 // 2, device=self.device)

        def zeros(*shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
            return torch.zeros((n, *shape), dtype=dtype, device=self.device)

        self._state = State(
            zeros(self.context, SIZE, SIZE, 3, dtype=torch.uint8),
            zeros(self.context - 1),
            zeros(),
            zeros(),
            zeros(dtype=torch.uint8),
            zeros(),
            zeros(),
        )
        nothing = zeros(dtype=torch.bool)
        self._keep(zeros().float(), nothing, nothing, nothing)
        self._final, self._final_score = zeros(SIZE, SIZE, 3, dtype=torch.uint8), zeros()
        self._advance = torch.compile(self._ticks, dynamic=False) if compiled else self._ticks
        self._graph = Graphs(self._step, self.device, alters=self._state)
        on_gpu = self.device.type == "cuda"
        self._side_stream = torch.cuda.Stream(self.device) if on_gpu else None

    @property
    def kind(self) -> str:
        """The same as of dreams on the host."""
        return f"a dream of {self.card.name} ({self.card.sha256[:12]})"

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Begin episodes, see `World.reset`; the arguments are the host's."""
        state = self._state
        chosen = np.ones(self.num_envs, np.bool_) if mask is None else mask
        begun = self.tensor(chosen)
        if seeds is None:
            seed, episode = state.seed, state.episode + 1
        else:
            seed = self.tensor(seeds.view(np.int64))
            episode = torch.zeros_like(seed)
        fresh = self._fresh(seed, episode)
        for old, new in zip(state, fresh, strict=True):
            old.copy_(_where(begun, new, old))
        self._keep(
            self.reward.masked_fill(begun, 0),
            self.terminated & ~begun,
            self.truncated & ~begun,
            begun,
        )

    def step(self, actions: Tensor, frames: Tensor | None = None) -> None:
        """Dream on in each world by its action (int [num_envs]), see `World.step`.

        An action that is none, not from 0 to 11, counts as 0.
        """
        outcome = Outcome(*self._graph(actions.long()))
        flags = torch.stack(outcome[1:4])  # The graph's own memory is written anew each step.
        self._keep(outcome.reward.clone(), *flags.unbind(0))
        self._final, self._final_score = outcome.final, outcome.final_score
        if frames is not None:
            self.render(frames.shape[1], out=frames)

    def render(
        self, size: int, indices: Any = None, *, final: bool = False, out: Tensor | None = None
    ) -> Tensor:
        """Return pictures uint8 [n, size, size, 3] of some dreams (all without indices)."""
        pictures = self._final if final else self._state.frames[:, -1]
        if indices is not None:
            pictures = pictures[torch.as_tensor(indices, device=self.device)]
        if size != SIZE:
            nearest = self.tensor(enlarged_indices(size))
            pictures = pictures[:, nearest[:, None], nearest]
        return pictures.clone() if out is None else out.copy_(pictures)

    def infos(self, indices: Any = None, *, final: bool = False) -> dict[str, Tensor]:
        """Return the score of some dreams, int64 [n]."""
        score = self._final_score if final else self._state.score
        if indices is not None:
            score = score[torch.as_tensor(indices, device=self.device)]
        return {"score": score.clone()}

    def step_infos(self) -> Callable[[], dict[str, Tensor]]:
        """See `DeviceWorld.step_infos`."""
        infos = self.infos()
        return lambda: infos

    def stack(
        self,
        ring: Tensor,
        newest: int,
        out: Tensor,
        *,
        begun: Tensor | None = None,
        last: Tensor | None = None,
        ended: Tensor | None = None,
    ) -> None:
        """See `DeviceWorld.stack`; stacks all, whoever `ended`."""
        if begun is not None:
            newer = ring[newest][:, None]
            ring.copy_(_where(begun, newer, ring.transpose(0, 1)).transpose(0, 1))
        for place in range(len(ring)):
            layer = ring[(newest + 1 + place) % len(ring)]
            out[:, place] = last if last is not None and place == len(ring) - 1 else layer

    def snapshot(self, indices: NDArray[np.intp]) -> DreamState:
        """Return the whole state of some dreams, on the host: any dream can go on from it."""
        chosen = self.tensor(indices)
        parts = {name: part[chosen].cpu().numpy() for name, part in self._state._asdict().items()}
        parts["seed"] = parts["seed"].view(np.uint64)
        parts["episode"] = parts["episode"].astype(np.uint32)
        return DreamState(**parts)

    def restore(self, snapshot: DreamState, indices: NDArray[np.intp]) -> None:
        """Put the states of a snapshot into the dreams `indices`, see `Dream.restore`."""
        if self.autoreset == Autoreset.SAME_STEP and snapshot.ended.any():
            raise ValueError(ENDED_SNAPSHOT)
        chosen = self.tensor(indices)
        given = {name: getattr(snapshot, name) for name in State._fields}
        given["seed"] = given["seed"].view(np.int64)
        given["episode"] = given["episode"].astype(np.int64)
        for name, values in given.items():
            getattr(self._state, name)[chosen] = self.tensor(values)

    def wake(
        self,
        frames: NDArray[np.uint8],
        actions: NDArray[np.int64],
        indices: NDArray[np.intp],
    ) -> None:
        """Let some dreams go on from given frames, see `Dream.wake`."""
        chosen, state = self.tensor(indices), self._state
        state.frames[chosen], state.actions[chosen] = self.tensor(frames), self.tensor(actions)
        state.ended[chosen] = 0

    def tensor(self, array: NDArray[Any]) -> Tensor:
        """Return an array of the host as a tensor of the device."""
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def close(self) -> None:
        """Free the simulator of the openings. Closing twice is fine."""
        self._openings.close()

    def _keep(self, reward: Tensor, terminated: Tensor, truncated: Tensor, begun: Tensor) -> None:
        self.reward, self.terminated, self.truncated, self.begun = (
            reward,
            terminated,
            truncated,
            begun,
        )

    def _fresh(self, seed: Tensor, episode: Tensor) -> State:
        """Return the beginnings of episodes."""
        old = self._state
        return State(
            self._openings.begin(seed, episode),
            torch.zeros_like(old.actions),
            torch.zeros_like(old.tick),
            torch.zeros_like(old.score),
            torch.zeros_like(old.ended),
            seed,
            episode,
        )

    def _evaluate(
        self, seen: Tensor, actions: Tensor, seed: Tensor, episode: Tensor, tick: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the next frames, rewards and endings."""
        noise = None
        if self.card.kind == "diffusion":
            keys = stream_keys(seed, episode, tick)
            noise = frame_noise(keys, self._index, torch).view(-1, 3, SIZE, SIZE)
        return self.model.judged(self.model.outputs(seen, actions, noise))

    def _ticks(self, pressed: Tensor, *given: Tensor) -> tuple[Tensor, ...]:
        """Return the states after the ticks of a step, and the points gained."""
        seen, actions, tick, score, ended, seed, episode = State(*given)
        over, reward = ended != 0, torch.zeros_like(score)
        awake = ~over
        pressed = torch.where((pressed >= 0) & (pressed < 12), pressed, 0)
        for _ in range(self.frame_skip):
            keys = torch.cat([actions, pressed[:, None]], 1)
            frame, points, ends = self._evaluate(seen, keys, seed, episode, tick)
            seen = _where(awake, torch.cat([seen[:, 1:], frame[:, None]], 1), seen)
            actions = _where(awake, keys[:, 1:], actions)
            points = torch.where(awake, points, 0)
            tick, reward, score = tick + awake, reward + points, score + points
            ended = ended | (awake & ends).to(torch.uint8) * TERMINATED
            awake = awake & ~ends
        ended = ended | (~over & (tick >= self.max_ticks)).to(torch.uint8) * TRUNCATED
        return seen, actions, tick, score, ended, seed, episode, reward

    def _beside(self) -> AbstractContextManager[Any]:
        """Return the context of work beside what comes next; on a GPU on a stream of its own."""
        if self._side_stream is None:
            return nullcontext()
        self._side_stream.wait_stream(torch.cuda.current_stream(self.device))
        return torch.cuda.stream(self._side_stream)

    def _step(self, pressed: Tensor) -> Outcome:
        """Step all dreams in place."""
        old = self._state
        fresh = None
        if self.autoreset != Autoreset.DISABLED:
            with self._beside():  # The openings do not wait for the net.
                fresh = self._fresh(old.seed, old.episode + 1)
        *parts, reward = self._advance(pressed, *old)
        if fresh is not None and self._side_stream is not None:
            torch.cuda.current_stream(self.device).wait_stream(self._side_stream)
        now = State(*parts)
        final, final_score, over, ended = now.frames[:, -1], now.score, old.ended != 0, now.ended
        if self.autoreset == Autoreset.NEXT_STEP:
            begun, ended = over, torch.where(over, 0, ended)
        elif self.autoreset == Autoreset.SAME_STEP:
            begun = ended != 0
        else:
            begun = torch.zeros_like(over)
        if fresh is not None:
            now = State(*(_where(begun, a, b) for a, b in zip(fresh, now, strict=True)))
        outcome = Outcome(
            reward.float(),
            ended & TERMINATED != 0,
            ended & TRUNCATED != 0,
            begun,
            final_score.clone(),
            final.clone(),
        )
        torch._foreach_copy_(list(old), list(now))  # pyright: ignore[reportPrivateImportUsage]
        return outcome


def _where(mask: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """Return rows of one where the mask [n] is True, of the other elsewhere."""
    return torch.where(mask.view(-1, *[1] * (one.ndim - 1)), one, other)
