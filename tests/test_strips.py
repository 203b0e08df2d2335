"""The GPU's way of drawing, run lane after lane on the CPU: the oracle's pictures, in any size."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
from simulators import make_simulator
from test_equality import choose

from mirage_env.backends.oracle import OracleSimulator
from mirage_env.rules import Rules

HERE = Path(__file__).resolve().parent
GUARD = 0xA5


@pytest.fixture(scope="module")
def crowd() -> OracleSimulator:
    """Arenas at many stages of the game, with all there is to draw at all edges."""
    native = make_simulator("native", 96, Rules(wave_first=6))
    rng, held = np.random.default_rng(0), np.zeros(96, np.int32)
    behaviours = rng.integers(0, 4, 96)
    kept = []
    for step in range(900):
        native.step(choose(behaviours, held, native.arenas, rng))
        if step % 180 == 25:
            kept.append(native.arenas[:24].copy())
    arenas = np.concatenate(kept)
    oracle = make_simulator("oracle", len(arenas), Rules(wave_first=6))
    oracle.arenas[:] = arenas
    assert (arenas["rock_size"] > 0).sum(1).max() > 12
    assert {0, 1} <= set((arenas["thrusting"] > 0).tolist())
    for name in ("dying", "shield", "cooldown", "wave_timer"):
        assert (arenas[name] > 0).any(), name
    return oracle


def drawn(oracle: OracleSimulator, size: int, channels: int, folder: Path) -> np.ndarray:
    """Pictures uint8 [arenas, ways, bytes and a guard of 16], drawn by one warp and by four."""
    program = folder / "strips"
    command = ["c++", "-std=c++17", "-O1", "-ffp-contract=off", "-fwrapv", f"-DSIZE={size}"]
    sources = [f"-DCHANNELS={channels}", f"-I{HERE.parent / 'cuda'}", HERE / "strips_on_cpu.cpp"]
    subprocess.run([*command, *sources, "-o", program], check=True, capture_output=True)
    records = zip(oracle.arenas, oracle.config.tuning, strict=True)
    given = b"".join(arena.tobytes() + tuning.tobytes() for arena, tuning in records)
    done = subprocess.run([program], input=given, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(oracle.num_envs, 2, -1)


@pytest.mark.parametrize(
    ("size", "channels"), [(64, 3), (64, 1), (16, 3), (84, 1), (97, 3), (128, 3)]
)
def test_strips_are_the_pictures_of_the_oracle(crowd, size, channels, tmp_path):
    pictures = drawn(crowd, size, channels, tmp_path)
    wanted = crowd.render(size, channels=channels).reshape(crowd.num_envs, -1)
    for way in (0, 1):
        differ = np.flatnonzero((pictures[:, way, :-16] != wanted).any(1))
        assert not len(differ), f"arenas {differ.tolist()}"
    assert (pictures[:, :, -16:] == GUARD).all()
