"""Groups of players in processes of their own, who play while the server is watched."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.web_clients import Player, Seen, join
from benchmarks.web_server import CORES
from mirage_web.client_messages import Start
from mirage_web.wire import Mode

__all__ = ["Crowd", "Group", "SentAwayError", "crowd"]

MOST_PROCESSES = max(1, (CORES - 4) // 2)
PLAYERS_EACH = 32
"""A process more for so many players."""
TOGETHER = 16
"""Players of a process who begin at once."""
JOIN_SECONDS = 30.0
"""Until all players must have seen a first frame."""


class SentAwayError(Exception):
    """A player did not get to play."""


@dataclass(frozen=True)
class Group:
    """So many players of a kind; by default they read as fast as they can."""

    mode: Mode
    count: int
    bytes_per_second: float | None = None


class Crowd:
    """Players who play.

    Attributes:
        pids: Of their processes.
    """

    def __init__(self, workers: Sequence[tuple[Any, Connection]]) -> None:
        """Take the processes of `crowd` and the lines to them."""
        self.pids: list[int] = [process.pid for process, _ in workers]
        self._lines = [line for _, line in workers]

    def look(self) -> None:
        """Begin to watch what the players see."""
        for line in self._lines:
            line.send("look")
        for line in self._lines:
            _answer(line)

    def seen(self) -> list[list[Seen]]:
        """Return what each player of each group has seen since `look`."""
        for line in self._lines:
            line.send("tell")
        parts = [_answer(line) for line in self._lines]
        return [list(chain.from_iterable(group)) for group in zip(*parts, strict=True)]


@contextmanager
def crowd(ports: Sequence[int], groups: Sequence[Group]) -> Iterator[Crowd]:
    """Let groups of players play, each player with a seed of its own, evenly on all ports.

    Raises:
        SentAwayError: If one of them did not get to play.
    """
    total = sum(group.count for group in groups)
    processes = min(MOST_PROCESSES, -(-total // PLAYERS_EACH))
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    workers: list[tuple[Any, Connection]] = []
    try:
        for number in range(processes):
            ours, theirs = context.Pipe()
            share = [range(group.count)[number::processes] for group in groups]
            process = context.Process(
                target=_play, args=(ports, groups, share, theirs), daemon=True
            )
            process.start()
            theirs.close()
            workers.append((process, ours))
        for _, line in workers:
            _answer(line)
        yield Crowd(workers)
    finally:
        for _, line in workers:
            line.close()  # whereupon they leave
        for process, _ in workers:
            process.join()


def _answer(line: Connection) -> Any:
    answer = line.recv()
    if isinstance(answer, SentAwayError):
        raise answer
    return answer


def _play(
    ports: Sequence[int], groups: Sequence[Group], share: Sequence[range], line: Connection
) -> None:
    """Run in a process of its own: play, and answer what is asked on the line until it ends."""
    try:
        asyncio.run(_answers(ports, groups, share, line))
    except (OSError, TimeoutError) as error:
        line.send(SentAwayError(str(error)))


async def _answers(
    ports: Sequence[int], groups: Sequence[Group], share: Sequence[range], line: Connection
) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(JOIN_SECONDS):
        them = [await _join(ports, g, seeds) for g, seeds in zip(groups, share, strict=True)]
    line.send("playing")
    while True:
        try:
            asked = await loop.run_in_executor(None, line.recv)
        except EOFError:
            break
        if asked == "look":
            for player in chain.from_iterable(them):
                player.seen = Seen()
            line.send("looking")
        else:
            line.send([[player.told() for player in group] for group in them])
    for player in chain.from_iterable(them):
        player.transport.abort()


async def _join(ports: Sequence[int], group: Group, seeds: range) -> list[Player]:
    joined: list[Player] = []
    for first in range(0, len(seeds), TOGETHER):
        starts = [Start(mode=group.mode, seed=seed) for seed in seeds[first : first + TOGETHER]]
        chosen = [ports[start.seed % len(ports)] for start in starts]
        joined += await asyncio.gather(
            *(join(p, s, group.bytes_per_second) for p, s in zip(chosen, starts, strict=True))
        )
    return joined
