"""How many players a server of the browser's game holds, and how old the frames are that they see.

    python -m benchmarks.web                     # prints the table, in three minutes
    python -m benchmarks.web --soak-minutes 10   # then 64 players for as long: lost? growing?
    python -m benchmarks.web --save              # and writes benchmarks/results/web-….json

The server is a process of its own; its players, in others, share the machine with it. A frame's age
is the time from when the engine made it until a player has received the whole of it. A slow player
reads 100 kB/s. Players are held when each of them receives 95 % of the 30 frames a second. What
other programs took of the processors meanwhile is told with the figures: on a busy machine they
are worse.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from benchmarks.measure import Rate, gpu, median_rate, print_table, save
from benchmarks.web_clients import Seen
from benchmarks.web_crowd import Crowd, Group, SentAwayError, crowd
from benchmarks.web_server import Others, Servers, servers
from mirage_web.wire import TICKS_PER_SECOND, Mode
from mirage_wm.predictors import chosen_device

SLOW = 100_000.0
"""Bytes a second that a slow player reads."""
HELD = 0.95 * TICKS_PER_SECOND
WARM_UP = 1.0
"""Seconds until what is measured has settled."""
CROWD = 32
"""Players of the real game whose cost is measured; what the server does for nobody is little."""
MOST = 4096
"""No more players are tried."""
SOAKERS, KEPT_SECONDS, LOOK_EVERY = 64, 12.0, 5.0
"""Players of the soak, the time until each has its ten seconds to rewind, seconds between looks."""


class Figures:
    """Figures by name, each from some rounds."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, list[float]]] = {}
        self.others: list[float] = []
        """Share of the processors that other programs took, in each measurement."""

    def add(self, name: str, unit: str, value: float) -> None:
        self._found.setdefault(name, (unit, []))[1].append(value)

    def add_ages(self, whose: str, seen: Iterable[Seen]) -> None:
        ages = [age for each in seen for age in each.ages]
        if len(ages) < 2:
            return  # A machine so busy shows nothing; `add_rate` says so.
        centiles = statistics.quantiles(ages, n=100)
        self.add(f"frame age, {whose}, p50", "ms", centiles[49])
        self.add(f"frame age, {whose}, p99", "ms", centiles[98])

    def add_rate(self, whose: str, seen: Iterable[Seen]) -> None:
        self.add(f"frames seen, {whose}", "frames/s", min(each.rate for each in seen))

    def rates(self) -> dict[str, Rate]:
        return {name: median_rate(name, *found) for name, found in self._found.items()}

    @contextmanager
    def watching(self, running: Servers, them: Crowd) -> Iterator[None]:
        """Note what others take of the processors."""
        others = Others([*running.pids, os.getpid(), *them.pids])
        yield
        self.others.append(others.share())

    def notes(self) -> dict[str, float]:
        """Return what should be known beside the figures."""
        return {
            "processors taken by other programs, median": statistics.median(self.others),
            "processors taken by other programs, most": max(self.others),
        }


def watched(
    running: Servers, them: Crowd, seconds: float, figures: Figures
) -> tuple[list[list[Seen]], float]:
    """Return what the players of each group see, and the processor time that it took, s/s."""
    time.sleep(WARM_UP)
    with figures.watching(running, them):
        them.look()
        before, since = running.cpu_seconds, time.monotonic()
        time.sleep(seconds)
        used = (running.cpu_seconds - before) / (time.monotonic() - since)
        return them.seen(), used


def measure_slow(running: Servers, seconds: float, figures: Figures) -> None:
    """Measure players on a slow line, and what one beside them sees."""
    for mode, beside in ((Mode.REAL, 1), (Mode.BOTH, 0)):
        who = f"{mode.name.lower()}, at 100 kB/s"
        with crowd(running.ports, [Group(mode, beside), Group(mode, 1, SLOW)]) as them:
            (fast, slow), _ = watched(running, them, seconds, figures)
        for name, seen in ((f"{mode.name.lower()}, beside a slow one", fast), (who, slow)):
            if seen:
                figures.add_rate(name, seen)
                figures.add_ages(name, seen)


def measure_cost(
    running: Servers, mode: Mode, count: int, seconds: float, figures: Figures
) -> None:
    """Measure what some players see, and what each of them costs."""
    who = f"{mode.name.lower()}, {'each of ' if count > 1 else ''}{count}"
    with crowd(running.ports, [Group(mode, count)]) as them:
        (seen,), used = watched(running, them, seconds, figures)
    figures.add_rate(who, seen)
    figures.add_ages(who, seen)
    spoken = sum(each.bytes / each.seconds for each in seen)
    figures.add(f"bytes, {who}", "kB/s", spoken / count / 1000)
    figures.add(f"processor, {who}", "ms/s", 1000 * used / count)


def held(running: Servers, mode: Mode, count: int, seconds: float, figures: Figures) -> bool:
    """Return whether each of so many players receives nearly every frame."""
    try:
        with crowd(running.ports, [Group(mode, count)]) as them:
            (seen,), _ = watched(running, them, seconds, figures)
    except SentAwayError:
        return False
    return min(each.rate for each in seen) >= HELD and not any(each.lost for each in seen)


def measure_places(
    running: Servers, mode: Mode, first: int, turns: int, seconds: float, figures: Figures
) -> None:
    """Measure how many players are held, to an eighth: search from `first` on, then around it."""

    def fits(count: int) -> bool:
        return count == 0 or held(running, mode, count, seconds, figures)

    good, bad = 0, first
    while bad <= MOST and fits(bad):
        good, bad = bad, 2 * bad
    while bad - good > max(1, good // 8):
        middle = (good + bad) // 2
        good, bad = (middle, bad) if fits(middle) else (good, middle)
    for turn in range(turns):
        step = max(1, good // 8)
        if turn > 0 and fits(good):
            while fits(good + step):
                good += step
        elif turn > 0:
            good = max(0, good - step)
            while not fits(good):
                good = max(0, good - step)
        figures.add(f"players held, {mode.name.lower()}", "players", good)


def soak(running: Servers, minutes: float, figures: Figures) -> None:
    """Let players play for long: how many are lost, and by how much the server grows."""
    with crowd(running.ports, [Group(Mode.REAL, SOAKERS)]) as them:
        time.sleep(KEPT_SECONDS)
        with figures.watching(running, them):
            them.look()
            before, memory = running.memory, []
            end = time.monotonic() + 60 * minutes
            while (left := end - time.monotonic()) > 0:
                time.sleep(min(left, LOOK_EVERY))
                memory.append(running.memory)
            (seen,) = them.seen()
    figures.add("soak, players", "players", SOAKERS)
    figures.add("soak, time", "min", minutes)
    figures.add("soak, lost", "players", sum(each.lost for each in seen))
    figures.add_rate("soak, the slowest player", seen)
    figures.add_ages("soak", seen)
    for size in memory:
        figures.add("soak, memory", "MB", size / 1e6)
        figures.add("soak, memory grown by", "%", 100 * (size / before - 1))
    late = memory[len(memory) // 2 :]
    figures.add("soak, memory grown in the second half", "%", 100 * (late[-1] / late[0] - 1))


def measure(options: argparse.Namespace, device: str) -> Figures:
    """Measure ages, costs and how many players there can be."""
    figures = Figures()
    dreamers = 1 if device == "cpu" else CROWD * options.workers
    counts = {Mode.REAL: CROWD * options.workers, Mode.DREAM: dreamers, Mode.BOTH: dreamers}
    with servers(device, options.models, options.workers) as running:
        for _ in range(options.rounds):
            for mode, count in counts.items():
                measure_cost(running, mode, count, options.seconds, figures)
            measure_slow(running, options.seconds, figures)
        for mode, count in counts.items():
            measure_places(running, mode, count, options.rounds, options.seconds, figures)
    return figures


def tell(name: str, figures: Figures, device: str, saving: bool) -> None:
    """Print figures, and write them."""
    rates, notes = figures.rates(), figures.notes()
    print_table(rates)
    for what, share in notes.items():
        print(f"{what}: {share:.0%}")
    if saving:
        print(f"wrote {save(name, rates, notes, None if device == 'cpu' else gpu())}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--models", nargs="*", default=[], help="which models, the first dreams")
    parser.add_argument("--device", default="auto", help='"cpu", "cuda" or "auto"')
    parser.add_argument("--workers", type=int, default=1, help="servers, as in docs/deploy.md")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each measurement")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of a measurement")
    parser.add_argument("--soak-minutes", type=float, default=0, help="length of the soak")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/web-….json")
    options = parser.parse_args()

    device = chosen_device(options.device)
    if options.rounds:
        kind = "cpu" if device == "cpu" else "gpu"
        many = f"-{options.workers}-workers" if options.workers > 1 else ""
        tell(f"web-{kind}{many}", measure(options, device), device, options.save)
    if options.soak_minutes:
        figures = Figures()
        with servers(device, options.models, options.workers) as running:
            soak(running, options.soak_minutes, figures)
        tell("web-soak", figures, device, options.save)


if __name__ == "__main__":
    main()
