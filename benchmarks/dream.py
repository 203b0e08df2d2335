"""How fast a dream is stepped, through the public step() of its vector environment.

    python -m benchmarks.dream               # prints the table
    python -m benchmarks.dream --save        # and writes benchmarks/results/dream.json

A frame is a step of one dream: one evaluation of the model, and the picture as uint8 numpy.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from benchmarks.measure import print_table, rates, save
from mirage_wm import DreamVectorEnv


def dreams(num_envs: int, model: str, device: str) -> Callable[[], int]:
    """Step dreams with random actions; an episode that ends begins anew."""
    envs = DreamVectorEnv(num_envs, model=model, device=device)
    envs.reset(seed=0)
    rng = np.random.default_rng(0)

    def work() -> int:
        envs.step(rng.integers(0, 12, num_envs))
        return num_envs

    return work


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="v1", help="which model")
    parser.add_argument("--device", default="auto", help='"cpu", "cuda" or "auto"')
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16], help="dreams together")
    parser.add_argument("--rounds", type=int, default=5, help="turns that each batch size takes")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a turn")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/dream.json")
    options = parser.parse_args()

    contestants = {
        f"dream {options.model}, batch {n}": (
            "frames/s",
            dreams(n, options.model, options.device),
        )
        for n in options.batches
    }
    figures = rates(contestants, options.rounds, options.seconds)
    print_table(figures)
    if options.save:
        print(f"wrote {save('dream', figures, {})}")


if __name__ == "__main__":
    main()
