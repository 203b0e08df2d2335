"""Wrappers of vector environments for arrays of NumPy and tensors of PyTorch alike.

Gymnasium's vector wrappers of the same names read every reward on the host, or do not exist. These
work where the arrays are: with tensors of a GPU they neither wait for it nor copy anything off it.
They take any Gymnasium vector environment, in every autoreset mode.

    >>> from mirage_env import MirageVectorEnv
    >>> from mirage_env.wrappers import ClipReward, FrameStackObservation, RecordEpisodeStatistics
    >>> envs = MirageVectorEnv(2, obs_type="grayscale", autoreset_mode="SAME_STEP")
    >>> envs = ClipReward(FrameStackObservation(RecordEpisodeStatistics(envs), 4), 0, 1)
    >>> envs.single_observation_space.shape
    (4, 64, 64)

Mirage's own environments stack frames themselves (``frame_stack=4``), faster; the wrapper is for
others, and for what other wrappers have made of the observations.
"""

from mirage_env.wrappers.clip_reward import ClipReward
from mirage_env.wrappers.episode_statistics import RecordEpisodeStatistics
from mirage_env.wrappers.frame_stack import FrameStackObservation

__all__ = ["ClipReward", "FrameStackObservation", "RecordEpisodeStatistics"]
