"""Examples of docstrings are shown as code: their sections are "Example:", Griffe's "Examples:"."""

from __future__ import annotations

import re
from typing import Any

import griffe

__all__ = ["Examples"]


class Examples(griffe.Extension):
    """Renames the sections of examples."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Take a module, a class, a function or an attribute that was read."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"(?m)^Example:$", "Examples:", obj.docstring.value)
