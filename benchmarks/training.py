"""How fast a model is trained, and what a step spends its time on.

    python -m benchmarks.training                # on a GPU, compiled: about two minutes
    python -m benchmarks.training --run v2 --save

A window is one step from real frames; in dreams along films a frame of a dream counts as one too.
Below the rates: what the GPU does in a step, by kernel, and the share of the time that it works. If
it rests, the host is too slow to feed it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.measure import Rate, gpu, print_table, save
from mirage_wm.schedule import Budget
from mirage_wm.train_config import PRESETS, RUNS, TrainConfig, named_run
from mirage_wm.trainer import Trainer


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def steps(trainer: Trainer, progress: float, count: int) -> float:
    """Take steps at a point of the schedule; return the seconds of each."""
    synchronize()
    began = time.perf_counter()
    for _ in range(count):
        trainer.train_step(progress)
    synchronize()
    return (time.perf_counter() - began) / count


def rate(name: str, unit: str, amount: float, trainer: Trainer, at: float, count: int) -> Rate:
    steps(trainer, at, trainer.config.reach)  # compiles, and ends dreams that are under way
    found = sorted(amount / steps(trainer, at, count) for _ in range(3))
    return Rate(name, unit, found[1], found[0], found[2])


def kernels(trainer: Trainer, at: float, count: int = 12) -> list[str]:
    """Return lines of what the GPU does in a step."""
    from torch.profiler import ProfilerActivity, profile

    plain = steps(trainer, at, count)
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        steps(trainer, at, count)
    found = [
        (event.self_device_time_total / count / 1000, event.count / count, event.key)
        for event in profiler.key_averages()
        if event.self_device_time_total > 0
    ]
    lines = [
        f"a step takes {1000 * plain:.2f} ms; the GPU works {sum(e[0] for e in found):.2f} ms "
        f"of it in {sum(e[1] for e in found):.0f} kernels"
    ]
    return lines + [
        f"{time:7.3f} ms {times:6.1f} x  {name[:110]}"
        for time, times, name in sorted(found, reverse=True)[:24]
    ]


def windows(trainer: Trainer, count: int = 50) -> dict[str, Rate]:
    """Return the rates of drawing windows and of playing chunks, each alone."""
    store, batch = trainer.store, trainer.config.batch

    def timed(work: Any, amount: int, times: int) -> list[float]:
        found = []
        for _ in range(3):
            synchronize()
            began = time.perf_counter()
            for _ in range(times):
                work()
            synchronize()
            found.append(amount * times / (time.perf_counter() - began))
        return sorted(found)

    data = trainer.config.data
    drawn = timed(lambda: store.sample(batch, 1), batch, count)
    played = timed(store.advance, data.steps * data.arenas, 3)
    return {
        "windows drawn": Rate("windows drawn", "windows/s", drawn[1], drawn[0], drawn[2]),
        "frames played": Rate(
            f"frames played ({data.play})", "frames/s", played[1], played[0], played[2]
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", choices=list(RUNS), default="v1")
    parser.add_argument("--preset", choices=list(PRESETS), default="full")
    parser.add_argument("--compile", choices=["auto", "on", "graphs", "off"], default=None)
    parser.add_argument("--play", choices=["cpu", "gpu"], default="cpu")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--widths", type=int, nargs="+", help="channels of the net's levels")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--save", action="store_true", help="write the figures to results/")
    options = parser.parse_args()
    config: TrainConfig = named_run(options.run, options.preset)
    config = replace(
        config,
        out=Path("/nonexistent"),
        batch=options.batch or config.batch,
        compile=options.compile or config.compile,
        budget=Budget(total_steps=10**6),
        refresh=10**9,
        net=replace(config.net, widths=tuple(options.widths or config.net.widths)),
        data=replace(config.data, burn_in=200, play=options.play),
    )
    trainer = Trainer(config)
    try:
        figures = windows(trainer)
        single, half = config.batch, config.batch // 2
        at = 1 - config.schedule.rollouts / 2
        name = f"{options.run}, batch {config.batch}"
        figures["steps"] = rate(
            f"{name}: single steps", "windows/s", single, trainer, 0.1, options.steps
        )
        lines = kernels(trainer, 0.1) if torch.cuda.is_available() else []
        per_step = half * (1 + trainer.objective.unroll)
        figures["dreams"] = rate(
            f"{name}: along films", "frames/s", per_step, trainer, at, options.steps
        )
    finally:
        trainer.store.close()
    print_table(figures)
    print("\n".join(lines))
    if torch.cuda.is_available():
        print(f"at most {torch.cuda.max_memory_reserved() / 2**30:.2f} GiB of the GPU's memory")
    if options.save:
        device = gpu() if torch.cuda.is_available() else None
        print(f"wrote {save(f'training-{options.run}', figures, {}, device)}")


if __name__ == "__main__":
    main()
