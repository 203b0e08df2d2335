"""Keeps what every test does to its simulators; where a test fails, it is written as replays.

`mirage replay tests/failures/.../env-0.replay` then plays what the test played. Followed are the
first environments of each simulator that computes into the host's memory.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from simulators import make_simulator

from mirage_env.arena import TRUNCATED
from mirage_env.oracle.hash import state_hash
from mirage_env.replay import Replay, ReplayError
from mirage_env.rules import UNIT, WAVES, Rules, fixed
from mirage_env.simulator import Simulator

__all__ = ["FAILURES", "FlightRecorder", "pytest_runtest_makereport"]

FAILURES = Path(__file__).resolve().parent / "failures"
MOST = 16
"""Environments of a simulator that are followed."""
KEPT = 32
"""Simulators of a test that are followed, the newest."""
RECORDER = pytest.StashKey["FlightRecorder"]()


@dataclass(frozen=True)
class Flight:
    """What was done in one environment from a state on, until another came from elsewhere."""

    start: NDArray[Any]
    end: NDArray[Any]
    actions: bytes
    rules: Rules

    def replay(self) -> Replay:
        """Return it as a replay; it begins with the episode where it can."""
        replay = Replay(
            seed=int(self.start["seed"]),
            episode=int(self.start["episode"]),
            actions=self.actions,
            score=int(self.end["score"]),
            state_hash=state_hash(self.end),
            rules=self.rules,
            truncated=bool(self.end["ended"] & TRUNCATED),
        )
        simulator = make_simulator("oracle", 1, self.rules)
        replay.begin(simulator)
        begins = simulator.arenas[0].tobytes() == self.start.tobytes()
        return replay if begins else replace(replay, start=self.start.tobytes())


class Track:
    """What was done in a simulator's first environments, step by step."""

    def __init__(self, simulator: Simulator) -> None:
        """Follow each step of a simulator from now on."""
        self.simulator = simulator
        self.count = min(simulator.num_envs, MOST)
        self.tuning = simulator.config.tuning[: self.count]
        self.done: list[tuple[NDArray[Any], NDArray[Any]]] = []  # actions, ticks of each [count]
        self.starts, self.ends = self._states(), self._states()
        self.since = [0] * self.count
        self.before: dict[int, Flight] = {}
        self._step = simulator.step
        simulator.step = self.step  # pyright: ignore[reportAttributeAccessIssue]

    def _states(self) -> NDArray[Any]:
        return self.simulator.arenas[: self.count].copy()

    def step(self, actions: NDArray[np.int32], frames: NDArray[np.uint8] | None = None) -> None:
        """Step the simulator and take note of what was done."""
        simulator, before = self.simulator, self._states()
        rows = (states.view(np.uint8).reshape(self.count, -1) for states in (before, self.ends))
        for i in np.flatnonzero(np.not_equal(*rows).any(axis=1)):  # reset, set or restored
            self._begin(i, before[i])
        self._step(actions, frames)
        flags = (simulator.begun, simulator.terminated | simulator.truncated)
        begun, ended = (flag[: self.count] for flag in flags)
        self.ends = self._states()
        last = self.ends.copy()  # of the episode that the step began in
        last[begun] = np.where(ended, simulator.final_arenas[: self.count], before)[begun]
        ticks = last["tick"] - before["tick"]
        self.done.append((actions[: self.count].astype(np.uint8), ticks))
        for i in np.flatnonzero(begun):
            self.before[i] = self._flight(i, last[i])
            self._begin(i, self.ends[i])

    def _begin(self, i: int, state: NDArray[Any]) -> None:
        self.starts[i] = state
        self.since[i] = len(self.done)

    def _flight(self, i: int, end: NDArray[Any]) -> Flight:
        done = self.done[self.since[i] :]
        actions = b"".join(bytes([keys[i]]) * int(ticks[i]) for keys, ticks in done)
        return Flight(self.starts[i].copy(), end.copy(), actions, _rules(self.tuning[i]))

    def flights(self) -> Iterator[tuple[int, Flight]]:
        """Yield the newest flight of each environment that has played a tick."""
        for i in range(self.count):
            flight = self._flight(i, self.ends[i])
            if not flight.actions and i in self.before:
                flight = self.before[i]
            if flight.actions:
                yield i, flight


class FlightRecorder:
    """The tracks of all simulators of a test."""

    def __init__(self) -> None:
        """Nothing is followed yet, and nothing was refused by `write`."""
        self.tracks: list[Track] = []
        self.refused: list[ReplayError] = []

    def follow(self, simulator: Simulator) -> Simulator:
        """Follow a simulator from now on, if its states are in the host's memory; return it."""
        if "arenas" in vars(simulator):
            self.tracks = [*self.tracks[-KEPT + 1 :], Track(simulator)]
        return simulator

    def write(self, folder: Path) -> list[Path]:
        """Write a replay of each environment to a folder, which is emptied; return the files.

        Some tests put arenas into states that no replay may begin with: those are left out.
        """
        shutil.rmtree(folder, ignore_errors=True)
        written = []
        for number, track in enumerate(self.tracks):
            for i, flight in track.flights():
                name = f"env-{i}" if len(self.tracks) == 1 else f"simulator-{number}-env-{i}"
                try:
                    flight.replay().save(folder / f"{name}.replay")
                except ReplayError as error:
                    self.refused.append(error)
                else:
                    written.append(folder / f"{name}.replay")
        return written


def _rules(tuning: NDArray[np.int32]) -> Rules:
    thrust, rock_speed, wave_first, cooldown, split, wave = tuning.tolist()
    return Rules(
        thrust=_units(thrust),
        rock_speed=_units(rock_speed),
        wave_first=wave_first,
        cooldown=cooldown,
        split="random" if split else "bullet",
        wave=WAVES[wave],
    )


def _units(length: int) -> float:
    """Return the shortest decimal that is this length in a coordinate's integers, if it is one."""
    short = round(length / UNIT, 6)
    return short if fixed(short) == length else length / UNIT


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Write the replays of a test that failed, and name them in its report."""
    outcome: Any = yield
    report = outcome.get_result()
    recorder = item.stash.get(RECORDER, None)
    if report.when != "call" or not report.failed or recorder is None:
        return
    name = re.sub(r"[^\w.-]+", "-", item.nodeid.removeprefix("tests/"))[:120].strip("-")
    try:
        written = recorder.write(FAILURES / name)
    except Exception as error:  # the test's own failure is what matters
        report.sections.append(("replays", f"none could be written: {error!r}"))
        return
    if written:
        told = f"{len(written)} in {written[0].parent}: mirage replay {written[0]}"
        report.sections.append(("replays", told))
    if recorder.refused:
        told = f"{len(recorder.refused)} could not be written: {recorder.refused[0]}"
        report.sections.append(("replays", told))
