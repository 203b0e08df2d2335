"""How many players a server of the browser's game holds, and how old the frames are that they see.

    python -m benchmarks.web                     # prints the table
    python -m benchmarks.web --save              # and writes benchmarks/results/web.json
    python -m benchmarks.web --soak-minutes 10   # 64 players for as long: what is lost, what grows

The server is a process of its own; its players share the machine with it. A frame's age is the time
from when the engine made it until a player has received the whole of it. A slow player reads
100 kB/s. Players are held when each of them receives 95 % of the 30 frames a second.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import statistics
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Rate, print_table, save
from benchmarks.web_clients import Player, Seen, join
from mirage_web.client_messages import Start
from mirage_web.wire import TICKS_PER_SECOND, Mode

SLOW = 100_000.0
"""Bytes a second that a slow player reads."""
HELD = 0.95 * TICKS_PER_SECOND
WARM_UP = 2.0
"""Seconds until what is measured has settled."""
TOGETHER = 16
"""Players who begin at once."""
SOAKERS, KEPT_SECONDS = 64, 12.0
"""Players of the soak, and the time until each has its ten seconds to rewind."""


@dataclass(frozen=True)
class Process:
    """A server that runs."""

    pid: int
    port: int

    @property
    def cpu_seconds(self) -> float:
        """Processor time that it has taken so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def memory(self) -> int:
        """Bytes in memory."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf(
            "SC_PAGE_SIZE"
        )


@contextmanager
def server(device: str, models: list[str]) -> Iterator[Process]:
    """Run a server without limits that would stop these players."""
    many = ["--max-games", "5000", "--max-dreams", "5000", "--max-per-address", "10000"]
    chosen = ["--models", *models] if models else []
    command = [sys.executable, "-m", "mirage_env.cli", "serve", "--port", "0", *many, *chosen]
    process = subprocess.Popen(
        [*command, "--device", device], stdout=subprocess.PIPE, text=True, bufsize=1
    )
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)/", process.stdout.readline())
        if not found:
            raise SystemExit("the server did not start")
        yield Process(process.pid, int(found[1]))
    finally:
        process.terminate()
        process.wait()


@asynccontextmanager
async def players(
    port: int, count: int, mode: Mode, bytes_per_second: float | None = None
) -> AsyncIterator[list[Player]]:
    """Let so many players begin, each with a seed of its own."""
    joined: list[Player] = []
    try:
        for first in range(0, count, TOGETHER):
            starts = [Start(mode=mode, seed=seed) for seed in range(count)][first:][:TOGETHER]
            joined += await asyncio.gather(*(join(port, s, bytes_per_second) for s in starts))
        yield joined
    finally:
        for player in joined:
            player.transport.abort()
        await asyncio.sleep(0.2)


async def watched(them: list[Player], seconds: float) -> list[Seen]:
    """Return what each player receives in so many seconds, after the warm-up."""
    await asyncio.sleep(WARM_UP)
    for player in them:
        player.seen = Seen()
    await asyncio.sleep(seconds)
    return [player.seen for player in them]


class Figures:
    """Figures by name, each from some rounds."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, list[float]]] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        self._found.setdefault(name, (unit, []))[1].append(value)

    def add_ages(self, whose: str, ages: list[float]) -> None:
        centiles = statistics.quantiles(ages, n=100)
        self.add(f"frame age, {whose}, p50", "ms", centiles[49])
        self.add(f"frame age, {whose}, p99", "ms", centiles[98])

    def rates(self) -> dict[str, Rate]:
        return {
            name: Rate(name, unit, statistics.median(values), min(values), max(values))
            for name, (unit, values) in self._found.items()
        }


async def measure_ages(port: int, mode: Mode, seconds: float, figures: Figures) -> None:
    """Measure a fast player alone, then beside a slow one."""
    name = mode.name.lower()
    async with players(port, 1, mode) as fast:
        (seen,) = await watched(fast, seconds)
        figures.add_ages(f"{name}, fast", seen.ages)
        async with players(port, 1, mode, SLOW) as slow:
            beside, late = await watched([*fast, *slow], seconds)
            figures.add_ages(f"{name}, fast beside a slow one", beside.ages)
            figures.add_ages(f"{name}, slow (100 kB/s)", late.ages)
            figures.add(f"frames seen, {name}, slow (100 kB/s)", "frames/s", late.rate)


async def measure_cost(
    process: Process, mode: Mode, count: int, seconds: float, to: Figures
) -> None:
    """Measure bytes and processor time for each of some players."""
    async with players(process.port, count, mode) as them:
        await asyncio.sleep(WARM_UP)
        before = process.cpu_seconds
        seen = await watched(them, seconds)
        used = (process.cpu_seconds - before) / (seconds + WARM_UP)
        who = f"{mode.name.lower()}, each of {count}"
        to.add(f"bytes, {who}", "kB/s", sum(s.bytes for s in seen) / seconds / count / 1000)
        to.add(f"processor, {who}", "ms/s", 1000 * used / count)


async def held(port: int, mode: Mode, count: int, seconds: float) -> bool:
    """Return whether each of so many players receives nearly every frame."""
    try:
        async with players(port, count, mode) as them:
            seen = await watched(them, seconds)
            return min(s.rate for s in seen) >= HELD and not any(p.lost for p in them)
    except OSError:
        return False


async def measure_places(port: int, mode: Mode, most: int, seconds: float) -> int:
    """Return how many players are held, to a tenth."""
    good, bad = 0, 1
    while bad <= most and await held(port, mode, bad, seconds):
        good, bad = bad, 2 * bad
    while bad - good > max(1, good // 10):
        middle = (good + bad) // 2
        if await held(port, mode, middle, seconds):
            good = middle
        else:
            bad = middle
    return good


async def soak(process: Process, minutes: float, figures: Figures) -> None:
    """Let players play for long: how many are lost, and by how much the server grows."""
    async with players(process.port, SOAKERS, Mode.REAL) as them:
        await asyncio.sleep(KEPT_SECONDS)
        before = process.memory
        seen = await watched(them, 60 * minutes)
        figures.add("soak, players", "players", SOAKERS)
        figures.add("soak, time", "min", minutes)
        figures.add("soak, lost", "players", sum(player.lost for player in them))
        figures.add("soak, slowest player", "frames/s", min(s.rate for s in seen))
        figures.add_ages("soak", [age for s in seen for age in s.ages])
        figures.add("soak, memory", "MB", process.memory / 1e6)
        figures.add("soak, memory grown by", "%", 100 * (process.memory / before - 1))


async def measure(options: argparse.Namespace) -> dict[str, Rate]:
    """Measure everything that was asked for."""
    figures = Figures()
    with server(options.device, options.models) as process:
        for _ in range(options.rounds):
            for mode in (Mode.REAL, Mode.BOTH):
                await measure_ages(process.port, mode, options.seconds, figures)
            for mode, count in ((Mode.REAL, 32), (Mode.DREAM, 1), (Mode.BOTH, 1)):
                await measure_cost(process, mode, count, options.seconds, figures)
        for mode in Mode:
            count = await measure_places(process.port, mode, options.most, options.seconds)
            figures.add(f"players held, {mode.name.lower()}", "players", count)
    with server(options.device, options.models) as process:
        await soak(process, options.soak_minutes, figures)
    return figures.rates()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="*", default=[], help="which models, the first dreams")
    parser.add_argument("--device", default="auto", help='"cpu", "cuda" or "auto"')
    parser.add_argument("--rounds", type=int, default=3, help="rounds of ages and costs")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of a measurement")
    parser.add_argument("--most", type=int, default=2048, help="players tried at most")
    parser.add_argument("--soak-minutes", type=float, default=0.5, help="length of the soak")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/web.json")
    options = parser.parse_args()

    figures = asyncio.run(measure(options))
    print_table(figures)
    if options.save:
        print(f"wrote {save('web', figures, {})}")


if __name__ == "__main__":
    main()
