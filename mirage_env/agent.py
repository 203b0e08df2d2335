"""An agent: a small network that plays from pixels, or from the state, and how it is shown them.

No place in the arena is special and no direction, and none is to an agent: it sees from its ship.
From pixels it finds the ship and which way it points, and looks around from there
(`mirage_env.ship_view`); from the state it sees each rock as ahead or beside
(`mirage_env.agent_eyes`). Agents are trained by
`examples/ppo_gpu.py`, are kept in files (`mirage_env.agent_file`), and are played by ``mirage play
--agent FILE``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from mirage_env.actions import NUM_ACTIONS
from mirage_env.agent_eyes import PictureEyes, StateEyes, orthogonal
from mirage_env.errors import import_extra
from mirage_env.observations import STATE_SIZE
from mirage_env.ship_view import SIZE, ShipView

torch = import_extra("torch", "wm", "an agent")
from torch import Tensor, nn  # noqa: E402

__all__ = ["Agent", "AgentConfig", "AgentPlayer", "drawn"]


HEAD = 64
"""Numbers that the policy, and the value, make of what is seen."""


@dataclass(frozen=True)
class AgentConfig:
    """The architecture of an agent.

    Attributes:
        sees: "pixels", in the game or in a dream, or "state", in the game alone.
        frames: Pictures that it sees at once, the last ones; of states 1.
        frame_skip: Ticks for which it holds an action, and from one picture to the next.
        width: Channels of the convolutions, or numbers that a rock is seen as.
        hidden: Numbers that it decides by.
    """

    sees: Literal["pixels", "state"] = "pixels"
    frames: int = 4
    frame_skip: int = 2
    width: int = 64
    hidden: int = 512

    def __post_init__(self) -> None:
        """Check every field; raises `ValueError`."""
        if self.sees not in ("pixels", "state"):
            raise ValueError(f"sees must be 'pixels' or 'state', got {self.sees!r}")
        for name, most in (("frames", 16), ("frame_skip", 100), ("width", 512), ("hidden", 8192)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value!r}")

    def environment(self) -> dict[str, Any]:
        """Return the arguments of environments that show what this agent sees."""
        seen = {"obs_type": "state"} if self.sees == "state" else {"frame_stack": self.frames}
        return {"frame_skip": self.frame_skip, **seen}


class Agent(nn.Module):
    """The network: from what is seen to what each action is worth trying, and a value.

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
        if config.sees == "pixels":
            self.view = ShipView()
            self.eyes = PictureEyes(config.frames, config.width, config.hidden)
        else:
            self.view = nn.Identity()
            self.eyes = StateEyes(config.width, config.hidden)
        self.policy = _head(config.hidden, NUM_ACTIONS, 0.01)
        self.value = _head(config.hidden, 1, 1.0)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits float32 [B, 12] and values float32 [B].

        Args:
            observations: uint8 [B, frames, 64, 64, 3], the oldest first, or without that axis for
                one frame; or states float32 [B, 244].
        """
        return self.decide(self.look(observations))

    def look(self, observations: Tensor) -> Tensor:
        """Return what the eyes are shown of observations: pictures from the ship, states as such.

        Nothing of it is learned, so that a learner can keep it in the place of observations.
        """
        alone = self.config.sees == "pixels" and observations.ndim == 4
        return self.view(observations[:, None] if alone else observations)

    def decide(self, views: Tensor) -> tuple[Tensor, Tensor]:
        """Return what `forward` does, of what `look` returned."""
        x = self.eyes(views)
        with torch.autocast(x.device.type, enabled=False):  # rounded logits are other probabilities
            x = x.to(self.policy[0].weight.dtype)
            return self.policy(x), self.value(x)[:, 0]

    @torch.no_grad()
    def act(self, observations: Tensor, greedy: bool = False) -> Tensor:
        """Return actions int64 [B]: drawn by their probabilities, or the likeliest.

        The numbers are drawn by PyTorch's generator of the device.
        """
        logits, _ = self(observations)
        return logits.argmax(1) if greedy else drawn(logits)


def _head(inputs: int, outputs: int, gain: float) -> nn.Sequential:
    """Return what makes something of what is seen: policy and value each have layers of their own.

    With one layer each, what the value is blamed for spoils what the policy sees by.
    """
    return nn.Sequential(
        orthogonal(nn.Linear(inputs, HEAD)),
        nn.Tanh(),
        orthogonal(nn.Linear(HEAD, outputs), gain),
    )


def drawn(logits: Tensor) -> Tensor:
    """Draw an action [B] by logits [B, 12], without waiting for a GPU as `Categorical` does."""
    exponential = torch.empty_like(logits).exponential_()
    return (logits.softmax(-1) / exponential).argmax(-1)


class AgentPlayer:
    """An agent at play in `num_envs` worlds: it is shown each of them at every tick.

    It remembers the last pictures and holds its actions, as its environment did while it learned.

    Example:
        >>> player = AgentPlayer(Agent(AgentConfig(width=8, hidden=16)), 2)
        >>> player.act(torch.zeros((2, 64, 64, 3), dtype=torch.uint8)).shape
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
        picture = (agent.config.frames, SIZE, SIZE, 3)
        if agent.config.sees == "pixels":
            self._seen = torch.zeros((num_envs, *picture), dtype=torch.uint8, device=self.device)
        else:
            self._seen = torch.zeros((num_envs, 1, STATE_SIZE), device=self.device)
        self._held = torch.zeros(num_envs, dtype=torch.int64, device=self.device)
        self._since = self._held - 1  # ticks since the episode began
        self._begins = torch.ones(num_envs, dtype=torch.bool, device=self.device)

    def act(self, observations: Any, begun: Any = None) -> Tensor:
        """Return the actions int64 [num_envs] of a tick.

        Args:
            observations: What the agent sees of the tick, an array or a tensor: pictures uint8
                [num_envs, 64, 64, 3] or states float32 [num_envs, 244].
            begun: bool [num_envs]: where an episode begins with this. At the first call one does
                everywhere.
        """
        newest = torch.as_tensor(observations, device=self.device)[:, None]
        begins = self._begins
        if begun is not None:
            begins = begins | torch.as_tensor(begun, device=self.device)
        self._begins = torch.zeros_like(begins)
        self._since = torch.where(begins, 0, self._since + 1)
        due = self._since % self.agent.config.frame_skip == 0
        later = _where(due, torch.cat([self._seen[:, 1:], newest], 1), self._seen)
        self._seen = later = _where(begins, newest.expand_as(later), later)
        actions = self.agent.act(later if newest.ndim == 5 else later[:, 0], self.greedy)
        self._held = torch.where(due, actions, self._held)
        return self._held


def _where(mask: Tensor, this: Tensor, that: Tensor) -> Tensor:
    """Choose rows by a mask [n]."""
    return torch.where(mask.reshape(-1, *[1] * (this.ndim - 1)), this, that)
