"""The errors that are not plain `ValueError`, and the one way in which extras are imported."""

from __future__ import annotations

import importlib
from typing import Any, NoReturn

import gymnasium

__all__ = [
    "BackendUnavailableError",
    "InvalidActionError",
    "MissingExtraError",
    "import_extra",
    "refuse_keywords",
]


class InvalidActionError(gymnasium.error.InvalidAction, ValueError):
    """An action of the wrong shape, type or range; nothing has changed."""


class BackendUnavailableError(gymnasium.error.DependencyNotInstalled, ImportError):
    """The backend that was asked for cannot run here."""


class MissingExtraError(gymnasium.error.DependencyNotInstalled, ImportError):
    """A package that one of the optional extras brings is not installed."""


def import_extra(module: str, extra: str, purpose: str) -> Any:
    """Import a package that only an extra brings.

    Args:
        module: The module to import, such as "pygame".
        extra: The extra of this project that installs it, such as "play".
        purpose: What needs it, as the start of the message, such as "render_mode='human'".

    Raises:
        MissingExtraError: If it is not installed; the message names the extra.

    Example:
        >>> import_extra("math", "play", "this example").sqrt(4.0)
        2.0
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        raise MissingExtraError(
            f"{purpose} needs {name}, which cannot be imported ({error}): "
            f"pip install 'mirage-env[{extra}]'"
        ) from error


def refuse_keywords(owner: type, unknown: dict[str, Any]) -> None:
    """Raise `TypeError` for a keyword that `owner` does not take, naming the nearest it takes."""
    if unknown:
        _refuse(owner, next(iter(unknown)))


def _refuse(owner: type, name: str) -> NoReturn:
    import difflib
    import inspect

    parameters = inspect.signature(owner).parameters.values()
    taken = [p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    near = difflib.get_close_matches(name, taken, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise TypeError(
        f"{owner.__name__} got an unknown keyword argument {name!r}: {hint}"
        f"It takes {', '.join(taken)}"
    )
