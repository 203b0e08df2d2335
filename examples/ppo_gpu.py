r"""PPO on one device: the game, the agent and the learner never leave the GPU, nor wait for it.

    python examples/ppo_gpu.py --minutes 5                     # a GPU: an agent in runs/ppo/
    python examples/ppo_gpu.py --help                          # all there is to choose
    python examples/ppo_gpu.py --agent.sees state --agent.hidden 128 --num-envs 64 --rollout 128 \
        --batch-size 1024 --minutes 30                         # one core of a CPU is enough
    python examples/ppo_gpu.py --num-envs 4 --rollout 8 --batch-size 16 --steps 64 --episodes 2
                                                               # a CPU: seconds, learns nothing
    mirage watch --agent runs/ppo/agent.safetensors            # see it play

A run keeps what it has: Ctrl-C or SIGTERM ends it after the update under way.

Proximal policy optimisation (Schulman et al. 2017) in one file, to copy and to change. What is
particular here:

- Observations, rewards and flags are tensors of the device (``output="torch"``). Environment and
  learner launch on the same stream, so that each waits for the other without the host knowing.
- Autoreset mode NEXT_STEP: the observation after the last step of an episode is its real last one,
  so that the value of a truncated episode's end is had without a second evaluation. The step after
  it begins the next episode, obeys no action, and is no part of the loss (see `advantages`).
- The agent sees pixels (`mirage_env.ship_view`), or with ``--agent.sees state`` the state
  (`mirage_env.agent_eyes`), from its ship. What it is shown is found once for each step, and kept.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from torch import Tensor, nn

import mirage_env
from mirage_env import checks
from mirage_env.agent import Agent, AgentConfig, drawn
from mirage_env.agent_file import save_agent
from mirage_env.command_line import ended, parsed, stop_signals
from mirage_env.whole_file import check_place, write_together
from mirage_env.wrappers import RecordEpisodeStatistics
from mirage_wm.predictors import chosen_device

EVALUATION_SEED = 2**62 + 2**40
"""Episodes from this seed on are for measuring: training uses seeds far below."""


@dataclass(frozen=True)
class Config:
    """Train an agent by PPO."""

    out: Path = Path("runs/ppo")
    """Folder for agent.safetensors, the best measured, last.safetensors, curve.csv, report.json."""
    steps: int = 10**9
    """Steps of environments to learn from, at most."""
    minutes: float = 5.0
    """Minutes to learn for, at most; what is measured between is not counted."""
    num_envs: int = 2048
    rollout: int = 64
    """Steps of each environment between two updates."""
    epochs: int = 4
    """Times that each step is learned from."""
    batch_size: int = 4096
    """Steps that the gradient is taken over (about; all of a rollout where that has fewer)."""
    learning_rate: float = 1e-3
    """At the beginning; it falls to nothing over the minutes or steps, whichever are over first."""
    gamma: float = 0.998
    """How much a reward a step later counts: less, and it does not learn to stay alive."""
    trace: float = 0.95
    """Lambda of generalised advantage estimation."""
    clip: float = 0.2
    """How far the probability of an action may move in an update."""
    entropy: float = 0.001
    """Weight of the policy's entropy."""
    value: float = 0.5
    """Weight of the value's mean squared error."""
    most_gradient: float = 0.5
    """Norm that gradients are clipped to."""
    max_episode_ticks: int = 4500
    """Ticks after which an episode is cut off, in learning and in measuring: 150 seconds."""
    seed: int = 0
    device: str = "auto"
    """auto (a GPU where there is one), cpu, cuda or cuda:N."""
    compiled: bool = False
    """Compile the network: half a minute more at the start, and faster from then on."""
    measure_every: float = 1.0
    """Minutes of learning between two measurements in the game."""
    episodes: int = 512
    """Episodes of a measurement, 2 at least."""
    agent: AgentConfig = field(default_factory=AgentConfig)

    def __post_init__(self) -> None:
        """Raise `ValueError` for what cannot be; of one episode, no interval can be told."""
        least = {"episodes": 2, "max_episode_ticks": self.agent.frame_skip}
        for name in ("steps", "num_envs", "rollout", "epochs", "batch_size", *least):
            checks.whole_number(name, getattr(self, name), least.get(name, 1))
        for name in ("minutes", "measure_every"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, got {getattr(self, name)}")

    @property
    def minibatches(self) -> int:
        """Parts that a rollout is learned from in."""
        return max(1, round(self.num_envs * self.rollout / self.batch_size))


class Batch(NamedTuple):
    """Steps of all environments: [T, N] and then, to learn from, [T * N]."""

    views: Tensor
    actions: Tensor
    log_probs: Tensor
    values: Tensor
    advantages: Tensor
    valid: Tensor


# The algorithm ------------------------------------------------------------------------------------


def advantages(
    rewards: Tensor,
    values: Tensor,
    last_values: Tensor,
    terminated: Tensor,
    truncated: Tensor,
    gamma: float,
    trace: float,
) -> Tensor:
    """Generalised advantage estimation (Schulman et al. 2016, Eq. 16) in mode NEXT_STEP.

    Step t saw observation t, which `values` is of, and led to observation t + 1. Where it ended an
    episode, that observation is the episode's last: its value counts where time was up, and does
    not where the game was over. No advantage flows back over an end. The step after an end only
    begins the next episode: what is returned for it means nothing, and flows nowhere.

    Args:
        rewards: float32 [T, N].
        values: float32 [T, N].
        last_values: float32 [N], of the observations after the last step.
        terminated: bool [T, N].
        truncated: bool [T, N].
        gamma: Discount of a step.
        trace: Lambda.

    Returns:
        float32 [T, N].
    """
    next_values = torch.cat([values[1:], last_values[None]])
    surprise = rewards + gamma * next_values * ~terminated - values
    flows = gamma * trace * (~(terminated | truncated)).to(values.dtype)
    found = torch.empty_like(rewards)
    later = torch.zeros_like(last_values)
    for t in reversed(range(len(rewards))):
        later = surprise[t] + flows[t] * later
        found[t] = later
    return found


class RewardScale:
    """Divides rewards by the standard deviation of their discounted sums so far.

    What the value has to learn is then of the size of 1, from the first rock to the tenth wave.
    The numbers stay on the device.
    """

    def __init__(self, num_envs: int, gamma: float, device: torch.device) -> None:
        self.gamma, self.count = gamma, 0
        self._sum = torch.zeros(num_envs, device=device)
        self._mean, self._squares = torch.zeros((2,), dtype=torch.float64, device=device)

    def __call__(self, rewards: Tensor, over: Tensor) -> Tensor:
        """Return the rewards [T, N] of a rollout, scaled; `over` bool [T, N] marks ends."""
        sums = torch.empty_like(rewards)
        for t in range(len(rewards)):
            sums[t] = self._sum * self.gamma + rewards[t]
            self._sum = torch.where(over[t], 0, sums[t])
        # Moments of two samples together (Chan et al. 1979).
        new, total = sums.numel(), self.count + sums.numel()
        apart = sums.mean() - self._mean
        self._squares = self._squares + sums.var(correction=0) * new
        self._squares = self._squares + apart.square() * (self.count * new / total)
        self._mean, self.count = self._mean + apart * (new / total), total
        return rewards / ((self._squares / total).sqrt() + 1e-8).to(rewards.dtype)


def loss(decide: Any, batch: Batch, config: Config) -> Tensor:
    """Return what PPO minimises, over the steps that are `valid`; `decide` is an agent's."""
    logits, values = decide(batch.views)
    log_all = logits.log_softmax(-1)
    log_probs = log_all.gather(1, batch.actions[:, None])[:, 0]
    ratio = (log_probs - batch.log_probs).exp()
    clipped = ratio.clip(1 - config.clip, 1 + config.clip)
    advantage = normalised(batch.advantages, batch.valid)
    policy = -torch.minimum(ratio * advantage, clipped * advantage)
    error = (values - (batch.values + batch.advantages)).square()
    entropy = -(log_all.exp() * log_all).sum(-1)
    each = policy + config.value * error - config.entropy * entropy
    return mean(each, batch.valid)


def mean(values: Tensor, valid: Tensor) -> Tensor:
    """Return the mean over what is valid."""
    return torch.where(valid, values, 0).sum() / valid.sum().clip(min=1)


def normalised(values: Tensor, valid: Tensor) -> Tensor:
    """Return values with mean 0 and variance 1 over what is valid."""
    centred = values - mean(values, valid)
    return centred / (mean(centred.square(), valid).sqrt() + 1e-8)


# Playing and learning -----------------------------------------------------------------------------


class Learner:
    """Plays in a vector environment and learns from it, without waiting for the device.

    Attributes:
        agent: What learns.
        steps: Steps of environments so far.
        seconds: Time spent on them; see `wait`.
        envs: The environments, which record their episodes.
    """

    def __init__(self, config: Config, envs: gymnasium.vector.VectorEnv, device: str) -> None:
        """Begin with a new agent.

        Args:
            config: How to learn.
            envs: Give tensors of `device`, stacked as the agent sees them, in mode NEXT_STEP.
            device: Where everything is.
        """
        torch.manual_seed(config.seed)
        self.config, self.device = config, torch.device(device)
        self.envs = RecordEpisodeStatistics(envs)
        self.agent = Agent(config.agent).to(self.device).to(memory_format=torch.channels_last)  # pyright: ignore
        self._look, self._net = self.agent.look, self.agent.decide
        if config.compiled:
            self._look, self._net = (
                torch.compile(f, dynamic=False) for f in (self._look, self._net)
            )
        self._optimiser = torch.optim.Adam(
            self.agent.parameters(), config.learning_rate, eps=1e-5, fused=self._on_gpu
        )
        n, t = config.num_envs, config.rollout
        like: dict[str, Any] = {"device": self.device}
        self._seen, _ = self.envs.reset(seed=config.seed * 2**32)
        view = self._look(self._seen)
        self._views = view.new_empty((t, *view.shape))
        self._actions = torch.empty((t, n), dtype=torch.int64, **like)
        self._floats = torch.empty((3, t, n), **like)  # log-probabilities, values, rewards
        self._flags = torch.empty(
            (3, t, n), dtype=torch.bool, **like
        )  # terminated, truncated, valid
        self._over = torch.zeros(n, dtype=torch.bool, **like)
        self._scaled = RewardScale(n, config.gamma, self.device)
        self.steps, self.seconds = 0, 0.0
        if config.compiled:
            self._compile()

    @property
    def _on_gpu(self) -> bool:
        return self.device.type == "cuda"

    @property
    def _size(self) -> int:
        """Steps that a gradient is taken over, always as many: a network is compiled for a size."""
        return self._actions.numel() // self.config.minibatches

    def iterate(self, remaining: float) -> None:
        """Play a rollout and learn from it; `remaining` is the share of the learning to come."""
        for group in self._optimiser.param_groups:
            group["lr"] = self.config.learning_rate * remaining
        self.learn(self.play())
        self.steps += self._actions.numel()

    def play(self) -> Batch:
        """Play `rollout` steps in every environment; return them with their advantages."""
        (log_probs, values, rewards), (terminated, truncated, valid) = self._floats, self._flags
        for t in range(self.config.rollout):
            self._views[t] = view = self._look(self._seen)
            valid[t] = ~self._over
            logits, values[t] = self._evaluated(view)
            self._actions[t] = action = drawn(logits)
            log_probs[t] = logits.log_softmax(-1).gather(1, action[:, None])[:, 0]
            self._seen, rewards[t], terminated[t], truncated[t], _ = self.envs.step(action)
            self._over = terminated[t] | truncated[t]
        _, last_values = self._evaluated(self._look(self._seen))
        found = advantages(
            self._scaled(rewards, terminated | truncated),
            values,
            last_values,
            terminated,
            truncated,
            self.config.gamma,
            self.config.trace,
        )
        return Batch(self._views, self._actions, log_probs, values, found, valid)

    def learn(self, batch: Batch) -> None:
        """Improve the agent by a rollout."""
        flat = Batch(*(part.flatten(0, 1) for part in batch))
        for _ in range(self.config.epochs):
            order = torch.randperm(len(flat.actions), device=self.device)
            for chosen in order[: self._size * self.config.minibatches].split(self._size):
                with precision(self.agent):
                    found = loss(self._net, Batch(*(part[chosen] for part in flat)), self.config)
                self._optimiser.zero_grad(set_to_none=True)
                found.backward()
                nn.utils.clip_grad_norm_(self.agent.parameters(), self.config.most_gradient)
                self._optimiser.step()

    def _compile(self) -> None:
        """Let the network be compiled for the two sizes of batches that it will see."""
        self._evaluated(self._look(self._seen))
        part = self._views[0, :1].expand(self._size, *self._views.shape[2:])
        with precision(self.agent):
            logits, values = self._net(part.contiguous())
        (logits.sum() + values.sum()).backward()
        self._optimiser.zero_grad(set_to_none=True)

    @torch.no_grad()
    def _evaluated(self, views: Tensor) -> tuple[Tensor, Tensor]:
        with precision(self.agent):
            return self._net(views)

    @property
    def gain(self) -> float:
        """Mean reward of a step of the last rollout; waits for the device."""
        return float(self._floats[2].mean())

    def wait(self) -> None:
        """Wait for the device, as before reading a clock."""
        if self._on_gpu:
            torch.cuda.synchronize(self.device)


def precision(agent: Agent) -> Any:
    """Return what an agent computes in: on a GPU, convolutions in bf16; of states, all in fp32."""
    device = next(agent.parameters()).device
    lower = device.type == "cuda" and agent.config.sees == "pixels"
    return torch.autocast(device.type, torch.bfloat16, enabled=lower)


def rounds(learner: Learner, stopped: Callable[[], bool]) -> Iterator[float]:
    """Let a learner learn until its minutes or steps are over; yield the minutes at times.

    That is at each measurement that is due, and at the end; there is one update at least. Time
    spent outside is not counted.

    Args:
        learner: What learns.
        stopped: Whether to end after the update under way.
    """
    config = learner.config

    def done() -> float:
        return max(learner.seconds / 60 / config.minutes, learner.steps / config.steps)

    over = due = False
    while not over:
        start, before = time.perf_counter(), learner.seconds
        while not (over or due):
            learner.iterate(1 - done())
            learner.wait()
            learner.seconds = before + time.perf_counter() - start
            due = learner.seconds - before >= 60 * config.measure_every
            over = done() >= 1 or stopped()
        yield learner.seconds / 60
        over, due = over or stopped(), False


# Measuring ----------------------------------------------------------------------------------------


def scores(agent: Agent, config: Config, *, greedy: bool = False) -> np.ndarray:
    """Return the scores of an agent in whole episodes of the real game, as `config` measures."""

    def act(observations: Tensor) -> Tensor:
        with precision(agent):
            return agent.act(observations, greedy)

    return played(act, config, next(agent.parameters()).device, **agent.config.environment())


def turret_scores(config: Config, device: torch.device | str) -> np.ndarray:
    """Return the scores of the scripted player `turret` in the same episodes."""
    return played(turret, config, device, obs_type="state")


def played(
    act: Callable[[Tensor], Tensor], config: Config, device: torch.device | str, **kwargs: Any
) -> np.ndarray:
    """Return the scores of whoever `act` is, from observations to actions.

    The episodes are played side by side in mode DISABLED: one that is over stands still, so that
    only the very end is read.
    """
    envs = mirage_env.MirageVectorEnv(
        config.episodes,
        output="torch",
        autoreset_mode="DISABLED",
        max_episode_steps=config.max_episode_ticks // kwargs.get("frame_skip", 1),
        **placed(device),
        **kwargs,
    )
    seen, infos = envs.reset(seed=EVALUATION_SEED)
    for t in range(envs.max_episode_steps):
        seen, _, terminated, truncated, infos = envs.step(act(seen))
        if t % 500 == 499 and bool((terminated | truncated).all()):
            break
    envs.close()
    return infos["score"].cpu().numpy()


def turret(states: Tensor) -> Tensor:
    """Return what a player presses who turns to the nearest rock, shoots, and never moves.

    Args:
        states: float32 [B, 244], see `mirage_env.observations`.
    """
    rocks = states[:, 12:204].reshape(-1, 24, 8)
    size, place, velocity = rocks[..., :1], rocks[..., 1:3], rocks[..., 3:5]
    apart = (place - states[:, None, 0:2] + 32) % 64 - 32  # the short way around the torus
    distance = torch.where(size > 0, apart.norm(dim=-1, keepdim=True) - 2 * size, 1e3)[..., 0]
    near, nearest = distance.min(1)
    ticks = near.clip(0, 60)[:, None] / 1.6  # of a bullet's flight
    ahead = apart + (velocity - states[:, None, 2:4]) * ticks[:, None]
    aim = ahead.gather(1, nearest[:, None, None].expand(-1, 1, 2))[:, 0]
    cosine, sine = states[:, 4], states[:, 5]  # the ship looks along (cosine, -sine)
    off = torch.atan2(-aim[:, 1] * cosine - aim[:, 0] * sine, aim[:, 0] * cosine - aim[:, 1] * sine)
    turn = torch.where(off > 0.15, 1, torch.where(off < -0.15, 2, 0))
    return turn * 4 + ((off.abs() < 0.25) & (near < 38))


def rounded_mean(values: Any) -> float:
    """Return the mean of numbers, 0 of none."""
    return round(float(values.mean()), 1) if len(values) else 0.0


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return a mean and the half width of its interval of confidence of 95 %."""
    return float(values.mean()), float(1.96 * values.std(ddof=1) / np.sqrt(len(values)))


# The program --------------------------------------------------------------------------------------


def placed(device: torch.device | str) -> dict[str, Any]:
    """Return the arguments with which the game is played on a device."""
    if str(device).startswith("cuda"):
        return {"backend": "cuda", "device": str(device)}
    return {"backend": "native", "num_threads": torch.get_num_threads()}


def make_envs(config: Config, env: str = "mirage_env:Mirage-v0", **kwargs: Any) -> Any:
    """Return the environments that an agent of `config` learns in.

    They have taken a step: a dream is compiled, and recorded as a graph, in its first one.
    """
    torch.backends.cudnn.benchmark = True  # all batches, of dreams and of learning, keep their size
    envs = gymnasium.make_vec(
        env,
        num_envs=config.num_envs,
        output="torch",
        **config.agent.environment(),
        max_episode_steps=config.max_episode_ticks // config.agent.frame_skip,
        **kwargs,
    )
    envs.reset(seed=0)
    envs.step(np.zeros(config.num_envs, np.int64))
    return envs


def main(config: Config) -> None:
    """Train, measure at times, and write down agent and curve."""
    device = chosen_device(config.device)
    check_place(config.out / "agent.safetensors")  # before the work is done
    start = time.perf_counter()
    learner = Learner(config, make_envs(config, **placed(device)), device)
    print(f"ready after {time.perf_counter() - start:.0f} s on {called(device)}", flush=True)
    target = interval(turret_scores(config, device))
    print(f"a turret scores {target[0]:,.0f} +- {target[1]:,.0f}", flush=True)
    curve: list[dict[str, float]] = []
    with stop_signals() as stopped:
        for _ in rounds(learner, stopped):
            training = described(config, learner)
            save_agent(config.out / "last.safetensors", learner.agent, training, {})
            if stopped():
                print(f"stopped; {config.out}/last.safetensors is the agent as it is", flush=True)
                break
            curve.append(measured(config, learner))
            print("  ".join(f"{name} {value:,}" for name, value in curve[-1].items()), flush=True)
            save(config, learner, curve, target)
    won = minutes_to_beat(curve, target)
    print("did not beat the turret" if won is None else f"beat the turret after {won:.1f} minutes")


def measured(config: Config, learner: Learner) -> dict[str, float]:
    """Return how an agent learned so far and how well it plays, a row of the curve."""
    score, half = interval(scores(learner.agent, config))
    return {
        "minutes": round(learner.seconds / 60, 3),
        "steps": learner.steps,
        "steps_per_second": round(learner.steps / learner.seconds),
        "score": round(score, 1),
        "score_ci": round(half, 1),
        "training_return": rounded_mean(learner.envs.last()["r"]),
    }


def minutes_to_beat(curve: list[dict[str, float]], target: tuple[float, float]) -> float | None:
    """Return after how many minutes of learning the intervals of agent and target lay apart."""
    return next((r["minutes"] for r in curve if r["score"] - r["score_ci"] > sum(target)), None)


def save(
    config: Config, learner: Learner, curve: list[dict[str, float]], target: tuple[float, float]
) -> None:
    """Write the curve and a report into the folder of the run, and the agent if it is the best."""
    training = described(config, learner)
    if curve[-1]["score"] >= max(row["score"] for row in curve):
        figures = {"episodes": config.episodes, "turret": target[0], **curve[-1]}
        save_agent(config.out / "agent.safetensors", learner.agent, training, figures)
    report = {
        "training": training,
        "curve": curve,
        "turret": target[0],
        "turret_ci": target[1],
        "minutes_to_beat_the_turret": minutes_to_beat(curve, target),
    }
    text = io.StringIO()
    writer = csv.DictWriter(text, list(curve[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(curve)
    write_together(
        {
            config.out / "report.json": (json.dumps(report, indent=1) + "\n").encode(),
            config.out / "curve.csv": text.getvalue().encode(),
        }
    )


def described(config: Config, learner: Learner) -> dict[str, Any]:
    """Return how an agent was trained, for its file."""
    return {
        "algorithm": "PPO, examples/ppo_gpu.py",
        "steps": learner.steps,
        "minutes": round(learner.seconds / 60, 2),
        "device": called(str(learner.device)),
        "config": plain(config),
    }


def called(device: str) -> str:
    """Return what a device is called: a GPU by its name."""
    return torch.cuda.get_device_name(device) if device.startswith("cuda") else "cpu"


def plain(config: Config) -> dict[str, Any]:
    """Return a configuration as JSON can hold it, without where it is written to."""
    return {name: value for name, value in asdict(config).items() if name != "out"}


if __name__ == "__main__":
    raise SystemExit(ended(lambda: main(parsed(Config, None, "ppo_gpu.py", description=__doc__))))
