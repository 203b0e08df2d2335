"""An agent that learns in a dream: the example runs, and compares as it says."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("tyro")
pytest.importorskip("safetensors")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import dream_agent
import ppo_gpu

from mirage_env.agent import AgentConfig
from mirage_env.agent_file import load_agent


def test_the_example_trains_in_both_and_writes_its_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(dream_agent, "RESULTS", tmp_path / "report.json")
    ppo = ppo_gpu.Config(
        out=tmp_path,
        steps=32,
        num_envs=2,
        rollout=8,
        batch_size=8,
        episodes=3,
        max_episode_ticks=40,
        device="cpu",
        agent=AgentConfig(frames=2, width=8, hidden=16),
    )
    dream_agent.main(dream_agent.Config(save=True, ppo=ppo))
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["learning"]["dream"]["steps"] == report["learning"]["game"]["steps"] == 32
    assert set(report["scores"]) == {
        "agent that learned in the dream",
        "agent that learned in the game",
        "random keys",
        "turret",
    }
    assert load_agent(tmp_path / "dream.safetensors").card["training"]["learned in"] == "dream"
    assert load_agent(tmp_path / "game.safetensors").card["training"]["learned in"] == "game"
    assert "dream / game:" in capsys.readouterr().out


def test_a_ratio_lies_in_its_interval_and_the_interval_narrows() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for n in (50, 5000):
        found, low, high = dream_agent.ratio(rng.normal(90, 30, n), rng.normal(100, 30, n))
        assert low < found < high
        assert low < 0.9 < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 5
