"""Train a model, on a GPU in less than half an hour; on a CPU it works too, slowly.

Example: mirage train v1

Example: mirage train v1 --preset 4gb

Example: mirage train v1 --resume --budget.minutes 8.5

On two GPUs: torchrun --standalone --nproc-per-node 2 -m mirage_wm.train v1

RUN names the model that it makes: v1 (a regression), v2 (diffusion), or v1-random and v2-random,
which learn the game in which rocks split at random. With --budget.minutes a run is made in parts,
each of which resumes the one before; Ctrl-C saves and stops. Data is played while the model learns,
see `mirage_wm.windows`. A run writes to its folder: "checkpoint-…pt" to go on from, the averaged
weights so far as "NAME.safetensors" with their card, "log.csv", and tensorboard's files where asked
for.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Annotated, Any

from mirage_env.command_line import ended, parsed, refuse, stop_signals
from mirage_env.errors import import_extra

for module in ("torch", "tqdm", "tyro", "safetensors", "PIL"):  # If one is missing, says so.
    import_extra(module, "wm", "training")

import torch  # noqa: E402
from tqdm import tqdm  # noqa: E402
from tyro.conf import Positional, arg  # noqa: E402

from mirage_wm.held_out import films  # noqa: E402
from mirage_wm.parallel import join, leave  # noqa: E402
from mirage_wm.predictors import chosen_device  # noqa: E402
from mirage_wm.schedule import RunningBudget  # noqa: E402
from mirage_wm.train_config import PRESETS, RUNS, TrainConfig, named_run  # noqa: E402
from mirage_wm.trainer import Trainer  # noqa: E402
from mirage_wm.training_log import TrainingLog  # noqa: E402

__all__ = ["asked", "main", "train"]

PROG = "mirage train"


@dataclass(frozen=True)
class _Choice:
    """What decides what the other options begin with.

    Attributes:
        run: The model to make.
        preset: "4gb" does with that much of a GPU's memory and without a compiler.
    """

    run: Annotated[str, Positional, arg(metavar="[RUN]", help=f"One of {', '.join(RUNS)}.")] = "v1"
    preset: Annotated[str, arg(metavar=f"{{{','.join(PRESETS)}}}")] = "full"


@dataclass(frozen=True)
class Train(TrainConfig, _Choice):
    """All that can be asked for, as the command line has it."""


def train(config: TrainConfig, began: float | None = None) -> Trainer:
    """Train as `config` says; return the trainer at the end (closed).

    Args:
        config: The run.
        began: When this call began by `time.monotonic`, if its minutes count from before now.

    Raises:
        ValueError: If what is asked for cannot be, or the GPU has too little memory for it.
        FloatingPointError: If the loss or the weights are no numbers any more.
    """
    began = time.monotonic() if began is None else began
    try:
        trainer = Trainer(config, join(chosen_device(config.device)))
        try:
            with stop_signals() as stopped:
                _loop(trainer, config.budget.start(trainer.progress, trainer.step, began), stopped)
                if trainer.group.first:
                    trainer.save()
        finally:
            trainer.store.close()
    except torch.OutOfMemoryError as error:
        raise ValueError(_too_little_memory(config)) from error
    finally:
        leave()
    return trainer


def _too_little_memory(config: TrainConfig) -> str:
    """Return what to do where a GPU has too little memory for a run."""
    small = named_run("v1", "4gb")
    ring, least = (c.data.frame_bytes() / 1e9 for c in (config, small))
    told = (
        "the GPU has too little memory for this run, whose frames alone take "
        f"{ring:.1f} GB (--data.chunks) beside batches of {config.batch} (--batch)"
    )
    if ring > least or config.batch > small.batch:
        return f"{told}: --preset 4gb fits into 4 GB"
    return f"{told}: no preset needs less; take a smaller --batch and fewer --data.chunks"


def _loop(trainer: Trainer, budget: RunningBudget, stopped: Callable[[], bool]) -> None:
    config, group = trainer.config, trainer.group
    if not group.first:
        _follow(trainer)
        return
    watched = None
    if config.validate_films:
        watched = films(config.validate_films, 10, config.rules).to(trainer.device)
    losses = torch.zeros(3)
    log = TrainingLog(config, trainer.step)
    saved = measured = time.monotonic()
    with tqdm(
        total=100, unit="%", disable=None, bar_format="{l_bar}{bar}| {elapsed}{postfix}"
    ) as bar:
        while (progress := budget.progress(trainer.step)) < 1:
            if trainer.between and (stopped() or budget.spent(trainer.step)):
                break
            losses = trainer.train_step(group.agreed(progress))
            bar.update(100 * trainer.progress - bar.n)
            now = time.monotonic()
            if now - measured > config.validate_seconds:
                log.write(trainer, losses, watched, bar)
                measured = time.monotonic()
            if now - saved > config.save_seconds and trainer.between:
                trainer.save()
                saved = time.monotonic()
        group.agreed(None)
        if trainer.step > log.step:
            trainer.progress = budget.progress(trainer.step)
            log.write(trainer, losses, watched, bar)
    log.close()


def _follow(trainer: Trainer) -> None:
    """Step as the first process of the group does, until it says that there is no more."""
    while (progress := trainer.group.agreed(None)) is not None:
        trainer.train_step(progress)


def main(argv: Sequence[str] | None = None) -> int:
    """Train from the command line; return the exit code."""
    began = time.monotonic()

    def work() -> None:
        config = asked(list(sys.argv[1:] if argv is None else argv))
        trainer = train(config, began)
        if not trainer.group.first:
            return
        print(
            f"{trainer.step} steps, {trainer.progress:.1%} of the run; "
            f"weights in {config.out / config.name}.safetensors"
        )

    return ended(work, FloatingPointError)


def asked(arguments: list[str]) -> TrainConfig:
    """Return the run that arguments ask for: its name, the preset, and what is to differ."""
    choice = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    choice.add_argument("--preset", nargs="?", default="full", const="full")
    preset = choice.parse_known_args(arguments)[0].preset
    first = bool(arguments) and not arguments[0].startswith("-")
    run = arguments.pop(0) if first else "v1"
    config = _parsed(arguments, run, preset)
    if config.run != run:  # It stands behind options: only now it is told from their values.
        if first:
            refuse(PROG, f"there can be one run at a time, got {run} and {config.run}")
        config = _parsed(arguments, config.run, preset)
    if config.preset == "4gb" and config.device == "auto" and chosen_device("auto") == "cpu":
        refuse(
            PROG,
            "--preset 4gb is for a GPU with little memory, and PyTorch finds none here: add "
            "--device cpu to train on the CPU, slowly",
        )
    return TrainConfig(**_values(config))


def _parsed(arguments: list[str], run: str, preset: str) -> Train:
    """Return what arguments ask for where a run and a preset say what the others begin with."""
    try:
        named = Train(run=run, preset=preset, **_values(named_run(run, preset)))
    except ValueError as error:
        refuse(PROG, error)
    return parsed(Train, arguments, PROG, description=__doc__, default=named)


def _values(config: TrainConfig) -> dict[str, Any]:
    return {field.name: getattr(config, field.name) for field in fields(TrainConfig)}


if __name__ == "__main__":
    raise SystemExit(main())
