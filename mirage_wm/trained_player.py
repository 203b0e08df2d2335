"""An agent that learned to play, as one of those who press the keys while a model learns.

It plays by the state, and better than the scripted players do: with it the films reach the later
waves, and show aimed shots, fragments met and rocks dodged as somebody sees to it who is good at
it. It decides as seldom as it did while it learned, in the same ticks in all arenas.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mirage_env.agent import Agent
from mirage_env.agent_file import load_agent
from mirage_wm.weights import FOLDERS

__all__ = ["TrainedPlayer", "named_agent"]


def named_agent(name: str) -> Agent:
    """Return the agent that comes with the project by this name, or that of a .safetensors file.

    Raises:
        AgentError: If there is none, or it cannot play here, with the reason.
    """
    known = [folder / "agents" / f"{name}.safetensors" for folder in FOLDERS]
    return load_agent(next((path for path in known if path.exists()), Path(name)))


class TrainedPlayer:
    """Plays in some of a simulator's arenas at a time.

    The network computes in float64 and the chances are float32: what an arena's player does would
    depend on who else is in the batch by the last bit of a probability, if at all.

    Attributes:
        frame_skip: Ticks for which it holds an action.
    """

    def __init__(self, agent: Agent, simulator: Any) -> None:
        """Let `agent` play in `simulator`, one of the host or one whose results stay on a device.

        Raises:
            ValueError: If it sees pixels: pictures of what is recorded are not at hand for all.
        """
        if agent.config.sees != "state":
            raise ValueError(
                "among the players of training data an agent must see the state (--agent.sees "
                f"state in examples/ppo_gpu.py), got one that sees {agent.config.sees}"
            )
        self.frame_skip = agent.config.frame_skip
        self._simulator, self._on_device = simulator, hasattr(simulator, "device")
        device = getattr(simulator, "device", torch.device("cpu"))
        self._net = deepcopy(agent).double().to(device)

    def act(self, playing: Tensor, chance: Tensor) -> Tensor:
        """Return what it presses in the arenas as they are, int64 [n]; 0 where it does not play.

        Args:
            playing: bool [n].
            chance: float32 [n], from 0 to 1: what decides among the actions in each arena.
        """
        if self._on_device:  # all of them: to pick some would be to wait for the device
            return torch.where(playing, self._drawn(self._simulator.vectors(), chance), 0)
        chosen, pressed = playing.nonzero()[:, 0], torch.zeros_like(playing, dtype=torch.int64)
        states = torch.from_numpy(self._simulator.vectors(chosen.numpy()))
        pressed[chosen] = self._drawn(states, chance[chosen])
        return pressed

    @torch.no_grad()
    def _drawn(self, states: Tensor, chance: Tensor) -> Tensor:
        """Draw actions int64 [m] by their probabilities in states float32 [m, 244]."""
        logits, _ = self._net(states.double())
        return (chance[:, None] >= logits.softmax(-1).cumsum(-1)[:, :-1]).sum(1)
