"""PPO of Stable-Baselines3 on the game, on a CPU, in ten minutes.

    python examples/train_sb3.py                         # writes runs/sb3/: the agent and its curve
    python examples/train_sb3.py --minutes 1             # a taste
    python examples/train_sb3.py --env Mirage-Dream-v0   # the same inside the dream (slow on a CPU)

In the game it learns from the vector of the state, told as it is from the ship (`FromTheShip`); in
the dream from pictures, since a dream has no state. `mirage_env.sb3.MirageVecEnv` is all that a
program of one's own needs; the rest is Stable-Baselines3 as its users know it. Ctrl-C or SIGTERM
ends the learning, and the agent is kept.
"""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import gymnasium
import numpy as np
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import VecMonitor, VecNormalize
from torch import Tensor

from mirage_env import checks
from mirage_env.agent_eyes import StateEyes
from mirage_env.command_line import ended, parsed, stop_signals
from mirage_env.sb3 import MirageVecEnv
from mirage_env.whole_file import check_place

EVALUATION_SEED = 2**62
"""Episodes from this seed on are for measuring: training uses seeds far below."""


@dataclass(frozen=True)
class Config:
    """Train an agent on a CPU."""

    env: Literal["Mirage-v0", "Mirage-Dream-v0"] = "Mirage-v0"
    model: str = "v2"
    """Who dreams: v1 never dreams of a next wave."""
    out: Path = Path("runs/sb3")
    """Folder for agent.zip and curve.csv."""
    minutes: float = 10.0
    """Minutes to learn for."""
    num_envs: int = 32
    frame_skip: int = 2
    """Ticks for which an action is held."""
    max_episode_ticks: int = 4500
    """Ticks after which an episode is cut off: 150 seconds, as in `ppo_gpu.py`."""
    episodes: int = 64
    """Episodes of the measurement at the end, 2 at least."""
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `ValueError` for too few episodes: of one, no interval can be told."""
        checks.whole_number("episodes", self.episodes, 2)


class FromTheShip(BaseFeaturesExtractor):
    """What the state is from the ship: rocks ahead of it and beside it."""

    def __init__(self, space: gymnasium.spaces.Box, features_dim: int = 128) -> None:
        super().__init__(space, features_dim)
        self.eyes = StateEyes(width=64, features=features_dim)

    def forward(self, states: Tensor) -> Tensor:
        """Return features [B, features_dim] of states [B, 244]."""
        return self.eyes(states)


class Curve(BaseCallback):
    """Writes down how the last hundred episodes went; stops when time is over or it is told to."""

    def __init__(self, path: Path, minutes: float, stopped: Callable[[], bool]) -> None:
        super().__init__()
        self.path, self.minutes, self.stopped = path, minutes, stopped
        self.rows: list[dict[str, float]] = []

    def _on_training_start(self) -> None:
        self.start = time.perf_counter()

    def _on_step(self) -> bool:
        spent = (time.perf_counter() - self.start) / 60
        return spent < self.minutes and not self.stopped()

    def _on_rollout_end(self) -> None:
        episodes = self.model.ep_info_buffer
        if not episodes:
            return
        minutes = (time.perf_counter() - self.start) / 60
        score = float(np.mean([episode["r"] for episode in episodes]))
        steps = self.num_timesteps
        self.rows.append({"minutes": round(minutes, 2), "steps": steps, "score": round(score, 1)})
        print(f"{minutes:5.1f} minutes  {steps:9,} steps  last episodes {score:7,.0f}", flush=True)
        with self.path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)


def make_envs(config: Config, num_envs: int) -> VecMonitor:
    """Return environments that count their episodes."""
    seen: dict[str, Any] = (
        {"obs_type": "state"}
        if config.env == "Mirage-v0"
        else {"frame_stack": 2, "model": config.model}
    )
    steps, skip = config.max_episode_ticks // config.frame_skip, config.frame_skip
    return VecMonitor(
        MirageVecEnv(config.env, num_envs, frame_skip=skip, max_episode_steps=steps, **seen)
    )


def main(config: Config) -> None:
    """Train, save and measure."""
    check_place(config.out / "agent.zip")  # before the work is done
    state = config.env == "Mirage-v0"
    envs = VecNormalize(make_envs(config, config.num_envs), norm_obs=False, gamma=0.998)
    agent = PPO(
        "MlpPolicy" if state else "CnnPolicy",
        envs,
        n_steps=128,
        batch_size=min(1024, 128 * config.num_envs),
        n_epochs=4,
        learning_rate=1e-3,
        gamma=0.998,
        ent_coef=0.001,
        policy_kwargs={"features_extractor_class": FromTheShip} if state else None,
        seed=config.seed,
        device="cpu",
    )
    with stop_signals() as stopped:
        curve = Curve(config.out / "curve.csv", config.minutes, stopped)
        agent.learn(10**9, callback=curve)
        agent.save(config.out / "agent")
        print(f"wrote {config.out}/agent.zip", flush=True)
        if stopped():
            return
    measure(config, agent)


def measure(config: Config, agent: PPO) -> None:
    """Score the agent, and random keys, in episodes that it never learned from."""
    envs = make_envs(config, config.episodes)
    for name, player in (("the agent", agent), ("random keys", RandomKeys(config.seed))):
        envs.seed(EVALUATION_SEED)
        scores, _ = evaluate_policy(
            player, envs, config.episodes, deterministic=False, return_episode_rewards=True
        )
        half = 1.96 * np.std(scores, ddof=1) / len(scores) ** 0.5
        print(f"{name}: {np.mean(scores):,.0f} +- {half:,.0f} points in {len(scores)} episodes")


class RandomKeys:
    """Presses any keys."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        """Return an action for each environment, as an agent does."""
        return self.rng.integers(0, 12, len(observation)), state


if __name__ == "__main__":
    raise SystemExit(ended(lambda: main(parsed(Config, None, "train_sb3.py", description=__doc__))))
