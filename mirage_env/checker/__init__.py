"""Checks any Gymnasium vector environment against what algorithms take for granted.

`gymnasium.utils.env_checker` does this for single environments; this is for vectors of them:

    >>> import gymnasium
    >>> from mirage_env.checker import check_vector_env
    >>> check_vector_env(gymnasium.make_vec("CartPole-v1", num_envs=3))

What is wrong is said in one `VectorEnvError`: where, what was wanted, what came, what to do.
"""

from mirage_env.checker.check import check_vector_env
from mirage_env.checker.results import VectorEnvError

__all__ = ["VectorEnvError", "check_vector_env"]
