"""A model's page, ``NAME.md``, written from its card by ``python -m mirage_wm.model_card``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from mirage_env.command_line import ended, parsed
from mirage_env.whole_file import write_whole
from mirage_wm.evaluation.tables import named_rules
from mirage_wm.sampler import Sampler
from mirage_wm.weights import Card, card_path, read_card

__all__ = ["PageConfig", "main", "page", "write_card_page"]

HORIZONS = ("1", "5", "10", "20", "30", "60")

HEAD = Template("""\
# $name

A network that has learned Mirage from pixels and keys. From the last $context frames (64x64) and
actions it predicts the next frame, as a change of the last one, the reward and whether the episode
ends. $kind

- **Net**: U-Net on a torus, $parameters parameters, levels of $widths channels, $blocks residual
  blocks a level and way, circular padding throughout, FiLM on $condition. Rewards and endings
  are read off the lowest level.$moves
- **Rules**: $rules. It knows no others.
- **File**: fp16 safetensors, rules version $rules_version, SHA-256
  `$sha256`.
""")

TRAINING = Template("""\
- **Data**: played by the simulator during the training and thrown away, $windows windows, seeds
  below 2^62. A mixture of players presses the keys (random keys, aimed shooting, dodging, fleeing,
  idling$also; `mirage_wm/behaviours.py`), a share of the episodes begins at a later wave with fewer
  lives, and rare events are drawn more often (`mirage_wm/windows.py`).
- **Recipe**: $steps steps of $batch windows on $device$start.
  Squared error, and its logarithm for frames better than 40 dB; $rollouts of the time
  dreams along films$reach$through$stopped.$tints $optimizer, learning rate
  $peak, in the dreams $rollout_peak; averaged weights (decay $ema).
""")

TINTS = " Part of what it saw was tinted, and it had to show what that was."

KINDS = {
    "regression": "It is a regression: it names one frame.",
    "diffusion": f"It is a diffusion model: it draws a frame in {Sampler().steps} evaluations of "
    "its net.",
}

OPTIMIZERS = {"adamw": "AdamW", "muon": "Muon (AdamW for what is no inner convolution)"}

CHANCE = {
    "regression": """\
- It is a regression. Where the next wave appears is drawn by chance and cannot be foretold, so it
  averages over the places, and a dream can lose its rocks once a wave is shot.
""",
    "diffusion": """\
- It draws one of the frames that could come. Where chance decides that is another one than came in
  the game, and by PSNR worse than an average of all.
- Each evaluation costs as much as a whole frame of a regression. In one evaluation it names the
  average, as a regression does.
""",
}

LIMITS = Template("""
## Limits

$chance- Small errors add up: the later frames of a dream are right in kind, not in place.
- Its pictures are of 64x64.
- It tells apart the rewards that one bullet or two can gain in a tick, and no others.
""")

FIGURES = Template("""
## Figures

On held-out play (seeds from 2^62), measured on $device by
`mirage evaluate --write-card`. PSNR in dB of pictures rounded to uint8, at most $best;
intervals of 95 %.

| | mean of the frames' PSNR | PSNR of the mean squared error | n | last real frame shown again |
|---|---|---|---|---|
$rows

After $frames dreamt frames (n = $n): sharpness $sharpness of the game's; the ship, or its
explosion, is to be seen in $shown of dreams (in the game $shown_in_game).
Rewards told exactly: $rewards.
$rules""")

RULES = Template("""
Rules kept, each in $n set-up scenes, read off the pixels (the game itself: 100 % in all): $rules.
""")


@dataclass(frozen=True)
class PageConfig:
    """Write a model's page from its card.

    Attributes:
        model: Name of a model that comes with the project, or path of a .safetensors file.
    """

    model: str = "v1"


def page(card: Card) -> str:
    """Return a model's page as Markdown: what it is, how it was made, what it reaches."""
    head = HEAD.substitute(
        name=card.name,
        kind=KINDS[card.kind],
        condition="the actions" if card.kind == "regression" else "the actions and the noise",
        rules=named_rules(card.rules),
        context=card.architecture["context"],
        parameters=f"{card.parameters:,}",
        widths=", ".join(map(str, card.architecture["widths"])),
        blocks=card.architecture["blocks"],
        moves=_moves(card.architecture.get("kernels", 0)),
        rules_version=card.rules_version,
        sha256=card.sha256,
    )
    limits = LIMITS.substitute(chance=CHANCE[card.kind])
    return head + _training(card.training, card.kind) + _figures(card.figures) + limits


def _moves(kernels: int) -> str:
    return f" Kernels of 3x3 for each pixel move the last {kernels} frames." if kernels else ""


def _training(training: dict[str, Any], kind: str) -> str:
    if not training:
        return ""
    config = training["config"]
    schedule = config["schedule"]
    return TRAINING.substitute(
        also=", an agent that learned to play" if config["data"].get("agent") else "",
        windows=f"{training['windows']:,}",
        steps=f"{training['steps']:,}",
        batch=config["batch"],
        device=training["device"],
        rollouts=f"{schedule['rollouts']:.0%}",
        reach=f" of {config['reach']} frames" if "reach" in config else "",
        through=f", a gradient through {config['rollout']}" if kind == "regression" else "",
        tints=TINTS if config.get("tint") else "",
        stopped=_stopped(training.get("progress", 1.0)),
        start=f", from {training['start']}" if training.get("start") else "",
        peak=f"{schedule['peak']:g}",
        rollout_peak=f"{schedule['rollout_peak']:g}",
        ema=config["ema"],
        optimizer=OPTIMIZERS[config.get("optimizer", "adamw")],
    )


def _stopped(progress: float) -> str:
    return f"; stopped after {progress:.0%} of that" if progress < 1 else ""


def _figures(figures: dict[str, Any]) -> str:
    if not figures:
        return "\nNot evaluated yet: `mirage evaluate --write-card`.\n"
    one, dream, far = figures["one_step"], figures["dream"], figures["long"]
    rows = [_row("one step", one["model"], one["copy"])]
    for k in HORIZONS:
        if k in dream["model"]:
            rows.append(_row(f"frame {k} of a dream", dream["model"][k], dream["copy"][k]))
    rows += [_row(f"one step: {name}", event, None) for name, event in figures["events"].items()]
    told = [
        f"{name} {figures['events'][name]['reward_right']:.0%}"
        for name in ("plain", "large", "medium", "small")
        if name in figures["events"]
    ]
    return FIGURES.substitute(
        device=figures["device"],
        best=f"{figures['best_psnr']:.1f}",
        rows="\n".join(rows),
        frames=far["frames"],
        n=far["n"],
        sharpness=f"{far['sharpness']:.3f}",
        shown=f"{far['ship_shown']:.1%}",
        shown_in_game=f"{far['ship_shown_in_game']:.1%}",
        rewards=", ".join(told),
        rules=_rules(figures.get("rules", {})),
    )


def _rules(rules: dict[str, Any]) -> str:
    if not rules:
        return ""
    return RULES.substitute(
        n=next(iter(rules.values()))["n"],
        rules=", ".join(f"{name} {found['rate']:.0%}" for name, found in rules.items()),
    )


def _row(name: str, model: dict[str, Any], copy: dict[str, Any] | None) -> str:
    half, (low, high) = model["mean_psnr_ci"], model["psnr_of_mean_ci"]
    spread, ends = (
        (", no interval", ", no interval")
        if half is None
        else (f" ± {half:.2f}", f" ({low:.2f} to {high:.2f})")
    )
    beside = f"{copy['mean_psnr']:.2f} / {copy['psnr_of_mean']:.2f}" if copy else ""
    return (
        f"| {name} | {model['mean_psnr']:.2f}{spread} | "
        f"{model['psnr_of_mean']:.2f}{ends} | {model['n']:,} | {beside} |"
    )


def write_card_page(path: Path) -> Path:
    """Write the page beside the card at `path`; return where it is."""
    target = path.with_suffix(".md")
    write_whole(target, page(read_card(path)).encode())
    return target


def main(argv: Sequence[str] | None = None) -> int:
    """Write a page from the command line; return the exit code."""

    def work() -> None:
        config = parsed(PageConfig, argv, "python -m mirage_wm.model_card")
        print(f"wrote {write_card_page(card_path(config.model))}")

    return ended(work)


if __name__ == "__main__":
    raise SystemExit(main())
