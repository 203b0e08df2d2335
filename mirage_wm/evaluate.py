"""Measure a model on play that it was not trained on.

    python -m mirage_wm.evaluate --model v1

    # And write the figures to weights/v1.json and v1.md
    python -m mirage_wm.evaluate --model v1 --write-card

One step from real frames; dreams of 60 frames with the keys that were played, compared frame by
frame (AR PSNR); long dreams; and single steps sorted by what happens in them. Beside each stands
what showing the last frame again would give. Both means are given: that of the PSNR of each frame,
and the PSNR of the mean squared error ("mMSE").
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mirage_env import checks
from mirage_env.errors import import_extra
from mirage_env.rules import RULES_VERSION

for _module in ("torch", "safetensors"):  # Says so clearly where one is missing.
    import_extra(_module, "wm", "evaluation")

import torch  # noqa: E402

from mirage_wm.measurements import (  # noqa: E402
    event_scores,
    horizon_scores,
    long_dreams,
    one_step_scores,
)
from mirage_wm.model_card import write_card_page  # noqa: E402
from mirage_wm.predictors import chosen_device  # noqa: E402
from mirage_wm.regression import Regression  # noqa: E402
from mirage_wm.scores import BEST_PSNR  # noqa: E402
from mirage_wm.seeds import HELD_OUT  # noqa: E402
from mirage_wm.weights import card_path, load_model, read_card  # noqa: E402

__all__ = ["EvaluateConfig", "evaluate", "main", "table"]


@dataclass(frozen=True)
class EvaluateConfig:
    """An evaluation.

    Sizes of 0 are chosen for the device: large on a GPU, a minute of work on a CPU.

    Attributes:
        model: Name of a model that comes with the project, or path of a .safetensors file.
        device: "cuda", "cpu", or "auto": the GPU if there is one.
        one_step: Films for the single steps.
        films: Films for the dreams of `future` frames.
        future: Frames of these dreams.
        long_films: Films for the long dreams.
        long_future: Frames of the long dreams.
        events: Films of each kind of event.
        batch: Films at a time.
        out: Where to write the figures as JSON.
        write_card: Write them to the model's card too, and its page.
    """

    model: str = "v1"
    device: str = "auto"
    one_step: int = 0
    films: int = 0
    future: int = 60
    long_films: int = 0
    long_future: int = 300
    events: int = 0
    batch: int = 256
    out: Path | None = None
    write_card: bool = False

    def __post_init__(self) -> None:
        """Raise `ValueError` for a number that cannot be."""
        for name in ("one_step", "films", "long_films", "events"):
            checks.whole_number(name, getattr(self, name), 0)
        for name in ("future", "long_future", "batch"):
            checks.whole_number(name, getattr(self, name), 1)


def evaluate(model: Regression, config: EvaluateConfig) -> dict[str, Any]:
    """Return the figures of a model, on the device it is on, as nested dicts of plain numbers."""
    gpu = next(model.parameters()).is_cuda
    sizes = {
        "one_step": config.one_step or (4096 if gpu else 1024),
        "films": config.films or (2048 if gpu else 96),
        "long_films": config.long_films or (512 if gpu else 32),
        "events": config.events or (256 if gpu else 64),
    }
    began = time.monotonic()
    return {
        "rules_version": RULES_VERSION,
        "first_seed": HELD_OUT,
        "best_psnr": BEST_PSNR,
        "device": torch.cuda.get_device_name() if gpu else "CPU",
        "torch": torch.__version__,
        "one_step": one_step_scores(model, sizes["one_step"], config.batch),
        "dream": horizon_scores(model, sizes["films"], config.future, config.batch),
        "long": long_dreams(model, sizes["long_films"], config.long_future, config.batch),
        "events": event_scores(model, sizes["events"], config.batch),
        "seconds": round(time.monotonic() - began, 1),
    }


def table(figures: dict[str, Any]) -> str:
    """Return the figures as lines of text."""

    def line(name: str, model: dict[str, Any], copy: dict[str, Any] | None = None) -> str:
        beside = f"   copy {copy['mean_psnr']:5.2f} / {copy['psnr_of_mean']:5.2f}" if copy else ""
        return (
            f"{name:18} {model['mean_psnr']:6.2f} ±{model['mean_psnr_ci']:5.2f} / "
            f"{model['psnr_of_mean']:5.2f}   n {model['n']}{beside}"
        )

    one, dream, far = figures["one_step"], figures["dream"], figures["long"]
    events = figures["events"]
    rows = [
        f"PSNR in dB: mean of the frames' ± 95 % / of the mean squared error; the best is "
        f"{figures['best_psnr']:.1f}",
        line("one step", one["model"], one["copy"]),
        *(
            line(f"frame {k} of a dream", dream["model"][k], dream["copy"][k])
            for k in ("1", "5", "10", "20", "30", "60")
            if k in dream["model"]
        ),
        "one step, by what happens in it:",
        *(
            line(f"  {name}", event)
            + f"   reward right {event['reward_right']:.0%}   ends {event['terminated']:.0%}"
            for name, event in events.items()
        ),
        f"after {far['frames']} frames (n {far['n']}): sharpness {far['sharpness']:.3f} of the "
        f"game's; ship shown in {far['ship_shown']:.1%} (game {far['ship_shown_in_game']:.1%})",
    ]
    return "\n".join(rows)


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate from the command line; return the exit code."""
    tyro = import_extra("tyro", "wm", "the command line")
    config = tyro.cli(EvaluateConfig, args=argv, description=__doc__)
    try:
        model = load_model(config.model, chosen_device(config.device))
        if config.out is not None:  # Before the work that would be lost if it cannot be.
            config.out.parent.mkdir(parents=True, exist_ok=True)
        figures = evaluate(model, config)
        card = read_card(config.model)
        figures = {"model": card.name, "sha256": card.sha256, **figures}
        print(table(figures))
        if config.out is not None:
            config.out.write_text(json.dumps(figures, indent=1) + "\n")
        if config.write_card:
            path = card_path(config.model)
            replace(card, figures=figures).write(path)
            print(f"wrote {path} and {write_card_page(path)}")
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
