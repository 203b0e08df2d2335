"""Learning to dream Mirage: a small network learns the game from pixels and keys.

Importing this package registers the dream beside the game, with the same API:

    >>> import gymnasium, mirage_wm
    >>> env = gymnasium.make("Mirage-Dream-v0", model="v1")  # doctest: +SKIP
    >>> envs = gymnasium.make_vec("Mirage-Dream-v0", num_envs=8)  # doctest: +SKIP

On a CPU a net that is compiled with the package runs them; they need the extra "dream", to read
weights. PyTorch (the extra "wm") runs them on a GPU, and is imported when it does.
"""

import gymnasium

import mirage_env  # noqa: F401 (registers the game)
from mirage_wm.env import DreamEnv
from mirage_wm.vector_env import DreamVectorEnv

__all__ = ["DreamEnv", "DreamVectorEnv"]

if "Mirage-Dream-v0" not in gymnasium.registry:
    gymnasium.register(
        "Mirage-Dream-v0",
        entry_point="mirage_wm.env:DreamEnv",
        vector_entry_point="mirage_wm.vector_env:DreamVectorEnv",
    )
