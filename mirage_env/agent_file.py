"""Files of agents: safetensors, fp16 and never pickle, that say all that is known of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env.agent import Agent, AgentConfig, torch
from mirage_env.errors import import_extra
from mirage_env.rules import RULES_VERSION
from mirage_env.whole_file import write_whole

__all__ = ["AgentError", "load_agent", "save_agent"]

KIND = "mirage-agent"
"""What the header of an agent's file says that it is."""


class AgentError(ValueError):
    """A file that is no agent, or cannot play here; the message says why."""


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
    try:
        write_whole(path, save(arrays, {KIND: json.dumps(header)}))
    except OSError as error:
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
