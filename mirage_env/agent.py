"""An agent that plays from pixels: a small network, its file, and how it is shown frames.

No place in the arena is special, and none is to the network: its convolutions wrap around the edges
as the game does, and what it decides by are features of places that it attends to, wherever they
are. It is trained by `examples/ppo_gpu.py` and played by ``mirage play --agent FILE``.

An agent is one file of safetensors, fp16 and never pickle. Its header holds all that is known of
it: the architecture, the version of the rules that it learned, how it was trained, how well it
plays, and a SHA-256 of its weights.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.actions import NUM_ACTIONS
from mirage_env.errors import import_extra
from mirage_env.rules import RULES_VERSION

torch = import_extra("torch", "wm", "an agent")
from torch import Tensor, nn  # noqa: E402

__all__ = ["Agent", "AgentConfig", "AgentError", "AgentPlayer", "load_agent", "save_agent"]

SIZE = 64
"""Width and height of the pictures that agents see, pixels: those that dreams are made of."""

KIND = "mirage-agent"
"""What the header of an agent's file says that it is."""


class AgentError(ValueError):
    """A file that is no agent, or cannot play here; the message says why."""


@dataclass(frozen=True)
class AgentConfig:
    """The architecture of an agent.

    Attributes:
        frames: Pictures that it sees at once, the last ones.
        frame_skip: Ticks for which it holds an action, and from one picture to the next.
        width: Channels.
        blocks: Residual blocks; two of them see the whole torus from everywhere.
    """

    frames: int = 4
    frame_skip: int = 1
    width: int = 64
    blocks: int = 3

    def __post_init__(self) -> None:
        """Check every field; raises `ValueError`."""
        for name, most in (("frames", 16), ("frame_skip", 100), ("width", 1024), ("blocks", 32)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")


class Agent(nn.Module):
    """The network: from the last pictures to what each action is worth trying, and a value.

    Example:
        >>> agent = Agent(AgentConfig(frames=2, width=8, blocks=1))
        >>> logits, value = agent(torch.zeros((5, 2, 64, 64, 3), dtype=torch.uint8))
        >>> logits.shape, value.shape
        (torch.Size([5, 12]), torch.Size([5]))
    """

    HEADS = 4
    """Places that it attends to at once."""

    card: dict[str, Any]
    """What the header of its file says; empty for one that was never in a file."""

    def __init__(self, config: AgentConfig | None = None) -> None:
        """Make an agent that does anything with nearly the same probability."""
        super().__init__()
        self.config = config = config or AgentConfig()
        self.card = {}
        width = config.width

        def conv(
            inputs: int, outputs: int, size: int, stride: int, gain: float = 2**0.5
        ) -> nn.Conv2d:
            layer = nn.Conv2d(
                inputs, outputs, size, stride, (size - stride + 1) // 2, padding_mode="circular"
            )
            return _orthogonal(layer, gain)

        self.stem = nn.Sequential(
            conv(3 * config.frames, width // 2, 8, 4), nn.ReLU(), conv(width // 2, width, 3, 2)
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(), conv(width, width, 3, 1), nn.ReLU(), conv(width, width, 3, 1, gain=0.5)
            )
            for _ in range(config.blocks)
        )
        self.attention = conv(width, self.HEADS, 1, 1, gain=0.1)
        self.hidden = _orthogonal(nn.Linear((self.HEADS + 1) * width, 256), 2**0.5)
        self.policy = _orthogonal(nn.Linear(256, NUM_ACTIONS), 0.01)
        self.value = _orthogonal(nn.Linear(256, 1), 1.0)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits float32 [B, 12] and values float32 [B].

        Args:
            pictures: uint8 [B, frames, 64, 64, 3], the oldest first; or [B, 64, 64, 3] of one.
        """
        if pictures.ndim == 4:
            pictures = pictures[:, None]
        x = pictures.permute(0, 1, 4, 2, 3).flatten(1, 2)  # [B, frames * 3, 64, 64]
        x = x.to(_precision(x)).div(255).contiguous(memory_format=torch.channels_last)
        x = self.stem(x)  # [B, width, 8, 8]
        for block in self.blocks:
            x = x + block(x)
        x = x.relu()
        places = self.attention(x).flatten(2).float().softmax(-1).to(x.dtype)  # [B, heads, 64]
        features = x.flatten(2)  # [B, width, 64]
        attended = (places @ features.transpose(1, 2)).flatten(1)  # [B, heads * width]
        x = self.hidden(torch.cat([attended, features.mean(2)], 1)).relu()
        return self.policy(x).float(), self.value(x).float()[:, 0]

    @torch.no_grad()
    def act(self, pictures: Tensor, greedy: bool = False) -> Tensor:
        """Return actions int64 [B]: drawn by their probabilities, or the likeliest.

        The numbers are drawn by PyTorch's generator of the device.
        """
        logits, _ = self(pictures)
        return logits.argmax(1) if greedy else drawn(logits)


def drawn(logits: Tensor) -> Tensor:
    """Draw an action [B] by logits [B, 12], without waiting for a GPU as `Categorical` does."""
    exponential = torch.empty_like(logits).exponential_()
    return (logits.softmax(-1) / exponential).argmax(-1)


def _precision(x: Tensor) -> Any:
    """Return what convolutions compute in on the device of x."""
    kind = x.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else torch.float32


def _orthogonal(layer: Any, gain: float) -> Any:
    nn.init.orthogonal_(layer.weight, gain)
    nn.init.zeros_(layer.bias)
    return layer


class AgentPlayer:
    """An agent at play in `num_envs` worlds: it is shown a picture of each at every tick.

    It remembers the last pictures and holds its actions, as its environment did while it learned.

    Example:
        >>> player = AgentPlayer(Agent(AgentConfig(width=8, blocks=1)), 2)
        >>> player.act(np.zeros((2, 64, 64, 3), np.uint8)).shape
        torch.Size([2])
    """

    def __init__(self, agent: Agent, num_envs: int = 1, *, greedy: bool = False) -> None:
        """Play with `agent`, where it is.

        Args:
            agent: The agent.
            num_envs: Worlds.
            greedy: Take the likeliest action instead of drawing one.
        """
        self.agent, self.greedy = agent, greedy
        self.device = next(agent.parameters()).device
        shape = (num_envs, agent.config.frames, SIZE, SIZE, 3)
        self._pictures = torch.zeros(shape, dtype=torch.uint8, device=self.device)
        self._held = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._since = self._held - 1  # ticks since the episode began
        self._begins = torch.ones(num_envs, dtype=torch.bool, device=self.device)

    def act(self, pictures: Any, begun: Any = None) -> Tensor:
        """Return the actions int64 [num_envs] of a tick.

        Args:
            pictures: uint8 [num_envs, 64, 64, 3], an array or a tensor.
            begun: bool [num_envs]: where an episode begins with this picture. At the first call one
                does everywhere.
        """
        newest = torch.as_tensor(pictures, device=self.device)[:, None]
        begins = self._begins
        if begun is not None:
            begins = begins | torch.as_tensor(begun, device=self.device)
        self._begins = torch.zeros_like(begins)
        self._since = torch.where(begins, 0, self._since + 1)
        due = self._since % self.agent.config.frame_skip == 0
        later = torch.cat([self._pictures[:, 1:], newest], 1)
        later = torch.where(_rows(begins), newest, torch.where(_rows(due), later, self._pictures))
        self._pictures = later
        self._held = torch.where(due, self.agent.act(later, self.greedy), self._held)
        return self._held


def _rows(mask: Tensor) -> Tensor:
    """Return a mask [n] that chooses rows of pictures [n, frames, 64, 64, 3]."""
    return mask[:, None, None, None, None]


# Files --------------------------------------------------------------------------------------------


def save_agent(
    path: str | Path, agent: Agent, training: dict[str, Any], figures: dict[str, Any]
) -> Path:
    """Write an agent, all of it or nothing.

    Args:
        path: Ends in ``.safetensors``.
        agent: The agent.
        training: How it was trained.
        figures: How well it plays.

    Raises:
        AgentError: If its weights are not numbers, or the file cannot be written.
    """
    save = import_extra("safetensors.numpy", "wm", "writing an agent").save
    path = Path(path)
    if path.suffix != ".safetensors":
        raise AgentError(f"an agent is written to a .safetensors file, got {path}")
    with np.errstate(over="ignore"):
        arrays = {
            name: np.ascontiguousarray(tensor.detach().float().cpu().numpy().astype(np.float16))
            for name, tensor in agent.state_dict().items()
        }
    if not all(np.isfinite(array).all() for array in arrays.values()):
        raise AgentError(f"weights of {path.stem} are not finite in fp16: it cannot be saved")
    header = {
        "kind": KIND,
        "rules_version": RULES_VERSION,
        "architecture": asdict(agent.config),
        "training": training,
        "figures": figures,
        "sha256": _digest(arrays),
    }
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(save(arrays, {KIND: json.dumps(header)}))
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise AgentError(f"cannot write {path}: {error.strerror}") from error
    return path


def load_agent(path: str | Path, device: str = "cpu") -> Agent:
    """Return an agent ready to play; what its header says is in its attribute `card`.

    Raises:
        AgentError: If the file cannot be read, is no agent, was changed or cut short, learned other
            rules, or has weights of another shape than its header says.
    """
    path = Path(path)
    header, arrays = _read(path)
    if header.get("rules_version") != RULES_VERSION:
        raise AgentError(
            f"{path} learned the game of rules version {header.get('rules_version')}, this is "
            f"version {RULES_VERSION}: train it anew with examples/ppo_gpu.py"
        )
    try:
        agent = Agent(AgentConfig(**header["architecture"]))
    except (KeyError, TypeError, ValueError) as error:
        raise AgentError(
            f"the architecture of {path} is not known here ({error}): it is by another version"
        ) from error
    wanted = {name: tuple(tensor.shape) for name, tensor in agent.state_dict().items()}
    for name in sorted({*wanted, *arrays}):
        shape = arrays[name].shape if name in arrays else None
        if shape != wanted.get(name):
            raise AgentError(
                f"{path} is an agent of another shape than its header says: {name} must be "
                f"{wanted.get(name, 'absent')}, got {'none' if shape is None else shape}"
            )
    if header.get("sha256") != _digest(arrays):
        raise AgentError(f"{path} was changed since it was written: fetch it again")
    agent.load_state_dict(
        {name: torch.from_numpy(array.astype(np.float32)) for name, array in arrays.items()}
    )
    agent.card = header
    return agent.eval().requires_grad_(False).to(device)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the arrays of a file."""
    safetensors = import_extra("safetensors.numpy", "wm", "reading an agent")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AgentError(f"cannot read the agent {path}: {error.strerror}") from error
    try:
        arrays = safetensors.load(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        header = json.loads(metadata[KIND]) if KIND in metadata else None
    except Exception as error:  # safetensors raises errors of its own kind
        raise AgentError(f"{path} is not a safetensors file, or cut short: {error}") from error
    if not isinstance(header, dict) or header.get("kind") != KIND:
        raise AgentError(
            f"{path} is no agent: its header does not say so. Agents are written by "
            "examples/ppo_gpu.py; a model that dreams is chosen by --model"
        )
    return header, arrays


def _digest(arrays: dict[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of arrays by name."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(arrays[name].tobytes())
    return digest.hexdigest()
