"""An agent that learns in a dream alone, scored in the real game.

    python examples/dream_agent.py --ppo.minutes 4 --save      # one GPU, about ten minutes in all
    python examples/dream_agent.py --help
    mirage watch --agent runs/dream-agent/dream.safetensors    # see what was learned in the dream

The same PPO (`ppo_gpu.py`, beside this file) learns twice from nothing: in `Mirage-Dream-v0`, where
after four frames of an opening no code of the game runs, and in `Mirage-v0`, for the same number of
steps. Both then play the same episodes of the real game, and so do a player of random keys and a
scripted one that aims. What an agent exploits in a dream shows in how much more it gains there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import ppo_gpu
import torch
import tyro

from mirage_env.agent_file import save_agent

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results" / "dream_agent.json"
RESAMPLES = 10_000


@dataclass(frozen=True)
class Config:
    """Train in a dream, and in the game, and compare."""

    model: str = "v1"
    """Which model dreams: a name or a .safetensors file."""
    save: bool = False
    """Write benchmarks/results/dream_agent.json."""
    ppo: ppo_gpu.Config = field(
        default_factory=lambda: ppo_gpu.Config(out=Path("runs/dream-agent"), num_envs=1024)
    )
    """How to learn; `ppo.minutes` are those in the dream."""


def trained(config: ppo_gpu.Config, name: str, envs: Any, device: str) -> dict[str, Any]:
    """Train an agent, write it to NAME.safetensors; return it and what it did where it learned."""
    learner = ppo_gpu.Learner(config, envs, device)
    for minutes in ppo_gpu.rounds(learner):
        gained, lasted = recent(learner)
        print(
            f"{name}: {minutes:.1f} minutes, {learner.steps:,} steps, last episodes there: "
            f"{gained:,.0f} points in {lasted:,.0f} steps",
            flush=True,
        )
    training = ppo_gpu.described(config, learner) | {"learned in": name}
    scores = ppo_gpu.scores(learner.agent, config)
    gained, lasted = recent(learner)
    figures = {"episodes": config.episodes, "score": float(scores.mean())}
    path = save_agent(config.out / f"{name}.safetensors", learner.agent, training, figures)
    print(f"wrote {path}", flush=True)
    envs.close()
    return {
        "scores": scores,
        "steps": learner.steps,
        "minutes": learner.seconds / 60,
        "where it learned": {"points": gained, "steps": lasted},
    }


def recent(learner: ppo_gpu.Learner) -> tuple[float, float]:
    """Return the mean return and length of the last episodes, 0 where there are none."""
    episodes = learner.envs.last()
    return ppo_gpu.rounded_mean(episodes["r"]), ppo_gpu.rounded_mean(episodes["l"] * 1.0)


def random_scores(config: ppo_gpu.Config, device: str) -> np.ndarray:
    """Return the scores of a player of random keys."""

    def act(states: torch.Tensor) -> torch.Tensor:
        return torch.randint(0, 12, (len(states),), device=states.device)

    return ppo_gpu.played(act, config, device, obs_type="state")


def ratio(above: np.ndarray, below: np.ndarray) -> tuple[float, float, float]:
    """Return the ratio of two means and its interval of 95 %, by resampling both."""
    rng = np.random.default_rng(0)
    means = [
        values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(1)
        for values in (above, below)
    ]
    low, high = np.quantile(means[0] / np.maximum(means[1], 1e-9), (0.025, 0.975))
    return float(above.mean() / max(below.mean(), 1e-9)), float(low), float(high)


def main(config: Config) -> None:
    """Train twice, compare, and write down."""
    ppo, device = config.ppo, ppo_gpu.chosen_device(config.ppo.device)
    compiled = {"compiled": True} if ppo.compiled else {}
    dreams = ppo_gpu.make_envs(
        ppo, "mirage_wm:Mirage-Dream-v0", model=config.model, device=device, **compiled
    )
    dream = trained(ppo, "dream", dreams, device)
    as_long = replace(ppo, steps=dream["steps"], minutes=1e6)
    game = trained(as_long, "game", ppo_gpu.make_envs(as_long, **ppo_gpu.placed(device)), device)
    players = {
        "agent that learned in the dream": dream["scores"],
        "agent that learned in the game": game["scores"],
        "random keys": random_scores(ppo, device),
        "turret": ppo_gpu.turret_scores(ppo, device),
    }
    print(f"\n{ppo.episodes} episodes of the real game, {dream['steps']:,} steps of learning each")
    for name, scores in players.items():
        mean, half = ppo_gpu.interval(scores)
        print(f"{name:34} {mean:10,.0f} +- {half:,.0f}")
    found, low, high = ratio(dream["scores"], game["scores"])
    print(f"dream / game: {found:.3f} ({low:.3f} to {high:.3f})")
    inside = dream["where it learned"]["points"]
    print(f"the first gained {inside:,.0f} points an episode in its dream")
    if config.save:
        report = {
            "model": config.model,
            "device": torch.cuda.get_device_name() if device.startswith("cuda") else "cpu",
            "episodes": ppo.episodes,
            "scores": {name: ppo_gpu.interval(scores) for name, scores in players.items()},
            "ratio": {"dream / game": found, "low": low, "high": high},
            "learning": {
                name: {key: value for key, value in run.items() if key != "scores"}
                for name, run in (("dream", dream), ("game", game))
            },
            "ppo": ppo_gpu.plain(ppo),
        }
        RESULTS.write_text(json.dumps(report, indent=1) + "\n")
        print(f"wrote {RESULTS}")


if __name__ == "__main__":
    main(tyro.cli(Config, description=__doc__))
