"""How fast a dream is stepped, through the public step() of its vector environment.

    python -m benchmarks.dream                                   # on the CPU, v1 and v2
    python -m benchmarks.dream --runtimes native onnx torch      # on the CPU, by what runs them
    python -m benchmarks.dream --views 1 4                       # and in four views
    python -m benchmarks.dream --device cuda --compiled --batches 1 4096 --save

A frame is a step of one dream: every evaluation of the model, reward, ending and picture. On a GPU
the results stay there (output="torch"), and the clock stops when it has finished. In the same run a
denoiser of DIAMOND's published size and shape draws frames in three evaluations, in the same
precision and as a CUDA graph too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from itertools import product

import numpy as np
import torch

from benchmarks.diamond import DiamondDenoiser, draw
from benchmarks.measure import gpu, print_table, rates, save
from mirage_wm import DreamVectorEnv
from mirage_wm.cuda_graph import Graphs
from mirage_wm.predictors import chosen_device
from mirage_wm.weights import read_card

Work = Callable[[], int]

CALLS = 16
"""Steps between two looks at the clock, on a GPU."""


def dreams(
    num_envs: int,
    model: str,
    device: str,
    runtime: str,
    steps: int | None,
    views: int,
    compiled: bool,
) -> Work:
    """Step dreams with random actions; an episode that ends begins anew."""
    on_gpu = device != "cpu"
    envs = DreamVectorEnv(
        num_envs,
        model=model,
        device=device,
        runtime=runtime,
        steps=steps,
        views=views,
        compiled=compiled,
        output="torch" if on_gpu else "numpy",
    )
    envs.reset(seed=0)
    rng = np.random.default_rng(0)
    given = torch.from_numpy(rng.integers(0, 12, (CALLS, num_envs)))
    if on_gpu:
        given = given.to(device)

    def work() -> int:
        if not on_gpu:
            envs.step(rng.integers(0, 12, num_envs))
            return num_envs
        for actions in given:
            envs.step(actions)
        torch.cuda.synchronize()
        return CALLS * num_envs

    return work


def diamond(num_envs: int, device: str, compiled: bool) -> Work:
    """Draw frames by a net as large as DIAMOND's."""
    torch.manual_seed(0)
    net = DiamondDenoiser().to(device).eval().requires_grad_(False)
    if device != "cpu":
        net = net.to(memory_format=torch.channels_last).half()  # type: ignore[call-overload]
    step = Graphs(
        lambda seen, actions, noise: (draw(net, seen, actions, noise),),
        torch.device(device),
        compiled=compiled and device != "cpu",
    )
    seen = torch.zeros(num_envs, 4, 64, 64, 3, dtype=torch.uint8, device=device)
    actions = torch.zeros(num_envs, 4, dtype=torch.long, device=device)
    noise = torch.randn(num_envs, 3, 64, 64, device=device)

    def work() -> int:
        if device == "cpu":
            step(seen, actions, noise)
            return num_envs
        for _ in range(CALLS):
            step(seen, actions, noise)
        torch.cuda.synchronize()
        return CALLS * num_envs

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="+", default=["v1", "v2"], help="which models")
    parser.add_argument("--device", default="auto", help='"cpu", "cuda" or "auto"')
    parser.add_argument("--runtimes", nargs="+", default=["auto"], help="what runs them")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="dreams together")
    parser.add_argument("--steps", type=int, nargs="+", default=[1, 2, 3, 4], help="of v2")
    parser.add_argument("--views", type=int, nargs="+", default=[1], help="looks that are averaged")
    parser.add_argument("--compiled", action="store_true", help="compile the nets first")
    parser.add_argument("--no-diamond", action="store_true", help="without the comparison")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each contestant takes")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a turn")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/dream-….json")
    options = parser.parse_args()

    device = chosen_device(options.device)
    contestants: dict[str, tuple[str, Work]] = {}

    def enter(name: str, make: Callable[[], Work]) -> None:
        began = time.monotonic()
        work = make()
        work()  # compiles
        contestants[name] = ("frames/s", work)
        print(f"{name}: ready after {time.monotonic() - began:.1f} s", flush=True)

    for n in options.batches:
        for model in options.models:
            draws = read_card(model).kind == "diffusion"
            steps_of: list[int | None] = options.steps if draws else [None]
            views_of: list[int] = options.views
            runtimes: list[str] = options.runtimes
            for steps, views, runtime in product(steps_of, views_of, runtimes):
                name = f"dream {model}{f', {steps} evaluations' if draws else ''}"
                name += f", {views} views" if views > 1 else ""
                name += f", batch {n}" + (f", by {runtime}" if runtime != "auto" else "")
                how = (runtime, steps, views, options.compiled)
                enter(name, partial(dreams, n, model, device, *how))
        if not options.no_diamond:
            name = f"denoiser as large as DIAMOND's, 3 evaluations, batch {n}"
            enter(name, partial(diamond, n, device, options.compiled))
    figures = rates(contestants, options.rounds, options.seconds)
    print_table(figures)
    if options.save:
        kind = "cpu" if device == "cpu" else "gpu"
        print(f"wrote {save(f'dream-{kind}', figures, {}, gpu() if kind == 'gpu' else None)}")


if __name__ == "__main__":
    main()
