"""The dream: worlds whose every next frame, reward and ending a model makes up.

A dream's whole state is its last frames and actions, and its seed and tick, which decide the noise
of a diffusion model. Frames between steps are uint8, as they are shown. The reward is the likeliest
of `REWARDS`; an episode ends where the model is sure of it (`mirage_wm.rewards.ENDS`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mirage_env.arena import TERMINATED, TRUNCATED
from mirage_env.rules import Rules
from mirage_env.simulator import ENDED_SNAPSHOT, Autoreset
from mirage_wm.noise import stream_keys
from mirage_wm.openings import Openings
from mirage_wm.predictors import Predictor

__all__ = ["Dream", "DreamState", "enlarged", "enlarged_indices"]

SIZE = 64
"""Width and height of a dream's pictures, pixels."""


@dataclass(frozen=True)
class DreamState:
    """n dreams at a moment.

    Attributes:
        frames: uint8 [n, context, 64, 64, 3], the oldest first.
        actions: int64 [n, context - 1]; the last led to the last frame.
        tick: int64 [n], ticks of the episode.
        score: int64 [n], points of the episode.
        ended: uint8 [n], as in the game's state: 1 terminated, 2 truncated, 3 both.
        seed: uint64 [n].
        episode: uint32 [n].
    """

    frames: NDArray[np.uint8]
    actions: NDArray[np.int64]
    tick: NDArray[np.int64]
    score: NDArray[np.int64]
    ended: NDArray[np.uint8]
    seed: NDArray[np.uint64]
    episode: NDArray[np.uint32]


class Dream:
    """`num_envs` dreams, stepped together by one evaluation of the model.

    It is a `mirage_env.world.World`.

    Attributes:
        num_envs: How many there are.
        context: Frames that decide the next one.
        reward: int32 [num_envs], of the last step.
        terminated: bool [num_envs].
        truncated: bool [num_envs].
        begun: bool [num_envs], dreams in which the last step or reset began an episode.
        score: int64 [num_envs], points of the episode.
        final_score: int64 [num_envs], under `Autoreset.SAME_STEP` those of episodes that ended in
            the last step.
    """

    def __init__(
        self,
        num_envs: int,
        predictor: Predictor,
        *,
        frame_skip: int = 1,
        max_ticks: int = 4500,
        autoreset: Autoreset = Autoreset.NEXT_STEP,
        rules: Rules | None = None,
    ) -> None:
        """Make dreams; call `reset` next.

        Args:
            num_envs: How many.
            predictor: The model.
            frame_skip: Ticks in a step.
            max_ticks: Ticks after which an episode is truncated.
            autoreset: What a step does with an episode that is over.
            rules: Of the games that the dreams begin from; None for the standard ones.
        """
        n = self.num_envs = num_envs
        self.predictor, self.frame_skip, self.max_ticks = predictor, frame_skip, max_ticks
        self.context = predictor.context
        self.autoreset = autoreset
        self._openings = Openings(n, predictor.context, rules)
        self._seen = predictor.take(np.zeros((n, predictor.context, SIZE, SIZE, 3), np.uint8))
        self._actions = np.zeros((n, predictor.context - 1), np.int64)
        self._tick = np.zeros(n, np.int64)
        self._ended = np.zeros(n, np.uint8)
        self._final: NDArray[np.uint8] = np.zeros((n, SIZE, SIZE, 3), np.uint8)
        self._shown: NDArray[np.uint8] | None = None
        self.score, self.final_score = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.reward = np.zeros(n, np.int32)
        self.terminated, self.truncated = np.zeros(n, np.bool_), np.zeros(n, np.bool_)
        self.begun = np.zeros(n, np.bool_)

    @property
    def kind(self) -> str:
        """Dreams of the same weights can go on from each other's snapshots, whatever runs them."""
        card = self.predictor.card
        return f"a dream of {card.name} ({card.sha256[:12]})"

    def reset(
        self, seeds: NDArray[np.uint64] | None = None, mask: NDArray[np.bool_] | None = None
    ) -> None:
        """Begin an episode in each dream of `mask` (all without one), see `World.reset`."""
        mask = np.ones(self.num_envs, np.bool_) if mask is None else mask
        self._begin(seeds, mask)
        self.begun = mask.copy()
        self.reward[mask], self.terminated[mask], self.truncated[mask] = 0, False, False

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """Dream on in each world by its action, see `World.step`."""
        over = self._ended != 0
        self.reward[:] = 0
        awake = ~over
        if awake.any():
            for _ in range(self.frame_skip):
                self._tick_once(actions, awake)
                awake = awake & (self._ended & TERMINATED == 0)
                if not awake.any():
                    break
        late = ~over & (self._tick >= self.max_ticks)
        self._ended[late] |= TRUNCATED
        self.begun = np.zeros(self.num_envs, np.bool_)
        if self.autoreset == Autoreset.NEXT_STEP and over.any():
            self._begin(None, over)
            self.begun = over
        self.terminated = self._ended & TERMINATED != 0
        self.truncated = self._ended & TRUNCATED != 0
        ended = self._ended != 0
        if self.autoreset == Autoreset.SAME_STEP and ended.any():
            self._final[ended] = self._pictures()[ended]
            self.final_score[ended] = self.score[ended]
            self._begin(None, ended)
            self.begun = ended
        if frames is not None:
            self.render(frames.shape[1], out=frames)

    def render(
        self,
        size: int,
        indices: NDArray[np.intp] | None = None,
        *,
        final: bool = False,
        out: NDArray[np.uint8] | None = None,
    ) -> NDArray[np.uint8]:
        """Return the pictures of some dreams (of all without indices), enlarged to `size`."""
        pictures = self._final if final else self._pictures()
        pictures = enlarged(pictures if indices is None else pictures[indices], size)
        if out is None:
            return pictures.copy()
        out[:] = pictures
        return out

    def snapshot(self, indices: NDArray[np.intp]) -> DreamState:
        """Return the whole state of some dreams."""
        return DreamState(
            frames=self.predictor.give(self._seen[indices]).copy(),
            actions=self._actions[indices],
            tick=self._tick[indices],
            score=self.score[indices],
            ended=self._ended[indices],
            seed=self._openings.seed[indices],
            episode=self._openings.episode[indices],
        )

    def restore(self, snapshot: DreamState, indices: NDArray[np.intp]) -> None:
        """Put the n states of a snapshot into the n dreams `indices`.

        Raises:
            ValueError: If one of them has ended where dreams never stand at their end.
        """
        if self.autoreset == Autoreset.SAME_STEP and snapshot.ended.any():
            raise ValueError(ENDED_SNAPSHOT)
        self._seen[indices] = self.predictor.take(snapshot.frames)
        self._actions[indices] = snapshot.actions
        self._tick[indices], self.score[indices] = snapshot.tick, snapshot.score
        self._ended[indices] = snapshot.ended
        self._openings.seed[indices] = snapshot.seed
        self._openings.episode[indices] = snapshot.episode
        self._shown = None

    def infos(
        self, indices: NDArray[np.intp] | None = None, *, final: bool = False
    ) -> dict[str, NDArray[np.int64]]:
        """Return the score of some dreams, int64 [n]; with `final`, at the end of an episode."""
        score = self.final_score if final else self.score
        return {"score": score.copy() if indices is None else score[indices]}

    def wake(
        self,
        frames: NDArray[np.uint8],
        actions: NDArray[np.int64],
        indices: NDArray[np.intp],
    ) -> None:
        """Let n dreams go on from given frames, as if these had been dreamt; score and tick stay.

        Args:
            frames: uint8 [n, context, 64, 64, 3], the oldest first.
            actions: int64 [n, context - 1], those that led from each frame to the next.
            indices: Which dreams.
        """
        self._seen[indices] = self.predictor.take(frames)
        self._actions[indices], self._ended[indices] = actions, 0
        self._shown = None

    def close(self) -> None:
        """Free the simulator of the openings. Closing twice is fine."""
        self._openings.close()

    def _tick_once(self, actions: NDArray[np.int32], awake: NDArray[np.bool_]) -> None:
        """Dream one tick of all worlds; those that are not awake stay as they are."""
        keys = np.concatenate([self._actions, actions[:, None].astype(np.int64)], 1)
        noise = stream_keys(
            self._openings.seed.view(np.int64), self._openings.episode.astype(np.int64), self._tick
        )
        frames, reward, terminated = self.predictor.predict(self._seen, keys, noise)
        seen = self.predictor.append(self._seen, frames)
        if awake.all():
            self._seen, self._actions = seen, keys[:, 1:]
        else:
            who = np.flatnonzero(awake)
            self._seen[who], self._actions[who] = seen[who], keys[who, 1:]
        self._shown = None
        self._tick += awake
        self.reward += np.where(awake, reward, 0).astype(np.int32)
        self.score += np.where(awake, reward, 0)
        self._ended[awake & terminated] |= TERMINATED

    def _begin(self, seeds: NDArray[np.uint64] | None, mask: NDArray[np.bool_]) -> None:
        who = np.flatnonzero(mask)
        self._seen[who] = self.predictor.take(self._openings.begin(seeds, mask))
        self._actions[who], self._tick[who], self.score[who], self._ended[who] = 0, 0, 0, 0
        self._shown = None

    def _pictures(self) -> NDArray[np.uint8]:
        """Return what all dreams show, uint8 [num_envs, 64, 64, 3], fetched once a step."""
        if self._shown is None:
            self._shown = self.predictor.give(self._seen[:, -1])
        return self._shown


def enlarged(pictures: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Return pictures [n, 64, 64, 3] as [n, size, size, 3], each pixel the nearest of theirs."""
    if size == pictures.shape[1]:
        return pictures
    nearest = enlarged_indices(size)
    return pictures[:, nearest[:, None], nearest]


def enlarged_indices(size: int) -> NDArray[np.intp]:
    """Return which row or column of a dream's picture each of a larger one shows, [size]."""
    return np.arange(size) * SIZE // size
