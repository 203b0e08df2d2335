"""Compiles ``cuda/kernels.cu`` for a GPU, once: the result is kept in a cache on disk.

The cache is ``$XDG_CACHE_HOME/mirage`` (``~/.cache/mirage``). The name of an entry is a hash of the
sources, the options, the architecture and the compiler's version, so that a stale one is never
used; an entry is written whole or not at all. Where there is no compiler, an entry that fits the
sources and the GPU still serves.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from mirage_env.whole_file import write_whole

__all__ = ["cache_folder", "fatbin", "nvcc", "sources", "target"]

OPTIONS = ("-std=c++17", "-fmad=false", "-O3", "--fatbin")
"""Each float32 operation is rounded by itself, so that pictures are the same bytes as on a CPU."""

OLDEST = 70
"""Compute capability times ten from which on the kernels run (Volta): they synchronise warps."""


def sources() -> Path:
    """Return the folder of the kernels: inside the installed package, or beside it in a checkout.

    Raises:
        ImportError: If it is in neither place.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "cuda", package.parent / "cuda"):
        if (folder / "kernels.cu").is_file():
            return folder
    raise ImportError(
        f"the kernels' sources are not in {package / 'cuda'}: install mirage-env anew"
    )


def nvcc() -> str | None:
    """Return the path of CUDA's compiler: from PATH, CUDA_HOME or the usual folder."""
    folders = [os.environ.get("CUDA_HOME"), os.environ.get("CUDA_PATH"), "/usr/local/cuda"]
    return shutil.which("nvcc") or next(
        (found for f in folders if f and (found := shutil.which("nvcc", path=f"{f}/bin"))), None
    )


def cache_folder() -> Path:
    """Return where compiled kernels are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "mirage"


def fatbin(capability: tuple[int, int], size: int, channels: int) -> bytes:
    """Return the kernels compiled for a GPU and for pictures of one size.

    Args:
        capability: The GPU's compute capability, such as (9, 0).
        size: Pixels of a side of the pictures that a step draws.
        channels: 3 (colours) or 1 (grey).

    Raises:
        ImportError: If the GPU is too old, or there is no compiler and no entry in the cache, or
            the compiler fails: with what to do.
    """
    architecture = 10 * capability[0] + capability[1]
    if architecture < OLDEST:
        raise ImportError(
            f"the GPU's compute capability is {capability[0]}.{capability[1]} and the kernels need "
            f"{OLDEST // 10}.{OLDEST % 10} or later: use backend='native'"
        )
    folder, compiler = sources(), nvcc()
    options = (
        *OPTIONS,
        target(architecture),
        f"-DSIZE={size}",
        f"-DCHANNELS={channels}",
    )
    made_of = _digest(folder, options)
    if compiler is None:
        return _any_cached(made_of, architecture)
    kept = cache_folder() / f"{made_of}-{_hash(_version(compiler))}.fatbin"
    with contextlib.suppress(OSError):
        return kept.read_bytes()
    built = _compile(compiler, folder / "kernels.cu", options)
    with contextlib.suppress(OSError):  # A folder that cannot be written is fine.
        write_whole(kept, built)
    return built


def target(architecture: int) -> str:
    """Return the compiler's option for machine code of an architecture, such as 90."""
    return f"-gencode=arch=compute_{architecture},code=sm_{architecture}"


def _any_cached(made_of: str, architecture: int) -> bytes:
    for entry in sorted(cache_folder().glob(f"{made_of}-*.fatbin")):
        return entry.read_bytes()
    raise ImportError(
        f"nvcc, which compiles the kernels for this GPU (sm_{architecture}), is neither on PATH "
        "nor in /usr/local/cuda/bin: install the CUDA toolkit, or use backend='native'"
    )


def _compile(compiler: str, kernels: Path, options: tuple[str, ...]) -> bytes:
    with tempfile.TemporaryDirectory(prefix="mirage-") as folder:
        built = Path(folder) / "kernels.fatbin"
        command = [compiler, *options, "-o", str(built), str(kernels)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it said nothing"]
            raise ImportError(
                f"{' '.join(command)} failed: {said[0]} (nvcc must know this GPU, and a host "
                "compiler that it accepts must be on PATH)"
            )
        return built.read_bytes()


@cache
def _version(compiler: str) -> str:
    done = subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False)
    return done.stdout


def _digest(folder: Path, options: tuple[str, ...]) -> str:
    texts = [path.read_bytes() for path in sorted(folder.glob("*")) if path.suffix != ".cpp"]
    return _hash(*(hashlib.sha256(text).hexdigest() for text in texts), *options)


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:20]
