"""The kinds of models there are, by the name that a card of weights gives them."""

from __future__ import annotations

from typing import TypeAlias

from mirage_wm.diffusion import Diffusion
from mirage_wm.regression import Regression
from mirage_wm.unet_config import UNetConfig

__all__ = ["MODELS", "Model", "kind_of", "make_model"]

Model: TypeAlias = Regression | Diffusion

MODELS: dict[str, type[Regression] | type[Diffusion]] = {
    "regression": Regression,
    "diffusion": Diffusion,
}
"""v1 is a regression, v2 a diffusion model."""


def make_model(kind: str, config: UNetConfig) -> Model:
    """Return a new model of a kind."""
    if kind not in MODELS:
        raise ValueError(f"kind must be one of {', '.join(map(repr, MODELS))}, got {kind!r}")
    return MODELS[kind](config)


def kind_of(model: Model) -> str:
    """Return the name of a model's kind."""
    return next(name for name, made in MODELS.items() if type(model) is made)
