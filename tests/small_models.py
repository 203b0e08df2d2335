"""Small models for tests, quick to make and with every weight in play."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from mirage_env.agent import Agent, AgentConfig
from mirage_wm.diffusion import Diffusion
from mirage_wm.models import Model, make_model
from mirage_wm.regression import Regression
from mirage_wm.unet_config import UNetConfig
from mirage_wm.weights import save_weights

SMALL = UNetConfig(widths=(8, 16), blocks=1, embedding=8)


def lively_model(config: UNetConfig = SMALL, seed: int = 0) -> Regression:
    """Return a model whose layers all do something; a new one begins with layers of zeros."""
    return enlivened("regression", config, seed)  # type: ignore[return-value]


def lively_diffusion(config: UNetConfig = SMALL, seed: int = 0) -> Diffusion:
    """Return a diffusion model whose layers all do something."""
    return enlivened("diffusion", config, seed)  # type: ignore[return-value]


def enlivened(kind: str, config: UNetConfig, seed: int) -> Model:
    torch.manual_seed(seed)
    model = make_model(kind, config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return model.eval()


def write_model(folder: Path, name: str = "small", seed: int = 0, kind: str = "regression") -> Path:
    """Write a lively model's weights; return the path of the safetensors file."""
    draws = kind == "diffusion"
    # With all that a net can have, and with nothing.
    config = replace(SMALL, context_noise=draws, kernels=2 if draws else 0)
    return save_weights(folder, name, enlivened(kind, config, seed), {})


def small_agent(frame_skip: int = 1) -> Agent:
    """Return an agent of the state that prefers some actions to others."""
    torch.manual_seed(1)
    agent = Agent(AgentConfig("state", frame_skip=frame_skip, width=8, hidden=16))
    with torch.no_grad():
        agent.policy[-1].weight.mul_(300)
    return agent.eval().requires_grad_(False)
