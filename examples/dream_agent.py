r"""An agent that learns in dreams alone, scored in the real game.

    python examples/dream_agent.py --compiled --ppo.compiled --ppo.minutes 3.9 --save \
        --ppo.agent.width 32 --ppo.agent.hidden 256            # one GPU, about eight minutes in all
    python examples/dream_agent.py --help
    python examples/dream_agent.py --moments 8 --ppo.num-envs 2 --ppo.rollout 4 \
        --ppo.batch-size 8 --ppo.steps 16 --ppo.episodes 2 --ppo.max-episode-ticks 60
                                                               # a CPU: seconds, learns nothing
    mirage watch --agent runs/dream-agent/dream.safetensors    # see what was learned in dreams

The same PPO (`ppo_gpu.py`, beside this file) learns twice from nothing: in `Mirage-Dream-v0`, where
no code of the game runs, and in `Mirage-v0`, for the same number of steps. Both then play the same
episodes of the real game, and so do a player of random keys and a scripted one that aims.

Dreams drift from the game. So they are short, as long as a rollout, and each wakes from a moment of
the real game that scripted players have recorded before, as in DIAMOND (Alonso et al. 2024) and
Dreamer (Hafner et al. 2020); the value tells what would come after. A dream that begins with an
episode is less true, and gains too little at first.

What an agent exploits in a dream shows in how it fares there and in the game, from the same
moments, beside others.

A run keeps what it has: the agents, and in report.json all that was measured, after each part of
it. Ctrl-C or SIGTERM ends it after the update under way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import ppo_gpu
import torch
from numpy.typing import NDArray
from torch import Tensor

from mirage_env import Rules, checks
from mirage_env.actions import NUM_ACTIONS
from mirage_env.agent import Agent, AgentConfig, AgentPlayer
from mirage_env.agent_file import save_agent
from mirage_env.command_line import ended, parsed, stop_signals
from mirage_env.whole_file import check_place, write_whole
from mirage_wm.evaluation.plays import plays
from mirage_wm.evaluation.worlds import PAST, Contestant, Dreamer, Game, Starts
from mirage_wm.predictor import sampler_of
from mirage_wm.predictors import chosen_device, make_predictor
from mirage_wm.recorder import play_in_one_thread
from mirage_wm.seeds import HELD_OUT
from mirage_wm.weights import read_card

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results" / "dream-agent.json"
RESAMPLES = 10_000
TRAINING, TESTING = HELD_OUT + 2**43, HELD_OUT + 2**44
"""Seeds of the moments that dreams wake from, and of those that places are compared from."""


@dataclass(frozen=True)
class Config:
    """Train in dreams, and in the game, and compare."""

    model: str = "v2"
    """Which model dreams: a name or a .safetensors file."""
    evaluations: int | None = 1
    """Of the net for a frame: a diffusion model such as v2 gives the mean of what could come in one
    evaluation, and its usual number is none."""
    compiled: bool = False
    """On a GPU, compile the net that dreams: a minute at the start, and faster from then on."""
    moments: int = 4096
    """Recorded moments of the game that dreams wake from."""
    save: bool = False
    """Write benchmarks/results/dream-agent.json, too, when all is done."""
    ppo: ppo_gpu.Config = field(
        default_factory=lambda: ppo_gpu.Config(
            out=Path("runs/dream-agent"), num_envs=1024, rollout=16, batch_size=2048
        )
    )
    """How to learn; `ppo.minutes` are those in dreams, and a dream lasts for a rollout."""

    def __post_init__(self) -> None:
        """Raise `ValueError` for no moments, or an agent that dreams cannot be shown to."""
        checks.whole_number("moments", self.moments, 1)
        if self.ppo.agent.sees != "pixels":
            raise ValueError("an agent that learns in dreams sees pixels: they have no state")


def main(config: Config) -> None:
    """Train twice, compare, and write down."""
    path = config.ppo.out / "report.json"
    device = chosen_device(config.ppo.device)
    sampler_of(read_card(config.model), config.evaluations)  # a wrong one is told at once
    for place in (path, RESULTS) if config.save else (path,):
        check_place(place)  # before the work is done
    if device != "cpu":
        play_in_one_thread()
    report: dict[str, Any] = {
        "model": config.model,
        "device": ppo_gpu.called(device),
        "evaluations": config.evaluations,
        "moments": config.moments,
        "ppo": ppo_gpu.plain(config.ppo),
        "episodes": config.ppo.episodes,
        "scores": {},
        "learning": {"dream": [], "game": []},
    }
    with stop_signals() as stopped:
        for _ in parts(config, device, report, stopped):
            written = (json.dumps(report, indent=1) + "\n").encode()
            write_whole(path, written)
            if stopped():
                print(f"stopped; what was measured is in {path}")
                return
    if config.save:
        write_whole(RESULTS, written)
        print(f"wrote {RESULTS}")


def parts(
    config: Config, device: str, report: dict[str, Any], stopped: Callable[[], bool]
) -> Iterator[None]:
    """Do all there is to do, and add it to the report; stand still where there is news in it."""
    ppo, scores = config.ppo, {}
    scores["random keys"] = ppo_gpu.played(random_keys, ppo, device, obs_type="state")
    scores["turret"] = ppo_gpu.turret_scores(ppo, device)
    for name in scores:
        told(report, name, scores[name])
    yield

    envs = ppo_gpu.make_envs(
        replace(ppo, max_episode_ticks=10**6),  # they wake before
        "mirage_wm:Mirage-Dream-v0",
        model=config.model,
        steps=config.evaluations,
        device=device,
        compiled=config.compiled,
    )
    dreamer = DreamLearner(ppo, envs, device, recorded(ppo.agent, config.moments, TRAINING))
    yield from learning(dreamer, "dream", report, scores, stopped)
    told(report, "agent that learned in dreams", scores["dream"])
    envs.close()

    as_long = replace(ppo, steps=dreamer.steps, minutes=1e6)
    envs = ppo_gpu.make_envs(as_long, **ppo_gpu.placed(device))
    gamer = ppo_gpu.Learner(as_long, envs, device)
    yield from learning(gamer, "game", report, scores, stopped)
    told(report, "agent that learned in the game", scores["game"])
    envs.close()

    report["ratio"] = {
        f"dream / {other}": dict(
            zip(("ratio", "low", "high"), ratio(scores["dream"], scores[other]), strict=True)
        )
        for other in ("game", "random keys")
    }
    for name, found in report["ratio"].items():
        print(f"{name}: {found['ratio']:.3f} ({found['low']:.3f} to {found['high']:.3f})")
    yield

    starts = recorded(ppo.agent, ppo.episodes, TESTING)
    predictor = make_predictor(config.model, device, steps=config.evaluations)
    places = {"dream": Dreamer(predictor), "game": Game(Rules(), device=device)}
    players = {"learned in dreams": dreamer.agent, "learned in the game": gamer.agent}
    ticks = ppo.rollout * ppo.agent.frame_skip
    report["habits"] = {"ticks": ticks}
    for name, agent in (*players.items(), ("random keys", None)):
        report["habits"][name] = {
            place: habits(agent, world, starts, ticks) for place, world in places.items()
        }
        for place, found in report["habits"][name].items():
            rates = "  ".join(f"{what} {rate:.3g}" for what, rate in found.items())
            print(f"{name}, {ticks} ticks of the {place}: {rates}", flush=True)
    yield


def recorded(agent: AgentConfig, count: int, seed: int) -> Starts:
    """Return moments of the game, each with as many frames as an agent sees the last of."""
    past = max(PAST, 1 + (agent.frames - 1) * agent.frame_skip)
    return plays(count, 1, Rules(), seed=seed, past=past).starts


class DreamLearner(ppo_gpu.Learner):
    """Learns in dreams that wake anew for every rollout, from moments of the game."""

    def __init__(self, config: ppo_gpu.Config, envs: Any, device: str, starts: Starts) -> None:
        super().__init__(config, envs, device)
        self._starts, self._rng = starts, np.random.default_rng(config.seed)

    def play(self) -> ppo_gpu.Batch:
        """Wake the dreams, then play as in any environment."""
        envs: Any = self.envs.unwrapped
        chosen = self._starts[self._rng.integers(0, len(self._starts.arenas), envs.num_envs)]
        envs.wake(chosen.frames, chosen.actions[:, 1 - PAST :])
        self._seen, self._over = envs.observe(), torch.zeros_like(self._over)
        return super().play()


def learning(
    learner: ppo_gpu.Learner,
    name: str,
    report: dict[str, Any],
    scores: dict[str, np.ndarray],
    stopped: Callable[[], bool],
) -> Iterator[None]:
    """Let an agent learn; at times and at the end tell how far it is, and how it plays the game.

    It is kept in NAME.safetensors. One that is stopped is not scored any more.
    """
    config = learner.config
    path = config.out / f"{name}.safetensors"
    for minutes in ppo_gpu.rounds(learner, stopped):
        row = {
            "minutes": round(minutes, 3),
            "steps": learner.steps,
            "steps_per_second": round(learner.steps / learner.seconds),
            "points_there_in_100_ticks": round(100 * learner.gain / config.agent.frame_skip, 2),
        }
        training = ppo_gpu.described(config, learner) | {"learned in": name}
        save_agent(path, learner.agent, training, row)
        scores[name] = np.zeros(0)
        if not stopped():
            scores[name] = ppo_gpu.scores(learner.agent, config)
            row["score"], row["score_ci"] = (round(x, 1) for x in ppo_gpu.interval(scores[name]))
            save_agent(path, learner.agent, training, row | {"episodes": config.episodes})
        print(f"{name}:", "  ".join(f"{key} {value:,}" for key, value in row.items()), flush=True)
        report["learning"][name].append(row)
        yield


def told(report: dict[str, Any], name: str, scores: np.ndarray) -> None:
    """Add a player's mean score and its interval of 95 % to the report, and print it."""
    mean, half = report["scores"][name] = ppo_gpu.interval(scores)
    print(f"{name}: {mean:,.0f} +- {half:,.0f} in {len(scores)} episodes of the game", flush=True)


def random_keys(observations: Tensor) -> Tensor:
    """Return any actions [B]."""
    return torch.randint(0, NUM_ACTIONS, (len(observations),), device=observations.device)


def habits(agent: Agent | None, world: Contestant, starts: Starts, ticks: int) -> dict[str, float]:
    """Return how a player fares from moments of the game, and what it presses.

    Args:
        agent: The player; None presses random keys, each for two ticks.
        world: Dreams or the game.
        starts: Where to begin.
        ticks: How long to play.

    Returns:
        Points in 100 ticks, the share of games that were lost, and the shares of ticks in which it
        turned, thrust and fired.
    """
    count = len(starts.arenas)
    rng = np.random.default_rng(0)
    player = None if agent is None else AgentPlayer(agent, count)
    keys = np.zeros(count, np.int64)

    def press(frames: Any, t: int) -> NDArray[np.int64]:
        if player is None or agent is None:
            return keys if t % 2 else rng.integers(0, NUM_ACTIONS, count)
        with ppo_gpu.precision(agent):
            return player.act(frames).cpu().numpy()

    seen = 1 if agent is None else 1 + (agent.config.frames - 1) * agent.config.frame_skip
    for t in range(1 - seen, 1):  # it saw what led here, and its next keys are due now
        keys = press(starts.frames[:, t - 1], t)
    world.begin(starts)
    playing, points, played = np.ones(count, bool), 0.0, 0
    pressed = np.zeros(3)
    for t in range(ticks):
        played += playing.sum()
        pressed += [(playing & part).sum() for part in (keys >= 4, keys % 4 >= 2, keys % 2 == 1)]
        shown = world.step(keys)
        points += float((shown.rewards * playing).sum())
        playing &= ~shown.terminated
        keys = press(shown.frames, t + 1)
    shares = zip(("turns", "thrusts", "fires"), (pressed / played).tolist(), strict=True)
    return {
        "points_in_100_ticks": 100 * points / float(played),
        "lost": float(1 - playing.mean()),
        **dict(shares),
    }


def ratio(above: np.ndarray, below: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of two means and its interval of 95 %, by resampling both."""
    rng = np.random.default_rng(0)
    means = [
        values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
        for values in (above, below)
    ]
    low, high = np.quantile(means[0] / np.maximum(means[1], 1e-9), (0.025, 0.975))
    return float(above.mean() / max(below.mean(), 1e-9)), float(low), float(high)


if __name__ == "__main__":
    raise SystemExit(
        ended(lambda: main(parsed(Config, None, "dream_agent.py", description=__doc__)))
    )
