"""Measure dreams on play that no model was trained on, beside each other and the game itself.

Example: mirage evaluate --model v1

Example: mirage evaluate --model v1 runs/mine/mine.safetensors --quick --out runs/comparison

How like the game a dream is frame by frame, and how like it could be (the ceiling); which rules it
keeps; whether it does what the keys say; what has become of it after ten seconds and ten minutes,
and how fast it dreams. Dreams of minutes come last: before them a report without them is written.
Models that learned other rules are measured on those. The model "simulator" is the game with other
random numbers: what a perfect model gets. On a GPU a model takes some minutes; without one --quick
is the default.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirage_env import checks
from mirage_env.command_line import ended, parsed
from mirage_env.errors import import_extra
from mirage_env.rules import Rules
from mirage_env.whole_file import check_place, write_together

for _module in ("torch", "safetensors", "tqdm", "PIL"):  # Says so clearly where one is missing.
    import_extra(_module, "wm", "evaluation")

from tqdm import tqdm  # noqa: E402

from mirage_wm.evaluation.measure import (  # noqa: E402
    FULL,
    QUICK,
    CheckerError,
    Sizes,
    measure,
    measure_long,
)
from mirage_wm.evaluation.page import page  # noqa: E402
from mirage_wm.evaluation.report import Report  # noqa: E402
from mirage_wm.evaluation.speed import frames_per_second  # noqa: E402
from mirage_wm.evaluation.tables import card_figures, summary  # noqa: E402
from mirage_wm.evaluation.worlds import Contestant, Dreamer, Game  # noqa: E402
from mirage_wm.model_card import write_card_page  # noqa: E402
from mirage_wm.predictors import chosen_device, make_predictor  # noqa: E402
from mirage_wm.recorder import play_in_one_thread  # noqa: E402
from mirage_wm.sampler import Sampler  # noqa: E402
from mirage_wm.views import checked_views  # noqa: E402
from mirage_wm.weights import card_path, read_card  # noqa: E402

__all__ = ["SIMULATOR", "EvaluateConfig", "evaluate", "main"]

SIMULATOR = "simulator"
"""The name of the game among the models."""
PAD = 32
"""On a GPU dreams are predicted in multiples of so many."""
OTHER_CHANCE = 101
"""Random numbers of the game as a model: neither those of the branches nor the real ones."""


@dataclass(frozen=True)
class EvaluateConfig:
    """An evaluation.

    Attributes:
        model: Models that come with the project, files of weights, or "simulator". NAME@2 draws
            each frame of a diffusion model in 2 steps, NAME@1x4 and NAME@2x4 take the mean of
            four looks at the same frames (`mirage_wm.views`).
        device: "cuda", "cpu", or "auto": the GPU if there is one.
        quick: Measure little: the default without a GPU.
        full: Measure all: the default on a GPU; hours without one.
        scenes: Scenes of each rule; 0 leaves it to --quick or --full.
        long: Dreams of ten minutes; -1 leaves it to --quick (none) or --full.
        seconds: How long these are; 0 leaves it to --quick or --full.
        batch: Dreams at a time; 0 leaves it to --quick or --full.
        minutes: Shorten the dreams of minutes, or leave them out, so that all takes about as long.
        out: Write the figures to OUT.json and the page to OUT.html.
        write_card: Write the figures to each model's card too, and its page.
    """

    model: tuple[str, ...] = ("v1",)
    device: str = "auto"
    quick: bool = False
    full: bool = False
    scenes: int = 0
    long: int = -1
    seconds: int = 0
    batch: int = 0
    minutes: float = float("inf")
    out: Path = Path("runs/evaluation")
    write_card: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for what cannot be."""
        if not self.model:
            raise ValueError("model must be one name at least, got none")
        for model in self.model:
            _, steps, views = parted(model)
            Sampler(steps=steps or 1)
            checked_views(views or None)
        checks.device_name(self.device)
        if self.quick and self.full:
            raise ValueError("quick and full cannot both be: take one of them")
        if not self.minutes > 0:
            raise ValueError(f"minutes must be greater than 0, got {self.minutes}")
        self.sizes(gpu=False)

    def sizes(self, gpu: bool) -> Sizes:
        """Return how much is measured, with or without a GPU."""
        sizes = QUICK if self.quick or not (gpu or self.full) else FULL
        changes = {
            **({"scenes": self.scenes} if self.scenes else {}),
            **({"long": self.long} if self.long != -1 else {}),
            **({"seconds": self.seconds} if self.seconds else {}),
            **({"batch": self.batch} if self.batch else {}),
        }
        return replace(sizes, **changes)


def evaluate(
    config: EvaluateConfig,
    sizes: Sizes | None = None,
    so_far: Callable[[Report], object] = lambda report: None,
) -> Report:
    """Measure models.

    Args:
        config: Which, and where.
        sizes: How much; left to `config` by default.
        so_far: Is given a report without the dreams of minutes, before they begin.

    Raises:
        ValueError: For a device or a model that cannot be used.
        CheckerError: If a test of the rules is wrong.
    """
    device = chosen_device(config.device)
    gpu = device.startswith("cuda")
    sizes = sizes or config.sizes(gpu)
    began = time.monotonic()
    if gpu:
        play_in_one_thread()
    with tqdm(unit=" frames", unit_scale=True, dynamic_ncols=True, disable=None) as bar:
        groups = load(config.model, device, PAD if gpu else 1, bar.update)
        some = [one for contestants, _ in groups.values() for one in contestants.values()]
        bar.total = sizes.frames() * sum(isinstance(one, Dreamer) for one in some) or None
        for contestants, known in groups.values():
            for name, one in contestants.items():
                if isinstance(one, Dreamer):
                    bar.set_description(f"speed of {name}")
                    known[name]["frames_per_second"] = frames_per_second(one)
        measured = []
        for rules, (contestants, _) in groups.items():
            measured.append(measure(contestants, rules, sizes, bar.set_description))
        known = {name: facts for _, models in groups.values() for name, facts in models.items()}

        def report() -> Report:
            return Report.of(measured, known, sizes, time.monotonic() - began, gpu)

        if sizes.long:
            so_far(report())
            for i, (rules, (contestants, _)) in enumerate(groups.items()):
                left = 60 * config.minutes - (time.monotonic() - began)
                share = left / (len(groups) - i)
                say = bar.set_description
                measure_long(measured[i], contestants, rules, sizes, say, share)
    return report()


Group = tuple[dict[str, Contestant], dict[str, dict[str, Any]]]


def load(models: Sequence[str], device: str, pad: int, progress: Any) -> dict[Rules, Group]:
    """Load models; return by rules the contestants, and what the report says of each.

    Raises:
        ValueError: If one cannot be used, or two have the same name.
    """
    groups: dict[Rules, Group] = {}
    names = set()
    for model in models:
        if model == SIMULATOR:
            name, rules = model, Rules()
            contestant: Contestant = Game(rules, OTHER_CHANCE, device)
            facts: dict[str, Any] = {"kind": "the game with other random numbers"}
        else:
            path, steps, views = parted(model)
            predictor = make_predictor(path, device, steps=steps or None, views=views or None)
            card, how = predictor.card, model.removeprefix(path)
            name, rules = card.name + how, card.learned_rules()
            contestant = Dreamer(predictor, pad, progress)
            facts = {
                "kind": card.architecture.get("kind"),
                "sha256": card.sha256,
                "parameters": card.parameters,
                "steps": steps or None,
                **({"views": views} if views else {}),
            }
        if name in names or name in ("game", "copy", "ceiling", "irreducible"):
            raise ValueError(f"two models are called {name!r}, or one as a row of the report is")
        names.add(name)
        contestants, known = groups.setdefault(rules, ({}, {}))
        contestants[name], known[name] = contestant, facts
    return groups


def parted(model: str) -> tuple[str, int, int]:
    """Return a model without the "@STEPS" or "@STEPSxVIEWS" at its end, and these, 0 without."""
    found = re.fullmatch(r"(.*)@([1-9]\d*)(?:x([1-9]\d*))?", model)
    return (found[1], int(found[2]), int(found[3] or 0)) if found else (model, 0, 0)


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate from the command line; return the exit code."""

    def work() -> None:
        config = parsed(EvaluateConfig, argv, "mirage evaluate", description=__doc__)
        for path in targets(config):  # Before the work, if it cannot be.
            check_place(path)
        written: list[Path] = []
        try:
            report = evaluate(config, so_far=lambda report: written.extend(write(report, config)))
        except KeyboardInterrupt:
            kept = (
                f"{written[0]} holds what was measured before" if written else "nothing was written"
            )
            raise KeyboardInterrupt(kept) from None
        print(summary(report.figures))
        for path in write(report, config):
            print(f"wrote {path}")

    return ended(work, CheckerError)


def targets(config: EvaluateConfig) -> list[Path]:
    """Return where the figures and the page go."""
    return [config.out.with_name(config.out.name + end) for end in (".json", ".html")]


def write(report: Report, config: EvaluateConfig) -> list[Path]:
    """Write the report, and the cards where that was asked for; return the paths."""
    paths = targets(config)
    texts = (report.json(), page(report))
    write_together({path: text.encode() for path, text in zip(paths, texts, strict=True)})
    if config.write_card:
        for model in config.model:
            if model != SIMULATOR and not parted(model)[1]:
                path, card = card_path(model), read_card(model)
                replace(card, figures=card_figures(report.figures, card.name)).write(path)
                paths += [path, write_card_page(path)]
    return paths


if __name__ == "__main__":
    raise SystemExit(main())
