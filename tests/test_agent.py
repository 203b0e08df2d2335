"""Agents: the network on its torus, the player that remembers, files and their mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

import torch
from safetensors.numpy import load_file, save_file
from scenes import SMALL as SMALL_ROCK
from scenes import put, scene

from mirage_env import MirageVectorEnv, cli
from mirage_env.agent import Agent, AgentConfig, AgentPlayer, drawn
from mirage_env.agent_eyes import _rock_features
from mirage_env.agent_file import KIND, AgentError, load_agent, save_agent
from mirage_env.ship_view import ShipView

SMALL = AgentConfig(frames=2, width=8, hidden=16)


def lively(config: AgentConfig = SMALL, seed: int = 1) -> Agent:
    """An agent that prefers some actions to others; a new one hardly does."""
    torch.manual_seed(seed)
    agent = Agent(config)
    with torch.no_grad():
        agent.policy[-1].weight.mul_(300)
    return agent.eval()


def seen(num_envs: int = 6, **kwargs: Any) -> Any:
    envs = MirageVectorEnv(num_envs, output="torch", **kwargs)
    envs.reset(seed=3)
    for _ in range(40):
        pictures = envs.step([3, 5] * (num_envs // 2))[0]
    return pictures


# The network --------------------------------------------------------------------------------------


def test_it_decides_the_same_wherever_on_the_torus_all_of_it_happens() -> None:
    pictures, agent = seen(frame_stack=2), lively()
    logits, value = agent(pictures)
    assert logits.std() > 0.01
    for shift in ((1, 0), (0, 31), (17, 40)):
        moved = agent(torch.roll(pictures, shift, (2, 3)))
        torch.testing.assert_close(moved[0], logits)
        torch.testing.assert_close(moved[1], value)


def test_it_decides_the_same_whichever_way_all_of_it_points() -> None:
    pictures, view = seen(frame_stack=2), ShipView()
    shown = view(pictures)
    assert shown.float().std() > 10
    for quarters in (1, 2, 3):
        turned = view(torch.rot90(pictures, quarters, (2, 3)))
        assert (turned == shown).float().mean() > 0.99


def played_by_all_keys() -> tuple[MirageVectorEnv, Any]:
    """Ships with any number of lives among rocks of every wave, and their states, in units."""
    envs = MirageVectorEnv(120, output="torch")
    envs.reset(seed=0)
    for t in range(60):
        envs.step([(i + t // 9) % 12 for i in range(120)])
    state = envs.state()
    state["wave"], state["lives"] = np.arange(120) % 6 + 1, np.arange(120) % 3 + 1
    envs.set_state(state)
    return envs, envs.state(units=True)


@pytest.mark.parametrize("blur", [0.0, 0.3])
def test_it_finds_the_ship_and_its_heading_in_the_pixels(blur: float) -> None:
    envs, state = played_by_all_keys()
    pictures = envs.observe().float()
    beside = sum(torch.roll(pictures, shift, axis) for shift in (-1, 1) for axis in (1, 2)) / 4
    pictures = ((1 - blur) * pictures + blur * beside).round().byte()
    row, column, pose = ShipView().ship(pictures)
    y, x, angle = pose.unbind(1)
    alive = torch.from_numpy(state["dying"] == 0)
    for found, axis in ((row + y, "ship_y"), (column + x, "ship_x")):
        off = (found - torch.from_numpy(state[axis]) + 32) % 64 - 32
        assert off[alive].abs().quantile(0.95) < 0.5
    off = torch.rad2deg(angle) - torch.from_numpy(state["ship_heading"] * (360 / 64))
    off = ((off + 180) % 360 - 180).abs()[alive]
    assert off.median() < 3
    assert off.quantile(0.95) < 12


def test_what_is_ahead_is_on_the_first_ray_and_what_is_to_the_left_a_quarter_on() -> None:
    envs = MirageVectorEnv(3, output="torch", frame_stack=2)
    envs.reset(seed=0)
    places = [(10.0, 40.0), (64 - 5.0, 50.0), (10.0, 1.0)]  # to the right, ahead, to the left
    around = {"ship": (10.0, 50.0), "ship_heading": 32}  # it looks to where x shrinks
    put(envs, *(scene(rocks=[(SMALL_ROCK, *place)], **around) for place in places))
    view = ShipView()(envs.observe())[:, :, :, -1].float().sum(-1)  # [3, rays, rings]
    rocks = view[:, :, 10:]  # beyond the hull
    assert rocks.sum(2).argmax(1).tolist() == pytest.approx([48, 0, 16], abs=2)
    near = rocks.sum(1).argmax(1)
    assert near[0] < near[1]  # 10 pixels away and 15
    assert near[1] == pytest.approx(near[2], abs=1)


def test_where_there_is_no_ship_it_sees_something_all_the_same() -> None:
    logits, value = lively()(torch.zeros((3, 2, 64, 64, 3), dtype=torch.uint8))
    assert logits.isfinite().all()
    assert value.isfinite().all()


@pytest.fixture(scope="module")
def states() -> torch.Tensor:
    """States of arenas in which rocks and bullets fly."""
    return seen(obs_type="state")


def changed(states: torch.Tensor, change: Any) -> torch.Tensor:
    """Change the vectors of all bodies, [B, 1 + 24 + 8, 4]: x, y, vx, vy; they stand in slots."""
    new = states.clone()
    ship, rocks, bullets = new[:, :4], new[:, 12:204], new[:, 204:]
    rocks, bullets = rocks.unflatten(1, (24, 8))[..., 1:5], bullets.unflatten(1, (8, 5))[..., 1:5]
    for bodies in (ship[:, None], rocks, bullets):
        bodies.copy_(change(bodies))
    return new


def test_from_the_state_it_decides_the_same_wherever_and_whichever_way_it_happens(
    states: torch.Tensor,
) -> None:
    agent = lively(AgentConfig("state", width=16, hidden=32))
    logits, value = agent(states)
    assert logits.std() > 0.01
    assert (states[:, 204] > 0).any()
    shifted = changed(states, lambda b: torch.cat([(b[..., :2] + 20) % 64, b[..., 2:]], -1))

    def quarter(bodies: torch.Tensor) -> torch.Tensor:  # counter-clockwise as seen, y down
        x, y, vx, vy = bodies.unbind(-1)
        return torch.stack([y, (-x) % 64, vy, -vx], -1)

    turned = changed(states, quarter)
    turned[:, 4], turned[:, 5] = -states[:, 5], states[:, 4]  # 90 degrees more
    slots = states.clone()
    slots[:, 12:204] = states[:, 12:204].unflatten(1, (24, 8)).flip(1).flatten(1)
    slots[:, 204:] = states[:, 204:].unflatten(1, (8, 5)).flip(1).flatten(1)
    for other in (shifted, turned, slots):
        assert not torch.equal(other, states)
        torch.testing.assert_close(agent(other)[0], logits, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(agent(other)[1], value, atol=1e-4, rtol=1e-3)


def test_from_the_state_it_sees_each_rock_and_each_bullet(states: torch.Tensor) -> None:
    agent = lively(AgentConfig("state", width=16, hidden=32))
    there = states.clone()
    there[:, 12:] = 0
    empty = agent(there)[0]
    for slot in (12 + 8 * 23, 204 + 5 * 7):
        one = there.clone()
        one[:, slot : slot + 3] = torch.tensor([2.0, 5.0, 50.0])
        assert (agent(one)[0] - empty).abs().max(1).values.min() > 1e-3, slot


def test_it_is_told_where_to_aim_and_how_near_a_rock_will_come() -> None:
    size, place = torch.tensor([[2.0]]), torch.tensor([[20.0, 6.0]])
    drift = torch.tensor([[-0.5, -0.05]])
    told = _rock_features(size, place, drift)[0]
    ticks = torch.arange(60.0)[:, None]
    way = (place + ticks * drift).norm(dim=1)
    assert told[8] * 60 == pytest.approx(way.argmin().item(), abs=1)
    assert told[9] * 16 == pytest.approx(way.min().item() - 1.6 - 3.6, abs=0.1)
    # A bullet in that direction is at the rock's middle at some tick.
    aim = told[10:12] / told[10:12].norm()
    bullet = (2.6 + 1.6 * ticks) * aim
    assert (bullet - place - ticks * drift).norm(dim=1).min() < 1
    assert told[13] * 16 == pytest.approx(place.norm().item() - 1.6 - 3.6, abs=1e-3)


def test_probabilities_are_not_rounded_where_convolutions_are() -> None:
    pictures, agent = seen(frame_stack=2), lively()
    with torch.autocast("cpu", torch.bfloat16):
        outputs = agent(pictures)
    for rounded, exact in zip(outputs, agent(pictures), strict=True):
        assert rounded.dtype == torch.float32
        assert not torch.equal(rounded, rounded.bfloat16().float())
        torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0.05)


def test_actions_are_drawn_by_their_probabilities() -> None:
    torch.manual_seed(0)
    logits = torch.randn(12)
    counts = torch.bincount(drawn(logits.expand(40_000, 12)), minlength=12) / 40_000
    np.testing.assert_allclose(counts, logits.softmax(0), atol=0.01)


@pytest.mark.parametrize("field", ["frames", "frame_skip", "width", "hidden"])
def test_an_architecture_that_cannot_be_is_refused(field: str) -> None:
    for value in (0, 1.5, True, 10**6):
        with pytest.raises(ValueError, match=f"{field} must be a whole number from 1"):
            AgentConfig(**{field: value})


# Playing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sees", "frames", "skip"),
    [("pixels", 1, 1), ("pixels", 3, 1), ("pixels", 2, 3), ("state", 1, 1), ("state", 1, 3)],
)
def test_the_player_sees_what_its_environment_would_show(sees: Any, frames: int, skip: int) -> None:
    agent = lively(AgentConfig(sees, frames, skip, width=8, hidden=16))
    kwargs: dict[str, Any] = {"output": "torch", "autoreset_mode": "SAME_STEP"}
    learned_in = MirageVectorEnv(4, max_episode_steps=6, **agent.config.environment(), **kwargs)
    played_in = MirageVectorEnv(
        4,
        max_episode_steps=6 * skip,
        obs_type="rgb" if sees == "pixels" else "state",
        **kwargs,
    )
    player = AgentPlayer(agent, 4, greedy=True)
    stacks, _ = learned_in.reset(seed=0)
    pictures, _ = played_in.reset(seed=0)
    begun: Any = None
    choices = set()
    for _ in range(20):
        wanted = agent.act(stacks, greedy=True)
        for _ in range(skip):
            actions = player.act(pictures, begun)
            assert actions.tolist() == wanted.tolist()
            pictures, _, terminated, truncated, _ = played_in.step(actions)
            begun = terminated | truncated
        choices.update(wanted.tolist())
        stacks, *_ = learned_in.step(wanted)
    assert played_in.state()["episode"].tolist() == [3] * 4
    assert len(choices) > 1


# Files --------------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return save_agent(tmp_path / "agent.safetensors", lively(), {"steps": 7}, {"score": 9.5})


def test_a_saved_agent_plays_the_same(file: Path) -> None:
    agent = load_agent(file)
    assert agent.config == SMALL
    assert agent.card["training"] == {"steps": 7}
    assert agent.card["figures"] == {"score": 9.5}
    pictures = seen(frame_stack=2)
    torch.testing.assert_close(agent(pictures)[0], lively()(pictures)[0], atol=0.02, rtol=0.02)
    weights = sum(part.numel() for part in agent.parameters())
    assert 2 * weights < file.stat().st_size < 2 * weights + 4000
    assert not list(file.parent.glob("*.part"))


def rewritten(file: Path, change: Any, arrays: Any = None) -> Path:
    """Write the file anew with a changed header, and with other arrays."""
    data = file.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(json.loads(data[8 : 8 + size])["__metadata__"][KIND])
    change(header)
    save_file(arrays or load_file(file), file, {KIND: json.dumps(header)})
    return file


def test_an_agent_of_another_shape_is_refused(file: Path) -> None:
    rewritten(file, lambda header: header["architecture"].update(width=10))
    with pytest.raises(AgentError, match=r"another shape than its header says: \S+ must be \("):
        load_agent(file)


def test_weights_that_are_missing_are_named(file: Path) -> None:
    arrays = load_file(file)
    del arrays["policy.2.bias"]
    with pytest.raises(AgentError, match=r"policy\.2\.bias must be \(12,\), got none"):
        load_agent(rewritten(file, lambda header: None, arrays))


def test_weights_that_were_changed_are_found(file: Path) -> None:
    arrays = load_file(file)
    arrays["policy.2.bias"] = arrays["policy.2.bias"] + np.float16(1)
    with pytest.raises(AgentError, match="was changed since it was written"):
        load_agent(rewritten(file, lambda header: None, arrays))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h: h.update(rules_version=99), "rules version 99, this is version"),
        (lambda h: h["architecture"].update(wings=2), "architecture of .* is not known here"),
        (lambda h: h["architecture"].update(width=0), "width must be a whole number"),
        (lambda h: h.pop("architecture"), "architecture of .* is not known here"),
        (lambda h: h.update(kind="other"), "is no agent: its header does not say so"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(file: Path, change: Any, message: str) -> None:
    with pytest.raises(AgentError, match=message):
        load_agent(rewritten(file, change))


def test_files_that_are_no_agents_are_refused(file: Path, tmp_path: Path) -> None:
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(AgentError, match="not a safetensors file, or cut short"):
        load_agent(file)
    file.write_text("hello")
    with pytest.raises(AgentError, match="not a safetensors file, or cut short"):
        load_agent(file)
    with pytest.raises(AgentError, match=r"cannot read the agent .*: No such file"):
        load_agent(tmp_path / "absent.safetensors")
    save_file({"x": np.zeros(3)}, tmp_path / "dream.safetensors")
    with pytest.raises(AgentError, match="a model that dreams is chosen by --model"):
        load_agent(tmp_path / "dream.safetensors")


def test_what_cannot_be_saved_leaves_what_was_there(file: Path, tmp_path: Path) -> None:
    before = file.read_bytes()
    broken = lively()
    with torch.no_grad():
        broken.policy[-1].bias.fill_(1e9)
    with pytest.raises(AgentError, match="not finite in fp16"):
        save_agent(file, broken, {}, {})
    assert file.read_bytes() == before
    with pytest.raises(AgentError, match="an agent is written to a"):
        save_agent(tmp_path / "agent.pt", lively(), {}, {})
    (tmp_path / "folder").write_text("a file in the way")
    with pytest.raises(AgentError, match="cannot write"):
        save_agent(tmp_path / "folder" / "a.safetensors", lively(), {}, {})


# On the command line ------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["play", "watch"])
def test_an_agent_plays_in_a_video(command: str, file: Path, tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("pygame")
    pytest.importorskip("imageio_ffmpeg")
    video = tmp_path / "agent.gif"
    arguments = [command, "--agent", str(file), "--record", str(video), "--seconds", "0.3"]
    arguments += ["--size", "64", "--seed", "1", *(["--no-dream"] if command == "play" else [])]
    assert cli.main(arguments) == 0
    assert video.stat().st_size > 500
    assert "9 frames of game" in capsys.readouterr().out


def test_a_wrong_agent_on_the_command_line_is_one_line(file: Path, capsys: Any) -> None:
    pytest.importorskip("pygame")
    rewritten(file, lambda header: header["architecture"].update(width=10))
    assert cli.main(["watch", "--agent", str(file), "--record", "x.gif"]) == 1
    assert "another shape" in capsys.readouterr().err.splitlines()[-1]
    assert cli.main(["watch", "--agent", "agent.pt"]) == 2
    assert "--agent must be a .safetensors file" in capsys.readouterr().err
