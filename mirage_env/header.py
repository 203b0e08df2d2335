"""Writes the constants of the rules to ``cuda/generated.cuh``: ``python -m mirage_env.header``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mirage_env.rules import constants
from mirage_env.whole_file import write_whole

__all__ = ["header"]

CHECKOUT = Path(__file__).resolve().parent.parent


def _shape(value: Any) -> tuple[int, ...]:
    return (len(value), *_shape(value[0])) if isinstance(value, tuple) else ()


def _literal(value: Any) -> str:
    return "{" + ", ".join(map(_literal, value)) + "}" if isinstance(value, tuple) else str(value)


def _wrapped(text: str, width: int = 100) -> str:
    lines, line = [], ""
    for word in text.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = "    " + word
        else:
            line = f"{line} {word}" if line else word
    return "\n".join([*lines, line])


def header(values: Mapping[str, Any] | None = None) -> str:
    """Return the text of ``cuda/generated.cuh``."""
    parts = [
        "// Written by `python -m mirage_env.header`: change mirage_env/rules.py and run that.",
        "// clang-format off",
        "#pragma once",
        '#include "compiler.cuh"',
        "",
    ]
    for name, value in (values or constants()).items():
        dimensions = "".join(f"[{n}]" for n in _shape(value))
        keyword = "TABLE" if dimensions else "CONSTANT"
        parts.append(_wrapped(f"{keyword} int {name}{dimensions} = {_literal(value)};"))
    return "\n".join([*parts, "// clang-format on", ""])


def main(arguments: Sequence[str]) -> int:
    """Write the header to a file, or to ``cuda/generated.cuh`` in the checkout of the source."""
    target = Path(arguments[0]) if arguments else CHECKOUT / "cuda" / "generated.cuh"
    if not target.parent.is_dir():
        print(f"no folder {target.parent}: run this in a checkout of the source", file=sys.stderr)
        return 1
    write_whole(target, header().encode())
    print(f"wrote {target}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
