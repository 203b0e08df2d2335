"""The server that `benchmarks.web` measures, and what else the machine does meanwhile."""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

JIFFIES = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
CORES = len(os.sched_getaffinity(0))
MANY = ("--max-games", "9999", "--max-dreams", "9999", "--max-per-address", "99999")
"""No limit of the server's own stops the players."""


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / JIFFIES


@dataclass(frozen=True)
class Servers:
    """Servers that run, each a process on a port of its own; most often it is one."""

    pids: tuple[int, ...]
    ports: tuple[int, ...]

    @property
    def cpu_seconds(self) -> float:
        """Processor time that they have taken so far."""
        return sum(map(cpu_seconds, self.pids))

    @property
    def memory(self) -> int:
        """Bytes in memory."""
        return sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in self.pids) * PAGE


@contextmanager
def servers(device: str, models: list[str], count: int = 1) -> Iterator[Servers]:
    """Run servers."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a socket for each player
    chosen = ["--models", *models] if models else []
    command = [sys.executable, "-m", "mirage_env.cli", "serve", "--port", "0", *MANY, *chosen]
    command += ["--device", device]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        ports = tuple(map(_port, running))
        yield Servers(tuple(process.pid for process in running), ports)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    found = re.search(r":(\d+)/", process.stdout.readline())
    if not found:
        raise SystemExit("the server did not start")
    return int(found[1])


class Others:
    """Watches how much of the machine's processors is taken by what has nothing to do with this."""

    def __init__(self, ours: Sequence[int]) -> None:
        """Begin; the processes that are ours do not count."""
        self._ours = ours
        self._since = self._now()

    def share(self) -> float:
        """Return the share of all cores' time since the beginning, 0 to 1."""
        (busy, whole), (busy_before, whole_before) = self._now(), self._since
        return max(0.0, (busy - busy_before) / (whole - whole_before))

    def _now(self) -> tuple[float, float]:
        first = Path("/proc/stat").read_text().partition("\n")[0]
        user, nice, system, idle, iowait, *interrupts = map(int, first.split()[1:9])
        busy = (user + nice + system + sum(interrupts)) / JIFFIES
        ours = sum(map(cpu_seconds, self._ours))
        return busy - ours, busy + (idle + iowait) / JIFFIES
