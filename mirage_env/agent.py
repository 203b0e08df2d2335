"""An agent that plays from pixels: a small network, its file, and how it is shown frames.

No place in the arena is special, and none is to an agent: it looks for the colours of the hull and
shifts the torus so that the ship is in the middle, which loses nothing. Convolutions that wrap
around the edges, as the game does, see the rest. It is trained by `examples/ppo_gpu.py` and played
by ``mirage play --agent FILE``.

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
from mirage_env.rules import COLOURS, RULES_VERSION

torch = import_extra("torch", "wm", "an agent")
from torch import Tensor, nn  # noqa: E402

__all__ = ["Agent", "AgentConfig", "AgentError", "AgentPlayer", "load_agent", "save_agent"]

SIZE = 64
"""Width and height of the pictures that agents see, pixels: those that dreams are made of."""

HULL_SPREAD = 30.0
"""How far the colour of a pixel may be from the hull's, of 255, and still look like it."""

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
        width: Channels of the convolutions.
        hidden: Numbers that it decides by.
    """

    frames: int = 4
    frame_skip: int = 1
    width: int = 64
    hidden: int = 512

    def __post_init__(self) -> None:
        """Check every field; raises `ValueError`."""
        for name, most in (("frames", 16), ("frame_skip", 100), ("width", 512), ("hidden", 8192)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")


class Agent(nn.Module):
    """The network: from the last pictures to what each action is worth trying, and a value.

    Example:
        >>> agent = Agent(AgentConfig(frames=2, width=8, hidden=16))
        >>> logits, value = agent(torch.zeros((5, 2, 64, 64, 3), dtype=torch.uint8))
        >>> logits.shape, value.shape
        (torch.Size([5, 12]), torch.Size([5]))
    """

    card: dict[str, Any]
    """What the header of its file says; empty for one that was never in a file."""

    def __init__(self, config: AgentConfig | None = None) -> None:
        """Make an agent that does anything with nearly the same probability."""
        super().__init__()
        self.config = config = config or AgentConfig()
        self.card = {}
        width, gain = config.width, 2**0.5

        def conv(inputs: int, outputs: int, size: int, stride: int) -> nn.Conv2d:
            around = (size - stride + 1) // 2
            layer = nn.Conv2d(inputs, outputs, size, stride, around, padding_mode="circular")
            return _orthogonal(layer, gain)

        self.places = nn.Sequential(
            conv(3 * config.frames, width // 2, 8, 4),  # [width / 2, 16, 16]
            nn.ReLU(),
            conv(width // 2, width, 4, 2),  # [width, 8, 8]
            nn.ReLU(),
            conv(width, width, 3, 1),
            nn.ReLU(),
            nn.Flatten(),
            _orthogonal(nn.Linear(64 * width, config.hidden), gain),
            nn.ReLU(),
        )
        self.policy = _orthogonal(nn.Linear(config.hidden, NUM_ACTIONS), 0.01)
        self.value = _orthogonal(nn.Linear(config.hidden, 1), 1.0)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits float32 [B, 12] and values float32 [B].

        Args:
            pictures: uint8 [B, frames, 64, 64, 3], the oldest first; or [B, 64, 64, 3] of one.
        """
        if pictures.ndim == 4:
            pictures = pictures[:, None]
        x = centred(pictures).flatten(3).permute(0, 3, 1, 2)  # [B, frames * 3, 64, 64]
        x = self.places(x.to(_precision(x)).div(255))
        return self.policy(x).float(), self.value(x).float()[:, 0]

    @torch.no_grad()
    def act(self, pictures: Tensor, greedy: bool = False) -> Tensor:
        """Return actions int64 [B]: drawn by their probabilities, or the likeliest.

        The numbers are drawn by PyTorch's generator of the device.
        """
        logits, _ = self(pictures)
        return logits.argmax(1) if greedy else drawn(logits)


@torch.no_grad()
def centred(pictures: Tensor) -> Tensor:
    """Shift pictures around the torus so that the ship is in the middle of the last one.

    Args:
        pictures: uint8 [B, frames, 64, 64, 3].

    Returns:
        uint8 [B, 64, 64, frames, 3].
    """
    newest = pictures[:, -1].float()
    hull = newest.new_zeros(newest.shape[:3])  # how much each pixel looks like the hull
    for colour in COLOURS["SHIP_COLOURS"][1:]:  # with one life left, two or three
        distance = (newest - newest.new_tensor(colour)).square().sum(-1)
        hull += (distance / -(HULL_SPREAD**2)).exp()
    # A hull is many such pixels together; what only resembles one counts for nothing then.
    around = nn.functional.pad(hull[:, None], (1, 1, 1, 1), mode="circular")
    mass = nn.functional.avg_pool2d(around, 3, 1)[:, 0] ** 4
    rows, columns = (_from_the_middle(mass.sum(axis)) for axis in (2, 1))
    every = torch.arange(len(pictures), device=pictures.device)
    return pictures[every[:, None, None], :, rows[:, :, None], columns[:, None, :]]


def _from_the_middle(mass: Tensor) -> Tensor:
    """Return the pixels [B, 64] of an axis in the order in which its mass [B, 64] is central.

    The mean place on a circle is the direction of the mean of directions.
    """
    pixels = torch.arange(SIZE, device=mass.device)
    turn = 2 * torch.pi / SIZE
    angles = (pixels + 0.5) * turn
    place = torch.atan2((mass * angles.sin()).sum(1), (mass * angles.cos()).sum(1)) / turn
    return (pixels + (place - SIZE / 2).round().long()[:, None]) % SIZE


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
        >>> player = AgentPlayer(Agent(AgentConfig(width=8, hidden=16)), 2)
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
