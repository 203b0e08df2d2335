"""Mirage, an arcade game as a Gymnasium environment simulated at hardware speed.

Importing this package registers it:

    >>> import gymnasium, mirage_env
    >>> env = gymnasium.make("Mirage-v0")
    >>> envs = gymnasium.make_vec("Mirage-v0", num_envs=8)
"""

import gymnasium

from mirage_env.env import MirageEnv
from mirage_env.replay import Replay
from mirage_env.rules import RULES_VERSION, Rules
from mirage_env.vector_env import MirageVectorEnv

__all__ = ["RULES_VERSION", "MirageEnv", "MirageVectorEnv", "Replay", "Rules"]

__version__ = "0.1.0"

if "Mirage-v0" not in gymnasium.registry:
    gymnasium.register(
        "Mirage-v0",
        entry_point="mirage_env.env:MirageEnv",
        vector_entry_point="mirage_env.vector_env:MirageVectorEnv",
    )
