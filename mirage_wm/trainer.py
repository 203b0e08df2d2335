"""What a step of training changes: a model, its averaged weights, its optimiser and its data."""

from __future__ import annotations

import copy
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

import torch

from mirage_env.rules import Rules
from mirage_env.whole_file import check_place
from mirage_wm.checkpoint import has_checkpoint, load_checkpoint, save_checkpoint
from mirage_wm.gradients import Gradients
from mirage_wm.models import Model, kind_of, make_model
from mirage_wm.muon import Muon
from mirage_wm.objectives import Dreams, Objective
from mirage_wm.parallel import Group
from mirage_wm.predictors import chosen_device
from mirage_wm.recorder import Recorder, play_in_one_thread
from mirage_wm.schedule import Stage
from mirage_wm.simulators import make_simulator, make_world
from mirage_wm.train_config import TrainConfig
from mirage_wm.trained_player import named_agent
from mirage_wm.weights import load_model, save_weights
from mirage_wm.windows import WindowStore

__all__ = ["Trainer"]


class Trainer:
    """A model, its averaged weights, its optimiser and its data: what a step changes.

    Attributes:
        group: The processes that share the run.
    """

    def __init__(self, config: TrainConfig, group: Group | None = None) -> None:
        """Build it all, at the beginning of a run or where its checkpoint left it.

        Raises:
            ValueError: For a device that there is not, or a checkpoint that is of another run.
            OSError: If nothing can be written to the folder of the run.
        """
        self.config, self.group = config, group or Group()
        if config.batch % (16 * self.group.size) and self.group.size > 1:
            raise ValueError(
                f"batch must be a multiple of 16 for each of the {self.group.size} processes, got "
                f"{config.batch}"
            )
        self.device = self._own_device(chosen_device(config.device))
        state = load_checkpoint(config.out) if self._resumes() else None
        if self.group.first:
            check_place(config.out / f"{config.name}.safetensors")  # before the work is done
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high")
            torch.backends.cudnn.benchmark = True
            play_in_one_thread()
        torch.manual_seed(config.seed)
        self.model = (
            make_model(config.kind, config.net)
            .to(self.device)
            .to(  # pyright: ignore[reportCallIssue]
                memory_format=torch.channels_last
            )
        )
        self._start = state.get("start") if state else config.start
        if config.start is not None and state is None:
            self._begin_with(load_model(config.start))
        self.average = copy.deepcopy(self.model)
        self.average.requires_grad_(False)
        self.optimizer = self._made_optimizer()
        self.objective = Objective(
            self.model,
            torch.Generator(self.device).manual_seed(config.seed),
            compiled=self._compiles != "off",
            unroll=config.rollout,
            tint=config.tint,
            rules=config.rules,
            group=self.group,
        )
        self.gradients = Gradients(self.objective, self.autocast, graphs=self._compiles == "graphs")
        recorder = Recorder(
            config.data.arenas,
            config.seed,
            burn_in=0 if state else config.data.burn_in,
            threads=config.data.threads,
            rules=config.rules,
            agent=named_agent(config.data.agent) if config.data.agent else None,
            simulator=make_simulator if config.data.play == "cpu" else self._world,
        )
        self.store = WindowStore(recorder, config.data, self.device, config.seed)
        self.step, self.progress = 0, 0.0
        self.dreams: Dreams | None = None
        if state is not None:
            self._load(state)
        self.store.start()

    @property
    def between(self) -> bool:
        """Whether no dream is under way: it is not kept in a checkpoint."""
        return self.dreams is None

    def train_step(self, progress: float) -> torch.Tensor:
        """Learn from one batch; return the loss (on the device) without waiting for it."""
        config, store, self.progress = self.config, self.store, progress
        rows = self.group.rows
        if self.step and self.step % config.refresh == 0:
            store.advance()
        for group in self.optimizer.param_groups:
            group["lr"] = config.schedule.learning_rate(progress, self.step)
        if config.schedule.stage(progress) is Stage.ROLLOUTS:
            half = config.batch // 2
            if self.dreams is None:
                films = store.sample(half, config.reach, rows(half))
                self.dreams = self.objective.begin(films, self.step)
            loss = self.gradients.along(self.dreams, store.sample(half, 1, rows(half)))
            self.dreams = None if self.dreams.over else self.dreams
        else:
            batch = store.sample(config.batch, 1, rows(config.batch))
            loss = self.gradients.single(batch)
        self.group.average(parameter.grad for parameter in self.model.parameters())
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), config.clip, foreach=True)
        self.optimizer.step()
        decay = min(config.ema, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(  # pyright: ignore[reportPrivateImportUsage]
                list(self.average.parameters()), list(self.model.parameters()), 1 - decay
            )
        self.step += 1
        return torch.stack([loss.total.float(), loss.error.float(), norm.float()])

    def autocast(self) -> Any:
        """Return the context of mixed precision, or one of nothing."""
        precision = self.config.precision
        if precision == "bf16" or (precision == "auto" and self.device.type == "cuda"):
            # Weights turned into bf16 for one replay of a graph would be those of the next.
            kept = self._compiles != "graphs"
            return torch.autocast(self.device.type, torch.bfloat16, cache_enabled=kept)
        return nullcontext()

    def save(self) -> None:
        """Write the checkpoint, and the averaged weights as a model that can be played.

        Raises:
            FloatingPointError: If the weights are not finite; what was written before is left.
        """
        if not all(bool(p.isfinite().all()) for p in self.model.parameters()):
            raise FloatingPointError(
                f"the weights are not finite at step {self.step}: go on from the last checkpoint "
                "with a smaller --schedule.peak"
            )
        save_checkpoint(
            self.config.out,
            self.step,
            {
                "step": self.step,
                "progress": self.progress,
                "made": self._made(),
                "start": self._start,
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "store": self.store.state_dict(),
                "generator": self.objective.generator.get_state(),
            },
        )
        training = {
            "steps": self.step,
            "progress": round(self.progress, 4),
            "windows": self.step * self.config.batch,
            "start": self._start,
            "device": torch.cuda.get_device_name() if self.device.type == "cuda" else "CPU",
            "torch": torch.__version__,
            "config": {
                k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.config).items()
            },
        }
        save_weights(
            self.config.out, self.config.name, self.average, training, self.config.rules.differing()
        )

    def _own_device(self, chosen: str) -> torch.device:
        """Return the device of this process: of several, each has a GPU of its own."""
        if self.group.size == 1 or chosen == "cpu":
            return torch.device(chosen)
        if chosen != "cuda" or self.group.local >= torch.cuda.device_count():
            raise ValueError(
                f"process {self.group.local} of this machine needs a GPU of its own: take --device "
                f"cuda and at most {torch.cuda.device_count()} processes"
            )
        torch.cuda.set_device(self.group.local)
        return torch.device(f"cuda:{self.group.local}")

    def _begin_with(self, start: Model) -> None:
        """Take over the weights of a model; kernels that it has not begin as nothing."""
        config, net = self.config, start.config
        if not net.kernels:
            net = replace(net, kernels=config.net.kernels)
        if (kind_of(start), net) != (config.kind, config.net):
            raise ValueError(
                f"{config.start} is a {kind_of(start)} with a net of {start.config}, not a "
                f"{config.kind} with {config.net}: change --kind and --net"
            )
        weights = start.state_dict()
        for name in ("unet.out.weight", "unet.out.bias"):
            whole = torch.zeros_like(self.model.state_dict()[name])
            whole[: len(weights[name])] = weights[name]
            weights[name] = whole
        self.model.load_state_dict(weights)

    def _made_optimizer(self) -> torch.optim.Optimizer:
        config = self.config
        shared: dict[str, Any] = {
            "lr": config.schedule.peak,
            "betas": (0.9, 0.99),
            "eps": 1e-10,  # gradients of v2 are as small as 1e-7
            "weight_decay": config.weight_decay,
        }
        if config.optimizer == "adamw":
            fused = self.device.type == "cuda"
            return torch.optim.AdamW(self.model.parameters(), **shared, fused=fused)
        matrices = self.model.unet.inner_convolutions()
        inner = {id(weight) for weight in matrices}
        others = [weight for weight in self.model.parameters() if id(weight) not in inner]
        return Muon(matrices, others, **shared)

    @property
    def _compiles(self) -> Literal["off", "on", "graphs"]:
        """Whether the model is compiled, and CUDA graphs are recorded of its gradients."""
        if self.config.compile != "auto":
            return self.config.compile
        if self.device.type != "cuda":
            return "off"
        return "graphs" if self.group.size == 1 else "on"

    def _world(self, arenas: int, threads: int, rules: Rules | None) -> Any:
        if self.device.type != "cuda":
            raise ValueError(
                "--data.play gpu needs a GPU to train on: this run is on the CPU, so take "
                "--data.play cpu"
            )
        return make_world(arenas, f"cuda:{self.device.index or 0}", rules)

    def _resumes(self) -> bool:
        """Return whether there is a checkpoint to go on from, where that is wanted."""
        if not has_checkpoint(self.config.out):
            return False
        if not self.config.resume:
            raise ValueError(
                f"{self.config.out} holds a run already: go on with it by --resume, or take "
                "another --out"
            )
        return True

    def _made(self) -> dict[str, Any]:
        """Return what a checkpoint cannot be gone on from without."""
        net = {
            k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self.config.net).items()
        }
        return {"kind": self.config.kind, **self.config.rules.differing(), **net}

    def _load(self, state: dict[str, Any]) -> None:
        if state.get("made") != self._made():
            raise ValueError(
                f"the checkpoint in {self.config.out} is of {state.get('made')}, not of "
                f"{self._made()}: take another --out"
            )
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.store.load_state_dict(state["store"])
        self.objective.generator.set_state(state["generator"])
        self.step, self.progress = state["step"], state["progress"]
