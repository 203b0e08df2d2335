"""What a training run is made of, and the runs that have a name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mirage_env import checks
from mirage_env.rules import Rules
from mirage_wm.schedule import Budget, Schedule
from mirage_wm.unet_config import UNetConfig
from mirage_wm.windows import StoreConfig

__all__ = ["PRESETS", "RUNS", "TrainConfig", "named_run"]


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        out: Folder of the run.
        name: Of the model, and of the files of its weights.
        kind: "regression" (v1) or "diffusion" (v2).
        split: Where the fragments of a rock go in the game that is learned (`Rules.split`).
        wave: Where its waves appear (`Rules.wave`).
        resume: Go on from the checkpoint in `out`, if there is one.
        start: Begin with the weights of this model (a name or a .safetensors file), not with random
            ones. It may be one without kernels (`UNetConfig.kernels`): these begin as nothing.
        seed: Of the weights, of the play (below 2**62) and of the draws.
        device: "cuda", "cpu", or "auto": the GPU if there is one.
        compile: Compile the model: about 40 s for each of two kinds of batch, three times the
            speed. "graphs" also records CUDA graphs of its gradients (`mirage_wm.gradients`), so
            that no host is too slow to launch the kernels. "auto": that on a GPU, and "on" on
            several.
        precision: Of the activations; "auto" is bf16 on a GPU and fp32 elsewhere.
        batch: Windows of a step.
        rollout: Frames of a dream that one gradient goes through (v1).
        reach: Frames of a dream in training, before it begins anew.
        tint: The most that the frames a model sees are tinted, as a share of their brightness; it
            is to show what they were (`mirage_wm.objectives.TINTED`).
        ema: Decay of the averaged weights, the ones that are kept.
        optimizer: "adamw", or "muon" for the convolutions but the first and the last
            (`mirage_wm.muon`).
        weight_decay: Of the optimizer, a share of the learning rate.
        clip: Largest norm of the gradient.
        refresh: Steps between two new chunks of play.
        validate_seconds: Time between two measurements on held-out play.
        validate_films: Held-out films, ten frames each; 0 measures nothing.
        save_seconds: Time between two checkpoints.
        tensorboard: Write tensorboard's files too.
        budget: How long it takes.
        schedule: Learning rates and stages.
        net: Sizes of the net.
        data: How much play is kept, and how it is drawn from.
    """

    out: Path = Path("runs/v1")
    name: str = "v1"
    kind: Literal["regression", "diffusion"] = "regression"
    split: Literal["bullet", "random"] = "bullet"
    wave: Literal["random", "ring", "ship"] = "random"
    resume: bool = False
    start: str | None = None
    seed: int = 0
    device: str = "auto"
    compile: Literal["auto", "on", "graphs", "off"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    batch: int = 512
    rollout: int = 4
    reach: int = 12
    tint: float = 0.0
    ema: float = 0.999
    optimizer: Literal["adamw", "muon"] = "muon"
    weight_decay: float = 0.01
    clip: float = 0.5
    refresh: int = 48
    validate_seconds: float = 60.0
    validate_films: int = 256
    save_seconds: float = 120.0
    tensorboard: bool = False
    budget: Budget = field(default_factory=Budget)
    schedule: Schedule = field(default_factory=Schedule)
    net: UNetConfig = field(default_factory=lambda: UNetConfig(context_noise=True, kernels=2))
    data: StoreConfig = field(default_factory=StoreConfig)

    def __post_init__(self) -> None:
        """Raise `ValueError` for what could not be trained, or not be saved in the end."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(f"name must be that of a file, such as v1, got {self.name!r}")
        checks.device_name(self.device)
        for field_name, least in (("batch", 2), ("rollout", 1), ("reach", 1), ("refresh", 1)):
            if getattr(self, field_name) < least:
                raise ValueError(
                    f"{field_name} must be at least {least}, got {getattr(self, field_name)}"
                )
        if not 0 <= self.tint <= 1:
            raise ValueError(f"tint must be 0 to 1, got {self.tint}")
        if self.batch % 4:
            raise ValueError(f"batch must be a multiple of 4, got {self.batch}")
        rolls = self.schedule.rollouts > 0
        if rolls and not {1, self.reach} <= set(self.data.horizons):
            raise ValueError(
                f"dreams of {self.reach} frames need --data.horizons 1 {self.reach}, got "
                f"{self.data.horizons}"
            )

    @property
    def rules(self) -> Rules:
        """The rules of the game that is learned."""
        return Rules(split=self.split, wave=self.wave)


V1 = TrainConfig()
# A wave is what v2 is there to draw.
V2 = replace(V1, kind="diffusion", tint=0.2, data=StoreConfig(waves=30.0))
RUNS = {
    name: replace(run, out=Path("runs") / name, name=name, split=split)
    for name, run, split in (
        ("v1", V1, "bullet"),
        ("v2", V2, "bullet"),
        ("v1-random", V1, "random"),
        ("v2-random", V2, "random"),
    )
}
"""The models of the project, each by the run that makes it."""

PRESETS: dict[str, dict[str, Any]] = {
    "full": {},
    "4gb": {
        "compile": "off",
        "precision": "fp32",
        "batch": 64,
        "rollout": 2,
        "validate_films": 64,
        "data": {"arenas": 256, "chunks": 4, "table": 8192},
    },
}
"""Changes of a run, and of its data, for machines with less: "4gb" needs at most 4 GB of a GPU's
memory and no compiler."""


def named_run(name: str, preset: str = "full") -> TrainConfig:
    """Return a run of `RUNS`, changed by one of `PRESETS`."""
    for kind, value, known in (("run", name, RUNS), ("preset", preset, PRESETS)):
        if value not in known:
            raise ValueError(f"the {kind} must be one of {', '.join(known)}, got {value!r}")
    run, changes = RUNS[name], dict(PRESETS[preset])
    data = replace(run.data, **changes.pop("data", {}))
    return replace(run, data=data, **changes)
