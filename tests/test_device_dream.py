"""The dream on a device dreams as the one on the host does. Here the device is the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from device_worlds import NativeWorld
from no_waiting import no_waiting
from small_models import write_model

from mirage_env.simulator import Autoreset
from mirage_wm.cuda_graph import Graphs
from mirage_wm.device_dream import DeviceDream, DeviceOpenings
from mirage_wm.dream import Dream
from mirage_wm.predictors import TorchPredictor, load_dreamer
from mirage_wm.rewards import ENDS
from mirage_wm.weights import load_model, read_card, save_weights

N = 3


@pytest.fixture(scope="module", params=["regression", "diffusion"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model that gains points and ends an episode now and then."""
    path = write_model(tmp_path_factory.mktemp("weights"), request.param, kind=request.param)
    net = load_model(path)
    last = net.unet.summary_second
    last.weight[-1] *= 40
    last.bias[:] = 0
    seen = DeviceOpenings(NativeWorld(64), 4).begin(torch.arange(64), torch.zeros(64).long())
    told = []
    with torch.no_grad():
        for _ in range(3):
            out = net.outputs(seen, torch.randint(12, (64, 4)), torch.randn(64, 3, 64, 64))
            told.append(out.terminated)
            seen = torch.cat([seen[:, 1:], net.judged(out)[0][:, None]], 1)
    # Of dreams of three frames about half are to end by themselves.
    last.bias[-1] = ENDS - torch.stack(told).amax(0).median()
    return save_weights(path.parent, request.param, net, {})


def both(model: Path, **how: Any) -> tuple[Dream, DeviceDream]:
    """Return the same dreams on the host and on a device."""
    host = Dream(N, TorchPredictor(model, "cpu", 1), **how)
    openings = DeviceOpenings(NativeWorld(N), 4)
    device = DeviceDream(N, load_dreamer(model, "cpu", None), read_card(model), openings, **how)
    return host, device


def compare(host: Dream, device: DeviceDream) -> None:
    for name in ("reward", "terminated", "truncated", "begun"):
        assert np.array_equal(getattr(host, name), getattr(device, name).numpy()), name
    assert np.array_equal(host.infos()["score"], device.infos()["score"].numpy())
    assert np.array_equal(host.render(64), device.render(64).numpy())


@pytest.mark.parametrize("autoreset", list(Autoreset))
@pytest.mark.parametrize("frame_skip", [1, 3])
def test_both_dream_the_same_through_endings(
    model: Path, autoreset: Autoreset, frame_skip: int
) -> None:
    host, device = both(model, autoreset=autoreset, frame_skip=frame_skip, max_ticks=3)
    seeds = np.array([3, 2**63 + 5, 7], np.uint64)
    host.reset(seeds), device.reset(seeds)
    compare(host, device)
    rng, terminated, truncated, gained = np.random.default_rng(0), 0, 0, 0
    for step in range(24):
        if step == 9:
            mask = np.array([False, True, True])
            host.reset(None, mask), device.reset(None, mask)
            compare(host, device)
        actions = rng.integers(0, 12, N, dtype=np.int32)
        host.step(actions), device.step(torch.from_numpy(actions))
        compare(host, device)
        ended = np.flatnonzero(host.terminated | host.truncated)
        if autoreset == Autoreset.SAME_STEP and len(ended):
            last = host.render(64, ended, final=True)
            assert np.array_equal(last, device.render(64, ended, final=True).numpy())
            score = host.infos(ended, final=True)["score"]
            assert np.array_equal(score, device.infos(ended, final=True)["score"].numpy())
        terminated, truncated = terminated + host.terminated.sum(), truncated + host.truncated.sum()
        gained += int(host.reward.sum())
    assert terminated > 0
    assert truncated > 0
    assert gained > 0


def test_snapshots_go_from_one_to_the_other(model: Path) -> None:
    host, device = both(model)
    seeds = np.arange(N, dtype=np.uint64)
    host.reset(seeds), device.reset(seeds)
    device.step(torch.tensor([1, 5, 9]))
    host.restore(device.snapshot(np.array([1, 2])), np.array([0, 2]))
    device.restore(host.snapshot(np.arange(N)), np.arange(N))
    for _ in range(3):
        host.step(np.array([0, 3, 7], np.int32)), device.step(torch.tensor([0, 3, 7]))
        assert np.array_equal(host.render(64), device.render(64).numpy())
    same_step = both(model, autoreset=Autoreset.SAME_STEP)[1]
    ended = device.snapshot(np.array([0]))
    ended.ended[:] = 1
    with pytest.raises(ValueError, match="an episode that is over"):
        same_step.restore(ended, np.array([0]))


def test_woken_dreams_go_on_from_what_they_are_given(model: Path) -> None:
    host, device = both(model)
    seeds, rng = np.arange(N, dtype=np.uint64), np.random.default_rng(1)
    host.reset(seeds), device.reset(seeds)
    frames = rng.integers(0, 256, (2, 4, 64, 64, 3), dtype=np.uint8)
    actions = rng.integers(0, 12, (2, 3))
    for dream in (host, device):
        dream.wake(frames, actions, np.array([0, 2]))
    assert np.array_equal(device.render(64)[[0, 2]].numpy(), frames[:, -1])
    host.step(np.array([1, 1, 1], np.int32)), device.step(torch.tensor([1, 1, 1]))
    compare(host, device)


def test_pictures_are_enlarged_and_stacked_as_on_the_host(model: Path) -> None:
    host, device = both(model)
    host.reset(np.arange(N, dtype=np.uint64)), device.reset(np.arange(N, dtype=np.uint64))
    assert np.array_equal(host.render(100), device.render(100).numpy())
    ring = torch.arange(3 * N).view(3, N, 1).clone()
    out = torch.empty(N, 3, 1, dtype=ring.dtype)
    device.stack(ring, 0, out, begun=torch.tensor([False, True, False]))
    assert out[..., 0].tolist() == [[3, 6, 0], [1, 1, 1], [5, 8, 2]]
    assert ring[:, 1, 0].tolist() == [1, 1, 1]
    device.stack(ring, 1, out, last=torch.tensor([[90], [91], [92]]))
    assert out[..., 0].tolist() == [[6, 0, 90], [1, 1, 91], [8, 2, 92]]


def test_results_do_not_change_with_the_next_step(model: Path) -> None:
    _, device = both(model)
    device.reset(np.arange(N, dtype=np.uint64))
    held = []
    for _ in range(4):
        frames = torch.empty(N, 64, 64, 3, dtype=torch.uint8)
        device.step(torch.zeros(N, dtype=torch.long), frames)
        results = frames, device.reward, device.terminated, device.truncated, device.begun
        held.append((results, [part.clone() for part in results]))
    for results, copies in held:
        for part, copy in zip(results, copies, strict=True):
            assert torch.equal(part, copy)


def test_environments_on_a_device_wake_and_learn_as_those_on_the_host_do(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With stacks of frames a step apart, by tensors."""
    import mirage_wm.vector_env as module

    def made(num_envs: int, path: Path, *_: Any) -> DeviceDream:
        how = _[-1]
        openings = DeviceOpenings(NativeWorld(num_envs), 4)
        return DeviceDream(
            num_envs, load_dreamer(path, "cpu", None), read_card(path), openings, **how
        )

    how: dict[str, Any] = {"model": model, "runtime": "torch", "output": "torch"}
    how |= {"frame_skip": 2, "frame_stack": 3}
    host = module.DreamVectorEnv(N, device="cpu", **how)
    monkeypatch.setattr(module, "_dream_on_device", made)
    monkeypatch.setattr(module, "chosen_device", lambda device: "cuda")
    device = module.DreamVectorEnv(N, device="cuda", **how)
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 5, 64, 64, 3), np.uint8)
    keys, actions = rng.integers(0, 12, (2, 3)), torch.from_numpy(rng.integers(0, 12, (6, N)))
    seen = []
    for envs in (host, device):
        shown = [envs.reset(seed=3)[0], envs.step(actions[0])[0]]
        envs.wake(torch.from_numpy(frames), torch.from_numpy(keys), [2, 0])
        shown += [envs.observe(), *(envs.step(row)[0] for row in actions[1:])]
        seen.append(torch.stack(shown))
        envs.close()
    assert torch.equal(*seen)
    assert torch.equal(seen[1][2, [2, 0]], torch.from_numpy(frames[:, ::2]))


def test_a_function_is_called_as_it_is_on_the_cpu() -> None:
    graphs = Graphs(lambda a, b: (a + b,), torch.device("cpu"))
    assert graphs(torch.ones(2), torch.ones(2))[0].tolist() == [2, 2]


@pytest.mark.gpu
@pytest.mark.parametrize("compiled", [False, True])
def test_on_a_gpu_a_step_is_one_graph_and_waits_for_nothing(model: Path, compiled: bool) -> None:
    from mirage_wm import DreamVectorEnv

    envs = DreamVectorEnv(
        8, model=model, device="cuda", output="torch", compiled=compiled, max_episode_steps=5
    )
    observations, _ = envs.reset(seed=0)
    host = DreamVectorEnv(8, model=model, device="cpu", max_episode_steps=5)
    wanted, _ = host.reset(seed=0)
    assert np.array_equal(observations.cpu().numpy(), wanted)
    actions = torch.zeros(8, dtype=torch.long, device="cuda")
    envs.step(actions)  # records the graph
    with no_waiting():
        for _ in range(12):
            observations, rewards, terminated, truncated, infos = envs.step(actions)
    for result in (observations, rewards, terminated, truncated, infos["score"]):
        assert result.is_cuda
    saved = envs.snapshot()
    first = [envs.step(actions)[0] for _ in range(4)]
    envs.restore(saved)
    for frame in first:
        assert torch.equal(envs.step(actions)[0], frame)
    envs.close(), host.close()


@pytest.mark.gpu
def test_on_a_gpu_one_step_is_what_it_is_on_the_cpu(model: Path) -> None:
    gpu, cpu = TorchPredictor(model, "cuda"), TorchPredictor(model, "cpu")
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (4, 4, 64, 64, 3), dtype=np.uint8)
    actions, keys = rng.integers(0, 12, (4, 4)), rng.integers(0, 2**32, 4)
    for _ in range(2):
        frame, _, _ = gpu.predict(gpu.take(seen), actions, keys)
        wanted, _, _ = cpu.predict(cpu.take(seen), actions, keys)
        apart = np.abs(gpu.give(frame).astype(int) - cpu.give(wanted))
        assert apart.mean() < 0.5
