"""The example for Stable-Baselines3 runs, in the game and in dreams, and keeps what it has."""

from __future__ import annotations

import csv
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("stable_baselines3")
pytest.importorskip("tyro")

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import train_sb3
from stable_baselines3 import PPO


def small(out: Path, **how: Any) -> train_sb3.Config:
    sizes = {"num_envs": 2, "episodes": 2, "max_episode_ticks": 20, "minutes": 1e-9} | how
    return train_sb3.Config(out=out, **sizes)


@pytest.mark.parametrize("env", ["Mirage-v0", "Mirage-Dream-v0"])
def test_it_learns_measures_and_writes_its_agent(env: Any, tmp_path: Path, capsys: Any) -> None:
    train_sb3.main(small(tmp_path, env=env, model="v1"))
    told = capsys.readouterr().out
    assert "the agent: " in told
    assert "random keys: " in told
    assert PPO.load(tmp_path / "agent").num_timesteps > 0


def test_a_signal_ends_it_with_agent_and_curve(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = train_sb3.Curve._on_rollout_end

    def interrupted(self: train_sb3.Curve) -> None:
        ended(self)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(train_sb3.Curve, "_on_rollout_end", interrupted)
    train_sb3.main(small(tmp_path, minutes=5.0))
    (row,) = csv.DictReader((tmp_path / "curve.csv").read_text().splitlines())
    assert int(row["steps"]) == 2 * 128
    assert PPO.load(tmp_path / "agent").num_timesteps == 2 * 128 + 2
    assert "points in" not in capsys.readouterr().out
