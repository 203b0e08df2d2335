"""The GPU plays the same game as the CPU and the oracle: 0 differing bits in anything it gives."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from simulators import make_simulator, sticky_actions
from test_equality import EVENTS, choose, events

from mirage_env import MirageVectorEnv, Rules, backends
from mirage_env.backends import cuda, cuda_build
from mirage_env.rules import tuning
from mirage_env.simulator import Autoreset, SimulatorConfig

pytestmark = pytest.mark.gpu

torch = pytest.importorskip("torch", reason="no PyTorch: NOTHING of the GPU was tested")

SIZES = (16, 40, 64, 84, 96, 97, 100, 128, 200)


def make_world(num_envs: int, rules: Rules | None = None, **changes: Any) -> Any:
    """A world of the GPU, reset with the seeds 0, 1, 2 ..."""
    rows = np.array([tuning(rules or Rules())] * num_envs, np.int32)
    world = backends.make("cuda", SimulatorConfig(rows, **changes), tensors=True)
    world.reset(np.arange(num_envs, dtype=np.uint64))
    return world


def poisoned(shape: tuple[int, ...], dtype: Any = None) -> Any:
    return torch.full(shape, 0xA5, dtype=dtype or torch.uint8, device="cuda")


def same(native: Any, world: Any, step: int) -> None:
    """Demand that a step gave the same in both."""
    np.testing.assert_array_equal(native.state_hash(), world.state_hash(), f"step {step}")
    for name in ("reward", "terminated", "truncated", "begun"):
        given = getattr(world, name).cpu().numpy()
        np.testing.assert_array_equal(getattr(native, name), given, f"{name}, step {step}")
    for name, values in world.step_infos()().items():
        np.testing.assert_array_equal(native.infos()[name], values.cpu().numpy(), name)


@pytest.mark.parametrize(
    ("autoreset", "steps", "max_ticks", "rules"),
    [
        (Autoreset.NEXT_STEP, 10_000, 4500, Rules()),
        (Autoreset.SAME_STEP, 2_000, 700, Rules(split="random", wave="ship", wave_first=6)),
        (Autoreset.DISABLED, 1_000, 900, Rules(rock_speed=1.5, cooldown=1, thrust=0.25)),
    ],
)
def test_every_state_and_picture_is_that_of_the_cpu(autoreset, steps, max_ticks, rules):
    n = 4096
    rows = np.array([tuning(rules)] * n, np.int32)
    config = SimulatorConfig(rows, max_ticks=max_ticks, autoreset=autoreset)
    native = backends.make("native", config)
    native.reset(np.arange(n, dtype=np.uint64))
    world = make_world(n, rules, autoreset=autoreset, max_ticks=max_ticks)
    frames, drawn = np.zeros((n, 64, 64, 3), np.uint8), poisoned((n, 64, 64, 3))
    ended = 0
    for step, actions in enumerate(sticky_actions(n, steps, seed=7)):
        show = step % 100 == 99
        native.step(actions, frames if show else None)
        world.step(torch.from_numpy(actions).cuda(), drawn if show else None)
        np.testing.assert_array_equal(native.state_hash(), world.state_hash(), f"step {step}")
        ended += int((native.terminated | native.truncated).sum())
        if show:
            same(native, world, step)
            assert np.array_equal(frames, drawn.cpu().numpy()), f"pictures, step {step}"
            drawn.fill_(0xA5)
    assert ended > n


def test_all_that_can_happen_happens_alike():
    n, rng = 256, np.random.default_rng(5)
    native, world = make_simulator("native", n), make_world(n)
    behaviours, held = rng.integers(0, 4, n), np.zeros(n, np.int32)
    frames, drawn = np.zeros((n, 64, 64, 3), np.uint8), poisoned((n, 64, 64, 3))
    seen: Counter = Counter()
    for step in range(4500):
        before = native.arenas.copy()
        actions = choose(behaviours, held, native.arenas, rng)
        native.step(actions, frames)
        world.step(torch.from_numpy(actions).cuda(), drawn)
        events(before, native.arenas, native.begun, seen)
        seen["terminated"] += int(native.terminated.sum())
        seen["truncated"] += int(native.truncated.sum())
        if step % 25 == 0:
            same(native, world, step)
            assert np.array_equal(frames, drawn.cpu().numpy()), f"pictures, step {step}"
    assert not {name for name in EVENTS - {"top speed braked"} if seen[name] == 0}, dict(seen)


def test_it_is_the_oracle():
    n = 64
    oracle, world = make_simulator("oracle", n, max_ticks=250), make_world(n, max_ticks=250)
    drawn = poisoned((n, 64, 64, 3))
    for step, actions in enumerate(sticky_actions(n, 300, seed=11)):
        oracle.step(actions)
        world.step(torch.from_numpy(actions).cuda(), drawn)
        same(oracle, world, step)
        if step % 20 == 0:
            assert np.array_equal(oracle.render(64), drawn.cpu().numpy()), f"step {step}"
    assert oracle.arenas.tobytes() == world.records().tobytes()


def test_code_for_another_architecture_gives_the_same(monkeypatch):
    """Compiled for Turing and finished by the driver, the kernels allocate and schedule anew."""
    monkeypatch.setattr(cuda_build, "target", lambda _: "-gencode=arch=compute_75,code=compute_75")
    monkeypatch.setattr(cuda, "_loaded", {})
    test_it_is_the_oracle()


def both_envs(num_envs: int, **kwargs: Any) -> tuple[MirageVectorEnv, MirageVectorEnv]:
    """The same environments on the CPU and, as tensors, on the GPU, both reset."""
    host = MirageVectorEnv(num_envs, backend="native", **kwargs)
    device = MirageVectorEnv(num_envs, backend="cuda", output="torch", **kwargs)
    assert_same(host.reset(seed=3), device.reset(seed=3))
    return host, device


def assert_same(host: Any, device: Any, where: str = "") -> None:
    """Demand that what environments returned is the same, also within tuples and dicts."""
    if isinstance(host, tuple):
        for k, (one, other) in enumerate(zip(host, device, strict=True)):
            assert_same(one, other, f"{where}[{k}]")
    elif isinstance(host, dict):
        assert host.keys() == device.keys(), where
        for name in host:
            assert_same(host[name], device[name], f"{where}[{name!r}]")
    else:
        given = device.cpu().numpy()
        assert given.dtype == host.dtype, where
        assert given.shape == host.shape, where
        assert given.tobytes() == host.tobytes(), where


@pytest.mark.parametrize("obs_type", ["rgb", "grayscale"])
@pytest.mark.parametrize("size", SIZES)
def test_pictures_of_any_size_are_those_of_the_cpu(size, obs_type):
    for n in (5, 2100):  # four warps share a picture, or each has its own
        host, device = both_envs(n, obs_size=size, obs_type=obs_type)
        for step, actions in enumerate(sticky_actions(n, 40, seed=size)):
            given = host.step(actions), device.step(torch.from_numpy(actions).cuda())
            if step % 8 == 0:
                assert_same(*given)


@pytest.mark.parametrize("frame_stack", [1, 3])
@pytest.mark.parametrize("obs_type", ["rgb", "grayscale", "state"])
@pytest.mark.parametrize("mode", ["NEXT_STEP", "SAME_STEP", "DISABLED"])
def test_environments_give_the_same(mode, obs_type, frame_stack):
    n = 70
    host, device = both_envs(
        n,
        autoreset_mode=mode,
        obs_type=obs_type,
        obs_size=40,
        frame_stack=frame_stack,
        frame_skip=2,
        max_episode_steps=60,
    )
    finals = 0
    for step, actions in enumerate(sticky_actions(n, 150, seed=2)):
        one, other = host.step(actions), device.step(torch.from_numpy(actions).cuda())
        infos, told = one[4], other[4]
        if mode == "SAME_STEP":
            final_obs, last = infos.pop("final_obs", None), told.pop("final_obs")
            info, its = infos.pop("final_info", {}), told.pop("final_info")
            masks = [told.pop(name) for name in ("_final_obs", "_final_info")]
            ended = one[2] | one[3]
            for mask in masks:
                assert np.array_equal(mask.cpu().numpy(), ended)
            assert not ended.any() or np.array_equal(infos.pop("_final_obs"), ended)
            infos.pop("_final_info", None)
            for i in np.flatnonzero(ended):
                finals += 1
                assert_same(final_obs[i], last[i], f"final_obs of {i}, step {step}")
                for name in ("score", "lives", "wave", "tick"):
                    assert info[name][i] == its[name][i].item()
        assert_same(one, other, f"step {step}")
        if mode == "DISABLED" and step % 40 == 39:
            mask = {"reset_mask": one[2] | one[3]}
            if mask["reset_mask"].any():
                assert_same(host.reset(options=mask), device.reset(options=mask), f"step {step}")
    assert finals > n or mode != "SAME_STEP"


@pytest.mark.parametrize("obs_type", ["rgb", "grayscale", "state"])
def test_numpy_output_is_that_of_the_cpu(obs_type):
    kwargs = {"obs_type": obs_type, "frame_stack": 2, "max_episode_steps": 50}
    host = MirageVectorEnv(20, backend="native", **kwargs)
    fetched = MirageVectorEnv(20, backend="cuda", **kwargs)
    one, other = host.reset(seed=1), fetched.reset(seed=1)
    for actions in sticky_actions(20, 80, seed=4):
        assert one[0].tobytes() == other[0].tobytes()
        one, other = host.step(actions), fetched.step(actions)
        for a, b in zip(one[:4], other[:4], strict=True):
            assert a.dtype == b.dtype
            assert a.tobytes() == b.tobytes()
        assert {k: v.tolist() for k, v in one[4].items()} == {
            k: v.tolist() for k, v in other[4].items()
        }
    assert host.state_hash().tolist() == fetched.state_hash().tolist()


@pytest.mark.parametrize("obs_type", ["rgb", "grayscale", "state"])
@pytest.mark.parametrize(("num_envs", "mode"), [(33, "NEXT_STEP"), (2100, "SAME_STEP")])
def test_a_rollout_is_as_many_steps(num_envs, mode, obs_type):
    kwargs = {"autoreset_mode": mode, "obs_type": obs_type, "max_episode_steps": 25}
    host, device = both_envs(num_envs, **kwargs)
    actions = np.stack(list(sticky_actions(num_envs, 60, seed=6)))
    assert_same(host.rollout(actions[:40]), device.rollout(torch.from_numpy(actions[:40]).cuda()))
    again = MirageVectorEnv(num_envs, backend="cuda", output="torch", **kwargs)
    again.reset(seed=3)
    for row in actions[:40]:
        stepped = again.step(torch.from_numpy(row).cuda())
    assert again.state_hash().tolist() == device.state_hash().tolist()
    assert torch.equal(stepped[0], device.observe())
    # Wide actions, and single steps after a rollout.
    assert_same(
        host.rollout(actions[40:]), device.rollout(torch.from_numpy(actions[40:]).cuda().long())
    )
    one, other = host.step(actions[0]), device.step(torch.from_numpy(actions[0]).cuda())
    assert_same(one[:4], other[:4])


def test_moments_go_from_one_backend_to_another():
    host, device = both_envs(9, frame_stack=2)
    for actions in sticky_actions(9, 30, seed=8):
        host.step(actions)
        device.step(torch.from_numpy(actions).cuda())
    moment, its = host.snapshot([2, 5]), device.snapshot([2, 5])
    other = MirageVectorEnv(2, backend="cuda", output="torch")
    other.restore(_bare(moment))
    assert other.state_hash().tolist() == host.state_hash()[[2, 5]].tolist()
    back = MirageVectorEnv(2, backend="native")
    back.restore(_bare(its))
    assert back.state_hash().tolist() == host.state_hash()[[2, 5]].tolist()
    device.fork(3, [0, 8])
    hashes = device.state_hash()
    assert hashes[0] == hashes[3] == hashes[8]
    assert torch.equal(device.observe()[0], device.observe()[3])


def _bare(moment: Any) -> Any:
    """A snapshot without its stacked observations."""
    return type(moment)(moment.kind, moment.count, moment.worlds, None)


def test_states_can_be_set():
    host, device = both_envs(4)
    state = host.state()
    state["ship_x"][:] = 7
    state["lives"][1] = 1
    for envs in (host, device):
        envs.set_state(state)
    assert host.state_hash().tolist() == device.state_hash().tolist()
    assert np.array_equal(host.observe(), device.observe().cpu().numpy())
    assert {k: v.tolist() for k, v in host.state().items()} == {
        k: v.tolist() for k, v in device.state().items()
    }


def test_pictures_for_people_are_those_of_the_cpu():
    host, device = both_envs(3, render_mode="rgb_array", render_size=300)
    assert np.array_equal(np.stack(host.render() or ()), np.stack(device.render() or ()))
