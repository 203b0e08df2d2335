"""How fast the CUDA backend steps and draws on one GPU, beside what its memory can take.

    python -m benchmarks.gpu                  # prints the tables
    python -m benchmarks.gpu --save           # and writes benchmarks/results/gpu.json and gpu.png

Frames are stepped and drawn through the public step() of the vector environment, with random
actions that are already on the device, autoreset on. "memset" fills a buffer of the same size with
zeros, in turn with the steps: no program that writes these pictures to memory can be faster.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from benchmarks.measure import Rate, gpu, median_rate, print_table, save
from mirage_env import MirageVectorEnv
from mirage_env.backends.cuda_world import CudaWorld
from mirage_env.rules import Rules, tuning
from mirage_env.simulator import SimulatorConfig

CURVE = tuple(2**k for k in range(0, 19))


@dataclass(frozen=True)
class Contestant:
    """Something to time: `work` launches `units` units of it and returns at once."""

    name: str
    unit: str
    units: int
    work: Callable[[], Any]


def actions(num_envs: int, steps: int = 16) -> Any:
    return torch.randint(0, 12, (steps, num_envs), device="cuda")


def warm(envs: MirageVectorEnv, steps: int = 300) -> MirageVectorEnv:
    """Play until the arenas are at all stages of the game."""
    envs.reset(seed=0)
    held = actions(envs.num_envs)
    for t in range(steps):
        envs.step(held[t // 8 % 16])
    return envs


def stepping(num_envs: int, name: str = "", **kwargs: Any) -> Contestant:
    envs = warm(MirageVectorEnv(num_envs, backend="cuda", output="torch", **kwargs))
    rows = actions(num_envs).unbind(0)

    def work() -> None:
        for row in rows:
            envs.step(row)

    return Contestant(
        name or f"step(), {num_envs:,} arenas", "frames/s", num_envs * len(rows), work
    )


def rolling(num_envs: int, steps: int = 32) -> Contestant:
    envs = warm(MirageVectorEnv(num_envs, backend="cuda", output="torch"))
    rows = actions(num_envs, steps)
    return Contestant(
        f"rollout() of {steps} steps, {num_envs:,} arenas",
        "frames/s",
        num_envs * steps,
        lambda: envs.rollout(rows),
    )


def graphed(num_envs: int, steps: int = 16) -> Contestant:
    """The same steps captured once in a CUDA graph and replayed."""
    envs = warm(MirageVectorEnv(num_envs, backend="cuda", output="torch"))
    rows = actions(num_envs, steps).unbind(0)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for row in rows:
            envs.step(row)

    def work() -> None:
        graph.replay()
        _ = envs, rows  # which the graph reads and writes

    return Contestant(
        f"step() in a CUDA graph, {num_envs:,} arenas", "frames/s", num_envs * steps, work
    )


def heavy(num_envs: int) -> Contestant:
    """Arenas of 20 rocks and 8 bullets, drawn again and again as they are."""
    envs = crowded(num_envs)
    world = envs.simulator
    frames = torch.empty((num_envs, 64, 64, 3), dtype=torch.uint8, device="cuda")
    row = torch.zeros(num_envs, dtype=torch.int64, device="cuda")
    start = world.arenas.clone()

    def work() -> None:
        # The ticks that follow the same crowded moment; it is put back every fourth one.
        world.arenas.copy_(start)
        for _ in range(4):
            world.step(row, frames)

    return Contestant(
        f"step(), {num_envs:,} arenas of 20 rocks, 8 bullets", "frames/s", 4 * num_envs, work
    )


def crowded(num_envs: int) -> MirageVectorEnv:
    envs = MirageVectorEnv(num_envs, backend="cuda", output="torch")
    envs.reset(seed=0)
    rng, state = np.random.default_rng(0), envs.state()
    n, places = num_envs, 2**32
    for name, slots, count in (("rock", 24, 20), ("bullet", 8, 8)):
        for axis in "xy":
            where = rng.integers(0, places, (n, slots), dtype=np.uint32)
            where[:, count:] = 0
            state[f"{name}_{axis}"] = where
    sizes = np.zeros((n, 24), np.uint8)
    sizes[:, :20] = np.array([2] * 4 + [1] * 16, np.uint8)  # the most that six large ones leave
    state["rock_size"], state["rock_angle"] = sizes, np.where(sizes > 0, state["rock_angle"], 0)
    for name in ("rock_vx", "rock_vy", "rock_spin"):
        state[name] = np.where(sizes > 0, state[name], 0)
    state["bullet_life"] = np.full((n, 8), 24, np.uint8)
    state["wave_timer"] = np.zeros(n, np.uint8)
    state["shield"] = np.full(n, 60, np.uint8)
    envs.set_state(state)
    return envs


def unseen(num_envs: int) -> Contestant:
    """The rules alone: nothing is drawn, nothing is shown."""
    rows = np.tile(np.array(tuning(Rules()), np.int32), (num_envs, 1))
    world = CudaWorld(SimulatorConfig(rows))
    world.reset(np.arange(num_envs, dtype=np.uint64))
    given = actions(num_envs, 4).unbind(0)
    for t in range(300):
        world.step(given[t // 8 % 4])

    def work() -> None:
        for row in given:
            world.step(row)

    return Contestant(
        f"simulator alone, {num_envs:,} arenas", "steps/s", len(given) * num_envs, work
    )


def memset(num_envs: int, size: int = 64) -> Contestant:
    shape = (num_envs, size, size, 3)
    buffers = [torch.empty(shape, dtype=torch.uint8, device="cuda") for _ in range(2)]

    def work() -> None:
        for _ in range(8):
            for buffer in buffers:
                buffer.zero_()

    name = f"memset of as many bytes, {num_envs:,} frames"
    name += f" of {size}x{size}" if size != 64 else ""
    return Contestant(name, "frames/s", 16 * num_envs, work)


def race(contestants: list[Contestant], rounds: int, seconds: float) -> dict[str, Rate]:
    """Time contestants in turns; each turn launches for `seconds` and waits for the last."""
    found: dict[str, list[float]] = {c.name: [] for c in contestants}
    for contestant in contestants:
        contestant.work()
    for _ in range(rounds):
        for contestant in contestants:
            torch.cuda.synchronize()
            done, start = 0, time.perf_counter()
            while time.perf_counter() - start < seconds:
                for _ in range(4):
                    contestant.work()
                done += 4 * contestant.units
                if done > 40 * contestant.units:
                    torch.cuda.synchronize()  # or the queue of launches would never end
            torch.cuda.synchronize()
            found[contestant.name].append(done / (time.perf_counter() - start))
    return {c.name: median_rate(c.name, c.unit, found[c.name]) for c in contestants}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn")
    parser.add_argument("--curve", action="store_true", help="1 to 262,144 arenas, with a plot")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/gpu.json")
    options = parser.parse_args()

    figures: dict[str, Rate] = {}
    ratios: dict[str, float] = {}
    print(gpu())
    for n in (512, 4096, 65536):
        group = [stepping(n), memset(n)]
        if n == 512:
            group += [
                rolling(n),
                graphed(n),
                stepping(n, f"step(), {n:,} arenas, copy=False", copy=False),
            ]
        if n == 65536:
            torch.cuda.reset_peak_memory_stats()
            group += [
                heavy(n),
                stepping(n, f"step(), {n:,} arenas, grayscale", obs_type="grayscale"),
                stepping(n, f"step(), {n:,} arenas, state vectors", obs_type="state"),
            ]
        figures |= race(group, options.rounds, options.seconds)
        ours, limit = figures[group[0].name].median, figures[group[1].name].median
        ratios[f"step() / memset, {n:,} arenas"] = ours / limit
        del group
        torch.cuda.empty_cache()
    others = [
        stepping(16384, "step(), 16,384 arenas, 84x84", obs_size=84),
        memset(16384, 84),
        unseen(2**20),
    ]
    figures |= race(others, options.rounds, options.seconds)
    del others
    print_table(figures)
    for name, ratio in ratios.items():
        print(f"{name}: {ratio:.3f}")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    stepping(65536).work()
    ratios["peak memory of 65,536 arenas, GB"] = torch.cuda.max_memory_allocated() / 1e9
    print(f"peak memory, 65,536 arenas: {ratios['peak memory of 65,536 arenas, GB']:.2f} GB")
    if options.curve:
        # Of what is in both, the figure of the longer turns is kept.
        figures = curve(options.rounds, options.seconds, options.save) | figures
    if options.save:
        print(f"wrote {save('gpu', figures, ratios, gpu())}")


def curve(rounds: int, seconds: float, saving: bool) -> dict[str, Rate]:
    """Time 1 to 262,144 arenas, one step a call and 32; plot them."""
    figures: dict[str, Rate] = {}
    for n in CURVE:
        group = [stepping(n), memset(n)]
        if n * 32 * 12288 < 8 << 30:
            group.append(rolling(n))
        figures |= race(group, max(2, rounds // 2), seconds / 2)
        del group
        torch.cuda.empty_cache()
    print_table(figures)
    if saving:
        plot(figures)
    return figures


def plot(figures: dict[str, Rate]) -> None:
    import matplotlib  # pyright: ignore[reportMissingImports]

    matplotlib.use("agg")
    from matplotlib import pyplot  # pyright: ignore[reportMissingImports]

    from benchmarks.measure import RESULTS

    lines = {
        "memset": ("memset of as many bytes, {:,} frames", "0.6"),
        "rollout() of 32 steps": ("rollout() of 32 steps, {:,} arenas", "#c8623a"),
        "step()": ("step(), {:,} arenas", "#2a6fb0"),
    }
    figure, axes = pyplot.subplots(figsize=(7, 4.2), dpi=120)
    for label, (name, colour) in lines.items():
        points = [(n, figures[name.format(n)].median) for n in CURVE if name.format(n) in figures]
        axes.plot(*zip(*points, strict=True), "o-", ms=3, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="arenas", ylabel="frames a second, 64x64x3")
    axes.set_xticks([n for n in CURVE if n in (1, 16, 256, 4096, 65536, 262144)])
    axes.set_xticklabels(["1", "16", "256", "4,096", "65,536", "262,144"])
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    axes.set_title(torch.cuda.get_device_name(), fontsize=10)
    figure.tight_layout()
    figure.savefig(RESULTS / "gpu.png")


if __name__ == "__main__":
    main()
