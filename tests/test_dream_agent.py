"""An agent that learns in dreams: the example runs, and compares as it says."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tyro")
pytest.importorskip("safetensors")

import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import dream_agent
import ppo_gpu

from mirage_env import Rules
from mirage_env.agent import Agent, AgentConfig
from mirage_env.agent_file import load_agent
from mirage_wm.evaluation.worlds import Game

SMALL = AgentConfig(frames=2, width=8, hidden=16)


def small(out: Path, device: str = "cpu", **how: Any) -> dream_agent.Config:
    sizes: dict[str, Any] = {"num_envs": 2, "rollout": 4, "batch_size": 8, "steps": 32}
    ppo = ppo_gpu.Config(
        out=out, episodes=3, max_episode_ticks=40, device=device, agent=SMALL, **sizes
    )
    return dream_agent.Config(moments=6, ppo=ppo, **how)


def test_the_example_trains_in_both_and_writes_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(dream_agent, "RESULTS", tmp_path / "results.json")
    dream_agent.main(small(tmp_path, save=True))
    report = json.loads((tmp_path / "results.json").read_text())
    assert report == json.loads((tmp_path / "report.json").read_text())
    for place in ("dream", "game"):
        (row,) = report["learning"][place]
        assert row["steps"] == 32
        agent = load_agent(tmp_path / f"{place}.safetensors")
        assert agent.card["training"]["learned in"] == place
        assert agent.card["figures"]["score"] == row["score"]
    assert set(report["scores"]) == {
        "agent that learned in dreams",
        "agent that learned in the game",
        "random keys",
        "turret",
    }
    assert set(report["habits"]["random keys"]) == {"dream", "game"}
    assert "dream / game:" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["dream", "game"])
def test_a_signal_ends_it_with_the_agents_and_what_was_measured(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(dream_agent, "RESULTS", tmp_path / "results.json")
    learned_in = {"dream": dream_agent.DreamLearner, "game": ppo_gpu.Learner}[place]
    iterate = ppo_gpu.Learner.iterate

    def interrupted(self: ppo_gpu.Learner, remaining: float) -> None:
        iterate(self, remaining)
        if type(self) is learned_in:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(ppo_gpu.Learner, "iterate", interrupted)
    dream_agent.main(small(tmp_path, save=True))
    assert "stopped" in capsys.readouterr().out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["scores"]["turret"]
    rows = report["learning"][place]
    assert [row["steps"] for row in rows] == [8]
    assert "score" not in rows[-1]
    assert load_agent(tmp_path / f"{place}.safetensors").card["training"]["steps"] == 8
    assert not (tmp_path / "results.json").exists()
    assert (tmp_path / "game.safetensors").exists() == (place == "game")


def test_every_rollout_begins_at_moments_of_the_game() -> None:
    config = small(Path("nowhere"))
    starts = dream_agent.recorded(SMALL, config.moments, dream_agent.TRAINING)
    assert starts.frames.shape[1:] == (4, 64, 64, 3)
    envs = ppo_gpu.make_envs(config.ppo, "mirage_wm:Mirage-Dream-v0", model="v1", device="cpu")
    learner = dream_agent.DreamLearner(config.ppo, envs, "cpu", starts)
    first, second = (learner.play().views[0].clone() for _ in range(2))
    moments = learner.agent.look(torch.from_numpy(starts.frames[:, [1, 3]]))  # steps apart
    for seen in (*first, *second):
        assert any(torch.equal(seen, moment) for moment in moments)
    assert not torch.equal(first, second)
    assert learner.play().valid.all()


def test_an_agent_of_the_state_cannot_learn_in_dreams() -> None:
    with pytest.raises(ValueError, match="sees pixels: they have no state"):
        dream_agent.Config(ppo=ppo_gpu.Config(agent=AgentConfig("state")))


def test_a_model_that_is_not_there_is_told_before_any_work(tmp_path: Path, capsys: Any) -> None:
    with pytest.raises(ValueError, match="there is no model 'nothing'"):
        dream_agent.main(small(tmp_path, model="nothing"))
    with pytest.raises(ValueError, match="v1 is no diffusion model"):
        dream_agent.main(small(tmp_path, model="v1", evaluations=2))
    assert not capsys.readouterr().out


def test_habits_are_those_of_the_game_where_it_is_played() -> None:
    starts = dream_agent.recorded(SMALL, 40, dream_agent.TESTING)
    idle = Agent(SMALL)
    idle.policy[-1].bias.data[0] = 50.0  # NOOP
    fires = Agent(SMALL)
    fires.policy[-1].bias.data[7] = 50.0  # LEFT, THRUST and FIRE
    still = dream_agent.habits(idle, Game(Rules()), starts, 40)
    assert [still[name] for name in ("turns", "thrusts", "fires")] == [0, 0, 0]
    busy = dream_agent.habits(fires, Game(Rules()), starts, 40)
    assert [busy[name] for name in ("turns", "thrusts", "fires")] == [1, 1, 1]
    assert busy["points_in_100_ticks"] > still["points_in_100_ticks"]
    assert 0 <= still["lost"] < 1
    anybody = dream_agent.habits(None, Game(Rules()), starts, 40)
    assert anybody["turns"] == pytest.approx(2 / 3, abs=0.1)
    assert anybody["fires"] == pytest.approx(1 / 2, abs=0.1)


def test_a_ratio_lies_in_its_interval_and_the_interval_narrows() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for n in (50, 5000):
        found, low, high = dream_agent.ratio(rng.normal(90, 30, n), rng.normal(100, 30, n))
        assert low < found < high
        assert low < 0.9 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5


@pytest.mark.gpu
def test_all_of_it_runs_on_a_gpu(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        dream_agent.main(small(tmp_path, device="cuda"))
    finally:
        torch.set_num_threads(threads)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["device"] == torch.cuda.get_device_name()
    assert len(report["habits"]) == 4
    assert load_agent(tmp_path / "dream.safetensors").card["training"]["steps"] == 32
