"""A report: the figures as JSON, and the pictures for the page that shows them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import torch

from mirage_env.rules import RULES_VERSION
from mirage_wm.evaluation.measure import Measured, Sizes
from mirage_wm.scores import BEST_PSNR
from mirage_wm.seeds import HELD_OUT

__all__ = ["SCHEMA", "Report"]

SCHEMA = 1
"""Raised when what is in the JSON changes its place or its meaning."""


@dataclass
class Report:
    """Figures and pictures of some models.

    Attributes:
        figures: What the JSON holds: plain numbers, strings, lists and dicts.
        groups: Of the models by the rules they learned, with their pictures.
    """

    figures: dict[str, Any]
    groups: list[Measured]

    @classmethod
    def of(
        cls,
        groups: Sequence[Measured],
        models: Mapping[str, dict[str, Any]],
        sizes: Sizes,
        seconds: float,
        gpu: bool,
    ) -> Report:
        """Put a report together.

        Args:
            groups: As measured.
            models: What is known of each model.
            sizes: How much was measured.
            seconds: How long it took.
            gpu: Whether the models ran on a GPU.
        """
        figures = {
            "schema": SCHEMA,
            "date": datetime.now(UTC).date().isoformat(),
            "device": torch.cuda.get_device_name() if gpu else "CPU",
            "torch": torch.__version__,
            "seconds": round(seconds, 1),
            "rules_version": RULES_VERSION,
            "first_seed": HELD_OUT,
            "best_psnr": BEST_PSNR,
            "sizes": asdict(sizes),
            "models": dict(models),
            "groups": [group.figures for group in groups],
        }
        return cls(plain(figures), list(groups))

    def json(self) -> str:
        """Return the figures as JSON."""
        return json.dumps(self.figures, indent=1, allow_nan=False) + "\n"


def plain(figures: Any) -> Any:
    """Return figures as JSON has them: numbers rounded to six digits, null for not a number."""
    if isinstance(figures, Mapping):
        return {str(name): plain(part) for name, part in figures.items()}
    if isinstance(figures, (list, tuple)):
        return [plain(part) for part in figures]
    if isinstance(figures, float):
        return float(f"{figures:.6g}") if math.isfinite(figures) else None
    return figures
