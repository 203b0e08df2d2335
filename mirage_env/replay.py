"""A game that was played, to be played again: a few kilobytes for minutes.

The game is decided by its seed, its rules and the actions, so that is what a replay holds, and the
score and the hash of the state that came of them, by which it is known whether it comes out. The
file is told in docs/replay.md.
"""

from __future__ import annotations

import base64
import binascii
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mirage_env import backends, replay_file
from mirage_env.actions import NUM_ACTIONS
from mirage_env.arena import ARENA_DTYPE, TRUNCATED, named_arrays
from mirage_env.checks import SEEDS, whole_number
from mirage_env.replay_file import ReplayError
from mirage_env.rules import Rules, tuning
from mirage_env.runs import from_runs, from_text, to_runs, to_text
from mirage_env.simulator import Autoreset, Simulator, SimulatorConfig
from mirage_env.state import checked_state
from mirage_env.whole_file import write_whole

__all__ = ["MAX_TICKS", "Replay", "ReplayError"]

MAX_TICKS = 10**6
"""Of a replay: nine hours of play."""
NO_LIMIT = 2**32 - 1
"""Ticks that no episode reaches."""


@dataclass(frozen=True)
class Replay:
    """One game, from its beginning or from some state on.

    Attributes:
        seed: Of the arena.
        actions: A byte for each tick, 0 to 11.
        score: At the end.
        state_hash: Of the state at the end, as `MirageEnv.state_hash` gives it.
        rules: The game's, where they differ from the standard.
        episode: Number of the episode of that seed, from 0.
        truncated: Whether a limit of time ended the episode with the last tick.
        start: The state that it begins with, a record of `mirage_env.arena.ARENA_DTYPE`; empty
            where it begins with the episode.

    Example:
        >>> from mirage_env.replay import Replay
        >>> replay = Replay.of([0] * 3 + [2] * 10 + [3] * 20, seed=7)
        >>> replay.score, len(replay.to_json()) < 500
        (0, True)
        >>> replay.check()
    """

    seed: int
    actions: bytes = field(repr=False)
    score: int
    state_hash: int
    rules: Rules = field(default_factory=Rules)
    episode: int = 0
    truncated: bool = False
    start: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        """Raise `ReplayError` for what no game can have."""
        try:
            whole_number("seed", self.seed, 0, SEEDS - 1)
            whole_number("episode", self.episode, 0, 2**32 - 1)
            whole_number("score", self.score, 0, 2**32 - 1)
            whole_number("state_hash", self.state_hash, 0, 2**64 - 1)
            tuning(self.rules)
            if self.start:
                self._check_start()
        except ValueError as error:
            raise ReplayError(str(error)) from None
        if len(self.actions) > MAX_TICKS:
            raise ReplayError(f"a replay has at most {MAX_TICKS} ticks, got {len(self.actions)}")
        if max(self.actions, default=0) >= NUM_ACTIONS:
            raise ReplayError(f"a replay's actions are from 0 to {NUM_ACTIONS - 1}")

    def _check_start(self) -> None:
        if len(self.start) != ARENA_DTYPE.itemsize:
            raise ReplayError(
                f"a start is a state of {ARENA_DTYPE.itemsize} bytes, got {len(self.start)}"
            )
        state = self._start_state()
        told, held = (self.seed, self.episode), (int(state["seed"][0]), int(state["episode"][0]))
        if told != held:
            raise ReplayError(f"its seed and episode are {told} and those of its start {held}")
        if self._first_tick() + len(self.actions) >= NO_LIMIT:
            raise ReplayError(f"its ticks go beyond {NO_LIMIT}, which no game reaches")

    def _start_state(self) -> dict[str, NDArray[Any]]:
        state = named_arrays(np.frombuffer(self.start, ARENA_DTYPE))
        return checked_state(state, state)

    @classmethod
    def of(
        cls,
        actions: Iterable[int],
        *,
        seed: int,
        rules: Rules | None = None,
        backend: str = "auto",
    ) -> Replay:
        """Play actions, one a tick, from the beginning of a seed's first episode; return that game.

        Actions after its end change nothing and are left out.

        Raises:
            ReplayError: For an action that is none.
        """
        given = [int(action) for action in actions]
        if not all(0 <= action < NUM_ACTIONS for action in given):
            raise ReplayError(f"a replay's actions are from 0 to {NUM_ACTIONS - 1}")
        replay = cls(seed, bytes(given), 0, 0, rules or Rules())
        simulator, played = replay._begun(backend), 0
        try:
            while played < len(given) and not simulator.arenas["ended"][0]:
                simulator.step(np.array([given[played]], np.int32))
                played += 1
            return replace(replay, actions=bytes(given[:played])).ending(simulator)
        finally:
            simulator.close()

    def ending(self, simulator: Simulator) -> Replay:
        """Return the replay with the ending that a simulator of one arena shows."""
        arena = simulator.arenas[0]
        return replace(
            self,
            score=int(arena["score"]),
            state_hash=int(simulator.state_hash()[0]),
            truncated=bool(arena["ended"] & TRUNCATED),
        )

    # Playing

    def begin(self, simulator: Simulator) -> None:
        """Put a simulator of one arena where this game begins."""
        simulator.reset(np.array([self.seed], np.uint64))
        if self.start:
            simulator.set_state(self._start_state())
        elif self.episode:
            simulator.set_state({"episode": np.array([self.episode - 1], np.uint32)})
            simulator.reset()

    def play(self, backend: str = "auto") -> Iterator[Simulator]:
        """Play it again: yield the simulator at the beginning and after each tick.

        Raises:
            ReplayError: In the end, if it does not come out as it was recorded, saying how.
            BackendUnavailableError: If the backend cannot run here.
        """
        simulator = self._begun(backend)
        try:
            yield simulator
            for action in np.frombuffer(self.actions, np.uint8).astype(np.int32):
                simulator.step(action[None])
                yield simulator
            reason = self._how_it_differs(simulator)
        finally:
            simulator.close()
        if reason:
            raise ReplayError(
                f"the replay does not come out: {reason}. Its seed, rules and actions are not "
                "those of the game that was played, or the simulator computes something else than "
                "then: the backend 'oracle' is slow and the measure"
            )

    def _how_it_differs(self, simulator: Simulator) -> str:
        """Return what a simulator shows in the end that was not recorded; empty for nothing."""
        got, ticks = self.ending(simulator), len(self.actions)
        played = int(simulator.arenas["tick"][0]) - self._first_tick()
        if played != ticks:
            return f"the game is over after {played} ticks, and there are actions for {ticks}"
        if got.score != self.score:
            return f"after {ticks} ticks the score is {got.score}, and {self.score} was recorded"
        if got.state_hash != self.state_hash:
            hashes = f"{got.state_hash:016x}, and {self.state_hash:016x} was recorded"
            return f"after {ticks} ticks the score is right but the state has the hash {hashes}"
        return ""

    def check(self, backend: str = "auto") -> None:
        """Play it again and raise what `play` raises if it does not come out."""
        for _ in self.play(backend):
            pass

    def frames(self, size: int = 512, backend: str = "auto") -> Iterator[NDArray[np.uint8]]:
        """Play it again: yield pictures uint8 [size, size, 3], one more than there are ticks.

        Raises what `play` raises.
        """
        whole_number("size", size, 16, 1024)
        for simulator in self.play(backend):
            yield simulator.render(size)[0]

    def _begun(self, backend: str) -> Simulator:
        last = self._first_tick() + len(self.actions)
        simulator: Simulator = backends.make(
            backend,
            SimulatorConfig(
                np.array([tuning(self.rules)], np.int32),
                max_ticks=last if self.truncated else NO_LIMIT,
                autoreset=Autoreset.DISABLED,
                num_threads=1,
            ),
        )
        self.begin(simulator)
        return simulator

    def _first_tick(self) -> int:
        return int(np.frombuffer(self.start, ARENA_DTYPE)["tick"][0]) if self.start else 0

    # The file

    def to_json(self) -> str:
        """Return the replay as the text of its file."""
        return replay_file.pack(
            {
                "rules": {name: _plain(value) for name, value in self.rules.differing().items()},
                "seed": int(self.seed),
                "episode": int(self.episode),
                "start": base64.b64encode(zlib.compress(self.start)).decode() if self.start else "",
                "ticks": len(self.actions),
                "actions": to_text(to_runs(self.actions)),
                "truncated": self.truncated,
                "score": int(self.score),
                "state_hash": f"{self.state_hash:016x}",
            }
        )

    @classmethod
    def from_json(cls, text: str) -> Replay:
        """Return the replay that a file's text holds.

        Raises:
            ReplayError: For a text that is none, is damaged, or is of another version.
        """
        told = replay_file.unpack(text)
        ticks = told.pop("ticks")
        try:
            told["rules"] = Rules(**told["rules"])
            told["state_hash"] = int(told["state_hash"], 16)
            told["actions"] = from_runs(from_text(told["actions"]), MAX_TICKS, 0)
            told["start"] = _inflated(told["start"])
        except (ValueError, TypeError) as error:
            raise ReplayError(f"it holds what no replay can: {error}") from None
        if len(told["actions"]) != ticks:
            raise ReplayError(f"it has {len(told['actions'])} actions and says {ticks}")
        return cls(**told)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the replay to a file, whole or not at all.

        Raises:
            OSError: If it cannot be written.
        """
        write_whole(path, self.to_json().encode())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Replay:
        """Read a replay from a file. Whether it comes out is known when it is played.

        Raises:
            ReplayError: If it is no replay, is damaged, or is of another version.
            OSError: If it cannot be read.
        """
        try:
            return cls.from_json(replay_file.read(path))
        except ReplayError as error:
            raise ReplayError(f"{path} cannot be played: {error}") from None


def _inflated(text: str) -> bytes:
    """Return the state that a text holds; an empty text holds none."""
    if not text:
        return b""
    try:
        packed = base64.b64decode(text, validate=True)
        return zlib.decompressobj().decompress(packed, ARENA_DTYPE.itemsize + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"a start that cannot be unpacked: {error}") from None


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
