"""The PPO of the examples: its advantages, what it learns from, and a run."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_envs import CountingEnvs
from gymnasium.spaces import Box, Discrete
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from no_waiting import no_waiting
from scenes import SMALL as SMALL_ROCK
from scenes import put, scene

pytest.importorskip("torch")
pytest.importorskip("tyro")

import torch

from mirage_env import MirageVectorEnv
from mirage_env.agent import AgentConfig
from mirage_env.agent_file import load_agent

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

import ppo_gpu

SMALL = AgentConfig(frames=2, width=8, hidden=16)


def column(*values: float) -> Any:
    return torch.tensor(values, dtype=torch.float64)[:, None]


def flags(*values: int) -> Any:
    return torch.tensor(values, dtype=torch.bool)[:, None]


# Advantages ---------------------------------------------------------------------------------------


def test_advantages_of_a_history_written_by_hand() -> None:
    """An episode that ends by death, one that time cuts off, and one that goes on.

    Steps 2 and 5 begin the episodes: what is returned for them means nothing.
    """
    #                    death -> begin              time -> begin
    rewards = column(1, 10, 0, 2, 20, 0, 3)
    values = column(4, 6, 99, 8, 10, 99, 12)
    terminated = flags(0, 1, 0, 0, 0, 0, 0)
    truncated = flags(0, 0, 0, 0, 1, 0, 0)
    last = torch.tensor([14.0], dtype=torch.float64)
    got = ppo_gpu.advantages(rewards, values, last, terminated, truncated, 0.5, 0.5)[:, 0]
    # values[2] is of the last observation of the episode that died: it counts for nothing.
    # values[5] is of the last one of the episode that was cut off: it counts.
    surprise = {
        0: 1 + 0.5 * 6 - 4,
        1: 10 - 6,
        3: 2 + 0.5 * 10 - 8,
        4: 20 + 0.5 * 99 - 10,
        6: 3 + 0.5 * 14 - 12,
    }
    assert got[0] == surprise[0] + 0.25 * surprise[1] == 1
    assert got[1] == surprise[1] == 4
    assert got[3] == surprise[3] + 0.25 * surprise[4] == 13.875
    assert got[4] == surprise[4] == 59.5
    assert got[6] == surprise[6] == -2


def test_an_episode_that_dies_as_time_is_up_is_dead() -> None:
    both = flags(1)
    got = ppo_gpu.advantages(column(3), column(1), torch.tensor([50.0]), both, both, 0.9, 0.9)
    assert got.item() == 2


def lambda_return(rewards: list, values: list, bootstrap: float, gamma: float, trace: float) -> Any:
    """The definition: a mean of n-step returns, weighted by powers of lambda (Eq. 16)."""
    steps = len(rewards)
    following = [*values[1:], bootstrap]
    n_step = [
        sum(gamma**k * rewards[k] for k in range(n)) + gamma**n * following[n - 1]
        for n in range(1, steps + 1)
    ]
    weights = [(1 - trace) * trace ** (n - 1) for n in range(1, steps)] + [trace ** (steps - 1)]
    return sum(w * r for w, r in zip(weights, n_step, strict=True)) - values[0]


def test_advantages_are_those_of_the_definition_episode_by_episode() -> None:
    """Played in environments in mode NEXT_STEP, against each episode taken by itself."""
    n, steps, gamma, trace = 4, 60, 0.9, 0.8
    envs = CountingEnvs(n, AutoresetMode.NEXT_STEP)
    rng = np.random.default_rng(0)

    def value(seen: Any) -> Any:  # any function of what is seen
        return np.sin(seen @ np.array([1.0, 2.0, 3.0])) * 5

    seen, _ = envs.reset(seed=0)
    history = []
    for _ in range(steps):
        values = value(seen)
        over = envs.over.copy()
        seen, rewards, terminated, truncated, _ = envs.step(rng.integers(0, 5, n))
        history.append((rewards, values, terminated, truncated, ~over))
    rewards, values, terminated, truncated, valid = (
        torch.from_numpy(np.stack(p)) for p in zip(*history, strict=True)
    )
    last = torch.from_numpy(value(seen))
    got = ppo_gpu.advantages(rewards, values, last, terminated, truncated, gamma, trace)
    checked = 0
    for i in range(n):
        begin = 0
        while begin < steps:
            end = begin
            while end < steps - 1 and not (terminated[end, i] or truncated[end, i]):
                end += 1
            after = values[end + 1, i] if end + 1 < steps else last[i]
            bootstrap = 0.0 if terminated[end, i] else float(after)
            for t in range(begin, end + 1):
                assert valid[t, i]
                wanted = lambda_return(
                    rewards[t : end + 1, i].tolist(),
                    values[t : end + 1, i].tolist(),
                    bootstrap,
                    gamma,
                    trace,
                )
                assert got[t, i].item() == pytest.approx(wanted)
                checked += 1
            begin = end + 2  # the step between begins the next episode
            if begin <= steps:
                assert not valid[begin - 1, i] if begin - 1 < steps else True
    assert checked == int(valid.sum()) > 100


# What is learned from -----------------------------------------------------------------------------


def batch(size: int = 12) -> ppo_gpu.Batch:
    torch.manual_seed(1)
    return ppo_gpu.Batch(
        torch.randint(0, 255, (size, 64, 24, 2, 3), dtype=torch.uint8),
        torch.randint(0, 12, (size,)),
        -torch.rand(size) - 2,
        torch.randn(size),
        torch.randn(size),
        torch.arange(size) % 3 > 0,
    )


def gradient(given: ppo_gpu.Batch) -> Any:
    torch.manual_seed(0)
    agent = ppo_gpu.Agent(SMALL)
    ppo_gpu.loss(agent.decide, given, ppo_gpu.Config(agent=SMALL)).backward()
    return torch.cat([p.grad.flatten() for p in agent.parameters() if p.grad is not None])


def test_steps_that_begin_an_episode_are_learned_from_in_no_way() -> None:
    given = batch()
    nonsense = given._replace(
        advantages=torch.where(given.valid, given.advantages, 1e6),
        values=torch.where(given.valid, given.values, -1e6),
        log_probs=torch.where(given.valid, given.log_probs, -30.0),
        actions=torch.where(given.valid, given.actions, 0),
    )
    torch.testing.assert_close(gradient(nonsense), gradient(given))
    alone = ppo_gpu.Batch(*(part[given.valid] for part in given))
    torch.testing.assert_close(gradient(alone), gradient(given), atol=1e-5, rtol=1e-3)


def test_what_is_normalised_has_mean_0_and_variance_1_where_it_is_valid() -> None:
    given = batch(300)
    values = ppo_gpu.normalised(given.advantages * 5 + 3, given.valid)[given.valid]
    assert values.mean().item() == pytest.approx(0, abs=1e-5)
    assert values.std(correction=0).item() == pytest.approx(1, abs=1e-4)


def test_rewards_are_divided_by_the_deviation_of_their_discounted_sums() -> None:
    torch.manual_seed(3)
    rewards, over = torch.rand(30, 4) * 100, torch.rand(30, 4) < 0.1
    scaled, sums, sum_ = ppo_gpu.RewardScale(4, 0.9, torch.device("cpu")), [], torch.zeros(4)
    for t in range(30):
        sum_ = sum_ * 0.9 + rewards[t]
        sums.append(sum_)
        sum_ = sum_ * ~over[t]
    for part in (slice(0, 10), slice(10, 20), slice(20, 30)):
        deviation = torch.stack(sums[: part.stop]).std(correction=0)
        torch.testing.assert_close(scaled(rewards[part], over[part]), rewards[part] / deviation)


def test_a_rollout_is_learned_from_in_parts_of_about_the_batch_size() -> None:
    parts = [
        ppo_gpu.Config(num_envs=n, rollout=64, batch_size=4096).minibatches for n in (4, 64, 2048)
    ]
    assert parts == [1, 1, 32]


@pytest.mark.parametrize("example", ["ppo_gpu", "train_sb3"])
def test_one_episode_is_refused_since_it_gives_no_interval(example: str) -> None:
    config = pytest.importorskip(example).Config
    with pytest.raises(ValueError, match="episodes must be a whole number of at least 2, got 1"):
        config(episodes=1)


def test_an_agent_that_holds_its_keys_is_measured_for_as_long_as_one_that_does_not() -> None:
    config = ppo_gpu.Config(episodes=2, max_episode_ticks=12)
    calls = []

    def act(states: Any) -> Any:
        calls.append(len(states))
        return torch.zeros(2, dtype=torch.int64)

    for frame_skip in (1, 2, 3):
        calls.clear()
        ppo_gpu.played(act, config, "cpu", obs_type="state", frame_skip=frame_skip)
        assert len(calls) == 12 // frame_skip
        skips = ppo_gpu.Config(
            num_envs=2, max_episode_ticks=12, agent=AgentConfig("state", frame_skip=frame_skip)
        )
        envs = ppo_gpu.make_envs(skips, backend="native")
        envs.reset(seed=0)
        cut_off = [bool(envs.step([0, 0])[3].all()) for _ in range(12 // frame_skip)]
        assert cut_off == [False] * (12 // frame_skip - 1) + [True]


def test_all_gradients_are_taken_over_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiled network would be compiled anew for another size, in the minutes of learning."""
    config = ppo_gpu.Config(num_envs=5, rollout=7, batch_size=10, epochs=3, agent=SMALL)
    learner, sizes, loss = ppo_gpu.Learner(config, OneKey(5), "cpu"), [], ppo_gpu.loss

    def counting(decide: Any, given: ppo_gpu.Batch, config: ppo_gpu.Config) -> Any:
        sizes.append(len(given.actions))
        return loss(decide, given, config)

    monkeypatch.setattr(ppo_gpu, "loss", counting)
    learner.iterate(1.0)
    assert sizes == [8] * 4 * 3  # 35 steps in 4 parts: 3 wait for another order


class OneKey(VectorEnv):
    """Shows noise; action 3 is worth 100 points, any other none. An episode is five steps."""

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = Box(0, 255, (2, 64, 64, 3), np.uint8)
        self.single_action_space = Discrete(12)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.tick = 0

    def noise(self) -> Any:
        return torch.randint(0, 255, (self.num_envs, 2, 64, 64, 3), dtype=torch.uint8)

    def reset(self, **kwargs: Any) -> Any:
        return self.noise(), {}

    def step(self, actions: Any) -> Any:
        self.tick += 1
        begins = self.tick % 6 == 0
        rewards = torch.where(actions == 3, 100.0, 0.0) * (not begins)
        over = torch.full((self.num_envs,), self.tick % 6 == 5)
        return self.noise(), rewards, torch.zeros_like(over), over, {}


def test_it_learns_which_key_is_worth_pressing() -> None:
    torch.set_num_threads(1)
    config = ppo_gpu.Config(
        num_envs=8, rollout=16, batch_size=32, learning_rate=5e-3, agent=SMALL, entropy=0.0
    )
    envs = OneKey(8)
    learner = ppo_gpu.Learner(config, envs, "cpu")
    for _ in range(12):
        learner.iterate(remaining=1.0)
    logits, _ = learner.agent(envs.noise())
    assert logits.softmax(-1)[:, 3].mean() > 0.6
    assert learner.steps == 12 * 8 * 16
    assert learner.envs.last()["l"].tolist()[-3:] == [5, 5, 5]


def test_a_rollout_marks_the_steps_that_begin_episodes() -> None:
    config = ppo_gpu.Config(num_envs=2, rollout=9, epochs=1, agent=SMALL)
    learner = ppo_gpu.Learner(config, OneKey(2), "cpu")
    first, second = learner.play().valid[:, 0].tolist(), learner.play().valid[:, 0].tolist()
    begins = [t for t, valid in enumerate(first + second) if not valid]
    assert begins == [5, 11, 17]


def test_the_turret_turns_to_a_rock_across_the_edge_and_hits_it() -> None:
    envs = MirageVectorEnv(2, obs_type="state", output="torch")
    envs.reset(seed=0)
    put(envs, *(scene(ship=(2.0, 32.0), rocks=[(SMALL_ROCK, x, 32.0)]) for x in (20.0, 50.0)))
    seen, score = envs.observe(), [0, 0]
    first = ppo_gpu.turret(seen)
    assert (first // 4).tolist() == [2, 1]  # it points up: right to the one, left to the other
    for _ in range(40):
        seen, _, _, _, infos = envs.step(ppo_gpu.turret(seen))
        score = np.maximum(score, infos["score"].numpy())
    assert (score >= 100).all()  # the next wave may come before the end


# A whole run --------------------------------------------------------------------------------------


def test_a_run_of_two_updates_writes_an_agent_a_curve_and_a_report(
    tmp_path: Path, capsys: Any
) -> None:
    config = ppo_gpu.Config(
        out=tmp_path / "run",
        steps=64,
        num_envs=4,
        rollout=8,
        batch_size=16,
        episodes=2,
        max_episode_ticks=300,
        device="cpu",
        agent=SMALL,
    )
    ppo_gpu.main(config)
    agent = load_agent(tmp_path / "run" / "agent.safetensors")
    assert agent.config == SMALL
    assert agent.card["training"]["steps"] == 64
    (row,) = csv.DictReader((tmp_path / "run" / "curve.csv").read_text().splitlines())
    assert float(row["score"]) >= 0
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    assert report["curve"][0]["steps"] == 64
    assert "did not beat the turret" in capsys.readouterr().out


def a_run(out: Path, **how: Any) -> ppo_gpu.Config:
    small: dict[str, Any] = {"num_envs": 4, "rollout": 8, "batch_size": 16, "episodes": 2}
    small |= {"max_episode_ticks": 20, "device": "cpu", "agent": SMALL, "minutes": 1e-9} | how
    return ppo_gpu.Config(out=out, **small)


def learned(config: ppo_gpu.Config) -> ppo_gpu.Learner:
    return ppo_gpu.Learner(config, OneKey(config.num_envs), "cpu")


def rate_of(learner: ppo_gpu.Learner) -> float:
    (group,) = learner._optimiser.param_groups
    return group["lr"]


def never() -> bool:
    return False


def test_the_learning_rate_falls_through_all_measurements(monkeypatch: pytest.MonkeyPatch) -> None:
    config = a_run(Path("nowhere"), minutes=1e9, steps=32 * 6, measure_every=1e-9)
    learner, rates = learned(config), []
    monkeypatch.setattr(learner, "learn", lambda batch: rates.append(rate_of(learner)))
    assert len(list(ppo_gpu.rounds(learner, never))) == 6
    assert rates == pytest.approx([config.learning_rate * left / 6 for left in range(6, 0, -1)])


def test_a_run_that_is_told_to_stop_ends_after_the_update_under_way() -> None:
    learner = learned(a_run(Path("nowhere"), minutes=1e9))
    answers = iter([False, False, True, True])
    assert len(list(ppo_gpu.rounds(learner, lambda: next(answers)))) == 1
    assert learner.steps == 3 * 32
    assert len(list(ppo_gpu.rounds(learner, lambda: True))) == 1
    assert learner.steps == 4 * 32


def test_a_signal_ends_a_run_with_its_agent_and_what_was_measured(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = a_run(tmp_path, minutes=1e9, measure_every=1e-9)
    measured, rows = ppo_gpu.measured, []

    def ends_in_the_third(config: ppo_gpu.Config, learner: ppo_gpu.Learner) -> dict[str, float]:
        rows.append(measured(config, learner) | {"score": [5.0, 9.0, 7.0][len(rows)]})
        if len(rows) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return rows[-1]

    monkeypatch.setattr(ppo_gpu, "measured", ends_in_the_third)
    before = signal.getsignal(signal.SIGTERM)
    ppo_gpu.main(config)
    assert signal.getsignal(signal.SIGTERM) is before
    best = load_agent(tmp_path / "agent.safetensors")
    assert best.card["training"]["steps"] == 2 * 32
    assert best.card["figures"]["score"] == 9
    last = load_agent(tmp_path / "last.safetensors")
    assert last.card["training"]["steps"] == 3 * 32
    curve = json.loads((tmp_path / "report.json").read_text())["curve"]
    assert [row["score"] for row in curve] == [5, 9, 7]


def test_a_run_that_is_stopped_before_the_first_measurement_keeps_its_agent(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    iterate = ppo_gpu.Learner.iterate

    def interrupted(self: ppo_gpu.Learner, remaining: float) -> None:
        iterate(self, remaining)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(ppo_gpu.Learner, "iterate", interrupted)
    ppo_gpu.main(a_run(tmp_path, minutes=1e9))
    assert load_agent(tmp_path / "last.safetensors").card["training"]["steps"] == 32
    assert [path.name for path in tmp_path.iterdir()] == ["last.safetensors"]
    assert "stopped" in capsys.readouterr().out


def test_the_first_step_of_an_environment_is_not_of_the_learning() -> None:
    """In it a dream is compiled and recorded, for a minute."""
    config = a_run(Path("nowhere"))
    envs, fresh = (ppo_gpu.make_envs(config, **ppo_gpu.placed("cpu")) for _ in range(2))
    assert int(envs.unwrapped.world.arenas["tick"].max()) == config.agent.frame_skip
    seen, _ = envs.reset(seed=7)
    assert torch.equal(seen, fresh.reset(seed=7)[0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--episodes", "1"], "episodes must be a whole number of at least 2, got 1"),
        (["--minutes", "0"], "minutes must be more than 0, got 0.0"),
        (["--rollout", "0"], "rollout must be a whole number of at least 1, got 0"),
        (["--out", "/proc/nowhere"], "/proc/nowhere"),
        (["--device", "cuda:99"], "cuda:99"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(arguments: list[str], said: str) -> None:
    example = Path(ppo_gpu.__file__)
    done = subprocess.run(
        [sys.executable, str(example), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.gpu
def test_an_iteration_on_a_gpu_never_waits(tmp_path: Path) -> None:
    config = ppo_gpu.Config(num_envs=64, rollout=8, batch_size=256, agent=SMALL, episodes=4)
    learner = ppo_gpu.Learner(config, ppo_gpu.make_envs(config, **ppo_gpu.placed("cuda")), "cuda")
    learner.iterate(1.0)
    with no_waiting():
        learner.iterate(1.0)
    assert np.isfinite(ppo_gpu.scores(learner.agent, config)).all()
