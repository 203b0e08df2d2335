"""The CUDA backend among other users of a GPU: streams, graphs, threads, processes, mistakes."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from no_waiting import no_waiting

from mirage_env import MirageVectorEnv
from mirage_env.backends import cuda, cuda_build
from mirage_env.errors import BackendUnavailableError, InvalidActionError

pytestmark = pytest.mark.gpu

torch = pytest.importorskip("torch", reason="no PyTorch: NOTHING of the GPU was tested")

N = 64


def make(num_envs: int = N, seed: int = 0, **kwargs: Any) -> MirageVectorEnv:
    envs = MirageVectorEnv(num_envs, backend="cuda", output="torch", **kwargs)
    envs.reset(seed=seed)
    return envs


def random_actions(steps: int, num_envs: int = N, seed: int = 0) -> Any:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 12, (steps, num_envs), generator=generator).cuda()


def played(steps: int, num_envs: int = N, seed: int = 0, **kwargs: Any) -> tuple[Any, list[int]]:
    """The last observation and the hashes after some steps on the default stream."""
    envs = make(num_envs, seed, **kwargs)
    for actions in random_actions(steps, num_envs):
        observations = envs.step(actions)[0]
    return observations, envs.state_hash().tolist()


# Actions ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "message"),
    [
        (lambda: torch.zeros(N + 1, dtype=torch.int64, device="cuda"), r"the shape \(64,\)"),
        (lambda: torch.zeros((N, 1), dtype=torch.int64, device="cuda"), r"got \(64, 1\)"),
        (lambda: torch.zeros(N, device="cuda"), "must be integers, got torch.float32"),
        (lambda: torch.zeros(N, dtype=torch.bool, device="cuda"), "integers, got torch.bool"),
        (lambda: torch.full((N,), 12), "from 0 to 11, got 12 for environment 0"),
        (lambda: np.full(N, -1), "from 0 to 11, got -1"),
        (lambda: np.zeros(N), "must be integers, got float64"),
    ],
)
def test_actions_of_another_shape_or_type_are_refused_and_nothing_changes(actions, message):
    envs = make()
    before = envs.state_hash().tolist()
    with pytest.raises(InvalidActionError, match=message):
        envs.step(actions())
    with pytest.raises(InvalidActionError):
        envs.rollout(actions()[None, None])
    assert envs.state_hash().tolist() == before


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "int64"])
def test_integers_of_any_width_are_actions(dtype):
    envs, wanted = make(), make()
    actions = random_actions(1)[0]
    envs.step(actions.to(getattr(torch, dtype)))
    wanted.step(actions)
    assert envs.state_hash().tolist() == wanted.state_hash().tolist()


def test_actions_may_come_from_the_host_or_not_be_contiguous():
    actions = random_actions(1)[0]
    wide = torch.zeros((N, 3), dtype=torch.int64, device="cuda")
    wide[:, 1] = actions
    hashes = []
    for given in (actions, actions.cpu(), actions.cpu().numpy(), actions.tolist(), wide[:, 1]):
        envs = make()
        envs.step(given)
        hashes.append(envs.state_hash().tolist())
    assert all(found == hashes[0] for found in hashes)


def test_what_is_no_action_on_the_device_counts_as_none_and_is_counted():
    envs, wanted = make(), make()
    actions = random_actions(1)[0]
    bad = actions.clone()
    bad[3], bad[10], bad[11] = 12, -1, 2**40 + 5
    right = actions.clone()
    right[[3, 10, 11]] = 0
    envs.step(bad)
    wanted.step(right)
    assert envs.state_hash().tolist() == wanted.state_hash().tolist()
    assert (envs.invalid_actions(), wanted.invalid_actions()) == (3, 0)
    envs.rollout(bad.expand(4, N))
    assert envs.invalid_actions() == 15


# Observations -----------------------------------------------------------------------------------


def test_what_was_handed_out_never_changes():
    envs = make(autoreset_mode="SAME_STEP", max_episode_steps=40)
    kept, copies = [], []
    for actions in random_actions(100):
        given = envs.step(actions)
        tensors = [*given[:4], *(v for v in given[4].values() if isinstance(v, torch.Tensor))]
        kept.append(tensors)
        copies.append([tensor.clone() for tensor in tensors])
    for tensors, clones in zip(kept, copies, strict=True):
        for tensor, clone in zip(tensors, clones, strict=True):
            assert torch.equal(tensor, clone)


def test_without_copy_the_same_tensor_comes_again():
    envs = make(copy=False)
    one, other = (envs.step(actions)[0] for actions in random_actions(2))
    assert one.data_ptr() == other.data_ptr()


def test_others_can_share_the_memory():
    observations, _ = played(3)
    interface = observations.__cuda_array_interface__
    assert interface["data"][0] == observations.data_ptr()
    assert interface["shape"] == (N, 64, 64, 3)
    shared = torch.from_dlpack(observations)
    assert shared.data_ptr() == observations.data_ptr()
    jax = pytest.importorskip("jax", reason="no jax: its side of DLPack was not tested")
    try:
        jax.devices()  # At first this makes the last of several GPUs the current one.
        torch.cuda.set_device(observations.device)
        theirs = jax.dlpack.from_dlpack(observations)
    except RuntimeError as error:
        pytest.skip(f"this jax has no GPU: {error}")
    assert np.array_equal(np.asarray(theirs), observations.cpu().numpy())


def test_nothing_waits_for_the_gpu():
    envs = make(autoreset_mode="SAME_STEP", frame_stack=2)
    single = make(obs_type="state")
    actions = random_actions(4)
    envs.step(actions[0])
    with no_waiting():
        for row in actions:
            envs.step(row)
            assert set(single.step(row)[4]) >= {"score", "_score", "tick"}
        single.rollout(actions)


# Streams, graphs, threads, devices ---------------------------------------------------------------


def test_a_stream_of_the_user_gives_the_same():
    wanted, hashes = played(50)
    envs, stream = make(), torch.cuda.Stream()
    actions = random_actions(50)
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for row in actions[:25]:
            envs.step(row)
    for row in actions[25:30]:  # on the default one again: it waits by itself
        envs.step(row)
    with torch.cuda.stream(stream):
        for row in actions[30:]:
            observations = envs.step(row)[0]
        seen = observations.clone()
    stream.synchronize()
    assert torch.equal(seen, wanted)
    assert envs.state_hash().tolist() == hashes


def test_a_step_can_be_captured_in_a_graph():
    _, hashes = played(40)
    envs, actions = make(), random_actions(40)
    given = actions[0].clone()
    graph = torch.cuda.CUDAGraph()
    before = envs.snapshot()
    with torch.cuda.graph(graph):
        observations, rewards, *_ = envs.step(given)
    envs.restore(before)  # capturing runs nothing, but let us be sure
    for row in actions:
        given.copy_(row)
        graph.replay()
    assert envs.state_hash().tolist() == hashes
    assert torch.equal(observations, played(40)[0])
    assert rewards.shape == (N,)


def test_environments_of_two_streams_do_not_disturb_each_other():
    wanted = [played(60, seed=seed)[1] for seed in (0, 100)]
    envs = [make(seed=seed) for seed in (0, 100)]
    streams = [torch.cuda.Stream(), torch.cuda.Stream()]
    actions = random_actions(60)
    for stream in streams:
        stream.wait_stream(torch.cuda.current_stream())
    for row in actions:
        for one, stream in zip(envs, streams, strict=True):
            with torch.cuda.stream(stream):
                one.step(row)
    assert [one.state_hash().tolist() for one in envs] == wanted


def test_a_training_loop_beside_it_gets_right_pictures():
    wanted, _ = played(30)
    envs = make()
    net = torch.nn.Linear(64 * 64 * 3, 12).cuda()
    optimiser = torch.optim.SGD(net.parameters(), 1e-3)
    for row in random_actions(30):
        observations = envs.step(row)[0]
        loss = net(observations.flatten(1).float() / 255).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.equal(observations, wanted)


def test_another_thread_can_step_them():
    _, hashes = played(30)
    envs, failures = make(), []

    def work() -> None:
        try:
            for row in random_actions(30):
                envs.step(row)
            torch.cuda.synchronize()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not failures
    assert envs.state_hash().tolist() == hashes


def test_another_gpu_gives_the_same():
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU only: NOT tested on a second one")
    observations, hashes = played(20)
    other = make(device="cuda:1")
    with pytest.raises(InvalidActionError, match="must be on cuda:1"):
        other.step(random_actions(1)[0])
    for row in random_actions(20):
        seen = other.step(row.to("cuda:1"))[0]
    assert seen.device == torch.device("cuda:1")
    assert torch.equal(seen.cpu(), observations.cpu())
    assert other.state_hash().tolist() == hashes
    assert torch.cuda.current_device() == 0


def test_a_gpu_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"device='cuda:99' was asked for and there are \d"):
        MirageVectorEnv(1, device="cuda:99")


# Processes ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:.*fork")  # that threads do not survive it
def test_a_forked_process_is_told_why_it_cannot():
    make().step(random_actions(1)[0])
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            MirageVectorEnv(1, backend="cuda")
        except BackendUnavailableError as error:
            os.write(write, str(error).encode())
        MirageVectorEnv(1, output="torch").reset(seed=0)  # auto takes the CPU
        os.write(write, b" and went on")
        os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    said = os.read(read, 10_000).decode()
    assert "forked" in said
    assert "'spawn'" in said
    assert said.endswith("went on")


PROGRAM = """
import torch
from mirage_env import MirageVectorEnv
{before}
envs = MirageVectorEnv(8, backend="cuda", output="torch")
envs.reset(seed=0)
for _ in range(10):
    envs.step(torch.zeros(8, dtype=torch.int64, device="cuda"))
{after}
print("done")
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("torch.zeros(1, device='cuda')", "hashes = envs.state_hash(); envs.close()"),
        ("side = torch.cuda.Stream(); torch.cuda.set_stream(side)", ""),
        ("import threading", "t = threading.Thread(target=envs.observe); t.start(); t.join()"),
    ],
)
def test_a_process_ends_without_a_word(before, after):
    program = PROGRAM.format(before=before, after=after)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("done")
    assert done.stderr == ""


@contextmanager
def little_memory_left() -> Iterator[None]:
    """Let PyTorch take no more than 100 MB of the GPU's memory beyond what it has now."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + (100 << 20)) / total)
    try:
        yield
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.alone
def test_a_thousand_environments_leave_nothing_behind():
    def one() -> None:
        envs = make(4, frame_stack=2)
        envs.step(random_actions(1, 4)[0])
        envs.close()

    def used() -> tuple[int, int]:
        gc.collect()
        torch.cuda.synchronize()
        free, _ = torch.cuda.mem_get_info()
        return torch.cuda.memory_allocated(), free

    for _ in range(20):
        one()
    allocated, free = used()
    for _ in range(1000):
        one()
    now, still_free = used()
    assert now == allocated
    assert free - still_free < 32 << 20


def test_too_many_arenas_for_the_memory_say_so_and_leave_it_usable():
    with little_memory_left():
        with pytest.raises(MemoryError, match="arenas do not fit in the GPU's memory"):
            MirageVectorEnv(2**18, backend="cuda", output="torch")
        played(2)


def test_when_pictures_do_not_fit_a_step_changes_nothing():
    envs = make(2**16)
    actions = random_actions(1, 2**16)[0]
    envs.step(actions)
    before = envs.state_hash().tolist()
    with little_memory_left(), pytest.raises(torch.OutOfMemoryError):
        envs.step(actions)
    assert envs.state_hash().tolist() == before
    envs.step(actions)


# The compiler and its cache -----------------------------------------------------------------------


def test_without_a_compiler_the_cache_serves_and_without_both_it_says_so(monkeypatch, tmp_path):
    played(1)  # The cache now holds it.
    monkeypatch.setattr(cuda, "_loaded", {})
    monkeypatch.setattr(cuda_build, "nvcc", lambda: None)
    played(1)
    monkeypatch.setattr(cuda, "_loaded", {})
    monkeypatch.setattr(cuda_build, "cache_folder", lambda: tmp_path)
    with pytest.raises(BackendUnavailableError, match=r"nvcc, which compiles .* install the CUDA"):
        make()


def test_code_that_the_driver_refuses_is_an_unavailable_backend(monkeypatch):
    monkeypatch.setattr(cuda, "_loaded", {})
    monkeypatch.setattr(cuda, "fatbin", lambda *_: b"no code at all, but long enough" * 10)
    with pytest.raises(BackendUnavailableError, match="driver refuses the kernels"):
        make()
