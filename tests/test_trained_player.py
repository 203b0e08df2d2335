"""An agent among those who press the keys while a model learns."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from device_worlds import NativeWorld
from small_models import small_agent

from mirage_env.agent import Agent, AgentConfig
from mirage_env.agent_file import AgentError, save_agent
from mirage_wm.behaviours import SHARES, SLIP, Behaviour, Behaviours
from mirage_wm.fields import Fields
from mirage_wm.recorder import Chunk, Recorder
from mirage_wm.simulators import FOREVER, make_simulator
from mirage_wm.trained_player import TrainedPlayer, named_agent

SIMULATORS: Any = pytest.mark.parametrize(
    "make",
    [make_simulator, lambda n, threads: NativeWorld(n, max_ticks=FOREVER)],
    ids=["host", "device"],
)


def played(make: Any, n: int = 64) -> Any:
    """A simulator that played a little, random keys."""
    simulator = make(n, 1)
    simulator.reset(np.arange(n, dtype=np.uint64))
    rng = np.random.default_rng(0)
    for _ in range(60):
        actions = rng.integers(0, 12, n).astype(np.int32)
        simulator.step(torch.from_numpy(actions) if hasattr(simulator, "device") else actions)
    return simulator


def one_key(action: int, frame_skip: int = 1) -> Agent:
    """An agent that presses one key."""
    agent = small_agent(frame_skip)
    with torch.no_grad():
        agent.policy[-1].bias[action] += 1e4
    return agent


@SIMULATORS
def test_it_draws_each_action_as_often_as_its_agent_does(make: Any) -> None:
    simulator, agent = played(make), small_agent()
    states = torch.as_tensor(simulator.vectors())
    wanted = agent(states)[0].softmax(-1)
    player, playing = TrainedPlayer(agent, simulator), torch.arange(64) % 3 > 0
    torch.manual_seed(0)
    times, counts = 4000, torch.zeros(64, 12)
    for _ in range(times):
        pressed = player.act(playing, torch.rand(64))
        assert (pressed[~playing] == 0).all()
        counts[torch.arange(64), pressed] += 1
    np.testing.assert_allclose(counts[playing] / times, wanted[playing], atol=0.04)
    assert wanted[playing].max() > 0.2
    # The draws say which: the same ones, the same actions.
    chance = torch.rand(64)
    assert torch.equal(player.act(playing, chance), player.act(playing, chance))


@SIMULATORS
def test_where_it_plays_nowhere_it_presses_nothing(make: Any) -> None:
    player = TrainedPlayer(small_agent(), played(make, 3))
    assert player.act(torch.zeros(3, dtype=torch.bool), torch.rand(3)).tolist() == [0, 0, 0]


def test_the_agent_plays_in_its_share_of_the_arenas_and_slips_as_others_do() -> None:
    n, ticks = 3000, 20
    simulator = played(make_simulator, n)
    players = Behaviours(torch.arange(n), TrainedPlayer(one_key(7), simulator))
    arenas, pressed, turns = Fields(simulator.arenas), 0, 0
    for _ in range(ticks):
        actions = players.act(arenas)
        turn = players.kind == Behaviour.AGENT
        turns += int(turn.sum())
        pressed += int((actions[turn] == 7).sum())
    assert turns / n / ticks == pytest.approx(SHARES[Behaviour.AGENT], abs=0.02)
    # A slip presses random keys, which are these in one of about twenty cases.
    assert pressed / turns == pytest.approx(1 - SLIP, abs=0.01)


def test_without_an_agent_the_careful_play_in_its_place() -> None:
    players = Behaviours(torch.arange(20_000))
    assert not (players.kind == Behaviour.AGENT).any()
    wanted = SHARES[Behaviour.CAREFUL] + SHARES[Behaviour.AGENT]
    share = (players.kind == Behaviour.CAREFUL).float().mean().item()
    assert share == pytest.approx(wanted, abs=0.01)


def test_it_holds_its_keys_for_as_long_as_it_did_while_it_learned() -> None:
    n = 400
    simulator = played(make_simulator, n)
    players = Behaviours(torch.arange(n), TrainedPlayer(small_agent(frame_skip=3), simulator))
    arenas, held = Fields(simulator.arenas), []
    for _ in range(18):
        players.act(arenas)
        held.append(players.held.clone())
    changes = np.flatnonzero([not torch.equal(a, b) for a, b in pairwise(held)])
    assert len(changes) == 6
    assert set(np.diff(changes)) == {3}


@SIMULATORS
def test_a_recorder_that_goes_on_from_a_snapshot_records_the_same(make: Any) -> None:
    def recorder() -> Recorder:
        return Recorder(
            40,
            3,
            agent=small_agent(frame_skip=2),
            simulator=lambda n, threads, rules: make(n, threads),
            threads=1,
            burn_in=7,
        )

    def chunk(of: Recorder) -> Any:
        recorded = Chunk.empty(9, 40)
        if of.on_device:
            tensors = {name: torch.from_numpy(rows) for name, rows in vars(recorded).items()}
            recorded = Chunk(**tensors)
        of.record(recorded)
        return torch.as_tensor(recorded.actions), torch.as_tensor(recorded.frames)

    first, second = recorder(), recorder()
    chunk(first)
    snapshot = first.snapshot()
    later = chunk(first)
    second.restore(snapshot)
    assert all(torch.equal(a, b) for a, b in zip(chunk(second), later, strict=True))


def test_an_agent_that_sees_pixels_is_refused() -> None:
    agent = Agent(AgentConfig(frames=1, width=8, hidden=16))
    with pytest.raises(ValueError, match=r"must see the state .* got one that sees pixels"):
        Recorder(2, 0, agent=agent, threads=1)


def test_an_agent_is_found_by_name_and_by_file(tmp_path: Path) -> None:
    assert named_agent("state").config.sees == "state"
    file = save_agent(tmp_path / "mine.safetensors", small_agent(), {}, {})
    assert named_agent(str(file)).config == small_agent().config
    with pytest.raises(AgentError, match="cannot read the agent nobody"):
        named_agent("nobody")
