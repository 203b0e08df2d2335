"""What a step of training changes: a model, its averaged weights, its optimiser and its data."""

from __future__ import annotations

import copy
import re
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from mirage_wm.checkpoint import load_checkpoint, save_checkpoint
from mirage_wm.objectives import rollout_loss, single_step_loss
from mirage_wm.predictors import chosen_device
from mirage_wm.recorder import Recorder
from mirage_wm.regression import Regression
from mirage_wm.schedule import Budget, Schedule, Stage
from mirage_wm.unet import UNetConfig
from mirage_wm.weights import load_model, save_weights
from mirage_wm.windows import StoreConfig, WindowStore

__all__ = ["TrainConfig", "Trainer"]


@dataclass(frozen=True)
class TrainConfig:
    """A training run.

    Attributes:
        out: Folder of the run.
        name: Of the model, and of the files of its weights.
        resume: Go on from the checkpoint in `out`, if there is one.
        start: Begin with the weights of this model (a name or a .safetensors file), not with
            random ones.
        seed: Of the weights, of the play (below 2**62) and of the draws.
        device: "cuda", "cpu", or "auto": the GPU if there is one.
        compile: Compile the model: 20 to 40 s for each of two graphs, three times the speed.
            "auto": on a GPU.
        precision: Of the activations; "auto" is bf16 on a GPU and fp32 elsewhere.
        batch: Windows of a step.
        rollout: Frames of a rollout.
        ema: Decay of the averaged weights, the ones that are kept.
        weight_decay: Of AdamW.
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
    resume: bool = False
    start: str | None = None
    seed: int = 0
    device: str = "auto"
    compile: Literal["auto", "on", "off"] = "auto"
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    batch: int = 512
    rollout: int = 4
    ema: float = 0.999
    weight_decay: float = 0.01
    clip: float = 0.5
    refresh: int = 24
    validate_seconds: float = 30.0
    validate_films: int = 512
    save_seconds: float = 120.0
    tensorboard: bool = False
    budget: Budget = field(default_factory=Budget)
    schedule: Schedule = field(default_factory=Schedule)
    net: UNetConfig = field(default_factory=UNetConfig)
    data: StoreConfig = field(default_factory=StoreConfig)

    def __post_init__(self) -> None:
        """Raise `ValueError` for what could not be trained, or not be saved in the end."""
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name):
            raise ValueError(f"name must be that of a file, such as v1, got {self.name!r}")
        for field_name, least in (("batch", 2), ("rollout", 1), ("refresh", 1)):
            if getattr(self, field_name) < least:
                raise ValueError(
                    f"{field_name} must be at least {least}, got {getattr(self, field_name)}"
                )
        rolls = self.schedule.shares[2] > 0
        if rolls and not {1, self.rollout} <= set(self.data.horizons):
            raise ValueError(
                f"rollouts of {self.rollout} frames need --data.horizons 1 {self.rollout}, got "
                f"{self.data.horizons}"
            )


class Trainer:
    """A model, its averaged weights, its optimiser and its data: what a step changes."""

    def __init__(self, config: TrainConfig) -> None:
        """Build it all, at the beginning of a run or where its checkpoint left it."""
        self.config = config
        self.device = torch.device(chosen_device(config.device))
        self.checkpoint = config.out / "checkpoint.pt"
        state = (
            load_checkpoint(self.checkpoint) if config.resume and self.checkpoint.exists() else None
        )
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True
        torch.manual_seed(config.seed)
        self.model = (
            Regression(config.net)
            .to(self.device)
            .to(  # pyright: ignore[reportCallIssue]
                memory_format=torch.channels_last
            )
        )
        if config.start is not None:
            start = load_model(config.start)
            if start.config != config.net:
                raise ValueError(
                    f"{config.start} has a net of {start.config}, not of {config.net}: change --net"
                )
            self.model.load_state_dict(start.state_dict())
        self.average = copy.deepcopy(self.model)
        self.average.requires_grad_(False)
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=config.schedule.peak,
            betas=(0.9, 0.99),
            weight_decay=config.weight_decay,
            fused=self.device.type == "cuda",
        )
        on = config.compile == "on" or (config.compile == "auto" and self.device.type == "cuda")
        self.forward = torch.compile(self.model, dynamic=False) if on else self.model
        recorder = Recorder(
            config.data.arenas,
            config.seed,
            burn_in=0 if state else config.data.burn_in,
            threads=config.data.threads,
        )
        self.store = WindowStore(recorder, config.data, self.device, config.seed)
        self.step, self.progress = 0, 0.0
        if state is not None:
            self._load(state)
        self.store.start()

    def train_step(self, progress: float) -> torch.Tensor:
        """Learn from one batch; return the loss (on the device) without waiting for it."""
        config, self.progress = self.config, progress
        if self.step and self.step % config.refresh == 0:
            self.store.advance()
        stage = config.schedule.stage(progress)
        for group in self.optimizer.param_groups:
            group["lr"] = config.schedule.learning_rate(progress, self.step)
        with self.autocast():
            if stage is Stage.ROLLOUTS:
                windows = self.store.sample(config.batch, config.rollout)
                loss, error = rollout_loss(self.forward, windows, config.rollout)
            else:
                loss, error = single_step_loss(
                    self.forward, self.store.sample(config.batch, 1), stage
                )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip, foreach=True)
        self.optimizer.step()
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                list(self.average.parameters()), list(self.model.parameters()), 1 - decay
            )
        self.step += 1
        return torch.stack([loss.detach().float(), error.float(), norm.float()])

    def autocast(self) -> Any:
        """Return the context of mixed precision, or one of nothing."""
        precision = self.config.precision
        if precision == "bf16" or (precision == "auto" and self.device.type == "cuda"):
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def save(self) -> None:
        """Write the checkpoint, and the averaged weights as a model that can be played."""
        self.config.out.mkdir(parents=True, exist_ok=True)
        save_checkpoint(
            self.checkpoint,
            {
                "step": self.step,
                "progress": self.progress,
                "net": asdict(self.config.net),
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "store": self.store.state_dict(),
            },
        )
        training = {
            "steps": self.step,
            "progress": round(self.progress, 4),
            "windows": self.step * self.config.batch,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU",
            "torch": torch.__version__,
            "config": {
                k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.config).items()
            },
        }
        save_weights(
            self.config.out, self.config.name, self.average.state_dict(), self.config.net, training
        )

    def _load(self, state: dict[str, Any]) -> None:
        mine = asdict(self.config.net)
        if {k: tuple(v) if isinstance(v, list) else v for k, v in state["net"].items()} != mine:
            raise ValueError(
                f"the checkpoint has a net of {state['net']}, not of {mine}: take another --out"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.store.load_state_dict(state["store"])
        self.step, self.progress = state["step"], state["progress"]
